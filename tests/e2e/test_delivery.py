# SPDX-License-Identifier: Apache-2.0
"""Mail from real clients, through every daemon, into a Maildir, byte for byte."""

import hashlib
import random
import shutil
import smtplib
import socket
import subprocess

import pytest

import packages
from mailboxes import READERS, body, delivered_form, header, mailbox, receiving

COMPLETE = (b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <one@example.org>\r\n"
            b"From: sender@example.org\r\nTo: games@example.test\r\nSubject: test\r\n\r\n")


@pytest.fixture
def suite(postern_instance):
    return receiving(postern_instance, message_size_limit="30000000")


def send(suite, content, recipients=("games@example.test",), options=()):
    with smtplib.SMTP("127.0.0.1", suite.port(), timeout=60) as client:
        client.ehlo("client.example.org")
        client.mail("sender@example.org", options)
        for recipient in recipients:
            code, text = client.rcpt(recipient)
            assert code == 250, text
        code, text = client.data(content)
        assert code == 250, text


def send_bdat(suite, content):
    """The content in two BDAT chunks; smtplib has no BDAT."""
    with socket.create_connection(("127.0.0.1", suite.port()), 30) as s:
        f = s.makefile("rb")
        assert f.readline().startswith(b"220")
        half = max(1, len(content) // 2)
        s.sendall(b"EHLO client.example.org\r\n")
        while f.readline()[3:4] == b"-":
            pass
        s.sendall(b"MAIL FROM:<sender@example.org>\r\n"
                  b"RCPT TO:<games@example.test>\r\n"
                  b"BDAT %d\r\n" % half + content[:half]
                  + b"BDAT %d LAST\r\n" % (len(content) - half) + content[half:]
                  + b"QUIT\r\n")
        assert [f.readline()[:3] for _ in range(5)] == [b"250"] * 4 + [b"221"]


def received(suite, reader="games", count=1):
    return suite.wait_maildir(mailbox(suite, reader), count, deadline=60)


def test_complete_message_is_not_changed(suite):
    content = COMPLETE + b"first line\r\n\r\nlast line\r\n"
    send(suite, content)
    message, = received(suite)
    assert message.endswith(delivered_form(content))
    own = message[:-len(delivered_form(content))].split(b"\n")
    assert own[0] == b"Return-Path: <sender@example.org>"
    assert own[1] == b"X-Original-To: games@example.test"
    assert own[2] == b"Delivered-To: games@example.test"
    assert own[3].startswith(b"Received: from client.example.org (localhost [127.0.0.1])")
    assert own[4].startswith(b"\tby mail.example.test (Postfix) with ESMTP id ")
    assert own[5].startswith(b"\tfor <games@example.test>; ")
    assert own[6:] == [b""]
    suite.wait_queue_empty()


def test_log_lines_of_a_delivery(suite):
    send(suite, COMPLETE + b"x\r\n")
    queue_id = suite.wait_log(
        r"smtpd\[\d+\]: (\w{12,}): client=localhost\[127\.0\.0\.1\]\n").group(1)
    suite.wait_log(rf"cleanup\[\d+\]: {queue_id}: message-id=<one@example.org>\n")
    suite.wait_log(rf"qmgr\[\d+\]: {queue_id}: from=<sender@example.org>, size=\d+, nrcpt=1 "
                   r"\(queue active\)\n")
    suite.wait_log(rf"local\[\d+\]: {queue_id}: to=<games@example.test>, relay=local, "
                   r"delay=[\d.]+, delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=2\.0\.0, "
                   r"status=sent \(delivered to maildir\)\n")
    suite.wait_log(rf"qmgr\[\d+\]: {queue_id}: removed\n")


@pytest.mark.parametrize("name, text", [
    ("lone dots", b".\r\n..\r\n...\r\n.x\r\n"),
    ("8-bit", bytes(range(128, 256)) * 3 + b"\r\n"),
    ("from lines", b"From here\r\n>From there\r\n"),
    ("empty lines", b"\r\n\r\n\r\n"),
    ("long line", b"x" * 5000 + b"\r\n"),
])
def test_body_arrives_as_sent(suite, name, text):
    send(suite, COMPLETE + text, options=["BODY=8BITMIME"])
    message, = received(suite)
    assert message.endswith(delivered_form(COMPLETE + text)), name


def test_no_bytes_at_all(suite):
    send(suite, b"")
    message, = received(suite)
    assert body(message) == b""
    assert b"Message-Id: <" in header(message)


def test_one_byte(suite):
    send_bdat(suite, b"x")
    message, = received(suite)
    assert body(message) == b"x\n"


def test_no_final_newline(suite):
    send_bdat(suite, COMPLETE + b"first\r\nlast without an end")
    message, = received(suite)
    assert message.endswith(delivered_form(COMPLETE) + b"first\nlast without an end\n")


def test_bdat_content_keeps_its_dots(suite):
    send_bdat(suite, COMPLETE + b".\r\n.x\r\n..\r\n")
    message, = received(suite)
    assert message.endswith(delivered_form(COMPLETE) + b".\n.x\n..\n")


def test_ten_megabytes(suite):
    rng = random.Random(7)
    lines = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz. ", k=76)) for _ in range(4000)]
    text = b"".join(line + b"\r\n" for line in rng.choices(lines, k=134500))
    assert len(text) > 10_000_000
    send(suite, COMPLETE + text)
    message, = received(suite)
    assert hashlib.sha256(body(message)).digest() == \
        hashlib.sha256(delivered_form(text)).digest()


def test_thousand_recipients(suite):
    recipients = [f"{reader}+{n}@example.test" for n in range(200) for reader in READERS]
    suite.write_config(main={"recipient_delimiter": "+"})
    suite.reload()
    send(suite, COMPLETE + b"to many\r\n", recipients)
    for reader in READERS:
        messages = received(suite, reader, 200)
        assert len(messages) == 200
        originals = {line for m in messages for line in header(m).split(b"\n")
                     if line.startswith(b"X-Original-To: ")}
        assert originals == {b"X-Original-To: %s+%d@example.test" % (reader.encode(), n)
                             for n in range(200)}
    suite.wait_queue_empty()


def test_smtputf8(suite):
    content = COMPLETE.replace(b"Subject: test", "Subject: Grüße".encode()) + b"x\r\n"
    with smtplib.SMTP("127.0.0.1", suite.port(), timeout=30) as client:
        client.ehlo("client.example.org")
        client.sendmail("sänder@exämple.org", ["games@example.test"], content,
                        ["SMTPUTF8", "BODY=8BITMIME"])
    message, = received(suite)
    assert "Return-Path: <sänder@exämple.org>\n".encode() in message
    assert message.endswith(delivered_form(content))


def test_swaks(suite):
    if not shutil.which("swaks"):
        pytest.skip("swaks is not installed")
    subprocess.run(["swaks", "--server", f"127.0.0.1:{suite.port()}", "--to",
                    "games@example.test", "--from", "sender@example.org", "--body",
                    "sent by swaks", "--suppress-data"], check=True, capture_output=True,
                   timeout=60)
    message, = received(suite)
    assert b"sent by swaks\n" in body(message)


def test_msmtp(suite):
    if not shutil.which("msmtp"):
        pytest.skip("msmtp is not installed")
    subprocess.run(["msmtp", "--host=127.0.0.1", f"--port={suite.port()}",
                    "--from=sender@example.org", "--auth=off", "--tls=off",
                    "games@example.test"], input=b"Subject: by msmtp\n\nsent by msmtp\n",
                   check=True, capture_output=True, timeout=60)
    message, = received(suite)
    assert b"Subject: by msmtp\n" in header(message)
    assert body(message) == b"sent by msmtp\n"


@pytest.mark.parametrize("keep", [False, True])
def test_smtp_source(suite, keep):
    try:
        program, environment = packages.postfix_program("smtp-source")
    except packages.NotToBeHad as e:
        pytest.skip(str(e))
    done = subprocess.run([program, *(["-d"] if keep else []), "-s", "10", "-m", "100", "-l",
                           "3000", "-f", "sender@example.org", "-t", "games@example.test",
                           f"127.0.0.1:{suite.port()}"], env=environment, capture_output=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    messages = received(suite, count=100)
    assert len(messages) == 100
    assert len({next(line for line in m.split(b"\n") if line.startswith(b"\tby "))
                for m in messages}) == 100
    suite.wait_queue_empty()
