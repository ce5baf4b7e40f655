# SPDX-License-Identifier: Apache-2.0
"""smtpd: what it says and logs in the course of a session. The texts are Postfix's."""

import re
import smtplib
import socket
import subprocess
import time

import pytest

from postern import Instance, poll_until
from smtp_wire import MASTER, OURS, Smtpd, Wire, queue_id


@pytest.fixture(scope="module")
def smtpd():
    with Smtpd(main={"smtpd_junk_command_limit": "1000", "smtpd_hard_error_limit": "1000",
                     "mynetworks": "192.0.2.1"}) as server:
        yield server


def test_smtplib_sends_mail(smtpd):
    before = smtpd.count()
    with smtplib.SMTP("127.0.0.1", smtpd.instance.port()) as client:
        assert client.sendmail("s@x.test", [f"u@{OURS}", f"w@{OURS}"],
                               b"Subject: hello\r\n\r\n.dot\r\n..two\r\n", ["BODY=8BITMIME"]) == {}
    assert smtpd.count() == before + 1
    message = smtpd.taken()[-1]
    assert message["content"] == b"Subject: hello\r\n\r\n.dot\r\n..two\r\n"
    assert message["sender"] == "s@x.test"
    assert [r["address"] for r in message["recipients"]] == [f"u@{OURS}", f"w@{OURS}"]
    assert message["client_name"] == "localhost"
    assert message["client_address"] == "127.0.0.1"
    assert message["protocol_name"] == "ESMTP"
    assert message["server_name"] == "mail.example.test"
    assert message["is_8bit"] == 1


def test_ehlo_offers(smtpd):
    with smtpd.wire() as wire:
        assert wire.greeting.text == "mail.example.test ESMTP Postfix"
        assert wire.ehlo().text.split("\n") == [
            "mail.example.test", "PIPELINING", "SIZE 10240000", "VRFY", "ETRN",
            "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"]
        assert str(wire.command("HELO client.test")) == "250 mail.example.test"


