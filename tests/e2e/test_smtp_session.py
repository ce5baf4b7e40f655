# SPDX-License-Identifier: Apache-2.0
"""What the SMTP client makes of what a server offers: extensions, and the form of the message."""

import email
import os
import re
import time

import pytest

from delivery_agent import (FLAG_8BIT, FLAG_8BIT_HEADER, FLAG_LONG_LINES, FLAG_NO_CRLF,
                            FLAG_SMTPUTF8, MESSAGE, Agent, deliver)
from mail_server import EXTENSIONS, MailServer, Raw, lonely_address
from postern import poll_until
from test_smtp_client import AGENTS

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs a port below 1024")


@pytest.fixture
def agents(postern_instance):
    return lambda **main: postern_instance(main=main, master=AGENTS).start()


def outcome_of(server, postern, service="smtp", **fields):
    outcome, = deliver(postern, service, server.nexthop, **fields)
    return outcome


def verbs(server):
    return [c.split()[0] for c in server.commands()]


# Greetings


@pytest.mark.parametrize("skip,result,dsn", [("yes", "deferred", "4.7.1"),
                                             ("no", "bounced", "5.7.1")])
def test_5xx_greeting(agents, skip, result, dsn):
    with MailServer({"banner": "554 5.7.1 go away"}) as server:
        outcome = outcome_of(server, agents(smtp_skip_5xx_greeting=skip))
        assert (outcome.result, outcome.dsn) == (result, dsn)
        assert outcome.text.endswith("refused to talk to me: 554 5.7.1 go away")


def test_greeting_of_several_lines(agents):
    with MailServer({"banner": "220-fake.test\r\n220-no spam\r\n220 ready"}) as server:
        assert outcome_of(server, agents()).result == "sent"


@pytest.mark.parametrize("main,banner,verb", [
    ({}, "220 fake.test", "EHLO"),
    ({"smtp_always_send_ehlo": "no"}, "220 fake.test", "HELO"),
    ({"smtp_always_send_ehlo": "no"}, "220 fake.test ESMTP x", "EHLO"),
    ({"smtp_never_send_ehlo": "yes"}, "220 fake.test ESMTP", "HELO"),
])
def test_how_the_client_says_hello(agents, main, banner, verb):
    with MailServer({"banner": banner}) as server:
        assert outcome_of(server, agents(smtp_helo_name="me.test", **main)).result == "sent"
        assert server.commands()[0] == verb + " me.test"


def test_helo_when_ehlo_is_unknown(agents):
    with MailServer({"EHLO": "502 5.5.1 what?"}) as server:
        assert outcome_of(server, agents()).result == "sent"
        assert verbs(server)[:3] == ["EHLO", "HELO", "MAIL"]


@needs_root
def test_server_with_our_name_is_ourselves(agents):
    reply, address = "250 mail.example.test hello", lonely_address()
    with MailServer({"EHLO": reply}, address=address, port=25) as server:
        outcome = outcome_of(server, agents())
        assert (outcome.result, outcome.dsn) == ("bounced", "5.4.6")
        assert outcome.text == f"mail for [{address}]:25 loops back to myself"
    with MailServer({"EHLO": reply}) as server:  # another port: perhaps a content filter
        assert outcome_of(server, agents()).result == "sent"


def test_ehlo_keywords_that_are_not_believed(agents):
    with MailServer(extensions=("PIPELINING", "SIZE 5", "DSN")) as server:
        postern = agents(smtp_discard_ehlo_keywords="size, dsn")
        assert outcome_of(server, postern).result == "sent"
        assert "MAIL FROM:<a@x.test>" in server.commands()
        postern.wait_log("discarding EHLO keywords of .*: size, dsn")


