# SPDX-License-Identifier: Apache-2.0
"""What somebody can do who has taken over a daemon.

tests/support/hostile*.c is linked into each real daemon: a client that says HOSTILE makes the
process, in the jail that its own main.c declares, try one act after the other. What succeeds must
be exactly what the table below grants; everything else must be refused by the kernel or by the
service that was called.
"""

import ctypes
import os
import pwd
import re
import socket
import stat
import struct
import subprocess
import time

import pytest

from ipc_wire import message
from postern import BUILD, LIBEXEC, poll_until

HOSTILE = os.path.join(BUILD, "hostile")
REFUSALS = {"EPERM", "EACCES", "ECONNRESET"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

MASTER_CF = """
127.0.0.1:{smtp} inet n - {chroot} - - smtpd
pickup  unix n - n 60 1 pickup
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 bounce
defer   unix - - n -  0 bounce
trace   unix - - n -  0 bounce
error   unix - - n -  - error
retry   unix - - n -  - error
discard unix - - n -  - discard
local   unix - n n -  - local
smtp    unix - - n -  - smtp
showq   unix n - n -  - showq
tables  unix - - n -  - tables
anvil   unix - - n -  1 anvil
"""

PUBLIC = ["public/pickup", "public/cleanup", "public/qmgr", "public/showq"]
AGENTS = ["private/bounce", "private/defer", "private/trace", "private/error", "private/retry",
          "private/discard", "private/local", "private/smtp"]
CALLS = PUBLIC + AGENTS + ["private/tables"]
QUEUES = ["incoming", "slots", "deferred", "hold", "corrupt", "maildrop"]

# One act a row: its name here, and what the daemon is told to do.
ON_FILES = ["read {0}/secret", "write {0}/secret", "truncate {0}/secret", "rename {0}/secret",
            "link {0}/secret", "owner {0}/secret", "mode {0}/secret", "remove {0}/secret",
            "create {0}/new", "directory {0}/newer", "list {0}", "listen {0}/socket"]
FILES = ["read /etc/shadow", "read /etc/passwd", "read {conf}/main.cf", "write {conf}/main.cf",
         "create {conf}/new.cf", "create /tmp/hostile-{port}", "create {conf}/../new-log",
         "write {conf}/../log", "remove {conf}/../log", "truncate {conf}/../log",
         "create {data}/new", "list {data}", "remove private/tables", "remove public/cleanup",
         "rename public/cleanup", "listen private/hostile", "socket-file public/hostile",
         "write pid/master.lock", "list /proc", "read /proc/self/environ", "read /proc/1/environ",
         "write /proc/self/mem", "read /dev/null", "empty-log",
         "rewrite-log"]
PROCESSES = ["execute", "fork", "trace {master}", "trace {sibling}", "seize {sibling}",
             "read-memory {sibling}", "signal {master}", "signal {sibling}", "signal-all",
             "signal-by-descriptor {sibling}", "root", "root-group", "groups", "execute-memory",
             "make-executable", "dumpable", "limits", "chroot", "namespaces", "io-uring", "bpf",
             "page-faults", "keys", "performance-events", "personality"]
SOCKETS = ["inet", "inet-datagram", "inet6", "netlink", "packet", "listen /tmp/hostile-{port}.s",
           "listen-abstract"]
# Who works on the queue holds its directories open, nobody else any directory.
HOLDS_DIRECTORIES = {"list incoming"}
# Its slots, or the index, in a directory where it may write anyway.
HOLDS_A_FILE = {"cleanup", "qmgr"}
# Descriptors with bytes, to services whose protocol has none.
PASSES = ["pass-descriptors public/cleanup", "pass-descriptors public/qmgr",
          "pass-descriptors public/pickup", "pass-descriptors public/showq",
          "pass-descriptors private/tables"]


def in_queues(*names):
    """What a daemon does to files in the directories that it works in."""
    return {act.format(name) for name in names for act in (
        "read {0}/secret", "write {0}/secret", "remove {0}/secret", "create {0}/new",
        "directory {0}/newer", "list {0}")}


def seen_in(*names):
    return {act.format(name) for name in names for act in ("read {0}/secret", "list {0}")}


def calls(names):
    return {"call " + name for name in names}


# What each daemon has; for calls: when services have users of their own. Whoever may shorten files
# can do so with the log (chattr +a stops him), and modules of the name service need F_SETFL.
GRANTED = {
    "smtpd": calls(PUBLIC + ["private/tables"]),
    "tables": calls(PUBLIC) | {"read /etc/passwd", "rewrite-log", "empty-log"},
    "cleanup": calls(CALLS) | in_queues("incoming", "slots", "hold") | {"empty-log"},
    "qmgr": calls(CALLS) | in_queues("incoming", "slots", "deferred", "hold", "corrupt") | {"empty-log"},
    "pickup": calls(CALLS) | in_queues("maildrop", "corrupt") | {"empty-log"},
    "showq": calls(CALLS) | seen_in("maildrop", "incoming", "slots", "deferred", "hold") | {"empty-log"},
    "bounce": calls(CALLS),
    "local": calls(CALLS),
    "error": set(),
    "anvil": set(),
    "smtp": calls(PUBLIC + ["private/tables"]) | {
        "inet", "inet6", "inet-datagram", "netlink", "listen-abstract"},
    # libunbound makes its sockets non-blocking by F_SETFL, too.
    "resolver": {"inet", "inet-datagram", "inet6", "netlink", "rewrite-log"},
}
SOCKET_OF = {"tables": "private/tables", "cleanup": "public/cleanup", "qmgr": "public/qmgr",
             "pickup": "public/pickup", "showq": "public/showq",
             "bounce": "private/bounce", "local": "private/local", "error": "private/error",
             "anvil": "private/anvil", "smtp": "private/smtp", "resolver": "private/resolver"}


class Captured:
    """The conversation with a daemon that was taken over."""

    def __init__(self, postern, program):
        if program == "smtpd":
            self.socket = socket.create_connection(("127.0.0.1", postern.port()), timeout=60)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(60)
            self.socket.connect(os.path.join(postern.queue, SOCKET_OF[program]))
        self.socket.sendall(b"HOSTILE\n")
        self.file = self.socket.makefile("rwb")
        assert self.file.readline() == b"unknown\n"

    def act(self, line):
        self.tell(line)
        return self.file.readline().decode().strip()

    def tell(self, line):
        self.file.write(line.encode() + b"\n")
        self.file.flush()

    def close(self):
        self.file.close()
        self.socket.close()


def captured_suite(factory, program, chroot="n", user=None):
    """A suite in which one program is the hostile build of it."""
    options = os.environ.get("ASAN_OPTIONS", "")
    postern = factory(master=MASTER_CF.replace("{chroot}", chroot), user=user, environment={
        # In builds with AddressSanitizer the jail has holes for its leak check: not here.
        "POSTERN_STRICT_JAIL": "1", "ASAN_OPTIONS": options + ":detect_leaks=0"})
    libexec = postern.path("libexec")
    os.mkdir(libexec)
    for name in os.listdir(LIBEXEC):
        os.symlink(os.path.join(LIBEXEC, name), os.path.join(libexec, name))
    os.unlink(os.path.join(libexec, program))
    os.symlink(os.path.join(HOSTILE, program + "_hostile"), os.path.join(libexec, program))
    postern.write_config(main={
        "daemon_directory": libexec, "import_environment":
        postern.parameters["import_environment"] + " POSTERN_STRICT_JAIL"})
    return postern.start()


def has_landlock(postern):
    return "this kernel has no Landlock" not in postern.log()


def put_secrets(postern):
    """A file in each directory of the queue, as mail_owner has his."""
    owner = pwd.getpwnam(postern.parameters["mail_owner"])
    for name in QUEUES:
        path = os.path.join(postern.queue, name, "secret")
        with open(path, "w", encoding="ascii") as f:
            f.write("mail of others\n")
        os.chmod(path, 0o600)
        if os.geteuid() == 0:
            os.chown(path, owner.pw_uid, owner.pw_gid)


def all_acts(postern, program, granted):
    """{act: the line that asks for it}"""
    sibling = postern.wait_child("qmgr" if program != "qmgr" else "pickup")
    values = {"conf": postern.conf, "data": postern.data, "port": postern.port(),
              "master": postern.master_pid(), "sibling": sibling}
    own = SOCKET_OF.get(program)  # a process that waits for itself waits in vain
    lines = {act: act.format(**values) for act in FILES + PROCESSES + SOCKETS}
    for queue in QUEUES:
        lines.update({act.format(queue): act.format(queue) for act in ON_FILES})
    for act in calls(name for name in CALLS if name != own):
        lines[act] = act if act in granted else act.replace("call", "call-to-end")
    lines.update({act: act for act in PASSES if not own or own not in act})
    return lines


def granted_to(program, is_root):
    granted = set(GRANTED[program])
    own = "call " + SOCKET_OF.get(program, "-")
    if not is_root and granted & calls(CALLS):
        granted |= calls(CALLS)  # all services are one user
    return granted - {own}


def secrets_are_whole(postern, directories):
    for name in directories:
        with open(os.path.join(postern.queue, name, "secret"), encoding="ascii") as f:
            assert f.read() == "mail of others\n"


@pytest.mark.parametrize("program", sorted(GRANTED))
def test_captured_daemon_does_only_what_it_was_granted(postern_instance, program):
    postern = captured_suite(postern_instance, program)
    put_secrets(postern)
    daemon = Captured(postern, program)
    if not has_landlock(postern) and program in ("cleanup", "qmgr", "pickup", "tables"):
        pytest.skip("this kernel has no Landlock")
    assert daemon.act("allowed") == "done"
    granted = granted_to(program, postern.privileged())
    expected = "done" if granted & HOLDS_DIRECTORIES else "ENOENT"
    end = time.monotonic() + 20
    while (answer := daemon.act("directory-at-hand")) != expected:
        # One that is just being scanned is closed in a moment.
        assert time.monotonic() < end, answer
    assert daemon.act("writable-at-hand") == ("done" if program in HOLDS_A_FILE else "ENOENT")
    lines = all_acts(postern, program, granted)
    answers = {act: daemon.act(line) for act, line in lines.items()}
    done = {act for act, answer in answers.items() if answer == "done"}
    assert sorted(done) == sorted(granted), answers
    strange = {act: answer for act, answer in answers.items()
               if answer != "done" and answer not in REFUSALS}
    # Landlock's word for a file that must stay in its directory.
    assert not {a: e for a, e in strange.items() if (a.split()[0], e) not in (
        ("rename", "EXDEV"), ("link", "EXDEV"))}
    daemon.close()
    secrets_are_whole(postern, [q for q in QUEUES if f"write {q}/secret" not in done])
    assert postern.is_running()


@needs_root
@pytest.mark.parametrize("program", ["smtpd", "qmgr"])
def test_jail_without_separate_users(postern_instance, program):
    """Without root one user runs everything: the kernel's jail is all there is."""
    postern = captured_suite(postern_instance, program, user="nobody")
    put_secrets(postern)
    daemon = Captured(postern, program)
    if not has_landlock(postern) and program != "smtpd":
        pytest.skip("this kernel has no Landlock")
    granted = granted_to(program, False)
    done = {act for act, line in all_acts(postern, program, granted).items()
            if daemon.act(line) == "done"}
    assert sorted(done) == sorted(granted)
    daemon.close()


@needs_root
def test_chroot_leaves_the_queue_directory_only(postern_instance):
    """With y in the chroot column smtpd works, and sockets of other systems are out of reach."""
    with socket.socket(socket.AF_UNIX) as other:
        postern = captured_suite(postern_instance, "smtpd", chroot="y")
        path = postern.path("other")
        other.bind(path)
        other.listen()
        os.chmod(path, 0o666)
        daemon = Captured(postern, "smtpd")
        assert daemon.act("call " + path) == "ENOENT"
        assert daemon.act("call public/cleanup") == "done"
        assert daemon.act("call-to-end private/local") == "ECONNRESET"
        daemon.close()


@pytest.mark.parametrize("way", ["reconnect", "fastopen"])
def test_accepted_connection_cannot_be_turned_round(postern_instance, way):
    postern = captured_suite(postern_instance, "smtpd")
    with socket.create_server(("127.0.0.1", 0)) as inside:
        daemon = Captured(postern, "smtpd")
        daemon.tell(f"{way} {inside.getsockname()[1]}")
        answer = postern.wait_log(rf"hostile: {way}: (\w+)").group(1)
        if way == "reconnect" and answer == "done" and landlock_version() < 4:
            pytest.skip("Landlock of this kernel knows no TCP")
        assert answer in ("EPERM", "EACCES")
        inside.setblocking(False)
        with pytest.raises(BlockingIOError):
            inside.accept()
        daemon.close()


def landlock_version():
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint(1))


