# SPDX-License-Identifier: Apache-2.0
"""qshape: the table of mail of known ages, with the system running and down, on a terminal and
off it. The tables are laid out by hand: numbers in columns of three, or one wider than the title,
and the name right before them, so that a line has 80 columns."""

import os
import pwd
import subprocess
import time

import pytest

from postern import BUILD, can_be_another_user, poll_until

# Nobody takes mail out of maildrop/, and deferred mail is not due for hours.
MASTER = """
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 bounce
defer   unix - - n -  0 bounce
showq   unix n - n -  - showq
error   unix - - n -  - error
retry   unix - - n -  - error
"""
MINUTE = 60
HOUR = 3600
HEADING = "  T  5 10 20 40 80 160 320 640 1280 1280+"
NOTHING = "  0  0  0  0  0  0   0   0   0    0     0"


def table(*rows):
    return "".join((name.rjust(80 - len(numbers)) + numbers + "\n") for name, numbers in rows)


EMPTY = table(("", HEADING), ("TOTAL", NOTHING))


def fill(instance, count, destinations, age):
    """Deferred mail for user@d0.example and so on, by way of the store itself."""
    owner = pwd.getpwnam(instance.parameters["mail_owner"])
    other = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} \
        if can_be_another_user() else {}
    subprocess.run([os.path.join(BUILD, "libexec", "postern", "queue_fill"), instance.queue,
                    str(count), str(destinations), "1", "10800", "32400", str(age)],
                   check=True, timeout=60, **other)


def drop(instance, sender, recipients, age):
    """A message in maildrop/ that was written so long ago."""
    directory = os.path.join(instance.queue, "maildrop")
    before = set(os.listdir(directory))
    instance.run("sendmail", "-f", sender, "--", *recipients, input="Subject: x\n\nx\n")
    name, = set(os.listdir(directory)) - before
    os.utime(os.path.join(directory, name), (time.time() - age,) * 2)


@pytest.fixture
def postern(postern_instance):
    """Down; six messages are deferred."""
    instance = postern_instance(master=MASTER).start()
    instance.stop()
    fill(instance, 2, 2, 12 * MINUTE)  # d0 and d1
    fill(instance, 3, 1, 100 * MINUTE)  # d0
    fill(instance, 1, 1, 22 * HOUR)  # d0
    return instance


DEFERRED = table(
    ("", HEADING),
    ("TOTAL", "  6  0  0  2  0  0   3   0   0    0     1"),
    ("d0.example", "  5  0  0  1  0  0   3   0   0    0     1"),
    ("d1.example", "  1  0  0  1  0  0   0   0   0    0     0"))


def test_deferred_and_held_mail(postern):
    postern.start()
    assert postern.run("qshape").stdout == EMPTY
    assert postern.run("qshape", "incoming", "active", "maildrop").stdout == EMPTY
    poll_until(lambda: postern.run("qshape", "deferred").stdout == DEFERRED, "six messages")

    postern.run("postsuper", "-h", "--older", "21h")
    assert postern.run("qshape", "hold").stdout == table(
        ("", HEADING),
        ("TOTAL", "  1  0  0  0  0  0   0   0   0    0     1"),
        ("d0.example", "  1  0  0  0  0  0   0   0   0    0     1"))
    assert postern.run("qshape", "deferred").stdout == table(
        ("", HEADING),
        ("TOTAL", "  5  0  0  2  0  0   3   0   0    0     0"),
        ("d0.example", "  4  0  0  1  0  0   3   0   0    0     0"),
        ("d1.example", "  1  0  0  1  0  0   0   0   0    0     0"))
    assert postern.run("qshape", "hold", "deferred").stdout == DEFERRED


def test_shapes(postern):
    """-s, -b, -t, -l and -w, while the system is down."""
    done = postern.run("qshape", "-s", "deferred")
    assert "warning: Mail system is down -- accessing queue directly" in done.stderr
    assert done.stdout == table(
        ("", HEADING),
        ("TOTAL", "  6  0  0  2  0  0   3   0   0    0     1"),
        ("example.org", "  6  0  0  2  0  0   3   0   0    0     1"))
    assert postern.run("qshape", "-b", "3", "-t", "10", "deferred").stdout == table(
        ("", "  T 10 20 20+"),
        ("TOTAL", "  6  0  2   4"),
        ("d0.example", "  5  0  1   4"),
        ("d1.example", "  1  0  1   0"))
    lines = postern.run("qshape", "-l", "-b", "4", "-t", "60", "-w", "90", "-c", postern.conf,
                        "deferred").stdout.splitlines()
    assert lines == [" " * 71 + "  T 60 120 180 180+",
                     "TOTAL".rjust(71) + "  6  2   3   0    1",
                     "d0.example".rjust(71) + "  5  1   3   0    1",
                     "d1.example".rjust(71) + "  1  1   0   0    0"]


