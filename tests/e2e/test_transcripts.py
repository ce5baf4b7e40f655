# SPDX-License-Identifier: Apache-2.0
"""notify_classes: sessions in which something went wrong, sent to the postmaster."""

import email
import smtplib
import socket

import pytest

from test_notices import ME, Suite


@pytest.fixture
def suite(postern_instance):
    return lambda *a, **k: Suite(postern_instance, *a, **k)


def talk(s, *lines):
    with smtplib.SMTP("127.0.0.1", s.postern.port()) as client:
        client.ehlo("client.test")
        client.command_encoding = "utf-8"
        return [client.docmd(line)[0] for line in lines]


def transcripts(s, count=1):
    mail = s.postern.wait_maildir(s.postern.path("spool", ME.split("@")[0]), count)
    return [email.message_from_bytes(m) for m in mail]


def test_protocol_errors(suite):
    s = suite(notify_classes="protocol", error_notice_recipient=ME)
    assert talk(s, "MAIL FROM:<a@b.test>", "RCPT TO:<%s>" % ME, "NOOP") == [250, 250, 250]
    assert talk(s, "FOO \xe9bar", "AUTH PLAIN c2VjcmV0", "RCPT TO:<x>") == [500, 503, 503]
    m, = transcripts(s)
    assert m["Return-Path"] == "<double-bounce@example.test>"
    assert m["To"] == ME
    assert m["Subject"] == "Postfix SMTP server: errors from localhost[127.0.0.1]"
    assert m["Auto-Submitted"] == "auto-generated"
    lines = [line.rstrip() for line in m.get_payload().splitlines()]
    assert lines[0] == "Transcript of session follows."
    for line in (" In:  ehlo client.test", " Out: 250-PIPELINING", " In:  FOO ??bar", " In:  AUTH (not shown)",
                 " Out: 503 5.5.1 Error: need MAIL command", " In:  QUIT",
                 " Out: 221 2.0.0 Bye"):
        assert line in lines, m.get_payload()
    assert "c2VjcmV0" not in m.get_payload()


@pytest.mark.parametrize("classes, told", [("policy", True), ("protocol, resource", False)])
def test_policy(suite, classes, told):
    s = suite(notify_classes=classes, error_notice_recipient=ME,
              smtpd_relay_restrictions="reject_unauth_destination", mynetworks="")
    assert talk(s, "MAIL FROM:<a@b.test>", "RCPT TO:<x@elsewhere.test>") == [250, 554]
    assert talk(s, "MAIL FROM:<a@b.test>", "RCPT TO:<%s>" % ME) == [250, 250]
    s.send(ME, sender="last@b.test")
    found = transcripts(s, 2 if told else 1)
    s.postern.wait_queue_empty()
    assert len(found) == (2 if told else 1)
    text = "".join(str(m.get_payload()) for m in found)
    assert ("Relay access denied" in text) == told


def test_unknown_users_go_to_the_recipient_of_bounces(suite):
    s = suite(notify_classes="bounce", bounce_notice_recipient=ME,
              error_notice_recipient="other@there.test",
              local_recipient_maps="inline:{%s=x}" % ME.split("@")[0])
    assert talk(s, "MAIL FROM:<a@b.test>", "RCPT TO:<nosuch@example.test>") == [250, 550]
    m, = transcripts(s)
    assert "User unknown" in m.get_payload()


def test_session_that_breaks_off_and_a_long_one(suite):
    s = suite(notify_classes="protocol", error_notice_recipient=ME,
              smtpd_error_sleep_time="0", smtpd_hard_error_limit="1000",
              smtpd_soft_error_limit="1000")
    with socket.create_connection(("127.0.0.1", s.postern.port())) as c:
        c.recv(1000)
        for i in range(500):
            c.sendall(b"WRONG%d %s\r\n" % (i, b"x" * 100))
            c.recv(1000)
    m, = transcripts(s)
    text = m.get_payload()
    assert "WRONG499 " in text and "WRONG1 " not in text
    assert len(text) < 10000
    assert "Session aborted, reason: lost connection" in text


def test_many_errors_do_not_fill_the_mailbox(suite):
    s = suite(notify_classes="protocol", error_notice_recipient=ME,
              smtpd_client_connection_rate_limit="0", anvil_rate_time_unit="60s")
    for _ in range(60):
        talk(s, "FOO")
    s.postern.wait_log("more than 20 sessions with errors in a minute")
    s.postern.wait_queue_empty()
    assert 20 <= len(transcripts(s, 20)) <= 40  # so many of each process