def test_ehlo_keywords_by_address(agents):
    with MailServer(extensions=("PIPELINING", "SIZE 5")) as server:
        postern = agents(
            smtp_discard_ehlo_keyword_address_maps="inline:{{127.0.0.1 = size, silent-discard}}")
        assert outcome_of(server, postern).result == "sent"
        assert "discarding" not in postern.log()
    with MailServer(extensions=("PIPELINING", "SIZE 5")) as server:
        postern = agents(smtp_discard_ehlo_keyword_address_maps="fail:x")
        outcome = outcome_of(server, postern)
        assert outcome.result == "deferred"
        assert "smtp_discard_ehlo_keyword_address_maps lookup error" in outcome.text


def test_lhlo_keywords_that_are_not_believed(agents):
    with MailServer(extensions=("PIPELINING", "SIZE 5"), lmtp=True) as server:
        postern = agents(lmtp_discard_lhlo_keywords="size")
        assert outcome_of(server, postern, "lmtp").result == "sent"


# Extensions


def test_message_larger_than_the_server_takes(agents):
    with MailServer(extensions=("SIZE 61",)) as server:
        outcome = outcome_of(server, agents())
        assert (outcome.result, outcome.dsn) == ("bounced", "5.3.4")
        assert re.fullmatch(r"message size 62 exceeds size limit 61 of server \S+", outcome.text)
        assert "MAIL" not in verbs(server)
    for size in ("SIZE 62", "SIZE 0", "SIZE", "SIZE x", "SIZE -1"):
        with MailServer(extensions=(size,)) as server:
            assert outcome_of(server, agents()).result == "sent", size


def test_dsn_parameters(agents):
    postern = agents()
    fields = {"notify": 2 | 4, "orcpt": "rfc822;first+tag@x.test", "envelope_id": "id=1",
              "dsn_ret": "HDRS"}
    with MailServer(extensions=("DSN",)) as server:
        outcome = outcome_of(server, postern, **fields)
        assert "MAIL FROM:<a@x.test> RET=HDRS ENVID=id+3D1" in server.commands()
        assert ("RCPT TO:<u@remote.test> NOTIFY=SUCCESS,FAILURE "
                "ORCPT=rfc822;first+2Btag@x.test") in server.commands()
        assert outcome.dsn_passed_on and not outcome.relayed
    with MailServer(extensions=("DSN",)) as server:
        outcome_of(server, postern)
        assert "RCPT TO:<u@remote.test> ORCPT=rfc822;u@remote.test" in server.commands()
    with MailServer(extensions=()) as server:
        outcome = outcome_of(server, postern, **fields)
        assert "RCPT TO:<u@remote.test>" in server.commands()
        assert outcome.relayed and not outcome.dsn_passed_on


UTF8 = "jürgen@example.test"


@pytest.mark.parametrize("fields", [
    {"sender": UTF8}, {"recipients": [UTF8]}, {"flags": FLAG_SMTPUTF8 | FLAG_8BIT_HEADER}])
def test_smtputf8_is_needed(agents, fields):
    postern = agents()
    with MailServer(extensions=("8BITMIME",)) as server:
        outcome = outcome_of(server, postern, **fields)
        assert (outcome.result, outcome.dsn) == ("bounced", "5.6.7")
        assert outcome.text.startswith("SMTPUTF8 is required, but was not offered by host ")
        assert "MAIL" not in verbs(server)
    with MailServer(extensions=("8BITMIME", "SMTPUTF8")) as server:
        assert outcome_of(server, postern, **fields).result == "sent"
        assert " SMTPUTF8" in server.messages[0].sender


def test_smtputf8_was_asked_for_and_is_not_needed(agents):
    with MailServer() as server:
        assert outcome_of(server, agents(), flags=FLAG_SMTPUTF8).result == "sent"


CLIENT = {"client_name": "c.test", "client_address": "192.0.2.5", "client_port": "1234",
          "helo_name": "he=lo", "protocol_name": "ESMTP"}


