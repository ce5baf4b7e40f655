# SPDX-License-Identifier: Apache-2.0
"""Local delivery: mailboxes and their locks, aliases, what is bounced and what waits."""

import fcntl
import os
import pwd
import re
import stat
import time

import pytest

from local_mail import (WHO, Account, aliases_write, deliver, forwarded_as, local_instance,
                        outcome, read, send, spool)
from postern import can_be_another_user, poll_until

needs_root = pytest.mark.skipif(not can_be_another_user(), reason="needs root")


@pytest.fixture(params=WHO, ids=lambda who: who or "self")
def who(request):
    return request.param


@pytest.fixture
def make(postern_instance, who):
    """Makes local instances, each run by root or without it."""
    return lambda **settings: local_instance(postern_instance, who, **settings)


@pytest.fixture
def accounts():
    """A factory of users that are removed after the test."""
    made = []

    def add(name, home):
        made.append(Account(f"{name}{os.getpid()}", home))
        return made[-1]

    yield add
    for account in made:
        account.remove()


# Mailboxes


def test_mbox_form(make):
    suite = make()
    text = "Subject: one\r\n\r\nFrom here\r\n>From there\r\n.\r\nend\r\n"
    result = deliver(suite, "games@example.test", text=text)
    assert result == ("sent", "2.0.0", "delivered to mailbox")
    first = read(spool(suite, "games"))
    lines = first.split(b"\n")
    assert re.fullmatch(rb"From sender@example\.org  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}",
                        lines[0])
    assert lines[1:4] == [b"Return-Path: <sender@example.org>",
                          b"X-Original-To: games@example.test",
                          b"Delivered-To: games@example.test"]
    assert lines[4].startswith(b"Received: from ")
    assert first.endswith(b"\n\n>From here\n>From there\n.\nend\n\n")
    deliver(suite, "games@example.test", sender="")
    both = read(spool(suite, "games"))
    assert both.startswith(first)
    assert both[len(first):].startswith(b"From MAILER-DAEMON  ")
    assert b"\nReturn-Path: <>\n" in both[len(first):]
    assert sorted(os.listdir(suite.path("spool"))) == ["games"]
    assert stat.S_IMODE(os.stat(spool(suite, "games")).st_mode) == 0o600


def test_held_kernel_lock_delays_its_owner_only(make):
    suite = make(deliver_lock_attempts="2")
    with open(spool(suite, "games"), "a+b") as mailbox:
        if suite.user or can_be_another_user():
            account = pwd.getpwnam(suite.user or "games")
            os.chown(mailbox.name, account.pw_uid, account.pw_gid)
        fcntl.lockf(mailbox, fcntl.LOCK_EX)
        queue_id = send(suite, "games@example.test")
        begin = time.monotonic()
        for reader in ("man", "lp", "news"):
            assert deliver(suite, f"{reader}@example.test").status == "sent"
        assert time.monotonic() - begin < 10
        result = outcome(suite, queue_id, "games@example.test")
        assert (result.status, result.dsn) == ("deferred", "4.2.0")
        assert result.text == (f"cannot update mailbox {spool(suite, 'games')} for user games. "
                               "unable to lock for exclusive access: Resource temporarily "
                               "unavailable")
        assert os.path.getsize(mailbox.name) == 0
    suite.wait_log(rf"{queue_id}: to=<games@example.test>, .*status=sent")
    assert read(spool(suite, "games")).count(b"\nhello\n") == 1


def test_dotlock(make):
    suite = make(deliver_lock_attempts="2", stale_lock_time="1000s")
    lock = spool(suite, "games.lock")
    with open(lock, "w", encoding="ascii"):
        pass
    os.chmod(suite.path("spool"), 0o777)  # so that a lock of anybody's may be taken away
    queue_id = send(suite, "games@example.test")
    result = outcome(suite, queue_id, "games@example.test")
    assert (result.status, result.dsn) == ("deferred", "4.2.0")
    assert f"unable to create lock file {lock}: File exists" in result.text
    assert os.path.exists(lock)
    os.utime(lock, (time.time() - 2000, time.time() - 2000))
    suite.wait_log(rf"{queue_id}: to=<games@example.test>, .*status=sent")
    assert not os.path.exists(lock)


def test_mailbox_size_limit(make):
    suite = make(message_size_limit="10000", mailbox_size_limit="10000")
    text = "Subject: x\r\n\r\n" + ("x" * 70 + "\r\n") * 60
    assert deliver(suite, "games@example.test", text=text).status == "sent"
    assert deliver(suite, "games@example.test", text=text).status == "sent"
    before = read(spool(suite, "games"))
    result = deliver(suite, "games@example.test", text=text)
    assert (result.status, result.dsn) == ("bounced", "5.2.2")
    assert result.text.endswith("error writing message: File too large")
    assert read(spool(suite, "games")) == before


