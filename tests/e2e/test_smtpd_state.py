# SPDX-License-Identifier: Apache-2.0
"""smtpd: which command is legal when, BDAT included. Rows T06, T07, T09, T10, T11."""

import os
import random

import pytest

from smtp_wire import OURS, Smtpd, queue_id

LONG = os.environ.get("POSTERN_LONG") == "1"
LIMIT = 10000

MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{reject} inet n - n - - smtpd -o smtpd_forbid_bare_newline=reject
127.0.0.1:{strict} inet n - n - - smtpd -o smtpd_hard_error_limit=20
cleanup unix n - n - 0 fake_cleanup
"""


@pytest.fixture(scope="module")
def smtpd():
    main = {"mynetworks": "192.0.2.1", "smtpd_hard_error_limit": "1000000",
            "smtpd_junk_command_limit": "1000000", "smtpd_soft_error_limit": "1000000",
            "message_size_limit": str(LIMIT), "smtpd_helo_required": "yes"}
    with Smtpd(master=MASTER, main=main, ports=("reject", "strict")) as server:
        yield server


def bdat(wire, data, last=False, count=None):
    size = len(data) if count is None else count
    wire.send(b"BDAT %d%s\r\n%s" % (size, b" LAST" if last else b"", data))
    return wire.reply()


# Chunks

def test_chunks_make_a_message(smtpd):
    with smtpd.wire() as wire:
        wire.envelope()
        assert str(bdat(wire, b"A: b\r\n\r")) == "250 2.0.0 Ok: 7 bytes"
        assert str(bdat(wire, b"\n.\r\n.x\r\n")) == "250 2.0.0 Ok: 8 bytes"
        answer = bdat(wire, b"..", last=True)
        assert answer.text.startswith("2.0.0 Ok: 17 bytes queued as ")
        assert smtpd.message(queue_id(answer))["content"] == b"A: b\r\n\r\n.\r\n.x\r\n.."
        wire.envelope()
        assert bdat(wire, b"x").code == 250
        assert bdat(wire, b"", last=True).code == 250


def test_line_ends_in_chunks_are_normal(smtpd):
    with smtpd.wire() as wire:
        wire.envelope()
        assert bdat(wire, b"a\nb\rc\r").code == 250
        answer = bdat(wire, b"\nd\r", last=True)
        assert smtpd.message(queue_id(answer))["content"] == b"a\r\nb c\r\nd "


def test_pipelined_chunks(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        wire.send(f"MAIL FROM:<s@x.test>\r\nRCPT TO:<u@{OURS}>\r\nBDAT 3\r\n".encode() +
                  b"abcBDAT 4 LAST\r\ndef\nMAIL FROM:<t@x.test>\r\n")
        assert [r.code for r in wire.replies(5)] == [250] * 5


# T06: the chunk, the reply, what BDAT 2 LAST is told next (None: closed). Each after MAIL and
# RCPT, and with nothing taken.
ERRORS = [
    ("BDAT 0", b"", 551, 551),
    ("BDAT -1", b"", 501, None),
    ("BDAT +1", b"", 501, None),
    ("BDAT 1e9", b"", 501, None),
    ("BDAT 18446744073709551616", b"", 501, None),
    ("BDAT", b"", 501, None),
    ("BDAT x", b"", 501, None),
    ("BDAT 10 FOO", b"0123456789", 501, None),
    ("BDAT 1 LAST LAST", b"0", 501, None),
    (f"BDAT {LIMIT + 1}", b"x" * (LIMIT + 1), 552, 551),
    (f"BDAT {LIMIT + 1} LAST", b"x" * (LIMIT + 1), 552, 503),
]


@pytest.mark.parametrize("command, data, code, next_code", ERRORS, ids=[e[0] for e in ERRORS])
def test_bdat_errors(smtpd, command, data, code, next_code):
    """T06 and T09: the reply, defined state afterwards, DATA is 503."""
    before = smtpd.count()
    with smtpd.wire() as wire:
        wire.envelope()
        wire.send(command.encode() + b"\r\n" + data)
        answer = wire.reply()
        assert answer.code == code, answer
        if next_code is None:
            assert wire.is_closed()
        else:
            assert wire.command("DATA").code == 503
            assert bdat(wire, b"xx", last=True).code == next_code
            assert wire.command("DATA").code == 503
            wire.envelope()
            assert wire.data(b"next").code == 250
            before += 1
    assert smtpd.count() == before


def test_bdat_without_a_transaction(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        assert str(bdat(wire, b"QUIT\r\n", last=True)) == "503 5.5.1 Error: need RCPT command"
        assert wire.command("MAIL FROM:<s@x.test>").code == 250
        assert str(bdat(wire, b"QUIT\r\n", last=True)) == "554 5.5.1 Error: no valid recipients"
        assert wire.command("MAIL FROM:<s@x.test>").code == 250
        assert bdat(wire, b"QUIT\r\n").code == 554
        assert wire.command("DATA").code == 503
        assert str(bdat(wire, b"QUIT\r\n")) == "551 5.0.0 Discarded 6 bytes after earlier error"
        assert str(wire.command("MAIL FROM:<>")) == "503 5.5.1 Error: MAIL after BDAT"
        assert wire.command("RSET").code == 250
        wire.envelope()
        assert bdat(wire, b"a").code == 250
        assert str(wire.command("DATA")) == "503 5.5.1 Error: DATA after BDAT"
        assert str(wire.command(f"RCPT TO:<w@{OURS}>")) == "503 5.5.1 Error: RCPT after BDAT"
        assert wire.command("RSET").code == 250
        assert wire.command("DATA").code == 503


def test_chunk_cut_short(smtpd):
    aborted = smtpd.count()
    for last in (b"", b" LAST"):
        with smtpd.wire() as wire:
            wire.envelope()
            wire.send(b"BDAT 5%s\r\nab" % last)
    with smtpd.wire() as wire:
        wire.ehlo()
    smtpd.wait_log(r"lost connection after BDAT \(2 bytes\) from", 2)
    assert smtpd.count() == aborted


def test_bare_newline_in_a_chunk(smtpd):
    with smtpd.wire("reject") as wire:
        wire.envelope()
        assert str(bdat(wire, b"a\nb\n")) == "550 5.5.2 mail.example.test Error: bare <LF> received"
        assert wire.is_closed()


def test_sum_of_chunks_over_the_limit(smtpd):
    with smtpd.wire() as wire:
        wire.envelope()
        assert bdat(wire, b"x" * (LIMIT - 1)).code == 250
        assert bdat(wire, b"xx").code == 552
        assert bdat(wire, b"x" * 50, last=True).code == 551
        wire.ehlo()


def test_declared_octets_are_read_up_to_a_cap(smtpd):
    """A chunk far over every limit: the session ends instead of reading for ever."""
    declared = 2**62
    with smtpd.wire() as wire:
        wire.envelope()
        wire.send(b"BDAT %d\r\n" % declared)
        sent, block = 0, b"x" * 1048576
        with pytest.raises((ConnectionError, EOFError)):
            while sent < 300 * len(block):
                wire.send(block)
                sent += len(block)
            wire.is_closed()
            pytest.fail("300 MB of one chunk were read")
        assert sent >= 100 * 1024 * 1024


def test_tiny_chunks(smtpd):
    """T07: the history of a session costs nothing, and there is an end to it."""
    with smtpd.wire("strict") as wire:
        wire.envelope()
        pid = smtpd.instance.children("smtpd")[0]
        count = 1000000 if LONG else 3000
        codes = set()
        try:
            for _ in range(0, count, 1000):
                wire.send(b"BDAT 1\r\nx" * 1000)
                for _ in range(1000):
                    codes.add(wire.reply().code)
        except (EOFError, ConnectionError):
            codes.add("closed")
        assert codes >= {250, 552, "closed"}
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            assert int(f.read().split()[1]) * 4 < 600 * 1024


# T10

def test_utf8_without_smtputf8(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        assert str(wire.command("MAIL FROM:<é@x.test>")) == \
            "553 5.6.7 Must declare SMTPUTF8 to send unicode address"
        assert wire.command(f"RCPT TO:<u@{OURS}>").code == 503
        assert wire.command(f"VRFY é@{OURS}").code == 550
        assert wire.command("DATA").code == 503
        assert wire.command("MAIL FROM:<s@x.test>").code == 250
        assert wire.command(f"RCPT TO:<é@{OURS}>").code == 553
        assert wire.command("DATA").code == 554
        assert wire.command(f"RCPT TO:<u@{OURS}>").code == 250
        assert wire.data(b"x").code == 250


# T11: random verb sequences against a model

class Model:
    """What RFC 5321 and RFC 3030 let a client do: the state, and the class of each reply."""

    def __init__(self):
        self.state = "start"

    def expect(self, verb, good):
        """The set of reply codes that are right now, and the step to the next state."""
        before = self.state
        if verb in ("EHLO", "HELO"):
            if good:
                self.state = "greeted"
            return {250} if good else {501}
        if verb == "RSET":
            if good:
                self.reset()
            return {250} if good else {501}
        if verb in ("NOOP", "HELP"):
            return {250, 214}
        if verb == "VRFY":
            return {252} if good else {550, 501}
        if verb == "MAIL":
            if before != "greeted":
                return {503}
            if good:
                self.state = "mail"
            return {250} if good else {501, 555, 552, 553}
        if verb == "RCPT":
            if before not in ("mail", "rcpt"):
                return {503}
            if good:
                self.state = "rcpt"
            return {250} if good else {550, 454, 501, 555}
        if verb == "DATA":
            if before == "rcpt" and good:
                self.state = "greeted"
                return {354}
            return {501} if before == "rcpt" else {554 if before == "mail" else 503}
        if verb == "BDAT":
            last = good
            if before in ("rcpt", "bdat"):
                self.state = "greeted" if last else "bdat"
                return {250}
            if before != "start":
                self.state = "greeted" if last else "failed"
            return {551} if before == "failed" else {554 if before == "mail" else 503}
        return {500}

    def reset(self):
        if self.state != "start":
            self.state = "greeted"


GOOD = {
    "EHLO": ["EHLO c.test"], "HELO": ["HELO c.test"], "RSET": ["RSET"], "NOOP": ["NOOP"],
    "HELP": ["HELP"], "VRFY": [f"VRFY u@{OURS}"],
    "MAIL": ["MAIL FROM:<s@x.test>", "MAIL FROM:<>", "mail from:<s@x.test> SIZE=5"],
    "RCPT": [f"RCPT TO:<u@{OURS}>", f"RCPT TO:<w@{OURS}>", "RCPT TO:<postmaster>"],
    "DATA": ["DATA"], "BDAT": ["BDAT 3 LAST\r\nabc"], "FOO": ["FOO"],
}
BAD = {
    "EHLO": ["EHLO"], "HELO": ["HELO"], "RSET": ["RSET x"], "NOOP": ["NOOP"], "HELP": ["HELP"],
    "VRFY": [f"VRFY z@{OURS}", "VRFY"],
    "MAIL": ["MAIL FROM:<a@b@c>", "MAIL", "MAIL FROM:<s@x.test> FOO", "MAIL FROM:<\"\"@x>",
             "MAIL FROM:<s@x.test> SIZE=99999"],
    "RCPT": [f"RCPT TO:<z@{OURS}>", "RCPT TO:<v@y.test>", "RCPT TO:<>", "RCPT",
             f"RCPT TO:<u@{OURS}> FOO"],
    "DATA": ["DATA now"], "BDAT": ["BDAT 3\r\nabc"], "FOO": ["BAR x"],
}


def one_session(smtpd, source, steps, transcript):
    model = Model()
    taken = 0
    with smtpd.wire() as wire:
        for _ in range(steps):
            verb = source.choices(list(GOOD), [4, 1, 1, 1, 1, 1, 6, 8, 6, 4, 1])[0]
            good = source.random() < 0.75
            text = source.choice((GOOD if good else BAD)[verb])
            allowed = model.expect(verb, good)
            transcript.append(text)
            end = b"" if verb == "BDAT" else b"\r\n"
            wire.send(text.encode() + end)
            answer = wire.reply()
            transcript.append(str(answer))
            assert answer.code in allowed, (allowed, transcript[-40:])
            if answer.code == 354:
                wire.send(b"x\r\n.\r\n")
                assert wire.reply().code == 250
                taken += 1
            elif " queued as " in answer.text:
                taken += 1
    return taken


def test_random_sequences_follow_the_model(smtpd):
    source = random.Random(20261120)
    total = 1000000 if LONG else 30000
    before, taken = smtpd.count(), 0
    for _ in range(total // 150):
        taken += one_session(smtpd, source, 150, [])
    assert smtpd.count() - before == taken