def test_xforward(agents):
    offer = ("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE", "PIPELINING")
    postern = agents(smtp_send_xforward_command="yes")
    with MailServer(extensions=offer) as server:
        with Agent(postern, "smtp") as agent:
            for _ in range(3):
                assert agent.deliver(server.nexthop, queue_id="4jXF", **CLIENT)[0].result == "sent"
        asked = [c for c in server.commands() if c.startswith("XFORWARD")]
        assert asked == ["XFORWARD NAME=c.test ADDR=192.0.2.5 PORT=1234 HELO=he+3Dlo PROTO=ESMTP "
                         "IDENT=4jXF SOURCE=REMOTE"] * 3
    with MailServer({"XFORWARD": "550 5.7.0 no"}, ["XFORWARD NAME ADDR HELO"]) as server:
        assert outcome_of(server, postern, client_address="2001:db8::1",
                          helo_name="h" * 300, client_name="n" * 300).result == "sent"
        asked = [c for c in server.commands() if c.startswith("XFORWARD")]
        assert asked == [f"XFORWARD NAME={'n' * 300} ADDR=IPv6:2001:db8::1",
                         f"XFORWARD HELO={'h' * 300}"]
        postern.wait_log("warning: .*550 5.7.0 no .in reply to XFORWARD command")
    with MailServer(extensions=offer) as server:
        assert outcome_of(server, agents(), **CLIENT).result == "sent"
        assert "XFORWARD" not in verbs(server)


def big(lines=20000):
    return b"Subject: big\r\n\r\n" + b"".join(
        b"%s%d %s\r\n" % (b"." if i % 3 == 0 else b"", i, b"x" * (i % 90)) for i in range(lines))


@pytest.mark.parametrize("chunking", ["yes", "no"])
@pytest.mark.parametrize("message", [MESSAGE, big()], ids=["small", "big"])
def test_content_arrives_as_it_is(agents, chunking, message):
    """By BDAT where it is offered and allowed, else by DATA with its dots."""
    with MailServer(extensions=(*EXTENSIONS, "CHUNKING")) as server:
        assert outcome_of(server, agents(smtp_chunking=chunking), message=message).result == "sent"
        arrived, = server.messages
        assert arrived.data == message
        assert arrived.chunked == (chunking == "yes")
        assert ("DATA" in verbs(server)) == (chunking == "no")


@pytest.mark.parametrize("chunking", ["yes", "no"])
def test_last_line_without_an_end_gets_one(agents, chunking):
    with MailServer(extensions=("CHUNKING",)) as server:
        assert outcome_of(server, agents(smtp_chunking=chunking), flags=FLAG_NO_CRLF,
                          message=b"Subject: x\r\n\r\nno end").result == "sent"
        assert server.messages[0].data == b"Subject: x\r\n\r\nno end\r\n"


def test_bdat_is_not_sent_to_nobody(agents):
    with MailServer({"RCPT": "550 5.1.1 who?"}, ("CHUNKING", "PIPELINING")) as server:
        assert outcome_of(server, agents()).result == "bounced"
        assert "BDAT" not in verbs(server)


@pytest.mark.parametrize("extensions", [(), ("CHUNKING",)])
@pytest.mark.parametrize("message", [
    b"Subject: x\r\n\r\none\ntwo\r.\r\n.\n\r\n", b"Subject: x\r\n\r\none\rtwo\r\n"])
def test_stray_line_ends_never_reach_the_server(agents, extensions, message):
    """The queue holds none; should it all the same, what leaves is one message with CRLF."""
    with MailServer(extensions=extensions) as server:
        outcome = outcome_of(server, agents(), message=message)
        wire = b"".join(m.wire for m in server.contents)
        assert not re.search(rb"[^\r]\n|\r[^\n]", wire)
        if outcome.result == "sent":
            assert len(server.messages) == 1
        else:
            assert not server.messages and "the queue file is damaged" in outcome.text