@needs_root
def test_maildir_in_a_home(postern_instance, accounts):
    suite = local_instance(postern_instance, home_mailbox="Mail/in/", start=False,
                           recipient_delimiter="+")
    reader = accounts("ptreader", suite.path("home"))
    suite.start()
    address = f"{reader.name}@example.test"
    assert deliver(suite, address) == ("sent", "2.0.0", "delivered to maildir")
    inbox = os.path.join(reader.home, "Mail", "in")
    message, = suite.maildir(inbox)
    assert message.endswith(b"\n\nhello\n")
    name, = os.listdir(os.path.join(inbox, "new"))
    assert re.fullmatch(r"\d+\.V[0-9a-f]+I[0-9a-f]+M\d+\.[^:/]+", name)
    for path in (inbox, os.path.join(inbox, "new"), os.path.join(inbox, "new", name)):
        status = os.stat(path)
        assert (status.st_uid, status.st_gid) == (reader.uid, reader.gid)
        assert stat.S_IMODE(status.st_mode) & 0o077 == 0

    # Where there is a forward file, the user does not want the mail here.
    forward = os.path.join(reader.home, ".forward+x")
    with open(forward, "w", encoding="ascii") as f:
        f.write("|/bin/sh\n")
    assert deliver(suite, address).status == "sent"
    result = deliver(suite, f"{reader.name}+x@example.test")
    assert (result.status, result.dsn) == ("deferred", "4.3.5")
    assert result.text == (f"{forward} exists, and forwarding by such files is not available "
                           "yet")
    assert len(suite.maildir(inbox)) == 2


@needs_root
def test_mail_for_root(postern_instance):
    """Never with the rights of root: those of default_privs, which own the mailbox."""
    suite = local_instance(postern_instance)
    assert deliver(suite, "root@example.test").status == "sent"
    assert os.stat(spool(suite, "root")).st_uid == pwd.getpwnam("nobody").pw_uid
    os.chown(spool(suite, "root"), 0, 0)
    before = read(spool(suite, "root"))
    result = deliver(suite, "root@example.test")
    assert result.status == "deferred"
    assert "give root an alias" in result.text
    assert read(spool(suite, "root")) == before


# Recipients


def test_names(make):
    suite = make(recipient_delimiter="+")
    for recipient in ("GAMES@example.test", "games+x@example.test", "Games+X@EXAMPLE.test"):
        assert deliver(suite, recipient).status == "sent"
    messages = read(spool(suite, "games"))
    for line in (b"Delivered-To: games@example.test", b"Delivered-To: games+x@example.test",
                 b"X-Original-To: GAMES@example.test"):
        assert b"\n" + line + b"\n" in messages


def test_unknown_user(make):
    result = deliver(make(), "nosuchuser@example.test")
    assert result == ("bounced", "5.1.1", 'unknown user: "nosuchuser"')


def test_message_that_was_here(make):
    suite = make()
    result = deliver(suite, "games@example.test",
                     text="Delivered-To: Games@example.test\r\nSubject: x\r\n\r\nx\r\n")
    assert result == ("bounced", "5.4.6", "mail forwarding loop for games@example.test")
    assert not os.path.exists(spool(suite, "games"))
    other = deliver(suite, "games@example.test",
                    text="Delivered-To: man@example.test\r\nSubject: x\r\n\r\nx\r\n")
    assert other.status == "sent"


# Aliases


def test_alias_of_one_mailbox(make):
    suite = make(aliases="first: second\nsecond: games@example.test\n")
    assert deliver(suite, "first@example.test").status == "sent"
    assert b"\nDelivered-To: first@example.test\n" in read(spool(suite, "games"))


def test_alias_of_many(make):
    suite = make(aliases="list: games, inner, far@elsewhere.test\n"
                         "inner: man@example.test, GAMES, lp\n",
                 default_transport="error:5.1.2 no way out")
    forwarded = forwarded_as(deliver(suite, "list@example.test"))
    for reader in ("games", "man", "lp"):
        assert outcome(suite, forwarded, f"{reader}@example.test").status == "sent"
        messages = read(spool(suite, reader))
        assert messages.count(b"\nhello\n") == 1
        assert b"\nDelivered-To: list@example.test\n" in messages
    suite.wait_log(rf"{forwarded}: to=<far@elsewhere\.test>, .*dsn=5\.1\.2, "
                   r"status=bounced \(no way out\)")


