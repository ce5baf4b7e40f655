# SPDX-License-Identifier: Apache-2.0
"""Local delivery under attack: T50 and N1 (what stands where a mailbox should be), N8 (locks),
T52 (rights of each process), processes that die."""

import hashlib
import os
import pwd
import signal
import stat
import subprocess
import sys
import time

import pytest

from local_mail import (WHO, deliver, local_instance, outcome, processes, read, send, spool,
                        wait_process)
from mailboxes import body
from postern import can_be_another_user, poll_until

needs_root = pytest.mark.skipif(not can_be_another_user(), reason="needs root")
SOON = 5  # seconds in which an attack must have been answered


@pytest.fixture(params=WHO, ids=lambda who: who or "self")
def who(request):
    return request.param


def own(suite, path, reader):
    """Gives a path to whoever writes that reader's mail."""
    if can_be_another_user():
        account = pwd.getpwnam(suite.user or reader)
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def precious(suite, name="precious", reader="games"):
    """A file that no delivery may change or read, owned by the reader who is attacked."""
    path = suite.path(name)
    with open(path, "w", encoding="ascii") as f:
        f.write("precious\n")
    own(suite, path, reader)
    os.utime(path, (1000000000, 1000000000))
    return path


def is_untouched(path):
    status = os.stat(path)
    return (status.st_mtime == 1000000000 and status.st_atime == 1000000000
            and status.st_size == len("precious\n"))


def foreign_uid(suite):
    return pwd.getpwnam("daemon" if suite.user else "man").pw_uid


def trap_symlink(suite, path):
    os.symlink(precious(suite), path)


def trap_symlink_to_shadow(suite, path):
    os.symlink("/etc/shadow", path)


def trap_symlink_to_another(suite, path):
    os.symlink(precious(suite, reader="man"), path)


def trap_dangling(suite, path):
    os.symlink(suite.path("nothing-here"), path)


def trap_hard_link(suite, path):
    os.link(precious(suite), path)


def trap_fifo(suite, path):
    os.mkfifo(path, 0o600)
    own(suite, path, "games")


def trap_device(suite, path):
    if not can_be_another_user():
        pytest.skip("needs root")
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    own(suite, path, "games")


def trap_directory(suite, path):
    os.mkdir(path)
    own(suite, path, "games")


def trap_file(suite, path):
    with open(path, "w", encoding="ascii"):
        pass
    own(suite, path, "games")


def trap_other_owner(suite, path):
    if not can_be_another_user():
        pytest.skip("needs root")
    trap_file(suite, path)
    os.chown(path, foreign_uid(suite), -1)
    os.chmod(path, 0o666)


def trap_writable(suite, path):
    trap_file(suite, path)
    os.chmod(path, 0o666)


def trap_writable_directory(suite, path):
    trap_directory(suite, path)
    os.chmod(path, 0o777)


def trap_foreign_directory(suite, path):
    if not can_be_another_user():
        pytest.skip("needs root")
    trap_writable_directory(suite, path)
    os.chown(path, foreign_uid(suite), -1)


def trap_link_to_directory(suite, path):
    os.mkdir(suite.path("elsewhere"))
    own(suite, suite.path("elsewhere"), "games")
    os.symlink(suite.path("elsewhere"), path)


def shadow_is_whole():
    """Nothing but accounts in it, nor other rights. (Other tests may add accounts meanwhile.)"""
    st = os.stat("/etc/shadow")
    assert st.st_uid == 0 and not st.st_mode & 0o027
    if os.geteuid() != 0:
        return True
    with open("/etc/shadow", "rb") as f:
        return all(line.count(b":") == 8 for line in f)


def refused(suite, prefix):
    """The trap was answered in time, others get their mail, and nothing was touched."""
    begin = time.monotonic()
    queue_id = send(suite, "games@example.test")
    assert deliver(suite, "lp@example.test").status == "sent"
    result = outcome(suite, queue_id, "games@example.test", deadline=SOON)
    assert time.monotonic() - begin < SOON
    assert result.status in ("deferred", "bounced")
    assert result.text.startswith(prefix)
    assert shadow_is_whole()
    if os.path.exists(suite.path("precious")):
        assert is_untouched(suite.path("precious"))
    assert not os.path.exists(suite.path("nothing-here"))
    if os.path.exists(suite.path("elsewhere")):
        assert os.listdir(suite.path("elsewhere")) == []


@pytest.mark.parametrize("trap", [
    trap_symlink, trap_symlink_to_shadow, trap_symlink_to_another, trap_dangling, trap_hard_link,
    trap_fifo, trap_device, trap_directory, trap_other_owner, trap_writable,
], ids=lambda trap: trap.__name__[5:])
def test_traps_for_an_mbox(postern_instance, who, trap):
    suite = local_instance(postern_instance, who)
    trap(suite, spool(suite, "games"))
    refused(suite, f"cannot update mailbox {spool(suite, 'games')} for user games. ")


