# SPDX-License-Identifier: Apache-2.0
"""smtpd and clients that mean it ill. Rows T12, T15, T20, T34 to T37, and floods."""

import os
import socket
import time

import pytest

from smtp_wire import OURS, Smtpd, Wire, is_sanitized, queue_id

LONG = os.environ.get("POSTERN_LONG") == "1"

MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{loose} inet n - n - - smtpd -o smtpd_forbid_unauth_pipelining=no
  -o smtpd_junk_command_limit=100000000
127.0.0.1:{rcpt} inet n - n - - smtpd -o smtpd_recipient_limit=50
  -o smtpd_recipient_overshoot_limit=100
127.0.0.1:{patient} inet n - n - - smtpd -o smtpd_hard_error_limit=1000000
  -o smtpd_soft_error_limit=1000000
127.0.0.1:{tagged} inet n - n - - smtpd -o recipient_delimiter=+
cleanup unix n - n - 0 fake_cleanup
"""


@pytest.fixture(scope="module")
def smtpd():
    with Smtpd(master=MASTER, ports=("loose", "rcpt", "patient", "tagged"), measures_memory=True,
               main={"mynetworks": "192.0.2.1"}) as server:
        yield server


@pytest.fixture(autouse=True)
def others_are_served(smtpd):
    """After each attack a new client is greeted, by the same process as before."""
    with smtpd.wire() as wire:
        wire.ehlo()
    pids = smtpd.instance.children("smtpd")
    yield
    with smtpd.wire() as wire:
        started = time.monotonic()
        wire.ehlo()
        assert time.monotonic() - started < 1
    assert set(pids) <= set(smtpd.instance.children("smtpd"))


# What may be left after an attack, in KiB: a second process, and what a sanitizer keeps.
SLACK = 24 * 1024 if is_sanitized() else 8 * 1024


def rss(smtpd):
    total = 0
    for pid in smtpd.instance.children("smtpd"):
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            total += int(f.read().split()[1]) * 4
    return total


def pump(wire, block, times):
    """Sends until the server has had enough; how many blocks were taken."""
    for i in range(times):
        try:
            wire.send(block)
        except ConnectionError:
            return i
    return times


# Command lines (T12)

def test_command_line_without_end(smtpd):
    before = rss(smtpd)
    with smtpd.wire() as wire:
        wire.ehlo()
        sent = pump(wire, b"X" * 65536, 1600 if LONG else 300)
        assert sent < 300, "a line of 20 MB was read"
        try:
            assert wire.reply().code == 500
        except ConnectionError:
            pass
        assert wire.is_closed()
    assert rss(smtpd) - before < SLACK
    smtpd.wait_log(r"warning: localhost\S+: request longer than 2048: X{30}\.\.\.")


def test_line_a_little_too_long(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        assert wire.command("NOOP " + "x" * 2043).code == 250
        for n in (2044, 2045, 16377, 16384, 40000, 60000):
            assert str(wire.command("NOOP " + "x" * n)) == "500 5.5.2 Error: line too long"
        assert wire.command("NOOP").code == 250


def test_many_long_lines(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        pump(wire, (b"x" * 3000 + b"\r\n") * 100, 1000 if LONG else 50)
        codes = []
        try:
            while True:
                codes.append(wire.reply().code)
        except (EOFError, ConnectionError):
            pass
        assert codes[:20] == [500] * 20
        assert codes[20:] in ([421], [])


def test_lines_with_nul(smtpd):
    with smtpd.wire("patient") as wire:
        for line in (b"NOOP\0", b"NO\0OP", b"NOOP \0x", b"MAIL FROM:<a\0@b.test>",
                     b"EHLO a\0b", b"RSET\0"):
            assert wire.command(line).code in (500, 501), line


# Floods

def test_noops_without_reading_the_answers(smtpd):
    """The input stops while the output is not read, so it costs no memory."""
    block = b"NOOP\r\n" * 10000
    before = rss(smtpd)
    with smtpd.wire("loose") as wire:
        wire.ehlo()
        wire.socket.settimeout(1)
        sent = 0
        try:
            for _ in range(100):
                wire.send(block)
                sent += 1
        except TimeoutError:
            pass  # it does not read on
        assert sent < 100, "a million commands were read while no answer was"
        assert rss(smtpd) - before < SLACK


def test_a_million_noops(smtpd):
    """With the answers read, all are answered; the junk limit is off here."""
    total = 1000000 if LONG else 100000
    with smtpd.wire("loose") as wire:
        wire.ehlo()
        block, size = b"NOOP\r\n" * 1000, len(b"250 2.0.0 Ok\r\n") * 1000
        for _ in range(total // 1000):
            wire.send(block)
            got = 0
            while got < size:
                got += len(wire.socket.recv(size - got))
        assert wire.command("QUIT").code == 221


@pytest.mark.parametrize("verb", [b"FOO\r\n", b"RSET\r\n", b"VRFY z@" + OURS.encode() + b"\r\n"])
def test_floods_end_in_421(smtpd, verb):
    with smtpd.wire() as wire:
        wire.ehlo()
        codes = []
        try:
            for _ in range(2000):
                codes.append(wire.command(verb.rstrip()).code)
        except (EOFError, ConnectionError):
            pass
        assert codes[-1] == 421 and len(codes) < 200


def test_many_recipients(smtpd):
    """T15: the limit, the overshoot, the error budget."""
    total = 100000 if LONG else 20000
    before = rss(smtpd)
    with smtpd.wire("rcpt") as wire:
        wire.ehlo()
        wire.send(b"MAIL FROM:<s@x.test>\r\n")
        wire.reply()
        codes = []
        block = f"RCPT TO:<u@{OURS}>\r\n".encode() * 100
        try:
            for _ in range(total // 100):
                wire.send(block)
                for _ in range(100):
                    codes.append(wire.reply().code)
        except (EOFError, ConnectionError):
            pass
        assert codes[:50] == [250] * 50
        assert set(codes[50:]) <= {452, 421}
        assert len(codes) <= 50 + 100 + 20 + 1
    assert rss(smtpd) - before < SLACK


def test_long_recipients_are_fewer(smtpd):
    """A thousand of the longest would be megabytes, in each of thousands of sessions."""
    with smtpd.wire("tagged") as wire:
        wire.envelope("s@x.test", f"u@{OURS}")
        codes = [250]
        while len(codes) < 1000 and codes[-1:] != [452]:
            tag = str(len(codes)) + "x" * 900
            codes.append(wire.command(f"RCPT TO:<u+{tag}@{OURS}> ORCPT=rfc822;{'y' * 490}").code)
        assert set(codes) == {250, 452}
        assert 100 < codes.count(250) < 300
        assert len(smtpd.message(queue_id(wire.data(b"x")))["recipients"]) == codes.count(250)
        wire.envelope("s@x.test", *[f"w@{OURS}"] * 1000)
        assert wire.command(f"RCPT TO:<u@{OURS}>").code == 452
        assert len(smtpd.message(queue_id(wire.data(b"x")))["recipients"]) == 1000


def test_refused_recipients_are_forgotten(smtpd):
    before = rss(smtpd)
    with smtpd.wire("patient") as wire:
        wire.envelope("s@x.test", f"u@{OURS}")
        for _ in range(200):
            wire.send(b"".join(b"RCPT TO:<%dz%s@y.test>\r\n" % (i, b"z" * 900)
                               for i in range(100)))
            assert {r.code for r in wire.replies(100)} == {454}
        assert rss(smtpd) - before < SLACK
        assert wire.command(f"RCPT TO:<w@{OURS}>").code == 250


def test_duplicate_and_wrong_recipients(smtpd):
    with smtpd.wire("patient") as wire:
        wire.envelope("s@x.test", *[f"u@{OURS}"] * 900)
        for _ in range(1000):
            assert wire.command(f"RCPT TO:<z@{OURS}>").code == 550
        message = smtpd.message(queue_id(wire.data(b"x")))
        assert len(message["recipients"]) == 900


# Other protocols (T20)

STRANGE = [
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nMAIL FROM:<evil@x.test>\r\n"
    b"RCPT TO:<u@" + OURS.encode() + b">\r\nDATA\r\nx\r\n.\r\n",
    b"GET / HTTP/1.0\r\n\r\n", b"CONNECT x:25 HTTP/1.0\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(100)) + b"\r\n",
    b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00\n",
    b"Subject: hello\r\nMAIL FROM:<evil@x.test>\r\n",
    b"{\"jsonrpc\": 2}\r\n", b"\x00\x00\x00\r\n", b"%00\r\n",
]


@pytest.mark.parametrize("bytes_", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize("port", ["smtp", "loose"])
def test_other_protocols_are_hung_up_on(smtpd, bytes_, port):
    before = smtpd.count()
    with smtpd.wire(port) as wire:
        wire.send(bytes_)
        assert wire.reply().code in (221, 500, 554)
        codes = []
        try:
            while True:
                wire.socket.settimeout(2)
                codes.append(wire.reply().code)
        except (EOFError, ConnectionError, TimeoutError):
            pass
        assert codes == [], "something was run"
    assert smtpd.count() == before


def test_talking_before_the_greeting(smtpd):
    """A reader must not be given time: the server is stopped while the bytes come in."""
    wires = []
    for pid in smtpd.instance.children("smtpd"):
        smtpd.instance.kill(pid, 19)
    for early in (b"EHLO c\r\nMAIL FROM:<evil@x.test>\r\n", b"\x16\x03\x01\x02"):
        wire = Wire(smtpd.instance.port(), greeting=False)
        wire.send(early)
        wires.append(wire)
    for pid in smtpd.instance.children("smtpd"):
        smtpd.instance.kill(pid, 18)
    for wire in wires:
        assert str(wire.reply()) == "554 5.5.0 Error: SMTP protocol synchronization"
        assert wire.is_closed()
    smtpd.wait_log(r"improper command pipelining after CONNECT from localhost\S+: EHLO c\\r\\nMAIL")


@pytest.mark.parametrize("group", [b"EHLO c\r\nRSET\r\n", b"HELO c\r\nRSET\r\n",
                                   b"NOOP\r\nNOOP\r\n", b"DATA\r\nRSET\r\n",
                                   b"MAIL FROM:<>\r\nRSET\r\n"])
def test_pipelining_where_it_is_forbidden(smtpd, group):
    with smtpd.wire() as wire:
        wire.send(group)
        assert str(wire.reply()) == "554 5.5.0 Error: SMTP protocol synchronization"
        assert wire.is_closed()


# Bytes in parameters (T34)

@pytest.mark.parametrize("command", [
    "MAIL FROM:<s@x.test> ENVID=a+00b", "MAIL FROM:<s@x.test> ENVID=a+0Ab",
    "MAIL FROM:<s@x.test> ENVID=a+0Db", "MAIL FROM:<s@x.test> ENVID=a+0ab",
    "MAIL FROM:<s@x.test> AUTH=a+00b@x.test", "MAIL FROM:<s@x.test> AUTH=a+0Ab",
    "MAIL FROM:<s@x.test> ENVID=" + "a" * 101, "MAIL FROM:<s@x.test> ENVID=a+4",
    "MAIL FROM:<s@x.test> ENVID=a=b", "MAIL FROM:<\"a\\\n\"@x.test>".replace("\n", "\r"),
])
def test_bytes_that_no_parameter_has(smtpd, command):
    with smtpd.wire() as wire:
        wire.ehlo()
        assert wire.command(command).code in (500, 501)
        assert wire.command("DATA").code == 503


@pytest.mark.parametrize("orcpt", ["rfc822;a+00", "rfc822;a+0A", "rfc822;a+0Db", "rfc822;", ";x",
                                   "rfc822", "x" * 600, "rfc822;" + "a" * 600, "rf c;a"])
def test_bytes_that_no_orcpt_has(smtpd, orcpt):
    with smtpd.wire() as wire:
        wire.ehlo()
        wire.command("MAIL FROM:<s@x.test>")
        assert wire.command(f"RCPT TO:<u@{OURS}> ORCPT={orcpt}").code in (501, 555)
        assert wire.command("DATA").code == 554


def test_quoted_newline_in_a_local_part(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        wire.send(b'MAIL FROM:<"a\\\nRSET"@x.test>\r\n')
        answers = wire.replies(2)
        assert all(r.code in (500, 501) for r in answers)


# Addresses (T35, T36)

ODD = [".!", ".!@" + OURS, "!" * 1900, "@" * 1900, '"' * 999, '"' + "x" * 998, "<" * 1900,
       "@" + ",@".join(["h.test"] * 250) + ":u@" + OURS, "u@" + "a." * 256 + "test",
       "u@" + ".".join(["a"] * 128), "(" * 1900, "\\" * 1900, "u@" + "[" * 1000, '""@' + OURS,
       "u@" + "a" * 64 + ".test", " " * 1900, "a" * 1001 + "@" + OURS]


@pytest.mark.parametrize("address", ODD, ids=[a[:12] for a in ODD])
def test_odd_addresses_are_answered_at_once(smtpd, address):
    with smtpd.wire() as wire:
        wire.ehlo()
        started = time.monotonic()
        wire.command(f"MAIL FROM:<{address}>")
        wire.command("RSET")
        wire.command("MAIL FROM:<s@x.test>")
        assert wire.command(f"RCPT TO:<{address}>").code in (500, 501, 550, 454)
        assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("raw, codes", [
    (b"\xc0\x80", {500}), (b"\xed\xa0\x80", {500}), (b"\xf8\x88\x80\x80\x80", {500}),
    (b"\xe2\x80", {500}), (b"\xff", {500}), ("\u200b".encode(), {501, 553}),
    ("\u202e".encode(), {501, 553, 550, 454}), ("。".encode(), {501, 553, 454}),
])
def test_utf8_oddities(smtpd, raw, codes):
    with smtpd.wire() as wire:
        wire.ehlo()
        assert wire.command("MAIL FROM:<s@x.test> SMTPUTF8").code == 250
        assert wire.command(b"RCPT TO:<u@a" + raw + b"b.test>").code in codes | {550, 454, 501}
        if codes == {500}:
            assert wire.command(b"RCPT TO:<u@a" + raw + b"b.test>").code == 500
        assert wire.command("DATA").code == 554


# The log (T37)

def test_log_is_one_escaped_line(smtpd):
    start = smtpd.settled()
    with smtpd.wire() as wire:
        wire.command(b"EHLO a\x1b[2J%s%n%x")
        wire.command("EHLO \u202ea%s%n" + "b" * 1500)
        wire.command("MAIL FROM:<%s%n@x.test>")
        wire.command("RCPT TO:<%s%n%p@y.test>")
        wire.command("FOO %s%n: \u202e")
        wire.command("GET %s%n \x1b[2J")
    smtpd.settled()
    text = smtpd.log()[start:]
    assert "\x1b" not in text and "\u202e" not in text
    assert "<%s%n%p@y.test>: Relay access denied" in text
    for line in text.splitlines():
        assert len(line) < 2100
        assert "postfix/" in line, "a line of its own: " + line


def test_a_client_that_resets_everywhere(smtpd):
    script = [b"EHLO c\r\n", b"MAIL FROM:<s@x.test>\r\n", f"RCPT TO:<u@{OURS}>\r\n".encode(),
              b"DATA\r\n", b"abc\r\n"]
    before = smtpd.count()
    for cut in range(len(script) + 1):
        wire = smtpd.wire()
        for text in script[:cut]:
            wire.send(text)
            if text != b"abc\r\n":
                wire.reply()
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.close()
    assert smtpd.count() == before