def test_remote_member_waits_for_a_way_out(make):
    suite = make(aliases="list: games, far@elsewhere.test\n")
    forwarded = forwarded_as(deliver(suite, "list@example.test"))
    assert outcome(suite, forwarded, "games@example.test").status == "sent"
    suite.wait_log(rf"{forwarded}: to=<far@elsewhere\.test>, .*status=deferred \(.+\)")


def test_unknown_member(make):
    suite = make(aliases="list: games, nosuchuser\n")
    forwarded = forwarded_as(deliver(suite, "list@example.test"))
    assert outcome(suite, forwarded, "games@example.test").status == "sent"
    result = outcome(suite, forwarded, "nosuchuser@example.test")
    assert result == ("bounced", "5.1.1", 'unknown user: "nosuchuser"')


def test_alias_that_names_itself(make):
    suite = make(aliases="games: games, man\nlist: games, lp\n")
    queue_id = send(suite, "games@example.test")
    forwarded = forwarded_as(outcome(suite, queue_id, "games@example.test"))
    outcome(suite, forwarded, "man@example.test")
    assert read(spool(suite, "games")).count(b"\nhello\n") == 1

    forwarded = forwarded_as(deliver(suite, "list@example.test"))
    outcome(suite, forwarded, "lp@example.test")
    again = forwarded_as(outcome(suite, forwarded, "games@example.test"))
    outcome(suite, again, "man@example.test")
    for reader, count in (("games", 2), ("man", 2), ("lp", 1)):
        assert read(spool(suite, reader)).count(b"\nhello\n") == count


def test_circles(make):
    suite = make(aliases="a: b\nb: c\nc: a\nhalf: other, games\nother: half\n"
                         "x: y, games\nowner-x: man\ny: x, lp\nowner-y: news\n",
                 default_transport="discard")
    result = deliver(suite, "a@example.test")
    assert (result.status, result.dsn) == ("bounced", "5.4.6")
    assert deliver(suite, "half@example.test").status == "sent"
    # Through new messages, where each has our Delivered-To: of the one before.
    send(suite, "x@example.test")
    suite.wait_log(r"to=<x@example\.test>, .*dsn=5\.4\.6, status=bounced")
    suite.wait_queue_empty()


def test_owner(make):
    suite = make(aliases="list: games, man\nowner-list: lp\n")
    forwarded = forwarded_as(deliver(suite, "list@example.test"))
    suite.wait_log(rf"qmgr\[\d+\]: {forwarded}: from=<owner-list@example\.test>, ")
    outcome(suite, forwarded, "games@example.test")
    assert b"\nReturn-Path: <owner-list@example.test>\n" in read(spool(suite, "games"))


@pytest.mark.parametrize("member, what", [
    ("|/bin/cat", "commands"), ('"|/bin/sh -c \'exit 0\'"', "commands"),
    ("/tmp/file", "files"), (":include:/etc/aliases", ":include: lists"),
])
def test_what_is_not_built_waits(postern_instance, member, what):
    suite = local_instance(postern_instance, aliases=f"list: games, {member}\n")
    result = deliver(suite, "list@example.test")
    assert result == ("deferred", "4.3.5",
                      f'alias "list": delivery to {what} is not available yet')
    assert not os.path.exists(spool(suite, "games"))


def test_aliases_change_under_the_daemon(make):
    suite = make(aliases="list: games\n")
    assert deliver(suite, "list@example.test").status == "sent"
    local = suite.children("local")
    aliases_write(suite, "list: man\nnewone: games\n")
    suite.run("newaliases")
    assert deliver(suite, "list@example.test").status == "sent"
    assert deliver(suite, "newone@example.test").status == "sent"
    assert read(spool(suite, "man")).count(b"\nhello\n") == 1
    assert read(spool(suite, "games")).count(b"\nhello\n") == 2
    aliases_write(suite, "list: lp\n")
    suite.run("postalias", "hash:" + suite.path("aliases"))
    assert deliver(suite, "list@example.test").status == "sent"
    assert deliver(suite, "newone@example.test").status == "bounced"
    assert suite.children("local") == local


def test_no_answer_is_no_unknown_user(make):
    suite = make(alias_maps="fail:away")
    result = deliver(suite, "games@example.test")
    assert (result.status, result.dsn) == ("deferred", "4.3.0")
    assert result.text.startswith("alias database unavailable")
    poll_until(suite.queue_files, "the message in the queue")