@pytest.mark.parametrize("part", ["", "tmp", "new"])
@pytest.mark.parametrize("trap", [
    trap_link_to_directory, trap_symlink, trap_dangling, trap_hard_link, trap_fifo, trap_device,
    trap_file, trap_foreign_directory, trap_writable_directory,
], ids=lambda trap: trap.__name__[5:])
def test_traps_for_a_maildir(postern_instance, trap, part):
    suite = local_instance(postern_instance, start=False)
    suite.write_config(main={"mail_spool_directory": suite.path("spool") + "/"})
    suite.start()
    if part:
        trap_directory(suite, spool(suite, "games"))
    trap(suite, os.path.join(spool(suite, "games"), part).rstrip("/"))
    refused(suite, "maildir delivery failed: ")


SWAPPER = """
import os, sys
path, target, private, kinds = sys.argv[1:]
while True:
    for kind in map(int, kinds):
        try:
            os.unlink(private)
        except FileNotFoundError:
            pass
        if kind == 0:
            os.symlink(target, private)
        elif kind == 1:
            os.link(target, private)
        else:
            os.close(os.open(private, os.O_CREAT | os.O_WRONLY, 0o600))
        os.rename(private, path)
"""


def test_mailbox_swapped_all_the_time(postern_instance, who):
    """A reader swaps the mailbox with links to somebody else's file, which never changes, though
    everybody may write to it."""
    suite = local_instance(postern_instance, who, mailbox_delivery_lock="fcntl")
    target = precious(suite)
    kinds = "02"
    if can_be_another_user():
        kinds = "012"
        os.chown(target, foreign_uid(suite), -1)
        os.chmod(target, 0o666)
        os.utime(target, (1000000000, 1000000000))
    account = suite.user or "games"
    os.chmod(suite.dir, 0o777)
    os.chmod(suite.path("spool"), 0o777)  # in a sticky one the reader cannot do it
    prefix = ["setpriv", f"--reuid={account}", "--clear-groups"] if can_be_another_user() else []
    swapper = subprocess.Popen([*prefix, sys.executable, "-c", SWAPPER, spool(suite, "games"),
                                target, suite.path("private"), kinds])
    try:
        ids = [send(suite, "games@example.test") for _ in range(40)]
        for queue_id in ids:
            outcome(suite, queue_id, "games@example.test")
        assert deliver(suite, "lp@example.test").status == "sent"
        assert swapper.poll() is None
    finally:
        swapper.kill()
        swapper.wait()
    assert is_untouched(target)
    os.chmod(suite.dir, 0o755)


# Rights


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


@needs_root
def test_rights_of_each_process(postern_instance):
    suite = local_instance(postern_instance)
    assert deliver(suite, "games@example.test").status == "sent"
    games, daemon = pwd.getpwnam("games"), pwd.getpwnam("daemon")
    worker = status_of(wait_process(suite, "local-worker"))
    launcher = status_of(wait_process(suite, "local-launcher"))
    decider = status_of(suite.wait_child("local"))
    assert worker["Uid"].split() == [str(games.pw_uid)] * 4
    assert worker["Gid"].split() == [str(games.pw_gid)] * 4
    assert decider["Uid"].split() == [str(daemon.pw_uid)] * 4
    for process in (worker, decider):
        assert process["Groups"].strip() == ""
        assert int(process["CapPrm"], 16) == int(process["CapEff"], 16) == 0
    # CAP_SETGID and CAP_SETUID, and of all processes only here.
    assert int(launcher["CapPrm"], 16) == int(launcher["CapEff"], 16) == 1 << 6 | 1 << 7
    for process in (worker, launcher, decider):
        assert process["NoNewPrivs"] == "1"
        assert process["Seccomp"] == "2"
    for name in ("local-worker", "local-launcher"):
        # Files of a process that is not dumpable belong to root.
        assert os.stat(f"/proc/{wait_process(suite, name)}/mem").st_uid == 0


@needs_root
def test_spool_of_a_group(postern_instance):
    """A spool directory for its group alone, as Debian's: the worker has that group, too."""
    suite = local_instance(postern_instance)
    os.chown(suite.path("spool"), 0, 8)
    os.chmod(suite.path("spool"), 0o2775)
    assert deliver(suite, "games@example.test").status == "sent"
    worker = status_of(wait_process(suite, "local-worker"))
    assert worker["Gid"].split() == ["8"] * 4
    assert worker["Groups"].strip() == ""
    assert os.listdir(suite.path("spool")) == ["games"]


