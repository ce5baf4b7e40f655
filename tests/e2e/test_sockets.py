# SPDX-License-Identifier: Apache-2.0
"""Every UNIX socket of a running instance, called by everybody with everything (T49): who may not
call is dropped, no daemon ends, no descriptor stays, and mail flows all the while."""

import json
import os
import smtplib
import socket
import stat
import subprocess

import pytest

from mailboxes import mailbox, receiving
from postern import ROOT, poll_until

FLOOD = os.environ.get("POSTERN_TEST_FLOOD", "300")
PUBLIC_FOR_ALL = {"public/pickup", "public/qmgr", "public/showq"}
FOR_ALL_OF_OURS = {"public/cleanup", "private/tables", "private/anvil", "private/resolver"}
PROGRAM_OF = {"defer": "bounce", "trace": "bounce", "retry": "error", "postlog": "postlogd"}

with open(os.path.join(ROOT, "tests", "support", "assault.py"), encoding="utf-8") as source:
    ASSAULT = source.read()


def sockets_of(postern):
    found = []
    for directory in ("private", "public"):
        top = os.path.join(postern.queue, directory)
        found += [f"{directory}/{name}" for name in os.listdir(top)
                  if stat.S_ISSOCK(os.lstat(os.path.join(top, name)).st_mode)]
    return sorted(found)


def may_call(who, path):
    if who in ("root", "mail_owner", "own"):
        return True
    if who in ("mail_user_network", "mail_user_tables"):
        return path in PUBLIC_FOR_ALL | FOR_ALL_OF_OURS
    return path in PUBLIC_FOR_ALL


def identity(postern, who):
    if who == "own":
        return {}
    if who in ("root", "nobody"):
        group = "root" if who == "root" else "nogroup"
        return {"user": who, "group": group, "extra_groups": []}
    return {"user": postern.parameters[who], "group": postern.parameters["mail_owner"],
            "extra_groups": []}


def assault(postern, who, paths):
    """{path: {act: what became of it}}"""
    questions = {os.path.join(postern.queue, p): may_call(who, p) for p in paths}
    done = subprocess.run(["/usr/bin/python3", "-c", ASSAULT, FLOOD], check=False, text=True,
                          input=json.dumps(questions), capture_output=True, timeout=150,
                          **identity(postern, who))
    assert done.returncode == 0, done.stderr
    return {os.path.relpath(p, postern.queue): acts
            for p, acts in json.loads(done.stdout).items()}


def program_of(path):
    name = os.path.basename(path)
    return PROGRAM_OF.get(name, name)


def start_all(postern, paths):
    """A process of each service, so that what ends is seen."""
    for path in paths:
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(os.path.join(postern.queue, path))
            except OSError:
                pass  # datagrams
        if program_of(path) != "postlogd":
            postern.wait_child(program_of(path))


def descriptors(pid):
    """Of a jailed process, which only root can look into."""
    return len(os.listdir(f"/proc/{pid}/fd")) if os.geteuid() == 0 else 0


def check_fates(who, fates):
    for path, acts in fates.items():
        if "flood" not in acts and "descriptors" in acts:
            continue  # datagrams are not answered
        if who == "nobody" and path.startswith("private/"):
            assert acts == {"silence": "denied"}, path
            continue
        expected = "open" if may_call(who, path) else "closed"
        assert acts.pop("silence") == expected, (who, path, acts)
        assert acts.pop("flood") == "flooded", (who, path)
        half = acts.pop("half a message")
        assert half == expected, (who, path, half)
        assert set(acts.values()) == {"closed"}, (who, path, acts)


def send_one(postern, count):
    with smtplib.SMTP("127.0.0.1", postern.port(), timeout=60) as client:
        client.sendmail("a@example.org", ["games@example.test"], "Subject: x\r\n\r\nx\r\n")
    postern.wait_maildir(mailbox(postern, "games"), count, deadline=60)


CALLERS = (["root", "mail_owner", "mail_user_network", "mail_user_tables", "nobody"]
           if os.geteuid() == 0 else ["own"])


def test_every_socket_stands_what_everybody_says(postern_instance):
    postern = receiving(postern_instance)
    paths = sockets_of(postern)
    assert {"private/local", "private/tables", "public/qmgr"} <= set(paths)
    start_all(postern, paths)
    send_one(postern, 1)
    before = {pid: postern._program(pid) for pid in postern.children()}
    used = {pid: descriptors(pid) for pid in before}
    # Who waits in the middle of a message while others storm in.
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(os.path.join(postern.queue, "public", "showq"))
        peer.sendall(b"\0\0\1\0m\0")
        for number, who in enumerate(CALLERS):
            fates = assault(postern, who, paths)
            assert set(fates) == set(paths)
            check_fates(who, fates)
            send_one(postern, number + 2)
        peer.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.recv(1)
    assert set(before) <= set(postern.children())
    for pid, program in before.items():
        poll_until(lambda: descriptors(pid) <= used[pid] + 10,
                   f"{program} to close descriptors: {used[pid]} before, {descriptors(pid)} now")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_one_user_does_not_take_all_connections(postern_instance):
    postern = receiving(postern_instance)
    hold = ("import socket, sys\n"
            "crowd = []\n"
            "for n in range(300):\n"
            "    s = socket.socket(socket.AF_UNIX)\n"
            "    s.connect(sys.argv[1])\n"
            "    crowd.append(s)\n"
            "closed = 0\n"
            "for s in crowd[:150:-1]:\n"
            "    s.settimeout(20)\n"
            "    closed += s.recv(1) == b''\n"
            "print(closed, flush=True)\n"
            "sys.stdin.read()\n")
    for name in ("public/pickup", "public/qmgr"):  # of one process each
        with subprocess.Popen(
                ["/usr/bin/python3", "-c", hold, os.path.join(postern.queue, name)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, user="nobody", group="nogroup",
                extra_groups=[], text=True) as crowd:
            assert crowd.stdout.readline() == "149\n"  # all beyond the hundredth
            other = subprocess.run(
                ["/usr/bin/python3", "-c", "import socket, sys\n"
                 "s = socket.socket(socket.AF_UNIX)\ns.settimeout(0.5)\n"
                 "s.connect(sys.argv[1])\n"
                 "try:\n    print(s.recv(1))\nexcept TimeoutError:\n    print('served')\n",
                 os.path.join(postern.queue, name)], user="games", group="games",
                extra_groups=[], capture_output=True, text=True, check=True)
            assert other.stdout == "served\n"
            crowd.stdin.close()
    send_one(postern, 1)
