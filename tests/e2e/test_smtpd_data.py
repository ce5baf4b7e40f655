# SPDX-License-Identifier: Apache-2.0
"""smtpd: content of messages. Rows T01, T08, T13, T16 of the hostile tests."""

import os
import random

import pytest

from smtp_wire import OURS, Smtpd, Wire, queue_id

LONG = os.environ.get("POSTERN_LONG") == "1"

MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{reject} inet n - n - - smtpd -o smtpd_forbid_bare_newline=reject
127.0.0.1:{note} inet n - n - - smtpd -o smtpd_forbid_bare_newline=note
127.0.0.1:{no} inet n - n - - smtpd -o smtpd_forbid_bare_newline=no
127.0.0.1:{excluded} inet n - n - - smtpd -o smtpd_forbid_bare_newline=reject
  -o smtpd_forbid_bare_newline_exclusions=127.0.0.1
127.0.0.1:{small} inet n - n - - smtpd -o message_size_limit=10000
127.0.0.1:{refuse} inet n - n - - smtpd
  -o { smtpd_end_of_data_restrictions = check_sender_access inline:{no@x.test=REJECT} }
cleanup unix n - n - 0 fake_cleanup
"""
PORTS = ("reject", "note", "no", "excluded", "small", "refuse")


@pytest.fixture(scope="module")
def smtpd():
    with Smtpd(master=MASTER, ports=PORTS,
               main={"mynetworks": "192.0.2.1", "smtpd_hard_error_limit": "1000"}) as server:
        yield server


# What may stand for the end of data elsewhere, what it is here, and whether it has a bare
# CR or LF. ENDS: it is an end of data, and what follows may not be run.
SEQUENCES = [
    (b"\n.\n", True), (b"\n.\r\n", True), (b"\r\n.\n", True), (b"\r.\r", True),
    (b"\r.\n", True), (b"\n.\r", True), (b"\r.\r\n", True), (b"\r\n.\r", True),
    (b"\r\n.\r\r\n", True), (b"\r\r\n.\r\n", True), (b"\r\n\0.\r\n", False),
    (b"\r\n.\0\r\n", False), (b"\n\n.\r\n", True), (b"\r\n .\r\n", False),
    (b"\r\n..\r\n", False), (b"\r\n.\t\r\n", False),
]
EVIL = (b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<u@" + OURS.encode() +
        b">\r\nDATA\r\nevil\r\n")


def smuggle(smtpd, port, sequence, pieces):
    """Sends a message with the sequence in it; all that was said and the messages taken."""
    before = {m["queue_id"] for m in smtpd.taken()}
    with smtpd.wire(port) as wire:
        wire.envelope()
        assert wire.command("DATA").code == 354
        payload = b"A: b\r\n\r\nbody" + sequence + EVIL + b"\r\n.\r\n"
        try:
            for piece in pieces(payload, sequence):
                wire.send(piece)
            wire.send(b"QUIT\r\n")
            answers = []
            while True:
                answers.append(wire.reply())
        except (EOFError, ConnectionError):
            pass
    return answers, [m for m in smtpd.taken() if m["queue_id"] not in before]


def whole(payload, sequence):
    return [payload]


def byte_by_byte(payload, sequence):
    return [payload[i:i + 1] for i in range(len(payload))]


def around(payload, sequence):
    at = payload.index(sequence)
    return [payload[:at]] + [sequence[i:i + 1] for i in range(len(sequence))] + \
        [payload[at + len(sequence):]]


@pytest.mark.parametrize("pieces", [whole, around, byte_by_byte])
@pytest.mark.parametrize("port", ["smtp", "reject", "no", "excluded"])
@pytest.mark.parametrize("sequence, is_bare", SEQUENCES, ids=[repr(s)[2:-1] for s, _ in SEQUENCES])
def test_never_two_messages_from_one(smtpd, port, sequence, is_bare, pieces):
    answers, taken = smuggle(smtpd, port, sequence, pieces)
    assert answers, "closed without a word"
    assert all(m["sender"] == "s@x.test" for m in taken), "evil was an envelope"
    if port == "reject" and is_bare:
        assert answers[0].code == 550
        assert "Error: bare <" in answers[0].text
        assert len(answers) == 1, "what followed was run"
        assert taken == []
        return
    assert answers[0].code == 250
    assert len(taken) == 1
    content = taken[0]["content"]
    if sequence != b"\r\r\n.\r\n":  # that one does end the message
        assert b"MAIL FROM:<evil" in content
    if sequence == b"\r\n..\r\n":
        assert b"body\r\n.\r\nMAIL FROM" in content
    assert b"\n" not in content.replace(b"\r\n", b""), "bare LF"
    assert b"\r" not in content.replace(b"\r\n", b""), "bare CR"


def test_sequences_split_at_every_place(smtpd):
    """Two packets, cut at each byte from the body to the forged command."""
    for sequence, _ in SEQUENCES if LONG else SEQUENCES[:10]:
        for cut in range(len(sequence) + 4):
            def pieces(payload, s, cut=cut):
                at = payload.index(s) - 2 + cut
                return [payload[:at], payload[at:]]
            _, taken = smuggle(smtpd, "smtp", sequence, pieces)
            assert [m["sender"] for m in taken] == ["s@x.test"]


def test_bare_newline_modes(smtpd):
    with smtpd.wire("note") as wire:
        wire.envelope()
        assert wire.data(b"a\nb").code == 250
        assert wire.command("QUIT").code == 221
    smtpd.wait_log(r"commands=5 notes=bare_lf\n")
    with smtpd.wire("reject") as wire:
        wire.send(b"NOOP\n")
        assert str(wire.reply()) == "550 5.5.2 mail.example.test Error: bare <LF> received"
        assert wire.is_closed()
    smtpd.wait_log(r"NOQUEUE: reject: CONNECT from localhost\S+: bare <LF> received; proto=SMTP")
    with smtpd.wire("smtp") as wire:
        wire.send(b"NOOP\n")
        assert wire.reply().code == 250


CONTENTS = [
    b"", b"x", b"\r\n", b".", b"..", b".\r\n.\r\n..", b"Subject: a\r\n\r\nb", b"\0", b"\xff\xfe",
    b"a" * 100000, b"\r\n" * 30000, b"." * 998 + b"\r\n" + b"." * 5000, b"From x\r\nA: b\r\n",
    b" folded first line\r\n", bytes(range(1, 10)) + bytes(range(14, 256)),
]


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_content_arrives_byte_for_byte(smtpd, content):
    stuffed = b"\r\n".join(b"." + line if line[:1] == b"." else line
                           for line in content.split(b"\r\n"))
    with smtpd.wire() as wire:
        wire.envelope()
        answer = wire.data(stuffed)
        assert smtpd.message(queue_id(answer))["content"] == content + b"\r\n"
        assert wire.command("NOOP").code == 250


def test_empty_message(smtpd):
    with smtpd.wire() as wire:
        wire.envelope()
        answer = wire.data(b"", b".\r\n")
        assert smtpd.message(queue_id(answer))["content"] == b""


def test_large_message_in_odd_pieces(smtpd):
    source = random.Random(1)
    lines = [bytes(source.choices(b"abc.\xe9 ", k=source.randrange(300))) for _ in range(60000)]
    content = b"\r\n".join(lines)
    with smtpd.wire() as wire:
        wire.envelope()
        assert wire.command("DATA").code == 354
        stuffed = b"\r\n".join(b"." + line if line[:1] == b"." else line for line in lines)
        at = 0
        while at < len(stuffed):
            size = source.randrange(1, 40000)
            wire.send(stuffed[at:at + size])
            at += size
        wire.send(b"\r\n.\r\n")
        answer = wire.reply()
    assert smtpd.message(queue_id(answer))["content"] == content + b"\r\n"


def test_pipelined_messages_are_kept_apart(smtpd):
    """The next MAIL may follow the end of data in the same packet (RFC 2920)."""
    with smtpd.wire() as wire:
        wire.envelope("one@x.test")
        assert wire.command("DATA").code == 354
        wire.send(f"1\r\n.\r\nMAIL FROM:<two@x.test>\r\nRCPT TO:<w@{OURS}>\r\nDATA\r\n".encode())
        first, *others = wire.replies(4)
        assert [r.code for r in others] == [250, 250, 354]
        wire.send(b"2\r\n.\r\n")
        second = wire.reply()
    assert smtpd.message(queue_id(first))["content"] == b"1\r\n"
    two = smtpd.message(queue_id(second))
    assert (two["sender"], two["content"]) == ("two@x.test", b"2\r\n")
    assert [r["address"] for r in two["recipients"]] == [f"w@{OURS}"]


# Sizes (T16)

@pytest.mark.parametrize("size, code", [
    ("0", 250), ("1", 250), ("10000", 250), ("10001", 552), (str(2**63), 552), (str(2**64), 552),
    ("-1", 501), ("abc", 501), ("", 501), ("+5", 501), ("0x10", 501), ("1 ", 250),
])
def test_declared_size(smtpd, size, code):
    with smtpd.wire("small") as wire:
        wire.ehlo()
        assert wire.command(f"MAIL FROM:<s@x.test> SIZE={size}").code == code


def test_real_bytes_rule(smtpd):
    with smtpd.wire("small") as wire:
        wire.ehlo()
        wire.command("MAIL FROM:<s@x.test> SIZE=10")
        wire.command(f"RCPT TO:<u@{OURS}>")
        assert str(wire.data(b"x" * 20000)) == "552 5.3.4 Error: message file too big"
        assert wire.command("DATA").text == "5.5.1 Error: need RCPT command"
        wire.envelope()
        assert wire.data(b"x" * (10000 - 2)).code == 250
        wire.envelope()
        assert wire.data(b"x" * (10000 - 1)).code == 552


def test_too_big_after_streaming_began_leaves_nothing(smtpd):
    aborted = smtpd.count("aborted")
    with Smtpd(main={"message_size_limit": "300000"}) as other, other.wire() as wire:
        wire.envelope()
        assert wire.data(b"x" * 400000).code == 552
        wire.envelope()
        assert wire.data(b"y").code == 250
        other.wait_count(1, "aborted")
        assert other.count() == 1
    assert smtpd.count("aborted") == aborted


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


@pytest.mark.parametrize("unit, count", [
    (b"x" * 65536, 1024 if LONG else 200), (b" y\r\n", 2000000 if LONG else 300000),
    (b"H: v\r\n", 1000000 if LONG else 200000), (b"x" * 1048576, 3000 if LONG else 90),
], ids=["header", "continuation", "headers", "body"])
def test_hostile_content_costs_no_memory(smtpd, unit, count):
    """T13: one giant header, continuation lines, header floods, more than the limit."""
    with smtpd.wire() as wire:
        wire.envelope()
        pids = smtpd.instance.children("smtpd")
        before = sum(rss(p) for p in pids)
        assert wire.command("DATA").code == 354
        wire.send(b"A: ")
        burst = unit * max(1, 262144 // len(unit))
        sent = 0
        try:
            while sent < len(unit) * count:
                wire.send(burst)
                sent += len(burst)
            wire.send(b"\r\n.\r\n")
            assert wire.reply().code in (250, 552)
        except (EOFError, ConnectionError):
            assert sent > 100 * 1024 * 1024, "closed below the cap"
        assert sum(rss(p) for p in pids) - before < 32 * 1024
    with smtpd.wire() as wire:
        wire.ehlo()


# Refusals at the end (T08) and what cleanup says

@pytest.mark.parametrize("sender, expected", [
    ("retry", "451 4.3.0 Error: queue file write error"),
    ("full", "452 4.3.1 Insufficient system storage"),
    ("toobig", "552 5.3.4 Error: message file too big"),
    ("reject", "550 5.7.1 Error: content rejected"),
    ("loop", "554 5.4.0 Error: too many hops"),
    ("unknown", "451 4.3.0 Error: queue file write error"),
    ("text", "550 5.7.2 no such??250 thing"),
])
@pytest.mark.parametrize("verb", ["DATA", "BDAT"])
def test_verdicts_of_cleanup(smtpd, sender, expected, verb):
    with smtpd.wire() as wire:
        wire.envelope(f"{sender}@x.test")
        if verb == "DATA":
            answer = wire.data(b"x")
        else:
            wire.send(b"BDAT 3 LAST\r\nx\r\n")
            answer = wire.reply()
        assert str(answer) == expected
        after_a_refusal(wire)


def after_a_refusal(wire):
    """Nothing of the transaction is left."""
    assert wire.command(f"RCPT TO:<u@{OURS}>").text == "5.5.1 Error: need MAIL command"
    assert wire.command("DATA").text == "5.5.1 Error: need RCPT command"
    wire.send(b"BDAT 2 LAST\r\nxx")
    assert wire.reply().code == 503
    wire.envelope("s@x.test")
    assert wire.data(b"next").code == 250


def test_refused_at_end_of_data(smtpd):
    with smtpd.wire("refuse") as wire:
        for _ in range(2):  # the checks run again for the next one
            wire.envelope("no@x.test")
            assert str(wire.data(b"x")) == \
                "554 5.7.1 <no@x.test>: Sender address rejected: Access denied"
        after_a_refusal(wire)
    smtpd.wait_log(r"reject: END-OF-MESSAGE from localhost\S+: 554 5\.7\.1 .*; "
                   rf"from=<no@x\.test> to=<u@{OURS}> proto=ESMTP helo=<client\.test>")


def test_cleanup_that_dies():
    with Smtpd(crashes=True) as smtpd:
        for sender in ("drop", "die"):
            with smtpd.wire() as wire:
                wire.envelope(f"{sender}@x.test")
                answer = wire.data(b"x")  # it may be on disk: neither yes nor no
                assert answer.code == 421
                assert wire.is_closed()
        with smtpd.wire() as wire:
            wire.envelope()
            assert wire.data(b"x").code == 250
        first = smtpd.instance.wait_child("fake_cleanup")
        smtpd.instance.kill(first)
        smtpd.wait_log(rf"fake_cleanup pid {first} killed by signal 9")
        with smtpd.wire() as wire:  # the kept connection is dead, and is replaced
            wire.envelope()
            assert wire.data(b"x").code == 250


def test_no_cleanup_at_all():
    master = "127.0.0.1:{smtp} inet n - n - - smtpd\n"
    with Smtpd(master=master) as smtpd, smtpd.wire() as wire:
        wire.envelope()
        assert str(wire.data(b"x")) == "451 4.3.0 Error: queue file write error"
        wire.envelope()
        assert wire.data(b"x" * 200000).code == 451
        assert wire.command("QUIT").code == 221


def test_client_that_vanishes_in_data_leaves_nothing(smtpd):
    before = smtpd.count()
    for amount in (10, 200000):
        wire = Wire(smtpd.instance.port())
        wire.envelope()
        assert wire.command("DATA").code == 354
        wire.send(b"x" * amount)
        wire.close()
    smtpd.wait_count(1, "aborted")
    assert smtpd.count() == before
