# SPDX-License-Identifier: Apache-2.0
"""mailq, postqueue, showq and postsuper: with the system running, and down."""

import json
import os
import pwd
import re
import smtplib
import socket
import subprocess
import time

import pytest

from postern import SBIN, can_be_another_user, poll_until

# Mail to example.com is deferred: there is no transport for it.
MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
pickup  unix n - n 60 1 pickup
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 bounce
defer   unix - - n -  0 bounce
showq   unix n - n -  - showq
error   unix - - n -  - error
retry   unix - - n -  - error
"""
HEADING = "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
EMPTY = "Mail queue is empty\n"
ID = r"[0-9A-Za-z]{12,31}"


@pytest.fixture
def postern(postern_instance):
    return postern_instance(master=MASTER).start()


def submit(instance, sender, recipients, text="Subject: x\n\nbody\n"):
    instance.run("sendmail", "-f", sender, "--", *recipients, input=text)


def listing(instance, *arguments):
    done = instance.run("postqueue", "-j", *arguments)
    return [json.loads(line) for line in done.stdout.splitlines()]


def deferred(instance, count=1):
    """Waits until that many messages are deferred; returns their JSON."""
    def all_deferred():
        found = [m for m in listing(instance) if m["queue_name"] == "deferred"]
        return found if len(found) == count else None
    return poll_until(all_deferred, f"{count} deferred messages")


def by_id(instance):
    return {m["queue_id"]: m for m in listing(instance)}


def test_empty_queue(postern):
    assert postern.run("mailq").stdout == EMPTY
    assert postern.run("postqueue", "-p").stdout == EMPTY
    assert postern.run("sendmail", "-bp").stdout == EMPTY
    assert postern.run("postqueue", "-j").stdout == ""


def test_listing_of_a_deferred_message(postern):
    before = int(time.time())
    submit(postern, "from@example.test", ["to@example.com", "\"a b\"@example.com"])
    message = deferred(postern)[0]
    assert list(message) == ["queue_name", "queue_id", "arrival_time", "message_size",
                             "forced_expire", "sender", "recipients"]
    assert message["sender"] == "from@example.test" and message["forced_expire"] is False
    assert before <= message["arrival_time"] <= time.time()
    path = [f for f in postern.queue_files() if message["queue_id"] in f]
    size = subprocess.run([os.path.join(SBIN, "postcat"), "-e", *path], capture_output=True,
                          text=True, env=postern.env(), check=True).stdout.split()[6]
    assert message["message_size"] == int(size)
    assert [r["address"] for r in message["recipients"]] == ["to@example.com",
                                                             "\"a b\"@example.com"]
    reason = message["recipients"][0]["delay_reason"]
    assert reason and message["recipients"][1]["delay_reason"] == reason

    text = postern.run("mailq").stdout
    assert text.startswith(HEADING)
    lines = text[len(HEADING):].splitlines()
    date = time.strftime("%a %b %e %H:%M:%S", time.localtime(message["arrival_time"]))
    assert lines == [
        "%-17s %8s %s from@example.test" % (message["queue_id"], size, date),
        ("(%s)" % reason).rjust(78),
        " " * 47 + "to@example.com",
        " " * 47 + "\"a b\"@example.com",
        "",
        "-- %d Kbytes in 1 Request." % (int(size) // 1024),
    ]


def test_several_messages_and_null_sender(postern):
    submit(postern, "<>", ["a@example.com"], "Subject: x\n\n" + "x" * 3000)
    submit(postern, "b@example.test", ["b@example.com"])
    submit(postern, "c@example.test", ["c@example.com"])
    messages = deferred(postern, 3)
    assert {m["sender"] for m in messages} == {"MAILER-DAEMON", "b@example.test",
                                               "c@example.test"}
    text = postern.run("postqueue", "-p").stdout
    kilobytes = sum(m["message_size"] for m in messages) // 1024
    assert text.endswith("\n\n-- %d Kbytes in 3 Requests.\n" % kilobytes)
    assert len(re.findall(r"^%s +\d+ \w{3} \w{3} " % ID, text, re.M)) == 3
    # As monitoring counts: by the first character of a line.
    assert len([l for l in text.splitlines() if re.match("[0-9A-Za-z]", l)]) == 3


def test_hold_release_requeue_delete(postern):
    submit(postern, "a@example.test", ["a@example.com"])
    submit(postern, "b@example.test", ["b@example.com"])
    first, second = [m["queue_id"] for m in deferred(postern, 2)]
    done = postern.run("postsuper", "-h", first)
    assert done.stderr == ("postsuper: %s: placed on hold\n"
                           "postsuper: Placed on hold: 1 message\n" % first)
    assert by_id(postern)[first]["queue_name"] == "hold"
    assert re.search(r"^%s! +\d+ " % first, postern.run("mailq").stdout, re.M)
    # What is held is not tried, and hold applies once.
    postern.run("postqueue", "-f")
    done = postern.run("postsuper", "-H", first)
    assert done.stderr == ("postsuper: %s: released from hold\n"
                           "postsuper: Released from hold: 1 message\n" % first)
    poll_until(lambda: by_id(postern)[first]["queue_name"] == "deferred", "the next attempt")
    assert postern.run("postsuper", "-H", first).stderr == ""
    done = postern.run("postsuper", "-r", second)
    assert "postsuper: %s: requeued\npostsuper: Requeued: 1 message\n" % second in done.stderr
    deferred(postern, 2)
    done = postern.run("postsuper", "-d", second)
    assert done.stderr == ("postsuper: %s: removed\npostsuper: Deleted: 1 message\n" % second)
    assert list(by_id(postern)) == [first]
    postern.wait_log(r"%s: removed" % second)


def test_all_and_places(postern):
    for name in "abcd":
        submit(postern, name + "@example.test", [name + "@example.com"])
    ids = [m["queue_id"] for m in deferred(postern, 4)]
    postern.run("postsuper", "-h", ids[0], "-h", ids[1])
    done = postern.run("postsuper", "-d", "ALL", "deferred")
    assert "postsuper: Deleted: 2 messages\n" in done.stderr
    assert sorted(by_id(postern)) == sorted(ids[:2])
    assert postern.run("postsuper", "-d", ids[0], "deferred").stderr == ""
    done = postern.run("postsuper", "-H", "ALL")
    assert "postsuper: Released from hold: 2 messages\n" in done.stderr
    done = postern.run("postsuper", "-d", "ALL")
    assert "postsuper: Deleted: 2 messages\n" in done.stderr
    assert postern.run("mailq").stdout == EMPTY and not postern.queue_files()


def test_ids_from_input(postern):
    for name in "ab":
        submit(postern, name + "@example.test", [name + "@example.com"])
    ids = [m["queue_id"] for m in deferred(postern, 2)]
    text = "\n%s\n  %s \nNOSUCHMESSAGE0000\n../../etc/passwd\n" % tuple(ids)
    done = postern.run("postsuper", "-d", "-", input=text)
    assert "postsuper: Deleted: 2 messages\n" in done.stderr
    assert "invalid mail queue id: ../../etc/passwd" in done.stderr
    assert not postern.queue_files()


def test_flush(postern):
    submit(postern, "a@example.test", ["a@example.com"])
    message = deferred(postern)[0]
    attempts = r"%s: to=<a@example.com>.* status=deferred" % message["queue_id"]
    postern.wait_log(attempts)
    postern.run("postqueue", "-f")
    postern.wait_log(attempts, 2)
    postern.run("postqueue", "-i", message["queue_id"])
    postern.wait_log(attempts, 3)
    postern.run("sendmail", "-q")
    postern.wait_log(attempts, 4)
    postern.run("sendmail", "-qI" + message["queue_id"])
    postern.wait_log(attempts, 5)
    postern.run("postern", "flush")
    postern.wait_log(attempts, 6)


@pytest.mark.parametrize("command, code, text", [
    (["postqueue"], 64, "usage: postqueue -f"),
    (["postqueue", "-p", "-f"], 64, "usage:"),
    (["postqueue", "-p", "more"], 64, "usage:"),
    (["postqueue", "-x"], 64, "usage:"),
    (["postqueue", "-i", "../x"], 64, "invalid name"),
    (["postqueue", "-i", "NOSUCHMESSAGE0000"], 69, "not found"),
    (["postqueue", "-s", "example.com"], 69, "not configured for destination \"example.com\""),
    (["postqueue", "-s", "a b"], 64, "invalid destination: \"a b\""),
    (["postqueue", "-s", ""], 64, "invalid destination"),
    (["postqueue", "-i", "NOSUCHMESSAGE0000", "--from", "a@b"], 64, "usage:"),
    (["postqueue", "-p", "--from", "nobody"], 64, "bad filter --from \"nobody\": give an address"),
    (["postqueue", "-p", "--to", "nobody@"], 64, "there is no domain behind the @"),
    (["postqueue", "-p", "--older", "2x"], 64, "bad filter --older \"2x\": give a number and s"),
    (["postqueue", "-p", "--older", "-1d"], 64, "bad filter --older"),
    (["postqueue", "-p", "--larger", "big"], 64, "bad filter --larger \"big\": give a number of"),
    (["postqueue", "-p", "--larger", "1", "--larger", "2"], 64, "it is given twice"),
    (["postqueue", "-p", "--reason", ""], 64, "bad filter --reason \"\": it is empty"),
    (["postqueue", "-p", "--destination", "@a"], 64, "give a domain, without @"),
    (["postqueue", "--summary", "--top", "few"], 64, "bad --top \"few\": give a number"),
    (["postqueue", "--summary", "-p"], 64, "usage:"),
    (["postsuper", "-d"], 1, "usage:"),
    (["postsuper", "-d", "--from"], 1, "usage:"),
    (["postsuper", "--from", "a@b"], 1, "say what is to be done"),
    (["postsuper", "-d", "4bcdfg0000zXXXXX", "--from", "a@b"], 1, "or filters, not both"),
    (["postsuper", "-h", "-", "--older", "1d"], 1, "or filters, not both"),
    (["postsuper", "-h", "--older", "soon"], 1, "bad filter --older"),
    (["postsuper"], 1, "usage:"),
    (["postsuper", "-x"], 1, "usage:"),
    (["postsuper", "-d", "ALL", "elsewhere"], 1, "invalid directory name: elsewhere"),
    (["postsuper", "-d", "x"], 0, "invalid mail queue id: x"),
])
def test_command_lines(postern, command, code, text):
    done = postern.run(*command, check=False)
    assert done.returncode == code and text in done.stderr, done


# ---- the system is down ----

@pytest.fixture
def stopped(postern_instance):
    """An instance that is down, with one deferred, one held message, one in maildrop/."""
    instance = postern_instance(master=MASTER).start()
    for name in "ab":
        submit(instance, name + "@example.test", [name + "@example.com"])
    instance.ids = [m["queue_id"] for m in deferred(instance, 2)]
    instance.run("postsuper", "-h", instance.ids[1])
    instance.stop()
    submit(instance, "later@example.test", ["c@example.com", "d@example.com"])
    return instance


def test_listing_while_down(stopped):
    done = stopped.run("postqueue", "-j")
    assert "warning: Mail system is down -- accessing queue directly" in done.stderr
    found = {m["queue_name"]: m for m in map(json.loads, done.stdout.splitlines())}
    assert sorted(found) == ["deferred", "hold", "maildrop"]
    assert found["deferred"]["queue_id"] == stopped.ids[0]
    assert found["hold"]["queue_id"] == stopped.ids[1]
    assert found["maildrop"]["sender"] == "later@example.test"
    assert [r["address"] for r in found["maildrop"]["recipients"]] == ["c@example.com",
                                                                       "d@example.com"]
    name = os.listdir(os.path.join(stopped.queue, "maildrop"))[0]
    assert found["maildrop"]["queue_id"] == name[:16]  # not enough to open the file
    done = stopped.run("postqueue", "-f", check=False)
    assert done.returncode == 69
    assert "Cannot flush mail queue - mail system is down" in done.stderr


def test_changes_while_down(stopped):
    first, second = stopped.ids

    def places():
        return {m["queue_id"]: m["queue_name"] for m in listing(stopped)}

    stopped.run("postsuper", "-h", first)
    assert places()[first] == "hold"
    stopped.wait_log(r"postsuper\[\d+\]: %s: placed on hold" % first)
    stopped.run("postsuper", "-H", first, "-H", second)
    assert places()[first] == places()[second] == "deferred"
    stopped.run("postsuper", "-e", second)
    assert by_id(stopped)[second]["forced_expire"] is True
    stopped.run("postsuper", "-r", "ALL")
    done = stopped.run("postsuper", "-d", first)
    assert done.stderr == "postsuper: %s: removed\npostsuper: Deleted: 1 message\n" % first
    assert first not in places() and second in places()
    owner = {os.stat(f).st_uid for f in stopped.queue_files() if "/maildrop/" not in f}
    expected = pwd.getpwnam(stopped.parameters["mail_owner"]).pw_uid
    assert owner == {expected}
    done = stopped.run("postsuper", "-d", "ALL")
    assert done.stderr.endswith("postsuper: Deleted: 1 message\n")
    done = stopped.run("postsuper", "-d", "ALL", "maildrop")
    assert done.stderr.endswith("postsuper: Deleted: 1 message\n")
    assert not stopped.queue_files()


def test_lock_is_respected(stopped):
    lock = os.path.join(stopped.queue, "pid", "qmgr.lock")
    holder = subprocess.Popen(["flock", lock, "sh", "-c", "echo; read x"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    done = stopped.run("postsuper", "-d", "ALL", check=False)
    holder.communicate(b"\n")
    assert done.returncode == 1 and "try again" in done.stderr
    assert len(stopped.queue_files()) == 3


def test_queue_that_runs_under_another_name(postern):
    """A configuration that looks for qmgr in the wrong place must not take it for stopped."""
    submit(postern, "a@example.test", ["a@example.com"])
    queue_id = deferred(postern)[0]["queue_id"]
    postern.write_config(main={"queue_service_name": "elsewhere"})
    done = postern.run("postsuper", "-d", queue_id, check=False)
    assert done.returncode == 1 and "try again" in done.stderr
    assert any(queue_id in path for path in postern.queue_files())


def test_service_name_parameter(postern_instance):
    instance = postern_instance(master=MASTER.replace("showq   unix", "teller unix"),
                                main={"showq_service_name": "teller"}).start()
    done = instance.run("postqueue", "-p")
    assert done.stdout == EMPTY and done.stderr == ""


# ---- who may ----

@pytest.mark.skipif(not can_be_another_user(), reason="needs root to be another user")
class TestOtherUsers:
    @staticmethod
    def run_as(instance, user, *command):
        account = pwd.getpwnam(user)
        return subprocess.run(
            ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}",
             "--clear-groups", os.path.join(SBIN, command[0]), *command[1:]],
            env=instance.env(), capture_output=True, text=True, timeout=60)

    def test_anybody_may_look(self, postern):
        submit(postern, "a@example.test", ["a@example.com"])
        deferred(postern)
        done = self.run_as(postern, "nobody", "mailq")
        assert done.returncode == 0 and "a@example.com" in done.stdout
        assert self.run_as(postern, "nobody", "postqueue", "-f").returncode == 0

    def test_nobody_may_change(self, postern):
        submit(postern, "a@example.test", ["a@example.com"])
        message = deferred(postern)[0]
        for arguments in (["-d", message["queue_id"]], ["-d", "ALL"], ["-h", "ALL"]):
            done = self.run_as(postern, "nobody", "postsuper", *arguments)
            assert done.returncode == 1 and "reserved for the superuser" in done.stderr
        assert [m["queue_id"] for m in listing(postern)] == [message["queue_id"]]

    def test_nobody_may_look_while_down(self, stopped):
        done = self.run_as(stopped, "nobody", "mailq")
        assert done.returncode == 69
        assert "Queue report unavailable - mail system is down" in done.stderr
        done = self.run_as(stopped, "nobody", "postsuper", "-d", "ALL")
        assert done.returncode == 1 and "reserved for the superuser" in done.stderr

    def test_not_authorized(self, postern_instance):
        instance = postern_instance(master=MASTER + "tables unix - - n - - tables\n", main={
            "authorized_mailq_users": "games", "authorized_flush_users": "games"}).start()
        for arguments, text in (("-p", "not allowed to view the mail queue"),
                                ("-f", "not allowed to flush the mail queue")):
            done = self.run_as(instance, "nobody", "postqueue", arguments)
            assert done.returncode == 77 and text in done.stderr, done
            assert self.run_as(instance, "games", "postqueue", arguments).returncode == 0
            instance.run("postqueue", arguments)


# ---- showq ----

def test_showq_survives_anybody(postern):
    submit(postern, "a@example.test", ["a@example.com"])
    deferred(postern)
    for data in (b"", b"\xff" * 100, b"\0\0\0\x05mxxxx", b"\0\0\0\x02dx", b"GET / HTTP/1.0\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(os.path.join(postern.queue, "public", "showq"))
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            try:
                assert s.recv(100) == b""
            except ConnectionResetError:
                pass
    assert len(listing(postern)) == 1


def test_crafted_maildrop_files(stopped):
    """Listing reads what anybody may have written."""
    drop = os.path.join(stopped.queue, "maildrop")
    good = open(os.path.join(drop, os.listdir(drop)[0]), "rb").read()
    cases = [good[:n] for n in range(0, len(good), 7)]
    cases += [good[:n] + b"\xff\xff\xff\xff" + good[n + 4:] for n in range(12, 200, 5)]
    cases += [good.replace(b"later@example.test", b"\x1b[2J\r\n\xff\x9b@x.test\xe2\x80\xae")]
    for i, data in enumerate(cases):
        path = os.path.join(drop, "%032x" % i)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o604)
    done = subprocess.run([os.path.join(SBIN, "postqueue"), "-p"], capture_output=True,
                          env=stopped.env(), timeout=60)
    assert done.returncode == 0 and b"c@example.com" in done.stdout
    assert b"Sanitizer" not in done.stderr
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xe2\x80\xae", done.stdout)
    for message in listing(stopped):
        assert message["queue_name"] in ("deferred", "hold", "maildrop")


def test_reader_that_stops(postern):
    """mailq | head: no error, and showq goes on."""
    for name in "abc":
        submit(postern, name + "@example.test", [name + "@example.com"])
    deferred(postern, 3)
    done = subprocess.run(["sh", "-c", "%s | head -n 1" % os.path.join(SBIN, "mailq")],
                          env=postern.env(), capture_output=True, timeout=60)
    assert done.stdout.decode() == HEADING and done.stderr == b""
    assert len(listing(postern)) == 3