def test_parents_in_maildrop(postern):
    drop(postern, "<>", ["1@a.example.com", "2@a.example.com", "1@B.example.com"], 0)
    drop(postern, "who@x.example.net", ["1@example.com", "1@c.example.org"], 30 * MINUTE)
    rows = [("", HEADING),
            ("TOTAL", "  5  3  0  0  2  0   0   0   0    0     0"),
            (".example.com", "  3  3  0  0  0  0   0   0   0    0     0"),
            ("a.example.com", "  2  2  0  0  0  0   0   0   0    0     0"),
            ("example.com", "  1  0  0  0  1  0   0   0   0    0     0"),
            ("b.example.com", "  1  1  0  0  0  0   0   0   0    0     0"),
            ("c.example.org", "  1  0  0  0  1  0   0   0   0    0     0")]
    assert postern.run("qshape", "-p", "-m", "2", "maildrop").stdout == table(*rows)
    without = [row for row in rows if row[0] != ".example.com"]
    assert postern.run("qshape", "-p", "maildrop").stdout == table(*without)
    assert postern.run("qshape", "-m", "2", "maildrop").stdout == table(*without)
    assert postern.run("qshape", "-s", "maildrop").stdout == table(
        ("", HEADING),
        ("TOTAL", "  2  1  0  0  1  0   0   0   0    0     0"),
        ("MAILER-DAEMON", "  1  1  0  0  0  0   0   0   0    0     0"),
        ("x.example.net", "  1  0  0  0  1  0   0   0   0    0     0"))


def on_terminal(instance, *arguments):
    """The tables that are shown, each where the one before was cleared away."""
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(instance.argv("qshape", *arguments), stdout=theirs,
                                   stderr=subprocess.DEVNULL, env=instance.env())
        os.close(theirs)
        text = b""
        try:
            while part := terminal.read(4096):
                text += part
        except OSError:  # EIO: all is read, and nobody writes any more
            pass
        assert process.wait(timeout=60) == 0
    clear = "\x1b[H\x1b[2J\x1b[3J"
    return text.decode().replace("\r\n", "\n").split(clear)


def test_terminal(postern):
    # Six messages: a table after two, after four, and at the end; TOTAL and one domain in each.
    shown = on_terminal(postern, "-N", "2", "-n", "1", "deferred")
    assert shown[0] == "" and len(shown) == 4
    assert [s.splitlines()[1].split()[:2] for s in shown[1:]] == [["TOTAL", "2"], ["TOTAL", "4"],
                                                                 ["TOTAL", "6"]]
    assert shown[3] == "".join(DEFERRED.splitlines(keepends=True)[:3])
    assert on_terminal(postern, "-N", "0", "-n", "0", "deferred") == [DEFERRED]
    # Neither matters to a file.
    assert postern.run("qshape", "-N", "2", "-n", "1", "deferred").stdout == DEFERRED


@pytest.mark.parametrize("arguments, text", [
    (["-x"], "usage: qshape [-lps]"),
    (["-b"], "usage: qshape [-lps]"),
    (["-b", "0"], "bad -b \"0\": give a number from 1 to 100"),
    (["-b", "41"], "bad -b \"41\": without -l there are at most 40 buckets"),
    (["-l", "-b", "101"], "bad -b \"101\": give a number from 1 to 100"),
    (["-t", "5m"], "bad -t \"5m\": give a number from 1 to 1000000"),
    (["-t", "-5"], "bad -t \"-5\""),
    (["-m", "0"], "bad -m \"0\""),
    (["-w", "wide"], "bad -w \"wide\""),
    (["-N", ""], "bad -N \"\""),
    (["-n", "99999999999999999999"], "bad -n \"99999999999999999999\""),
    (["later"], "unknown queue \"later\": give maildrop, incoming, active, deferred or hold"),
    (["deferred", "../hold"], "unknown queue \"../hold\""),
])
def test_bad_command_lines(postern_instance, arguments, text):
    done = postern_instance().run("qshape", *arguments, check=False)
    assert done.returncode == 64 and done.stdout == ""
    assert done.stderr.startswith("qshape: fatal: ") and text in done.stderr


def test_who_may_see_it(postern_instance):
    postern = postern_instance(master=MASTER, main={"authorized_mailq_users": "!static:any"})
    postern.start()
    done = postern.run("qshape", check=False)
    if can_be_another_user():
        done = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups",
                               *postern.argv("qshape")], capture_output=True, text=True,
                              env=postern.env(), timeout=60, check=False)
    assert done.returncode == 77 and done.stdout == ""
    assert "not allowed to view the mail queue" in done.stderr
