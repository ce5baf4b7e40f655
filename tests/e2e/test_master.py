# SPDX-License-Identifier: Apache-2.0
"""The supervisor and what every daemon does around its own work, shown with the daemon testd."""

import gzip
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from postern import LIBEXEC, can_be_another_user, poll_until

ONE = "127.0.0.1:{smtp} inet n - n - - testd\n"
TWO = ONE + "127.0.0.1:{other} inet n - n - - testd\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Client:
    """A conversation with testd."""

    def __init__(self, port=None, path=None, timeout=20):
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(path)
        else:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rwb")

    def send(self, line):
        self.file.write(line.encode() + b"\n")
        self.file.flush()

    def ask(self, line):
        self.send(line)
        answer = self.file.readline()
        if not answer:
            raise ConnectionError("closed")
        return answer.decode().rstrip("\n")

    def is_answered(self, seconds):
        """Whether an answer comes within that time (used where none may come)."""
        self.socket.settimeout(seconds)
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(20)

    def is_closed(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask(instance, line, port="smtp"):
    with Client(instance.port(port)) as client:
        return client.ask(line)


def answers(instance, port="smtp"):
    """The pid that answers, or None while the service is being restarted."""
    try:
        return int(ask(instance, "pid", port))
    except (ConnectionError, OSError):
        return None


# Starting processes


def test_processes_start_on_demand_and_stay(postern_instance):
    postern = postern_instance(master=ONE).start()
    assert postern.children("testd") == []
    first = ask(postern, "pid")
    assert ask(postern, "pid") == first
    assert postern.children("testd") == [int(first)]


def test_name_program_and_options_reach_the_service(postern_instance):
    postern = postern_instance(
        main={"relayhost": "[main.example]"},
        master="127.0.0.1:{smtp} inet n - n - - testd -o relayhost=[other.example]\n"
               "plain unix n - n - - testd\n").start()
    assert ask(postern, "param relayhost") == "[other.example]"
    with Client(path=postern.path("q", "public", "plain")) as client:
        assert client.ask("name") == "plain testd"
        assert client.ask("param relayhost") == "[main.example]"


def test_wakeup_starts_at_once_and_repeats(postern_instance):
    postern = postern_instance(master="awake unix n - n 1 - testd\n"
                                      "asleep unix n - n 1? - testd\n").start()
    postern.wait_log(r"wakeup 3\b")
    assert len(postern.children("testd")) == 1


def test_environment_and_descriptors_are_clean(postern_instance):
    postern = postern_instance(master=ONE, environment={
        "LD_BIND_NOT": "1", "SECRET": "x", "TZ": "Europe/Berlin"}).start()
    assert ask(postern, "env SECRET") == "-"
    assert ask(postern, "env LD_BIND_NOT") == "-"
    assert ask(postern, "env TZ") == "Europe/Berlin"
    assert ask(postern, "env MAIL_CONFIG") == postern.conf
    # 0-2, control, one listener, the log, the session, and what the event loop needs
    assert int(ask(postern, "fds")) <= 13


def test_each_connection_is_a_process_when_wanted(postern_instance):
    postern = postern_instance(main={"sessions_per_process": "1"},
                               master="127.0.0.1:{smtp} inet n - n - 3 testd\n").start()
    clients = [Client(postern.port()) for _ in range(3)]
    assert len({c.ask("pid") for c in clients}) == 3
    for client in clients:
        client.close()


def test_busy_service_gets_more_processes_but_not_too_many(postern_instance):
    postern = postern_instance(main={"service_processes": "2"}, master=ONE).start()
    clients = []

    def another():
        clients.append(Client(postern.port()))
        return len({c.ask("pid") for c in clients}) == 2

    poll_until(another, "a second process", interval=0)
    for _ in range(40):
        another()
    assert len({c.ask("pid") for c in clients}) == 2
    for client in clients:
        client.close()


def test_maxproc_is_the_number_of_sessions(postern_instance):
    postern = postern_instance(main={"service_processes": "2"},
                               master="127.0.0.1:{smtp} inet n - n - 3 testd\n").start()
    clients = [Client(postern.port()) for _ in range(4)]
    for client in clients:
        client.send("pid")
    poll_until(lambda: sum(c.is_answered(0.05) for c in clients) == 3, "three answers")
    waiting = [c for c in clients if not c.is_answered(0.5)]
    assert len(waiting) == 1
    served = [c for c in clients if c is not waiting[0]]
    served[0].close()
    assert waiting[0].is_answered(20)
    for client in served[1:] + waiting:
        client.close()


def test_one_process_services_are_alone(postern_instance, tmp_path):
    postern = postern_instance(master="127.0.0.1:{smtp} inet n - n - 1 anvil\n")
    libexec = postern.path("libexec")
    os.mkdir(libexec)
    os.symlink(os.path.join(LIBEXEC, "master"), os.path.join(libexec, "master"))
    os.symlink(os.path.join(LIBEXEC, "testd"), os.path.join(libexec, "anvil"))
    postern.write_config(main={"daemon_directory": libexec, "service_processes": "4"})
    postern.start()
    clients = [Client(postern.port()) for _ in range(20)]
    pids = {c.ask("pid") for c in clients}
    assert len(pids) == 1
    # After a reload the new process waits until the old one has gone.
    postern.reload()

    def unanswered():
        late = Client(postern.port())
        late.send("pid")
        if late.is_answered(0.5):  # the old process was not told yet
            late.close()
            return None
        return late

    late = poll_until(unanswered, "the old process to take no more connections")
    for client in clients:
        client.close()
    assert late.is_answered(20)
    assert late.file.readline().decode().strip() not in pids
    late.close()


def test_max_use_counts_only_when_set(postern_instance):
    postern = postern_instance(
        main={"service_processes": "1"},
        master=ONE + "127.0.0.1:{other} inet n - n - - testd -o max_use=3\n",
        ports=["other"]).start()
    assert len({ask(postern, "pid") for _ in range(120)}) == 1
    pids = [ask(postern, "pid", "other") for _ in range(9)]
    assert len(set(pids)) == 3 and pids == sorted(pids, key=pids.index)


def test_no_descriptors_left_is_a_pause_and_not_a_loop(postern_instance):
    postern = postern_instance(main={"service_processes": "1"}, master=ONE,
                               prefix=["prlimit", "--nofile=100:100"]).start()
    hoarder = Client(postern.port())
    pid = int(hoarder.ask("pid"))
    assert int(hoarder.ask("hold")) > 50
    clients = [Client(postern.port()) for _ in range(5)]
    for client in clients:
        client.send("pid")
    postern.wait_log("Too many open files: accepting connections pauses")
    before = cpu_ticks(pid)
    assert not clients[0].is_answered(2)
    assert cpu_ticks(pid) - before < os.sysconf("SC_CLK_TCK") // 2
    assert hoarder.ask("release") == "0"
    for client in clients:
        assert client.file.readline().decode().strip() == str(pid)
        client.close()
    hoarder.close()
    assert len(re.findall("accepting connections pauses", postern.log())) == 1


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_max_idle_counts_only_when_set(postern_instance):
    postern = postern_instance(
        master=ONE + "127.0.0.1:{other} inet n - n - - testd -o max_idle=1s\n",
        ports=["other"]).start()
    kept, idle = int(ask(postern, "pid")), int(ask(postern, "pid", "other"))
    poll_until(lambda: idle not in postern.children("testd"), "the idle process to end")
    assert kept in postern.children("testd")
    assert answers(postern, "other") not in (None, idle)


def test_disabled_services_do_not_listen(postern_instance):
    postern = postern_instance(
        main={"master_service_disable": "127.0.0.1:{other}.inet"}, master=TWO, ports=["other"])
    postern.write_config(main={
        "master_service_disable": f"127.0.0.1:{postern.port('other')}.inet"})
    postern.start()
    assert answers(postern)
    assert answers(postern, "other") is None
    postern.write_config(main={"master_service_disable": "inet"})
    postern.reload()
    assert answers(postern) is None


def test_syslog_name_of_a_service(postern_instance):
    postern = postern_instance(
        master="a unix n - n 9 - testd -o syslog_name=postfix/submission\n").start()
    postern.wait_log(r" postfix/submission/testd\[\d+\]: wakeup 1")


def test_stand_alone_session_on_standard_input(postern_instance):
    postern = postern_instance(master=ONE)
    os.chmod(postern.queue, 0o755)
    done = postern.run(os.path.join(LIBEXEC, "testd"), "-S", "-o", "mail_name=Alone",
                       input="echo hello\nparam mail_name\ntry passwd\n")
    assert done.stdout == "hello\nAlone\ndone\n"
    assert done.stderr == ""


def test_daemons_refuse_to_run_by_hand(postern_instance):
    postern = postern_instance(master=ONE)
    done = postern.run(os.path.join(LIBEXEC, "testd"), check=False)
    assert done.returncode == 1 and "started by master" in done.stderr


# Reload


def test_reload_loses_no_session_and_no_connection(postern_instance):
    postern = postern_instance(master=TWO, ports=["other", "added"]).start()
    session = Client(postern.port())
    old = session.ask("pid")
    failures, done = [], threading.Event()

    def knock():
        while not done.is_set():
            try:
                ask(postern, "echo x")
            except OSError as e:
                failures.append(e)

    knocker = threading.Thread(target=knock)
    knocker.start()
    try:
        for value in ("one", "two", "three"):
            postern.write_config(main={"mail_name": value},
                                 master=ONE + "127.0.0.1:{added} inet n - n - - testd\n")
            postern.reload()
            poll_until(lambda v=value: ask(postern, "param mail_name") == v, "the new value")
            assert session.ask("pid") == old
    finally:
        done.set()
        knocker.join()
    assert failures == []
    assert ask(postern, "pid", "added") != old
    with pytest.raises(OSError):
        ask(postern, "pid", "other")
    session.close()
    poll_until(lambda: int(old) not in postern.children(), "the old process to end")


def test_reload_from_one_address_to_all(postern_instance):
    postern = postern_instance(master="{smtp} inet n - n - - testd\n").start()
    session = Client(postern.port())
    session.ask("pid")
    for interfaces in ("all", "127.0.0.1"):
        postern.write_config(main={"inet_interfaces": interfaces})
        postern.reload()
        poll_until(lambda: answers(postern), "an answer")
        assert session.ask("echo x") == "x"
    session.close()
    assert "Address already in use" not in postern.log()


def test_reload_ends_idle_sessions(postern_instance):
    postern = postern_instance(master=ONE).start()
    with Client(postern.port()) as busy, Client(postern.port()) as idle:
        busy.ask("pid")
        idle.ask("idle")
        postern.reload()
        assert idle.is_closed()
        assert busy.ask("echo still here") == "still here"


def test_broken_configuration_does_not_stop_anything(postern_instance):
    postern = postern_instance(master=ONE).start()
    before = ask(postern, "pid")
    for name, text in (("master.cf", "this is not a service\n"),
                       ("main.cf", "queue_directory = ${unbalanced\n")):
        good = open(os.path.join(postern.conf, name), encoding="utf-8").read()
        postern.write(name, text)
        postern.kill(postern.master_pid(), signal.SIGHUP)
        postern.wait_log("reload refused", count=1 if name == "master.cf" else 2)
        assert ask(postern, "pid") == before
        postern.write(name, good)
    postern.reload()
    poll_until(lambda: ask(postern, "pid") != before, "a new process")


# Crashes


def test_failing_service_is_throttled_and_others_answer(postern_instance):
    postern = postern_instance(
        master="bad unix n - n 1 - testd -o testd_fail=yes\n" + ONE, crashes=True).start()
    for seconds in (1, 2, 4):
        end = time.monotonic() + 20
        while f"next start of testd in {seconds} s" not in postern.log():
            assert answers(postern)
            assert time.monotonic() < end
    assert "bad command startup -- throttling" in postern.log()
    assert postern.log().count("asked to fail") <= 4


def test_killed_processes_come_back_with_pauses(postern_instance):
    postern = postern_instance(master=TWO, ports=["other"], crashes=True).start()
    steady = ask(postern, "pid", "other")
    killed = []
    for seconds in (1, 2):
        pid = poll_until(lambda: answers(postern), "a process")
        assert pid not in killed
        killed.append(pid)
        postern.kill(pid)
        postern.wait_log(f"next start of testd in {seconds} s")
        assert ask(postern, "pid", "other") == steady
    assert poll_until(lambda: answers(postern), "a process") not in killed
    assert len(re.findall("killed by signal 9", postern.log())) == 2


def test_crash_of_a_process_takes_nothing_else_down(postern_instance):
    postern = postern_instance(master=TWO, ports=["other"], crashes=True).start()
    with Client(postern.port("other")) as steady, Client(postern.port()) as client:
        before = steady.ask("pid")
        client.send("crash")
        assert client.is_closed()
        poll_until(lambda: answers(postern), "a new process")
        assert steady.ask("pid") == before


def test_services_end_when_master_is_killed(postern_instance):
    postern = postern_instance(master=ONE, crashes=True).start()
    with Client(postern.port()) as client:
        client.ask("pid")
        postern.note_processes()
        postern.kill(postern.master_pid())
        assert client.is_closed()
        poll_until(lambda: not postern.left_over(), "all processes to end")
    postern.start()
    assert answers(postern)


def test_restart_right_after_a_kill(postern_instance):
    postern = postern_instance(master=ONE, crashes=True).start()
    with Client(postern.port()) as client:
        client.ask("pid")
        postern.note_processes()
        postern.kill(postern.master_pid())
        postern.start()
        assert answers(postern)


# Start, stop, status


def test_stop_lets_sessions_finish(postern_instance):
    postern = postern_instance(master=ONE).start()
    client = Client(postern.port())
    client.ask("pid")
    stopper = threading.Thread(target=postern.stop)
    stopper.start()
    postern.wait_log("terminating on signal 15")
    poll_until(lambda: answers(postern) is None, "the socket to close")
    assert client.ask("echo last words") == "last words"
    client.close()
    stopper.join()
    assert not postern.is_running()
    assert postern.left_over() == []


def test_stop_ends_sessions_that_do_not_finish(postern_instance):
    postern = postern_instance(master=ONE).start()
    with Client(postern.port()) as client:
        client.ask("pid")
        begin = time.monotonic()
        postern.stop()
        assert 4 < time.monotonic() - begin < 20
        assert client.is_closed()


def test_abort_is_immediate(postern_instance):
    postern = postern_instance(master=ONE).start()
    with Client(postern.port()) as client:
        client.ask("pid")
        begin = time.monotonic()
        postern.abort()
        assert time.monotonic() - begin < 4
        assert client.is_closed()
    assert postern.left_over() == []


def test_one_master_per_queue(postern_instance):
    postern = postern_instance(master=ONE).start()
    before = ask(postern, "pid")
    second = postern.run("postern", "start", check=False)
    assert second.returncode == 1
    assert f"already running: PID {postern.master_pid()} on host " in second.stderr
    assert ask(postern, "pid") == before


def test_status_and_messages(postern_instance):
    postern = postern_instance(master=ONE)
    down = postern.run("postern", "status", check=False)
    assert down.returncode == 1 and "is not running" in down.stdout + down.stderr
    assert postern.run("postern", "stop", check=False).returncode == 1
    assert postern.run("postern", "reload", check=False).returncode == 1
    postern.start()
    up = postern.run("postern", "status")
    assert f"the Postern mail system is running: PID: {postern.master_pid()}" in up.stdout
    assert re.search(r"master\[\d+\]: daemon started -- version \S+, configuration "
                     + re.escape(postern.conf), postern.log())


@pytest.mark.parametrize("main, master, expected", [
    ({"inet_interfaces": "127.0.0.1", "mail_owner": "no-such-user-here"}, ONE, "no-such-user"),
    ({"maillog_file": "/etc/passwd"}, ONE, "maillog_file_prefixes"),
    ({"max_use": "many"}, ONE, "max_use"),
    ({}, "smtp inet n\n", "master.cf"),
    ({}, "127.0.0.1:no-such-port inet n - n - - testd\n", "no-such-port"),
    ({}, "smtp inet n - n - - ../../bin/sh\n", "../../bin/sh"),
])
def test_start_says_what_is_wrong(postern_instance, main, master, expected):
    if "mail_owner" in main and os.geteuid() != 0:
        pytest.skip("mail_owner counts only for root")
    postern = postern_instance(main=main, master=master)
    done = postern.run("postern", "start", check=False)
    assert done.returncode == 1
    assert expected in done.stderr
    assert not postern.is_running()


def test_start_refuses_a_port_in_use(postern_instance):
    postern = postern_instance(master=ONE)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", postern.port()))
        taken.listen()
        done = postern.run("postern", "start", check=False)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr and str(postern.port()) in done.stderr


def test_check(postern_instance):
    postern = postern_instance(master=ONE)
    assert postern.run("postern", "check").stderr.count("fatal") == 0
    postern.write_config(main={"max_use": "many"})
    done = postern.run("postern", "check", check=False)
    assert done.returncode == 1 and "max_use" in done.stderr
    postern.write_config(main={"max_use": "100"})
    os.chmod(os.path.join(postern.conf, "master.cf"), 0o666)
    done = postern.run("postern", "check", check=False)
    assert done.returncode == 1
    assert re.search("master.cf can be written by others: mode 0666", done.stderr)


def test_stock_names_are_accepted(postern_instance):
    stock = """
pickup    unix  n       -       n       60      1       pickup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
dnsblog   unix  -       -       n       -       0       dnsblog
tlsproxy  unix  -       -       n       -       0       tlsproxy
scache    unix  -       -       n       -       1       scache
maildrop  unix  -       n       n       -       -       no-such-program
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
"""
    postern = postern_instance(master=ONE + stock, crashes=True)
    libexec = postern.path("libexec")
    os.mkdir(libexec)
    for name in ("master", "testd"):
        os.symlink(os.path.join(LIBEXEC, name), os.path.join(libexec, name))
    postern.write_config(main={"daemon_directory": libexec})
    postern.start()
    assert answers(postern)
    log = postern.log()
    for name in ("tlsmgr", "rewrite", "proxymap", "proxywrite", "dnsblog", "tlsproxy", "scache"):
        assert len(re.findall(rf" {name}/unix: program \S+ is not needed", log)) == 1
    assert len(re.findall("warning: maildrop/unix: .*no-such-program", log)) == 1


# Users and rights


def mode_of(postern, *parts):
    return stat.S_IMODE(os.lstat(postern.path("q", *parts)).st_mode)


def test_directories(postern_instance):
    postern = postern_instance(master=ONE + "p unix - - n - - testd\n"
                                            "o unix n - n - - testd\n").start()
    assert mode_of(postern, "maildrop") == 0o1733
    assert mode_of(postern, "incoming") == 0o700
    assert mode_of(postern, "deferred", "7") == 0o700
    assert mode_of(postern, "private") == 0o710
    assert mode_of(postern, "public") == 0o711
    assert mode_of(postern, "private", "p") == 0o660
    assert mode_of(postern, "public", "o") == 0o666
    assert mode_of(postern, "pid", "master.lock") == 0o600
    if postern.privileged():
        daemon = pwd.getpwnam("daemon")
        assert os.stat(postern.path("q", "incoming")).st_uid == daemon.pw_uid
        assert os.stat(postern.path("q", "deferred", "7")).st_uid == daemon.pw_uid
        assert os.stat(postern.path("q", "private")).st_uid == 0
        assert os.stat(postern.path("q", "private")).st_gid == daemon.pw_gid


def test_directories_are_repaired_but_links_are_not_followed(postern_instance):
    postern = postern_instance(master=ONE)
    os.mkdir(postern.path("q", "incoming"), 0o777)
    os.chmod(postern.path("q", "incoming"), 0o777)
    postern.run("postern", "check")
    assert mode_of(postern, "incoming") == 0o700
    os.mkdir(postern.path("elsewhere"), 0o755)
    os.rmdir(postern.path("q", "hold"))
    os.symlink(postern.path("elsewhere"), postern.path("q", "hold"))
    done = postern.run("postern", "start", check=False)
    assert done.returncode == 1 and "hold" in done.stderr
    assert stat.S_IMODE(os.stat(postern.path("elsewhere")).st_mode) == 0o755


@needs_root
def test_rights_are_given_up(postern_instance):
    postern = postern_instance(master=ONE).start()
    daemon = pwd.getpwnam("daemon")
    assert ask(postern, "uid") == f"{daemon.pw_uid} {daemon.pw_gid} 0"
    refused = {what: ask(postern, "try " + what) for what in (
        "shadow", "passwd", "queue", "exec", "ptrace", "setuid", "inet", "kill", "exec-memory")}
    assert all(answer in ("EPERM", "EACCES") for answer in refused.values()), refused
    assert ask(postern, "try allowed") == "done"
    status = open(f"/proc/{ask(postern, 'pid')}/status", encoding="ascii").read()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status
    limits = open(f"/proc/{ask(postern, 'pid')}/limits", encoding="ascii").read()
    assert re.search(r"Max core file size +0 +0", limits)


@needs_root
def test_chroot_column(postern_instance):
    postern = postern_instance(master="127.0.0.1:{smtp} inet n - y - - testd\n").start()
    assert os.readlink(f"/proc/{ask(postern, 'pid')}/root") == postern.queue
    assert ask(postern, "try passwd") in ("ENOENT", "EACCES")
    assert ask(postern, "echo works") == "works"


STRANGER = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
try:
    s.connect(sys.argv[1])
    s.send(b"echo x\\n")
    print(s.recv(10) or "closed")
except PermissionError:
    print("denied")
except ConnectionError:
    print("closed")
"""


def ask_as(user, path):
    account = pwd.getpwnam(user)
    done = subprocess.run(["/usr/bin/python3", "-c", STRANGER, path], user=account.pw_uid,
                          group=account.pw_gid, extra_groups=[], check=True,
                          capture_output=True, text=True)
    return done.stdout.strip()


@needs_root
def test_strangers_are_told_apart(postern_instance):
    postern = postern_instance(master="p unix - - n - - testd\n"
                                      "any unix n - n - - testd\n"
                                      "ours unix n - n - - testd-ours\n"
                                      "owner unix n - n - - testd-owner\n"
                                      "net unix n - n - - testd-net\n")
    libexec = postern.path("libexec")
    os.mkdir(libexec)
    for name, program in (("master", "master"), ("testd", "testd"), ("testd-ours", "testd"),
                          ("testd-owner", "testd"), ("testd-net", "testd")):
        os.symlink(os.path.join(LIBEXEC, program), os.path.join(libexec, name))
    postern.write_config(main={"daemon_directory": libexec, "mail_user_network": "games"})
    postern.start()
    private, public = postern.path("q", "private"), postern.path("q", "public")
    assert ask_as("nobody", os.path.join(private, "p")) == "denied"
    assert ask_as("daemon", os.path.join(private, "p")) == "b'x\\n'"
    assert ask_as("nobody", os.path.join(public, "any")) == "b'x\\n'"
    assert ask_as("nobody", os.path.join(public, "ours")) == "closed"
    assert ask_as("daemon", os.path.join(public, "ours")) == "b'x\\n'"
    postern.wait_log(r"connection from user id 65534 refused")
    assert ask_as("daemon", os.path.join(public, "owner")) == "b'x\\n'"
    assert ask_as("games", os.path.join(public, "owner")) == "closed"
    assert ask_as("nobody", os.path.join(public, "owner")) == "closed"
    # The network user is one of ours, of another user id and of the group that reaches private/.
    assert ask_as("games", os.path.join(public, "ours")) == "b'x\\n'"
    with Client(path=os.path.join(public, "net")) as client:
        games, daemon = pwd.getpwnam("games"), pwd.getpwnam("daemon")
        assert client.ask("uid") == f"{games.pw_uid} {daemon.pw_gid} 0"


@pytest.mark.skipif(not can_be_another_user(), reason="needs root to become somebody else")
def test_whole_suite_without_root(postern_instance):
    postern = postern_instance(master=TWO, ports=["other"], user="nobody").start()
    nobody = pwd.getpwnam("nobody")
    assert ask(postern, "uid").split()[0] == str(nobody.pw_uid)
    assert os.stat(f"/proc/{postern.master_pid()}").st_uid == nobody.pw_uid
    warnings = re.findall("warning: not started by root: .* run as the one user nobody",
                          postern.log())
    assert len(warnings) == 1
    assert ask(postern, "try exec") == "EPERM"
    postern.reload()
    assert answers(postern)


# Foreground, systemd, log


def test_foreground_logs_to_standard_output(postern_instance):
    postern = postern_instance(main={"maillog_file": "/dev/stdout"}, master=ONE)
    refused = postern.run("postern", "start", check=False)
    assert refused.returncode == 1 and "start-fg" in refused.stderr
    postern.start_fg()
    assert postern.process.pid == postern.master_pid()
    assert answers(postern)
    process = postern.process
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    out = open(postern.path("stdout"), encoding="utf-8").read()
    assert "daemon started" in out and "terminating on signal 15" in out


def test_systemd_is_notified(postern_instance):
    postern = postern_instance(master=ONE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        path = postern.path("notify")
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.settimeout(20)
        postern.start_fg(notify_socket=path)
        assert "READY=1" in listener.recv(1000).decode().split("\n")
        postern.reload()
        reloading = listener.recv(1000).decode().split("\n")
        assert reloading[0] == "RELOADING=1"
        assert re.fullmatch(r"MONOTONIC_USEC=\d+", reloading[1])
        assert "READY=1" in listener.recv(1000).decode().split("\n")
        postern.stop()
        assert listener.recv(1000) == b"STOPPING=1"


def test_logrotate_reaches_running_processes(postern_instance):
    postern = postern_instance(master="awake unix n - n 1 - testd\n" + ONE).start()
    with Client(postern.port()) as session:
        before = session.ask("pid")
        postern.wait_log("wakeup 1")
        postern.run("postern", "logrotate")
        assert session.ask("pid") == before
        postern.wait_log(r"testd\[\d+\]: wakeup \d+")
    rotated = [n for n in os.listdir(postern.dir) if n.startswith("log.")]
    assert len(rotated) == 1 and rotated[0].endswith(".gz")
    with gzip.open(postern.path(rotated[0]), "rt") as f:
        assert "daemon started" in f.read()


def test_postlog(postern_instance):
    postern = postern_instance(master=ONE).start()
    postern.run("postlog", "-p", "warn", "-t", "postfix/script", "two", "words")
    postern.wait_log(r"postfix/script\[\d+\]: warning: two words")
    postern.run("postlog", input="first\nsecond\x1b[31m\n")
    postern.wait_log(r"postfix/postlog\[\d+\]: first\n")
    postern.wait_log(r"postfix/postlog\[\d+\]: second\\033\[31m")


@needs_root
def test_postlog_of_another_user_goes_through_postlogd(postern_instance):
    postern = postern_instance(main={"maillog_file_permissions": "0600"}, master=ONE).start()
    postern.user = "nobody"
    postern.run("postlog", "-t", "postfix/sendmail", "from afar")
    postern.user = None
    postern.wait_log(r"(?m)^\w+ +\d+ [\d:]+ \S+ postfix/postlogd\[\d+\]: uid=%d: "
                     r"postfix/sendmail\[\d+\]: from afar$" % pwd.getpwnam("nobody").pw_uid)


def test_last_words_of_a_crash_are_logged(postern_instance):
    postern = postern_instance(master="bad unix n - n 1 - broken\n", crashes=True)
    libexec = postern.path("libexec")
    os.mkdir(libexec)
    os.symlink(os.path.join(LIBEXEC, "master"), os.path.join(libexec, "master"))
    with open(os.path.join(libexec, "broken"), "w", encoding="ascii") as f:
        f.write("#!/bin/sh\necho something terrible happened >&2\nexit 3\n")
    os.chmod(os.path.join(libexec, "broken"), 0o755)
    postern.write_config(main={"daemon_directory": libexec})
    postern.start()
    postern.wait_log("stderr: something terrible happened")
    postern.wait_log("broken pid [0-9]+ exit status 3")


def is_sanitized():
    try:
        with open(os.path.join(LIBEXEC, "testd"), "rb") as f:
            return b"__asan_init" in f.read()
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not is_sanitized(), reason="needs a sanitizer build")
def test_leaks_of_jailed_daemons_are_noticed(postern_instance):
    postern = postern_instance(master=ONE, crashes=True).start()
    with Client(postern.port()) as client:
        client.ask("leak")
        client.ask("pid")
    with pytest.raises(AssertionError, match="LeakSanitizer"):
        postern.close()