@pytest.mark.parametrize("extensions", [("PIPELINING",), ("CHUNKING",)])
@pytest.mark.parametrize("message", [MESSAGE, big()], ids=["small", "big"])
def test_damaged_message_is_broken_off(agents, extensions, message):
    with MailServer(extensions=extensions) as server:
        outcome = outcome_of(server, agents(), message=message, crc=1)
        assert (outcome.result, outcome.dsn) == ("deferred", "4.3.0")
        assert outcome.text == "the queue file is damaged: its body has the wrong checksum"
        poll_until(lambda: server.sessions[0].connection.fileno() < 0, "the connection to end")
        assert not server.contents and not outcome.destination_failed


# 8-bit text for 7-bit servers

MIXED = ("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b 1\"\r\n"
         "Content-Transfer-Encoding: 8bit\r\nSubject: x\r\n\r\n--b 1\r\n"
         "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
         "grüße = größe \r\n.punkt\r\n" + "lang ä" * 1000 + "\r\n--b 1\r\n"
         "Content-Type: text/plain\r\n\r\nonly ascii = \r\n--b 1--\r\n").encode()


@pytest.mark.parametrize("lines", [1, 4000], ids=["small", "big"])
def test_8bit_for_a_7bit_server(agents, lines):
    message = MIXED.replace(b".punkt\r\n", b".punkt\r\n" * lines)
    with MailServer(extensions=("PIPELINING", "CHUNKING")) as server:
        assert outcome_of(server, agents(), message=message,
                          flags=FLAG_8BIT | FLAG_LONG_LINES).result == "sent"
        arrived, = server.messages
    assert arrived.data.isascii() and "BODY" not in arrived.sender
    assert max(map(len, arrived.data.split(b"\r\n"))) <= 998
    def parts(m):
        return [(p.get_content_type(), p.get_payload(decode=True)) for p in m.walk()
                if not p.is_multipart()]

    assert parts(email.message_from_bytes(arrived.data)) == parts(
        email.message_from_bytes(message))
    assert b"only ascii = \r\n" in arrived.data


def test_8bit_for_an_8bit_server(agents):
    with MailServer() as server:
        assert outcome_of(server, agents(), message=MIXED, flags=FLAG_8BIT).result == "sent"
        assert server.messages[0].data == MIXED
        assert server.messages[0].sender.endswith(" BODY=8BITMIME")


def test_conversion_can_be_switched_off(agents):
    with MailServer(extensions=()) as server:
        postern = agents(disable_mime_output_conversion="yes")
        assert outcome_of(server, postern, message=MIXED, flags=FLAG_8BIT).result == "sent"
        assert server.messages[0].data == MIXED


# Lines


LONG = b"Subject: x\r\n\r\n" + b"a" * 2500 + b"\r\n" + b"b" * 998 + b"\r\n"


@pytest.mark.parametrize("limit,lengths", [("998", [998, 998, 506, 998]), ("0", [2500, 998]),
                                           ("2000", [2000, 501, 998])])
def test_long_lines(agents, limit, lengths):
    with MailServer(extensions=("CHUNKING",)) as server:
        postern = agents(smtp_line_length_limit=limit)
        assert outcome_of(server, postern, message=LONG, flags=FLAG_LONG_LINES).result == "sent"
        lines = server.messages[0].data.split(b"\r\n")[2:-1]
        assert [len(line) for line in lines] == lengths
        assert b"".join(line.lstrip(b" ") for line in lines) == b"a" * 2500 + b"b" * 998


def test_limit_below_the_usual_one(agents):
    with MailServer() as server:
        postern = agents(smtp_line_length_limit="40")
        message = b"Subject: x\r\n\r\n" + b"a" * 41 + b"\r\n"
        assert outcome_of(server, postern, message=message).result == "sent"
        assert server.messages[0].data == b"Subject: x\r\n\r\n" + b"a" * 40 + b"\r\n a\r\n"


# Envelopes


@pytest.mark.parametrize("quote,text", [("yes", '<"a b"@x.test>'), ("no", "<a b@x.test>")])
def test_quoting_of_addresses(agents, quote, text):
    with MailServer() as server:
        postern = agents(smtp_quote_rfc821_envelope=quote)
        assert outcome_of(server, postern, recipients=["a b@x.test"]).result == "sent"
        assert server.messages[0].recipients == ["TO:" + text]