@needs_root
def test_descriptors_of_the_processes(postern_instance, who):
    """Neither has the queue, a listening socket or another user's mail open."""
    suite = local_instance(postern_instance, who)
    assert deliver(suite, "games@example.test").status == "sent"
    for name in ("local-worker", "local-launcher"):
        directory = f"/proc/{wait_process(suite, name)}/fd"
        for fd in os.listdir(directory):
            target = os.readlink(os.path.join(directory, fd))
            assert not target.startswith(suite.queue), (name, target)
            assert "lmdb" not in target, (name, target)


# Ends


def test_worker_ends_when_idle(postern_instance, who):
    suite = local_instance(postern_instance, who)
    assert deliver(suite, "games@example.test").status == "sent"
    worker = wait_process(suite, "local-worker")
    poll_until(lambda: worker not in processes(suite, "local-worker"), "the worker's end", 30)
    assert deliver(suite, "games@example.test").status == "sent"


def test_idle_worker_killed(postern_instance, who):
    suite = local_instance(postern_instance, who, crashes=True)
    for _ in range(3):
        assert deliver(suite, "games@example.test").status == "sent"
        worker = wait_process(suite, "local-worker")
        suite.kill(worker)
        poll_until(lambda: worker not in processes(suite, "local-worker"), "the worker's end")
    assert deliver(suite, "games@example.test").status == "sent"


def test_worker_killed_in_a_delivery(postern_instance, who):
    suite = local_instance(postern_instance, who, crashes=True)
    with open(spool(suite, "games.lock"), "w", encoding="ascii"):
        pass
    queue_id = send(suite, "games@example.test")
    suite.kill(wait_process(suite, "local-worker"))
    result = outcome(suite, queue_id, "games@example.test")
    assert (result.status, result.dsn) == ("deferred", "4.3.0")
    assert "ended unexpectedly" in result.text
    os.unlink(spool(suite, "games.lock"))
    suite.wait_log(rf"{queue_id}: to=<games@example.test>, .*status=sent")
    assert read(spool(suite, "games")).count(b"\nhello\n") == 1


def test_workers_killed_all_the_time(postern_instance, who):
    """Every message arrives, once or more, and no half one is ever seen in new/."""
    suite = local_instance(postern_instance, who, crashes=True, start=False)
    suite.write_config(main={"mail_spool_directory": suite.path("spool") + "/"})
    suite.start()
    bodies = {}
    for n in range(12):
        text = f"{n}\r\n" + f"{n} and more of the same\r\n" * 40000
        bodies[hashlib.sha256(text.replace("\r\n", "\n").encode()).digest()] = n
        send(suite, "games@example.test", f"Subject: {n}\r\n\r\n{text}")
    killed, end = 0, time.monotonic() + 6
    while time.monotonic() < end:
        for pid in processes(suite, "local-worker"):
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        send(suite, "games@example.test", "Subject: 0\r\n\r\n" + "small\r\n")
    assert killed > 0
    bodies[hashlib.sha256(b"small\n").digest()] = "small"
    suite.wait_queue_empty(60)
    arrived = {hashlib.sha256(body(m)).digest() for m in suite.maildir(spool(suite, "games"))}
    assert arrived == set(bodies)


def test_launcher_killed(postern_instance, who):
    suite = local_instance(postern_instance, who, crashes=True)
    assert deliver(suite, "games@example.test").status == "sent"
    launcher = wait_process(suite, "local-launcher")
    suite.kill(launcher)
    queue_id = send(suite, "lp@example.test")
    suite.wait_log(rf"{queue_id}: to=<lp@example.test>, .*status=sent")
    assert wait_process(suite, "local-launcher") != launcher
    assert deliver(suite, "games@example.test").status == "sent"


def test_decider_killed(postern_instance, who):
    """Launcher and workers end with it, and nothing is lost."""
    suite = local_instance(postern_instance, who, crashes=True)
    assert deliver(suite, "games@example.test").status == "sent"
    old = processes(suite, "local-launcher") + processes(suite, "local-worker")
    assert len(old) == 2
    suite.kill(suite.wait_child("local"))
    poll_until(lambda: not [p for p in old if os.path.exists(f"/proc/{p}")],
               "the launcher and the worker to end")
    assert deliver(suite, "games@example.test").status == "sent"


@needs_root
def test_no_worker_runs_as_a_service(postern_instance):
    """Mail for mail_owner must not bring a worker to life that could reach the queue."""
    suite = local_instance(postern_instance, aliases="")
    owner = suite.parameters["mail_owner"]
    told = deliver(suite, f"{owner}@example.test")
    assert told.status == "deferred"
    assert "rights of root or of a service" in told.text
    assert os.listdir(suite.path("spool")) == []
    assert deliver(suite, "games@example.test").status == "sent"