# A row: the commands, the reply to the last one.
DIALOGUES = [
    ([], "HELO", "501 Syntax: HELO hostname"),
    ([], "EHLO", "501 Syntax: EHLO hostname"),
    ([], "NOOP a b", "250 2.0.0 Ok"),
    ([], "RSET", "250 2.0.0 Ok"),
    ([], "RSET x", "501 5.5.4 Syntax: RSET"),
    ([], "VRFY", "501 5.5.4 Syntax: VRFY address [SMTPUTF8]"),
    ([], f"VRFY u@{OURS}", f"252 2.0.0 u@{OURS}"),
    ([], f"VRFY <u@{OURS}>", f"252 2.0.0 <u@{OURS}>"),
    ([], f"VRFY z@{OURS}", f"550 5.1.1 <z@{OURS}>: Recipient address rejected: User unknown in "
                           "local recipient table"),
    ([], "VRFY a b c", "501 5.1.3 Bad recipient address syntax"),
    ([], "EXPN x", "500 5.5.2 Error: command not recognized"),
    ([], "STARTTLS", "502 5.5.1 Error: command not implemented"),
    ([], "AUTH PLAIN", "503 5.5.1 Error: authentication not enabled"),
    ([], "XCLIENT ADDR=1.2.3.4", "550 5.7.0 Error: insufficient authorization"),
    ([], "", "500 5.5.2 Error: bad syntax"),
    ([], "   ", "500 5.5.2 Error: bad syntax"),
    ([], " NOOP", "250 2.0.0 Ok"),
    ([], "noop", "250 2.0.0 Ok"),
    ([], b"NOOP \xff", "500 5.5.2 Error: bad UTF-8 syntax"),
    ([], b"NOOP \0", "500 5.5.2 Error: bad syntax"),
    ([], b"NOOP \r x", "500 5.5.2 Error: bad syntax"),
    ([], "MAIL", "501 5.5.4 Syntax: MAIL FROM:<address>"),
    ([], "MAIL FROM:", "501 5.5.4 Syntax: MAIL FROM:<address>"),
    ([], "MAIL TO:<a@b>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
    ([], "MAIL FROM:<a@b", "501 5.1.7 Bad sender address syntax"),
    ([], "MAIL FROM:<a@b>x", "501 5.1.7 Bad sender address syntax"),
    ([], "MAIL FROM:<a b@c.test>", "501 5.1.7 Bad sender address syntax"),
    ([], "MAIL FROM:a@b", "250 2.1.0 Ok"),
    ([], "MAIL FROM: <a@b>", "250 2.1.0 Ok"),
    ([], "MAIL FROM:<>", "250 2.1.0 Ok"),
    (["MAIL FROM:<>"], "MAIL FROM:<>", "503 5.5.1 Error: nested MAIL command"),
    ([], "MAIL FROM:<a@b> SIZE=abc", "501 5.5.4 Bad message size syntax"),
    ([], "MAIL FROM:<a@b> SIZE=", "501 5.5.4 Bad message size syntax"),
    ([], "MAIL FROM:<a@b> SIZE=-1", "501 5.5.4 Bad message size syntax"),
    ([], "MAIL FROM:<a@b> SIZE", "555 5.5.4 Unsupported option: SIZE"),
    ([], "MAIL FROM:<a@b> SIZE=10240001", "552 5.3.4 Message size exceeds fixed limit"),
    ([], "MAIL FROM:<a@b> SIZE=99999999999999999999",
     "552 5.3.4 Message size exceeds file system imposed limit"),
    ([], "MAIL FROM:<a@b> BODY=FOO", "555 5.5.4 Unsupported option: BODY=FOO"),
    ([], "MAIL FROM:<a@b> FOO", "555 5.5.4 Unsupported option: FOO"),
    ([], "MAIL FROM:<a@b> RET=x", "501 5.5.4 Bad RET parameter syntax"),
    ([], "MAIL FROM:<a@b> RET=FULL RET=HDRS", "501 5.5.4 Bad RET parameter syntax"),
    ([], "MAIL FROM:<a@b> ENVID=a+zz", "501 5.5.4 Bad ENVID parameter syntax"),
    ([], "MAIL FROM:<a@b> ENVID=", "501 5.5.4 Bad ENVID parameter syntax"),
    ([], "MAIL FROM:<a@b> SMTPUTF8=1", "555 5.5.4 Unsupported option: SMTPUTF8=1"),
    ([], "MAIL FROM:<a@b> SMTPUTF8 size=5 body=7bit ret=hdrs", "250 2.1.0 Ok"),
    ([], "MAIL FROM:<a@b> AUTH=<>", "250 2.1.0 Ok"),
    ([], f"RCPT TO:<u@{OURS}>", "503 5.5.1 Error: need MAIL command"),
    (["MAIL FROM:<>"], "RCPT", "501 5.5.4 Syntax: RCPT TO:<address>"),
    (["MAIL FROM:<>"], "RCPT TO:<>", "501 5.1.3 Bad recipient address syntax"),
    (["MAIL FROM:<>"], "RCPT TO:<", "501 5.1.3 Bad recipient address syntax"),
    (["MAIL FROM:<>"], f"RCPT TO:<u@{OURS}> NOTIFY=x",
     "501 5.5.4 Error: Bad NOTIFY parameter syntax"),
    (["MAIL FROM:<>"], f"RCPT TO:<u@{OURS}> NOTIFY=NEVER,DELAY",
     "501 5.5.4 Error: Bad NOTIFY parameter syntax"),
    (["MAIL FROM:<>"], f"RCPT TO:<u@{OURS}> ORCPT=x",
     "501 5.5.4 Error: Bad ORCPT parameter syntax"),
    (["MAIL FROM:<>"], f"RCPT TO:<u@{OURS}> FOO=1", "555 5.5.4 Unsupported option: FOO=1"),
    (["MAIL FROM:<>"], f"RCPT TO:<u@{OURS}>", "250 2.1.5 Ok"),
    (["MAIL FROM:<>"], f"rcpt to:<U@{OURS.upper()}>", "250 2.1.5 Ok"),
    (["MAIL FROM:<>"], "RCPT TO:<postmaster>", "250 2.1.5 Ok"),
    (["MAIL FROM:<>"], "DATA", "554 5.5.1 Error: no valid recipients"),
    ([], "DATA", "503 5.5.1 Error: need RCPT command"),
    (["MAIL FROM:<>", f"RCPT TO:<u@{OURS}>"], "DATA x", "501 5.5.4 Syntax: DATA"),
    (["MAIL FROM:<>", f"RCPT TO:<u@{OURS}>"], "DATA", "354 End data with <CR><LF>.<CR><LF>"),
    ([], "QUIT", "221 2.0.0 Bye"),
]


@pytest.mark.parametrize("before, last, expected", DIALOGUES,
                         ids=[str(d[1])[:40] for d in DIALOGUES])
def test_replies(smtpd, before, last, expected):
    with smtpd.wire() as wire:
        wire.ehlo()
        for answer in wire.commands(*before):
            assert answer.code == 250
        assert str(wire.command(last)) == expected


def test_dsn_parameters_reach_cleanup(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        wire.command("MAIL FROM:<s@x.test> RET=HDRS ENVID=QQ+2B314")
        wire.command(f"RCPT TO:<u@{OURS}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;U+2Bx@Y.test")
        wire.command(f"RCPT TO:<w@{OURS}> NOTIFY=NEVER")
        message = smtpd.message(queue_id(wire.data(b"x")))
    assert (message["dsn_ret"], message["envelope_id"]) == ("HDRS", "QQ+314")
    first, second = message["recipients"]
    assert (first["orcpt"], first["notify"]) == ("rfc822;U+x@Y.test", 2 | 4)
    assert (second["orcpt"], second["notify"]) == ("", 1)


def test_smtputf8_reaches_cleanup(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        wire.command("MAIL FROM:<é@x.test> SMTPUTF8")
        wire.command(f"RCPT TO:<u@{OURS}>")
        message = smtpd.message(queue_id(wire.data("Subject: é\r\n\r\n".encode(), b".\r\n")))
    assert message["smtputf8"] == 1
    assert message["sender"] == "é@x.test"
    assert message["protocol_name"] == "UTF8SMTP"
    assert message["content"] == "Subject: é\r\n\r\n".encode()


def test_log_lines(smtpd):
    start = smtpd.settled()
    with smtpd.wire() as wire:
        wire.envelope("s@x.test")
        wire.command(f"RCPT TO:<z@{OURS}>")
        taken = queue_id(wire.data(b"x"))
        wire.command("FOO")
        wire.command("QUIT")
    smtpd.settled()
    lines = [re.sub(r"^.*smtpd\[\d+\]: ", "", line)
             for line in smtpd.log()[start:].splitlines() if "smtpd[" in line]
    assert lines == [
        "connect from localhost[127.0.0.1]",
        f"{taken}: client=localhost[127.0.0.1]",
        f"{taken}: reject: RCPT from localhost[127.0.0.1]: 550 5.1.1 <z@{OURS}>: Recipient "
        "address rejected: User unknown in local recipient table; from=<s@x.test> "
        f"to=<z@{OURS}> proto=ESMTP helo=<client.test>",
        "disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1/2 data=1 quit=1 "
        "unknown=0/1 commands=5/7",
    ]


def test_lost_connections_are_logged(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        wire.command("NOOP")
    smtpd.wait_log(r"lost connection after NOOP from localhost\[127")
    with smtpd.wire() as wire:
        wire.envelope()
        assert wire.command("DATA").code == 354
        wire.send(b"abc\r\n")
    smtpd.wait_log(r"lost connection after DATA \(5 bytes\) from localhost\[127")
    with smtpd.wire() as wire:
        wire.envelope()
        wire.data(b"x")
    smtpd.wait_log(r"disconnect from localhost\[127\.0\.0\.1\] ehlo=1 mail=1 rcpt=1 data=1 "
                   r"commands=4\n")
    assert "after END-OF-MESSAGE" not in smtpd.log()


def test_pipelined_group_is_answered_with_one_write(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        wire.send(f"MAIL FROM:<s@x.test>\r\nRCPT TO:<u@{OURS}>\r\nRCPT TO:<z@{OURS}>\r\n"
                  f"DATA\r\n".encode())
        first = wire.socket.recv(65536)
        wire.buffer = first
        assert [r.code for r in wire.replies(4)] == [250, 250, 550, 354]
        assert first.count(b"\r\n") == 4, "the replies came in pieces"


CONFIGURED = {
    "smtpd_discard_ehlo_keywords": "DSN, chunking, silent-discard",
    "smtpd_noop_commands": "FROB, BLAH, ETRN",
    "disable_vrfy_command": "yes",
    "smtpd_helo_required": "yes",
    "strict_rfc821_envelopes": "yes",
    "soft_bounce": "yes",
    "smtpd_banner": "$myhostname ESMTP here",
    "message_size_limit": "0",
    "smtputf8_enable": "no",
    "mynetworks": "192.0.2.1",
}


def test_configured_otherwise():
    with Smtpd(main=CONFIGURED) as smtpd, smtpd.wire() as wire:
        assert wire.greeting.text == "mail.example.test ESMTP here"
        assert str(wire.command("MAIL FROM:<a@b.test>")) == \
            "403 4.5.1 Error: send HELO/EHLO first"
        assert wire.ehlo().text.split("\n") == [
            "mail.example.test", "PIPELINING", "SIZE", "ETRN", "ENHANCEDSTATUSCODES", "8BITMIME"]
        assert str(wire.command("frob x")) == "250 2.0.0 Ok"
        assert str(wire.command("ETRN x")) == "250 2.0.0 Ok"
        assert str(wire.command("VRFY u")) == "402 4.5.1 VRFY command is disabled"
        assert wire.command("MAIL FROM:a@b.test").code == 401
        assert wire.command("MAIL FROM:<a@b.test> RET=FULL").code == 455
        assert wire.command("MAIL FROM:<é@b.test>".encode()).code == 401
        assert wire.command("MAIL FROM:<a@b.test> SIZE=99999999999").code == 250
        assert str(wire.command("RCPT TO:<v@y.test>")) == \
            "454 4.7.1 <v@y.test>: Relay access denied"


def test_no_chunks_where_none_are_announced():
    main = {"smtpd_discard_ehlo_keywords": "chunking", "mynetworks": "192.0.2.1"}
    with Smtpd(main=main) as smtpd:
        for before in ([], ["MAIL FROM:<s@x.test>", f"RCPT TO:<u@{OURS}>"]):
            with smtpd.wire() as wire:
                wire.ehlo()
                wire.commands(*before)
                wire.send(b"BDAT 3 LAST\r\nx\r\nRSET\r\n")
                assert str(wire.reply()) == "521 5.5.1 Error: command not implemented"
                assert wire.is_closed()
        assert smtpd.taken() == []


LIMITS_MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd -o smtpd_soft_error_limit=2 -o smtpd_hard_error_limit=4
  -o smtpd_error_sleep_time=1s -o smtpd_junk_command_limit=3 -o smtpd_noop_commands=NIX
127.0.0.1:{rcpt} inet n - n - - smtpd -o smtpd_recipient_limit=2
  -o smtpd_recipient_overshoot_limit=2 -o smtpd_hard_error_limit=2
127.0.0.1:{time} inet n - n - - smtpd -o smtpd_timeout=1s
127.0.0.1:{rate} inet n - n - - smtpd -o smtpd_timeout=1s -o smtpd_per_request_deadline=yes
  -o smtpd_min_data_rate=1000000
127.0.0.1:{many} inet n - n - - smtpd -o smtpd_client_connection_count_limit=3
  -o smtpd_client_event_limit_exceptions=
cleanup unix n - n - 0 fake_cleanup
"""


@pytest.fixture(scope="module")
def limits():
    with Smtpd(master=LIMITS_MASTER, ports=("rcpt", "time", "rate", "many")) as server:
        yield server


def test_too_many_errors(limits):
    with limits.wire() as wire:
        wire.ehlo()
        for _ in range(2):
            assert wire.command("FOO").code == 500
        started = time.monotonic()
        for _ in range(2):
            assert wire.command("FOO").code == 500
        assert time.monotonic() - started > 0.9, "beyond the soft limit answers are slow"
        assert str(wire.reply()) == "421 4.7.0 mail.example.test Error: too many errors"
        assert wire.is_closed()
    limits.wait_log(r"too many errors after UNKNOWN from localhost\[127")
    limits.wait_log(r"disconnect from \S+ ehlo=1 unknown=0/4 commands=1/5")


def test_junk_commands_become_errors_and_survive_rset(limits):
    with limits.wire() as wire:
        wire.ehlo()
        answers = [wire.command("RSET" if i % 2 else "NOOP").code for i in range(7)]
        assert answers == [250] * 7
        assert wire.reply().code == 421
        assert wire.is_closed()


def test_configured_noops_are_junk_too(limits):
    with limits.wire() as wire:
        wire.ehlo()
        assert [wire.command("NIX").code for _ in range(7)] == [250] * 7
        assert wire.reply().code == 421
        assert wire.is_closed()


def test_delivered_mail_pays_for_errors(limits):
    with limits.wire() as wire:
        for _ in range(3):
            wire.envelope()
            wire.command("FOO")
            assert wire.data(b"x").code == 250


def test_recipient_limit_and_overshoot(limits):
    with limits.wire("rcpt") as wire:
        wire.envelope("s@x.test", f"u@{OURS}", f"w@{OURS}")
        for _ in range(4):
            assert str(wire.command(f"RCPT TO:<u@{OURS}>")) == \
                "452 4.5.3 Error: too many recipients"
        assert wire.reply().code == 421
    limits.wait_log(r"rcpt=4/6 commands=6/8")


def test_idle_timeout(limits):
    with limits.wire("time") as wire:
        wire.ehlo()
        assert str(wire.reply()) == "421 4.4.2 mail.example.test Error: timeout exceeded"
        assert wire.is_closed()
    limits.wait_log(r"timeout after EHLO from localhost\[127")


def test_timeout_in_data(limits):
    with limits.wire("time") as wire:
        wire.envelope()
        assert wire.command("DATA").code == 354
        wire.send(b"abc\r\n")
        assert wire.reply().code == 421
        assert wire.is_closed()
    limits.wait_log(r"timeout after DATA \(5 bytes\) from localhost\[127")


def test_bytes_do_not_extend_a_request(limits):
    """A client that drips is closed at the deadline of the request (T17)."""
    for start in (b"NOOP x", None):
        with limits.wire("rate") as wire:
            wire.socket.settimeout(0.1)
            wire.envelope()
            if start:
                wire.send(start)
            else:
                wire.send(b"DATA\r\n")
                assert wire.reply().code == 354
            for _ in range(100):
                try:
                    wire.send(b"x")
                    answer = wire.reply()
                    break
                except TimeoutError:
                    continue
                except ConnectionError:
                    pytest.fail("closed without a word")
            else:
                pytest.fail("ten seconds of dripping were accepted")
            assert answer.code == 421


def test_each_chunk_is_a_request(limits):
    """A message in many chunks may take longer than one request."""
    with limits.wire("rate") as wire:
        wire.envelope()
        started = time.monotonic()
        while time.monotonic() - started < 1.3:
            wire.send(b"BDAT 100\r\n" + b"x" * 100)
            assert wire.reply().code == 250
        wire.send(b"BDAT 0 LAST\r\n")
        assert wire.reply().code == 250


def test_connections_of_one_client(limits):
    """Each smtpd process counts for itself."""
    wires = []
    while True:
        wire = limits.wire("many", greeting=False)
        wires.append(wire)
        answer = wire.reply()
        if answer.code != 220:
            break
        assert len(wires) <= 3 * len(limits.instance.children("smtpd"))
    assert len(wires) > 3
    assert str(answer) == \
        "421 4.7.0 mail.example.test Error: too many connections from 127.0.0.1"
    assert wire.is_closed()
    limits.wait_log(r"Connection concurrency limit exceeded: 4 from localhost\[127\.0\.0\.1\]")
    for wire in wires:
        wire.close()
    poll_until(lambda: fits(limits), "a free place")


def fits(limits):
    with limits.wire("many", greeting=False) as wire:
        return wire.reply().code == 220


def test_whose_headers_are_completed():
    """local_header_rewrite_clients, as cleanup is told."""
    for value, keep in (("permit_inet_interfaces", 0), ("", 1), ("permit_mynetworks", 0),
                        ("check_address_map inline:{127.0.0.1=yes}", 0),
                        ("check_address_map inline:{127.0.0.2=yes}", 1)):
        main = {"local_header_rewrite_clients": value, "cleanup_service_name": "other"}
        master = MASTER.replace("cleanup unix", "other unix")
        with Smtpd(main=main, master=master) as smtpd, smtpd.wire() as wire:
            wire.envelope()
            message = smtpd.message(queue_id(wire.data(b"x")))
            assert message["keep_missing_headers"] == keep, value


def test_names_in_the_log():
    main = {"smtpd_peername_lookup": "no", "smtpd_client_port_logging": "yes",
            "line_length_limit": "600"}
    with Smtpd(main=main) as smtpd, smtpd.wire() as wire:
        wire.ehlo()
        port = wire.socket.getsockname()[1]
        smtpd.wait_log(rf"connect from unknown\[127\.0\.0\.1\]:{port}\n")
        assert wire.command("NOOP " + "x" * 596).text.endswith("line too long")


def test_stand_alone_session():
    """smtpd -S, which sendmail -bs runs: no restriction, and pipelining as the input has it."""
    main = {"mynetworks": "192.0.2.1", "local_recipient_maps": "inline:{u=x}"}
    instance = Instance(main=main)
    try:
        done = subprocess.run(
            [f"{instance.parameters['daemon_directory']}/smtpd", "-S"], env=instance.env(),
            input=b"EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<v@y.test>\r\nQUIT\r\n",
            capture_output=True, timeout=60)
        codes = [line[:3] for line in done.stdout.splitlines() if line[3:4] == b" "]
        assert codes == [b"220", b"250", b"250", b"250", b"221"], done
        assert done.returncode == 0
        assert b"Sanitizer" not in done.stderr
    finally:
        instance.close()


def test_stand_alone_session_submits_through_pickup():
    master = "pickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\n"
    with Instance(master=master) as instance:
        done = subprocess.run(
            [f"{instance.parameters['daemon_directory']}/smtpd", "-S"], env=instance.env(),
            input=b"EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<v@y.test>\r\nDATA\r\n"
                  b"Subject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n",
            capture_output=True, timeout=60)
        found = re.search(rb"250 2\.0\.0 Ok: queued as (\w+)", done.stdout)
        assert found, done
        instance.wait_log(rf"pickup\[\d+\]: {found[1].decode()}: uid=\d+ from=<a@b\.test>")
        instance.wait_log(rf"cleanup\[\d+\]: {found[1].decode()}: message-id=")


def test_what_follows_quit_does_not_cost_the_reply(smtpd):
    with smtpd.wire() as wire:
        wire.ehlo()
        wire.send(b"QUIT\r\n" + b"x" * 100000)
        assert wire.reply().code == 221
        assert wire.is_closed()


def test_tcp_reset_is_no_crash(smtpd):
    for before in (b"", b"EHLO c\r\n", b"EHLO c\r\nMAIL FROM:<>\r\n"):
        wire = Wire(smtpd.instance.port(), greeting=False)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.send(before)
        wire.close()
    with smtpd.wire() as wire:
        wire.ehlo()
