# SPDX-License-Identifier: Apache-2.0
"""Filters of the queue tools, the summary, and mail that is asked for by destination."""

import json
import os
import smtplib
import subprocess

import pytest

from postern import LIBEXEC, poll_until
from queue_instance import PATIENT

MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
pickup  unix n - n 60 1 pickup
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 bounce
defer   unix - - n -  0 bounce
showq   unix n - n -  - showq
error   unix - - n -  - error
flush   unix n - n 1000? 0 flush
"""
REASONS = ("inline:{{one.example=error:4.2.2 mailbox of host mx1.one.example[192.0.2.1] is full},"
           "{two.example=error:4.4.1 connect to mx.two.example[192.0.2.2]:25: timed out},"
           "{three.example=error:4.4.1 connect to mx.three.example[2001:db8::3]:25: timed out}}")
# sender, recipients, kilobytes
MAIL = {
    "a": ("alice@sender.example", ["x@one.example"], 0),
    "b": ("bob@sender.example", ["x@one.example", "y@two.example"], 0),
    "c": ("alice@other.example", ["z@three.example"], 20),
    "d": ("<>", ["y@two.example"], 0),
    "e": ("Carol@Sender.Example", ["zoe@THREE.example", "x@one.example"], 100),
}


def listing(instance, *arguments):
    done = instance.run("postqueue", "-j", *arguments)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def mail(postern_instance):
    instance = postern_instance(master=MASTER, main={
        "transport_maps": REASONS, "fast_flush_domains": "one.example, two.example",
        "relay_domains": "one.example", **PATIENT}).start()
    for sender, recipients, size in MAIL.values():
        instance.run("sendmail", "-f", sender, "--", *recipients,
                     input="Subject: x\n\n" + ("x" * 63 + "\n") * 16 * size)
    found = poll_until(lambda: (lambda x: x if len(x) == len(MAIL) and {
        m["queue_name"] for m in x} == {"deferred"} else None)(listing(instance)), "all deferred")
    senders = {m["sender"]: m["queue_id"] for m in found}
    instance.ids = {letter: senders["MAILER-DAEMON" if sender == "<>" else sender]
                    for letter, (sender, _, _) in MAIL.items()}
    return instance


def letters(instance, messages):
    names = {queue_id: letter for letter, queue_id in instance.ids.items()}
    return "".join(sorted(names[m["queue_id"]] for m in messages))


FILTERS = [
    (["--from", "alice@sender.example"], "a"),
    (["--from", "ALICE@SENDER.EXAMPLE"], "a"),
    (["--from", "@sender.example"], "abe"),
    (["--from", "alice@*"], "ac"),
    (["--from", "*"], "abcde"),
    (["--from", "<>"], "d"),
    (["--to", "x@one.example"], "abe"),
    (["--to", "z*"], "ce"),
    (["--to", "@three.example"], "ce"),
    (["--destination", "two.example"], "bd"),
    (["--destination", "t*.EXAMPLE"], "bcde"),
    (["--destination", "example"], ""),
    (["--reason", "timed out"], "bcde"),
    (["--reason", "Is Full"], "abe"),
    (["--reason", "*[192.0.2.2]:25*"], "bd"),
    (["--reason", "is ful*"], ""),
    (["--larger", "10k"], "ce"),
    (["--larger", "50K"], "e"),
    (["--larger", "1M"], ""),
    (["--older", "0"], "abcde"),
    (["--older", "1h"], ""),
    (["--from", "@sender.example", "--to", "y@two.example"], "b"),
    # Both must be true of one recipient.
    (["--to", "x@one.example", "--reason", "timed out"], ""),
    (["--destination", "one.example", "--larger", "50k", "--older", "0s"], "e"),
]


def test_listings(mail):
    for arguments, expected in FILTERS:
        assert letters(mail, listing(mail, *arguments)) == expected, arguments
    text = mail.run("postqueue", "-p", "--from", "<>").stdout
    assert mail.ids["d"] in text and text.endswith("in 1 Request.\n")
    assert mail.run("postqueue", "-p", "--from", "no@body").stdout == "Mail queue is empty\n"
    mail.stop()  # the files say the same
    for arguments, expected in FILTERS:
        assert letters(mail, listing(mail, *arguments)) == expected, arguments


def test_changes(mail):
    def places():
        found = {m["queue_id"]: m for m in listing(mail)}
        return {letter: found[queue_id]["queue_name"] + (
            "#" if found[queue_id]["forced_expire"] else "")
            for letter, queue_id in mail.ids.items() if queue_id in found}

    done = mail.run("postsuper", "-h", "--destination", "three.example")
    assert done.stderr.endswith("postsuper: Placed on hold: 2 messages\n")
    assert places() == {"a": "deferred", "b": "deferred", "c": "hold", "d": "deferred",
                        "e": "hold"}
    done = mail.run("postsuper", "-d", "--older", "0", "--from", "@sender.example", "deferred")
    assert sorted(done.stderr.splitlines()) == sorted([
        f"postsuper: {mail.ids['a']}: removed", f"postsuper: {mail.ids['b']}: removed",
        "postsuper: Deleted: 2 messages"])
    assert places() == {"c": "hold", "d": "deferred", "e": "hold"}
    done = mail.run("postsuper", "-e", "--larger", "50k")
    assert "Force-expired: 1 message\n" in done.stderr
    assert places() == {"c": "hold", "d": "deferred", "e": "hold#"}
    done = mail.run("postsuper", "-H", "ALL", "--from", "alice@*")
    assert done.stderr.endswith("Released from hold: 1 message\n")
    poll_until(lambda: places() == {"c": "deferred", "d": "deferred", "e": "hold#"}, "release")
    done = mail.run("postsuper", "-r", "--from", "<>")
    assert done.stderr.endswith("Requeued: 1 message\n")
    mail.wait_log(rf"{mail.ids['d']}: to=<y@two.example>.*status=deferred", 2)
    assert mail.run("postsuper", "-d", "--from", "nobody@nowhere.example").stderr == ""
    done = mail.run("postsuper", "-f", "--from", "carol@sender.example")
    assert "Released from hold: 1 message" in done.stderr
    mail.wait_log(rf"{mail.ids['e']}: from=<Carol@Sender.Example>, status=force-expired")


def test_changes_while_down(mail):
    mail.stop()
    done = mail.run("postsuper", "-h", "--destination", "three.example")
    assert done.stderr.endswith("postsuper: Placed on hold: 2 messages\n")
    done = mail.run("postsuper", "-d", "--to", "y@*")
    assert done.stderr.endswith("postsuper: Deleted: 2 messages\n")
    assert letters(mail, listing(mail)) == "ace"


def attempts(instance, letter):
    return instance.log().count(f"{instance.ids[letter]}: from=")


def test_flush_of_what_is_selected(mail):
    for arguments, expected in ((["-f", "--destination", "two.example"], "bd"),
                                (["-s", "one.example"], "abe"),
                                (["-f", "--from", "alice@*", "--larger", "1k"], "c")):
        before = {letter: attempts(mail, letter) for letter in MAIL}
        # Asked again: what is just being tried is not tried once more.
        poll_until(lambda: mail.run("postqueue", *arguments) and all(
            attempts(mail, x) > before[x] for x in expected), "the attempts")
        for letter in set(MAIL) - set(expected):
            assert attempts(mail, letter) == before[letter], (arguments, letter)
    before = attempts(mail, "d")
    poll_until(lambda: mail.run("sendmail", "-qRtwo.example") and attempts(mail, "d") > before,
               "the attempt")
    done = mail.run("postqueue", "-s", "three.example", check=False)
    assert done.returncode == 69
    assert 'Flush service is not configured for destination "three.example"' in done.stderr


def test_etrn(mail):
    """A host that comes online asks for its mail, and for nobody else's."""
    mail.write_config(main={"smtpd_etrn_restrictions":
                            "check_etrn_access inline:{{two.example=reject}}"})
    mail.reload()
    with smtplib.SMTP("127.0.0.1", mail.port(), timeout=30) as client:
        assert client.docmd("ETRN one.example") == (503, b"5.5.1 Error: send HELO/EHLO first")
        client.ehlo("client.example")
        assert client.has_extn("etrn")
        assert client.docmd("ETRN") == (500, b"5.5.2 Syntax: ETRN domain")
        assert client.docmd("ETRN", "one.example more")[0] == 500
        assert client.docmd("ETRN", "o_*e") == (501, b"5.5.4 Error: invalid parameter syntax")
        assert client.docmd("ETRN", "three.example") == (
            459, b"4.7.1 <three.example>: service unavailable")
        assert client.docmd("ETRN", "two.example") == (
            554, b"5.7.1 <two.example>: Etrn command rejected: Access denied")
        before = {letter: attempts(mail, letter) for letter in MAIL}
        assert client.docmd("ETRN", "@One.Example") == (250, b"2.0.0 Queuing started")
        poll_until(lambda: all(attempts(mail, x) > before[x] for x in "abe"), "the attempts")
        assert attempts(mail, "c") == before["c"] and attempts(mail, "d") == before["d"]
        client.mail("a@sender.example")
        assert client.docmd("ETRN", "one.example") == (
            503, b"5.5.1 Error: MAIL transaction in progress")