# What the services themselves refuse to a user who may reach their sockets


SPEAKER = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
try:
    s.sendall(bytes.fromhex(sys.argv[2]))
    print(s.recv(65536).hex() or "closed")
except ConnectionError:
    print("closed")
"""


def speak_as(postern, user, path, *payloads):
    """What a service answers to these messages of a user in mail_owner's group."""
    frames = b"".join(struct.pack(">I", len(p)) + p for p in payloads)
    done = subprocess.run(
        ["/usr/bin/python3", "-c", SPEAKER, os.path.join(postern.queue, path), frames.hex()],
        user=user, group=postern.parameters["mail_owner"], extra_groups=[], check=True,
        capture_output=True, text=True)
    return done.stdout.strip()


def submission(source):
    return [message("submit/1.begin", source=source, sender="a@example.test",
                    client_name="c.example.test", client_address="192.0.2.1",
                    protocol_name="SMTP"),
            message("submit/1.recipient", address="b@example.test"),
            b"dSubject: x\r\n\r\nx\r\n", message("submit/1.end")]


@needs_root
def test_network_user_submits_only_what_came_by_smtp(postern_instance):
    postern = postern_instance(main={"defer_transports": "local"}).start()
    network = postern.parameters["mail_user_network"]
    owner = postern.parameters["mail_owner"]
    for source in (2, 3, 4):  # local, notice, forward
        assert speak_as(postern, network, "public/cleanup", *submission(source)) == "closed"
        assert speak_as(postern, owner, "public/cleanup", *submission(source)) != "closed"
    assert speak_as(postern, network, "public/cleanup", *submission(1)) != "closed"
    assert speak_as(postern, "nobody", "public/cleanup", *submission(1)) == "closed"
    assert len(re.findall(r"bad submission: from a user who may only", postern.log())) == 3