@pytest.mark.parametrize("quote", ["yes", "no"])
def test_addresses_never_end_a_line(agents, quote):
    """No parser lets such an address in; if one came in all the same, it would say no command."""
    with MailServer() as server:
        postern = agents(smtp_quote_rfc821_envelope=quote)
        deliver(postern, "smtp", server.nexthop, ["u>\r\nRCPT TO:<evil@x.test"],
                sender="a\r\nDATA\r\n@x.test", envelope_id="x\r\nDATA", dsn_ret="X\r\nDATA")
        assert set(verbs(server)) <= {"EHLO", "MAIL", "RCPT", "DATA", "QUIT"}
        assert verbs(server).count("RCPT") == verbs(server).count("MAIL") == 1
        assert verbs(server).count("DATA") <= 1


def test_thousands_of_recipients(agents):
    names = [f"user{i}@remote.test" for i in range(3000)]
    with MailServer(extensions=("PIPELINING", "DSN")) as server:
        found = deliver(agents(), "smtp", server.nexthop, names)
        assert {o.result for o in found} == {"sent"} and len(found) == 3000
        assert len(server.messages) == 1
        assert [re.match(r"TO:<(.*?)>", r)[1] for r in server.messages[0].recipients] == names
        # Far fewer packets than commands.
        assert server.reads < 200


def test_commands_of_a_small_message_are_one_packet(agents):
    with MailServer() as server:
        with Agent(agents(smtp_connection_cache_time_limit="20s"), "smtp") as agent:
            agent.deliver(server.nexthop)
            agent.deliver(server.nexthop)
            before = server.reads
            agent.deliver(server.nexthop)
            # MAIL, RCPT and DATA; the message with its dot.
            assert server.reads - before == 2


def test_quit_is_not_said_before_the_answer_to_the_message(agents):
    """And the next message waits for it as well."""
    def dot(session, message):
        time.sleep(0.2)  # the time in which a client in a hurry would say more
        session.connection.setblocking(False)
        try:
            early.append(session.connection.recv(100))
        except BlockingIOError:
            pass
        session.connection.setblocking(True)

    early = []
    with MailServer({"dot": dot}) as server:
        assert outcome_of(server, agents()).result == "sent"
        assert not early


@pytest.mark.parametrize("service,parameter", [("smtp", "smtp_skip_quit_response"),
                                               ("lmtp", "lmtp_skip_quit_response")])
@pytest.mark.parametrize("skip", ["yes", "no"])
def test_answer_to_quit(agents, service, parameter, skip):
    """Waited for or not, it delays nothing: the outcome is there before."""
    postern = agents(**{parameter: skip, service + "_quit_timeout": "20s"})
    ends = []

    def quit_now(session, argument):
        session.connection.settimeout(1)
        try:
            ends.append(session.connection.recv(100))
        except TimeoutError:
            ends.append("waits")
        return "221 bye"

    with MailServer({"QUIT": quit_now}, lmtp=service == "lmtp") as server:
        assert outcome_of(server, postern, service).result == "sent"
        poll_until(lambda: ends, "QUIT")
        assert ends == [b"" if skip == "yes" else "waits"]


# Addresses of our own


@needs_root
def test_bind_address(agents):
    with MailServer() as server:
        assert outcome_of(server, agents(smtp_bind_address="127.0.0.77")).result == "sent"
        assert server.peers == ["127.0.0.77"]


@pytest.mark.parametrize("address", ["192.0.2.1", "nonsense"])
def test_bind_address_that_cannot_be_used(agents, address):
    with MailServer() as server:
        postern = agents(smtp_bind_address=address)
        assert outcome_of(server, postern).result == "sent"
        postern.wait_log(f"warning: cannot use {address} as the address of outgoing connections")
        outcome = outcome_of(server, agents(smtp_bind_address=address,
                                            smtp_bind_address_enforce="yes"))
        assert (outcome.result, outcome.dsn) == ("deferred", "4.4.0")
        assert outcome.text == f"server local configuration error: cannot bind to {address}"