def test_many_at_once(mail):
    """More than one request to qmgr carries, some with more recipients than the index keeps."""
    done = subprocess.run([os.path.join(LIBEXEC, "inject"), "-n", "450", mail.queue,
                           "bulk@sender.example", "u@two.example"],
                          input="Subject: x\n\nx\n", text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    bulk = subprocess.run(
        [mail.argv("sendmail")[0], "-f", "bulk@sender.example", "--",
         *[f"u{n}@two.example" for n in range(300)]], env=mail.env(),
        input=b"Subject: x\n\nx\n", capture_output=True, timeout=60)
    assert bulk.returncode == 0, bulk.stderr
    poll_until(lambda: len([m for m in listing(mail, "--from", "bulk@*")
                            if m["queue_name"] == "deferred"]) == 451, "the bulk mail")
    # A message with more recipients than the index keeps is found by its last one.
    found = listing(mail, "--to", "u299@two.example")
    assert len(found) == 1 and len(found[0]["recipients"]) == 300
    done = mail.run("postsuper", "-h", "--from", "bulk@*")
    assert done.stderr.endswith("postsuper: Placed on hold: 451 messages\n")
    done = mail.run("postsuper", "-H", "ALL")
    assert done.stderr.endswith("postsuper: Released from hold: 451 messages\n")
    done = mail.run("postsuper", "-d", "ALL")
    assert done.stderr.endswith("postsuper: Deleted: 456 messages\n")
    assert listing(mail) == []


def test_summary(mail):
    mail.run("postsuper", "-h", mail.ids["a"])
    rows = [json.loads(line) for line in
            mail.run("postqueue", "--summary", "-j").stdout.splitlines()]
    sizes = {letter: next(m["message_size"] for m in listing(mail)
                          if m["queue_id"] == mail.ids[letter]) for letter in MAIL}
    arrivals = [m["arrival_time"] for m in listing(mail)]
    total = rows[0]
    assert (total["kind"], total["messages"], total["recipients"]) == ("total", 5, 7)
    assert total["size"] == sum(sizes.values())
    assert (total["oldest"], total["newest"]) == (min(arrivals), max(arrivals))
    assert {r["name"]: r["messages"] for r in rows if r["kind"] == "queue"} == {
        "deferred": 4, "hold": 1}
    assert [(r["name"], r["messages"], r["recipients"], r["size"]) for r in rows
            if r["kind"] == "destination"] == [
        ("one.example", 3, 3, sizes["a"] + sizes["b"] + sizes["e"]),
        ("three.example", 2, 2, sizes["c"] + sizes["e"]),
        ("two.example", 2, 2, sizes["b"] + sizes["d"]),
    ]
    # Reasons that differ in hosts alone are one.
    assert [(r["name"], r["messages"], r["recipients"]) for r in rows
            if r["kind"] == "reason"] == [
        ("connect to *: timed out", 4, 4), ("mailbox of host * is full", 3, 3)]
    text = mail.run("postqueue", "--summary").stdout
    lines = text.splitlines()
    assert lines[0].startswith("5 messages, 7 recipients, ")
    assert lines[1] == "deferred 4, hold 1"
    assert lines[3].split() == ["Messages", "Recipients", "Size", "Oldest", "Newest",
                                "Destination"]
    assert [line.split()[0::5] for line in lines[4:7]] == [
        ["3", "one.example"], ["2", "three.example"], ["2", "two.example"]]
    assert lines[9].endswith("  connect to *: timed out")
    text = mail.run("postqueue", "--summary", "--top", "1").stdout
    assert "         4  in 2 more\n" in text and "two.example" not in text
    text = mail.run("postqueue", "--summary", "--from", "<>").stdout
    assert text.startswith("1 message, 1 recipient, ") and "one.example" not in text
    mail.run("postsuper", "-d", "ALL")
    assert mail.run("postqueue", "--summary").stdout == "Mail queue is empty\n"