@needs_root
def test_network_user_tells_qmgr_nothing(postern_instance):
    postern = postern_instance().start()
    network = postern.parameters["mail_user_network"]
    arrived = message("queuectl/1.arrived", queue_id="0123456789abcdefghijkl")
    assert speak_as(postern, network, "public/qmgr", arrived) == "closed"
    delete = message("queuectl/1.command", verb=5, queue_id="0123456789abcdefghijkl")
    refused = bytes.fromhex(speak_as(postern, network, "public/qmgr", delete))
    assert b"outcome\0\0\0\1" + b"3" in refused  # not allowed


@needs_root
def test_lists_of_users_hold_for_the_network_user(postern_instance):
    postern = postern_instance(main={"authorized_flush_users": "root"}).start()
    flush = message("queuectl/1.command", verb=1)
    for user, outcome in (("mail_user_network", b"3"), ("mail_owner", b"1")):
        answer = speak_as(postern, postern.parameters[user], "public/qmgr", flush)
        assert b"outcome\0\0\0\1" + outcome in bytes.fromhex(answer)


@needs_root
def test_queue_files_are_closed_to_other_users(postern_instance):
    postern = postern_instance(main={"defer_transports": "local"}).start()
    postern.run("sendmail", "games@example.test", input="Subject: kept\n\ntext\n")
    postern.wait_log(r"status=deferred")
    files = postern.queue_files()
    assert files
    for user in ("mail_user_network", "mail_user_tables"):
        for path in files:
            done = subprocess.run(["cat", path], user=postern.parameters[user],
                                  group=postern.parameters["mail_owner"], extra_groups=[],
                                  capture_output=True, text=True)
            assert "Permission denied" in done.stderr and not done.stdout