def test_bind_address_of_ipv6(agents):
    with MailServer(address="::1") as server:
        assert outcome_of(server, agents(smtp_bind_address6="::1")).result == "sent"
        assert outcome_of(server, agents(smtp_bind_address6="2001:db8::1",
                                         smtp_bind_address_enforce="yes")).result == "deferred"


# Firewalls, filters

MASKED = "220 ****************************"


def test_firewall_that_masks_the_greeting(agents):
    """No EHLO; and for mail that was tried for long the dot comes by itself."""
    def data(session, argument):
        session.connection.sendall(b"354 go\r\n")
        while not session.buffer.endswith(b"second line\r\n"):
            session.read()
        arrived.append(session.buffer)
        return Raw(b"")

    arrived = []
    postern = agents(smtp_pix_workaround_delay_time="1s", smtp_pix_workaround_threshold_time="10s")
    with MailServer({"banner": MASKED, "DATA": data}) as server:
        start = time.monotonic()
        assert outcome_of(server, postern).result == "sent"
        assert verbs(server)[0] == "HELO"
        assert arrived[0].endswith(b"\r\n..second line\r\n")
        assert time.monotonic() - start >= 1
        postern.wait_log("enabling PIX workarounds: disable_esmtp,delay_dotcrlf for "
                         + re.escape(f"127.0.0.1[127.0.0.1]:{server.port}"))
    with MailServer({"banner": MASKED}) as server:
        start = time.monotonic()
        assert outcome_of(server, postern, arrival=int(time.time() * 1000000)).result == "sent"
        assert time.monotonic() - start < 1


@pytest.mark.parametrize("main", [{"smtp_pix_workarounds": ""},
                                  {"smtp_pix_workaround_maps": "inline:{{127.0.0.1 = }}"}])
def test_workarounds_can_be_switched_off(agents, main):
    with MailServer({"banner": MASKED}) as server:
        assert outcome_of(server, agents(**main)).result == "sent"
        assert verbs(server)[0] == "EHLO"


def test_workarounds_for_one_server(agents):
    with MailServer({"banner": MASKED}) as server:
        postern = agents(smtp_pix_workaround_maps="inline:{127.0.0.1=delay_dotcrlf}",
                         smtp_pix_workaround_threshold_time="3000w")
        assert outcome_of(server, postern).result == "sent"
        assert verbs(server)[0] == "EHLO"


def test_reply_filter(postern_instance):
    """What the administrator makes of a reply is what counts."""
    with MailServer({"RCPT": "550 5.7.1 greylisted", "dot": "250 what a nonsense"}) as server:
        postern = postern_instance(master=AGENTS, files={
            "replies": "/^550 (.*greylisted)/ 450 4.7.1 $1\n/nonsense/ 250 2.0.0 fine\n"})
        postern.write_config(main={
            "smtp_reply_filter": f"pcre:{postern.conf}/replies"})
        postern.start()
        outcome = outcome_of(server, postern)
        assert (outcome.result, outcome.dsn) == ("deferred", "4.7.1")
        server.replies.pop("RCPT")
        assert outcome_of(server, postern).text == "250 2.0.0 fine"