def test_nothing_of_an_instance_is_set_id(postern_instance):
    postern = postern_instance().start()
    postern.run("sendmail", "games@example.test", input="Subject: x\n\ntext\n")
    postern.wait_log(r"status=\w+")
    seen = 0
    for top, directories, names in os.walk(postern.dir):
        for name in directories + names:
            mode = os.lstat(os.path.join(top, name)).st_mode
            assert not mode & (stat.S_ISUID | stat.S_ISGID), os.path.join(top, name)
            seen += 1
    assert seen > 20


@needs_root
def test_processes_run_as_their_own_users(postern_instance):
    postern = captured_suite(postern_instance, "smtpd")
    for program in ("smtpd", "tables", "cleanup", "qmgr"):
        if program == "smtpd":
            Captured(postern, "smtpd").close()
        elif program != "qmgr":
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(os.path.join(postern.queue, SOCKET_OF[program]))
    users = {"smtpd": "mail_user_network", "tables": "mail_user_tables"}
    group = pwd.getpwnam(postern.parameters["mail_owner"]).pw_gid
    for program in ("smtpd", "tables", "cleanup", "qmgr"):
        pid = postern.wait_child(program)
        user = pwd.getpwnam(postern.parameters[users.get(program, "mail_owner")]).pw_uid
        status = poll_until(lambda: jailed(pid), f"{program} in its jail")
        assert re.search(rf"^Uid:\t{user}\t{user}\t{user}\t{user}$", status, re.M)
        assert re.search(rf"^Gid:\t{group}\t{group}\t{group}\t{group}$", status, re.M)
        assert re.search(r"^Groups:\s*$", status, re.M)
        for capabilities in re.findall(r"^Cap(?:Inh|Prm|Eff|Amb):\t(\w+)$", status, re.M):
            assert int(capabilities, 16) == 0


@needs_root
@pytest.mark.parametrize("user,complaint", [("nonesuch", "= nonesuch: no such user"),
                                            ("daemon", "is mail_owner")])
def test_master_says_when_services_share_a_user(postern_instance, user, complaint):
    postern = postern_instance(main={"mail_user_network": user}).start()
    postern.wait_log(rf"warning: mail_user_network {complaint}")
    assert "mail_user_tables" not in postern.log()


def jailed(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        status = f.read()
    return status if "Seccomp:\t2" in status else None