def test_delivery_status_filter(postern_instance):
    """Class 4 and 5 may change places; what was delivered stays so."""
    with MailServer({"RCPT": lambda s, a: {"b": "550 5.1.1 b", "c": "450 4.2.1 c",
                                           "d": "550 5.1.1 d"}.get(a[4])}) as server:
        postern = postern_instance(master=AGENTS, files={
            "statuses": "/^5\\.1\\.1 .* b/ 4.1.1 perhaps later\n/^4.* c/ 5.2.1\n/ d / 2.0.0 yes\n"
                        "/^2/ 5.0.0 no\n"})
        postern.write_config(main={
            "default_delivery_status_filter": f"pcre:{postern.conf}/statuses"})
        postern.start()
        a, b, c, d = deliver(postern, "smtp", server.nexthop, [f"{n}@x.test" for n in "abcd"])
        assert (a.result, a.dsn) == ("sent", "2.0.0")
        assert (b.result, b.dsn, b.text) == ("deferred", "4.1.1", "perhaps later")
        assert (c.result, c.dsn) == ("bounced", "5.2.1") and "450 4.2.1 c" in c.text
        assert (d.result, d.dsn) == ("bounced", "5.1.1")
        postern.wait_log("warning: delivery_status_filter: no fitting status")


# Addresses for the world

GENERIC = ("inline:{{joe@local.test=joe.doe@example.test},{@inner.test=@example.test},"
           "{sam=sam@example.test}, {bare@local.test=bare}, {bad@local.test=a@b@c}}")
ADDRESSED = (b"From: \"Joe, the <first>\" <joe@local.test> (joe@local.test)\r\n"
             b"To: list: u@remote.test,\r\n\tann@inner.test;, <sam@mail.example.test>\r\n"
             b"Subject: joe@local.test\r\nResent-Cc: JOE@local.test\r\nX-To: joe@local.test\r\n"
             b"\r\njoe@local.test\r\n")
REWRITTEN = (b"From: \"Joe, the <first>\" <joe.doe@example.test> (joe@local.test)\r\n"
             b"To: list: u@remote.test,\r\n\tann@example.test;, <sam@example.test>\r\n"
             b"Subject: joe@local.test\r\nResent-Cc: joe.doe@example.test\r\nX-To: joe@local.test\r\n"
             b"\r\njoe@local.test\r\n")


@pytest.mark.parametrize("extensions", [("SIZE",), ("CHUNKING", "SIZE")])
@pytest.mark.parametrize("body", [b"", b"x" * 70 + b"\r\n"], ids=["small", "big"])
def test_generic_maps(agents, extensions, body):
    """In envelope and header, and nowhere else."""
    body *= 3000
    postern = agents(smtp_generic_maps=GENERIC)
    with MailServer(extensions=extensions) as server:
        found = deliver(postern, "smtp", server.nexthop, ["ann@inner.test", "u@remote.test"],
                        message=ADDRESSED + body, sender="joe@local.test")
        assert {o.result for o in found} == {"sent"}
        arrived, = server.messages
        assert arrived.sender == f"FROM:<joe.doe@example.test> SIZE={len(REWRITTEN + body)}"
        assert arrived.recipients == ["TO:<ann@example.test>", "TO:<u@remote.test>"]
        assert arrived.data == REWRITTEN + body
        postern.wait_log("to=<ann@inner.test>, relay=")


@pytest.mark.parametrize("sender,expected", [
    ("", ""), ("other@remote.test", "other@remote.test"), ("bare@local.test", "bare@mail.example.test"),
    ("bad@local.test", "bad@local.test"), ("joe+tag@local.test", "joe.doe@example.test"),
    ("x y@inner.test", '"x y"@example.test'), ("sam@elsewhere.test", "sam@elsewhere.test")])
def test_generic_senders(agents, sender, expected):
    with MailServer(extensions=()) as server:
        postern = agents(smtp_generic_maps=GENERIC, recipient_delimiter="+")
        assert outcome_of(server, postern, sender=sender).result == "sent"
        assert server.messages[0].sender == f"FROM:<{expected}>"


def test_generic_maps_that_cannot_tell(agents):
    with MailServer() as server:
        outcome = outcome_of(server, agents(smtp_generic_maps="fail:x"))
        assert (outcome.result, outcome.dsn) == ("deferred", "4.3.0")
        assert "smtp_generic_maps lookup error" in outcome.text
        assert not server.sessions
