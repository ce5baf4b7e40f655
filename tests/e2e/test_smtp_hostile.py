# SPDX-License-Identifier: Apache-2.0
"""Servers that mean no good: deadlines hold, memory stays flat, and a message is sent only when
the server said so."""

import re
import threading
import time

import pytest

from delivery_agent import Agent, deliver
from mail_server import (CLOSE, RESET, STALL, Close, Drip, Flood, MailServer, Raw, Stall)
from postern import poll_until
from test_smtp_client import AGENTS
from test_smtp_session import big

STAGES = ("helo", "mail", "rcpt", "data_init", "data_xfer", "data_done", "rset", "quit", "xforward")


# More than the buffers on the way can hold.
HUGE = big(110000)


@pytest.fixture
def agents(postern_instance):
    """Impatient ones, unless a test waits for nothing to time out."""
    return lambda patience="1s", **main: postern_instance(
        main={**{f"smtp_{stage}_timeout": patience for stage in STAGES}, **main},
        master=AGENTS).start()


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


FLOODS = {
    "a line without an end": Flood(b"x" * 65536),
    "a banner without an end": Flood(b"220-hello\r\n" * 5000),
    "lines of 3000 bytes": Flood((b"220-" + b"x" * 3000 + b"\r\n") * 20),
    "empty lines": Flood(b"\r\n" * 30000),
    "line feeds": Flood(b"\n" * 60000),
    "NUL": Flood(b"\0" * 60000),
    "replies": Flood(b"220 hello\r\n" * 5000),
}


@pytest.mark.parametrize("stage", ["banner", "EHLO", "MAIL", "RCPT", "DATA", "dot"])
def test_floods(agents, stage):
    """Whatever pours in: a deferral soon, and the process does not grow."""
    postern = agents()
    deliver(postern, "smtp", "[127.0.0.1]:1")
    pid = postern.wait_child("smtp")
    before = rss(pid)
    for name, flood in FLOODS.items():
        text = flood.text
        if stage == "DATA":
            text = text.replace(b"220", b"354")
        with MailServer({stage: Flood(text)}) as server:
            start = time.monotonic()
            outcome, = deliver(postern, "smtp", server.nexthop)
            assert time.monotonic() - start < 10, name
            good = name == "replies" and stage in ("MAIL", "RCPT", "dot", "banner", "EHLO", "DATA")
            assert outcome.result == "deferred" or good, (name, outcome)
            if outcome.result == "sent":
                assert len(server.contents) == 1
    assert rss(pid) - before < 30000
    assert postern.children("smtp") == [pid]


@pytest.mark.parametrize("stage", ["banner", "EHLO", "MAIL", "RCPT", "DATA", "dot"])
def test_a_byte_now_and_then_gains_no_time(agents, stage):
    def drizzle(session, argument):
        for byte in b"354 a reply that never comes to its end" if stage == "DATA" else \
                b"250 a reply that never comes to its end":
            session.connection.sendall(bytes([byte]))
            time.sleep(0.2)
        return CLOSE

    with MailServer({stage: drizzle}) as server:
        start = time.monotonic()
        outcome, = deliver(agents(), "smtp", server.nexthop)
        assert 0.9 < time.monotonic() - start < 6
        assert outcome.result == "deferred" and "timed out while" in outcome.text


@pytest.mark.parametrize("extensions", [("PIPELINING",), ("CHUNKING",), ()])
def test_replies_in_single_bytes(agents, extensions):
    good = {"banner": "220-a\r\n220 b", "MAIL": "250-1\r\n250 2.1.0 2", "RCPT": "250 2.1.5 ok",
            "DATA": "354 go", "dot": "250-2.0.0 a\r\n250 2.0.0 b"}
    with MailServer({stage: Drip(text) for stage, text in good.items()}, extensions) as server:
        outcome, = deliver(agents("30s"), "smtp", server.nexthop)
        assert (outcome.result, outcome.text) == ("sent", "250-2.0.0 a 250 2.0.0 b")


AFTER_DOT = [
    Raw(b"garbage\r\n550 no\r\n221 bye\r\n"), Raw(b"garbage\r\n221 bye\r\n"),
    Raw(b"garbage\r\n250 ok\r\n"), Raw(b"\r\n250 ok\r\n"), Raw(b"354 more\r\n250 ok\r\n"),
    Raw(b"250-ok\r\n550 no\r\n"), Raw(b"250-ok\r\n"), Raw(b"25"), Raw(b"250"), Raw(b"250 ok"),
    Raw(b"250 ok\r"), Raw(b"2500 ok\r\n"), Raw(b"25\0 ok\r\n"), Raw(b"999 ok\r\n"),
    Raw(b"000 ok\r\n"), Raw(b"2 0 ok\r\n"), Raw(b"-250 ok\r\n"), Raw(b" 250 ok\r\n"),
    CLOSE, RESET, STALL, Close(b"250-ok\r\n"), Close(b"250 ok"), Stall(b"250 o"),
]


@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_end_of_data_without_an_answer(agents, service):
    """Nobody knows what became of the message: it is tried again, by another connection."""
    postern = agents("30s", **{service + "_data_done_timeout": "3s"})
    failures = []

    def one(act):
        with MailServer({"dot": [act, None]}, lmtp=service == "lmtp") as server, \
                Agent(postern, service) as agent:
            outcome, = agent.deliver(server.nexthop)
            if outcome.result != "deferred" or not outcome.text.endswith(
                    "while sending end of data -- message may be sent more than once"):
                failures.append((getattr(act, "text", act), outcome))
            if agent.deliver(server.nexthop)[0].result != "sent" or len(server.sessions) != 2:
                failures.append((getattr(act, "text", act), "was used again"))

    threads = [threading.Thread(target=one, args=(act,)) for act in AFTER_DOT]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, "\n".join(map(str, failures))


def test_answer_before_the_end_of_data(agents):
    """A yes that comes early is no yes."""
    with MailServer({"DATA": Raw(b"354 go\r\n250 2.0.0 thanks\r\n")}) as server:
        outcome, = deliver(agents(), "smtp", server.nexthop)
        assert outcome.result == "deferred" and "sending message body" in outcome.text


def test_refusal_before_the_end_of_data(agents):
    with MailServer({"DATA": Raw(b"354 go\r\n552 5.3.4 too large\r\n")}) as server:
        outcome, = deliver(agents(), "smtp", server.nexthop)
        assert (outcome.result, outcome.dsn) == ("bounced", "5.3.4")
        assert outcome.text.endswith("said: 552 5.3.4 too large (in reply to message body)")


def test_354_when_nobody_is_there(agents):
    """Every recipient was refused, and the server wants the message all the same."""
    with MailServer({"RCPT": "550 5.1.1 who?", "DATA": "354 go"}) as server:
        with Agent(agents("30s"), "smtp") as agent:
            for _ in range(2):
                assert agent.deliver(server.nexthop)[0].result == "bounced"
        assert [m.data for m in server.contents] == [b"", b""]


def test_text_of_replies_is_shown_and_no_more(agents):
    """One line of the log, whatever the server wrote."""
    postern = agents("30s")
    with MailServer({"RCPT": Raw(b"550-5.1.1 a\x1b[2J\r\n550-\xe2\x80\xae%s%n\r\n550 5.1.1 "
                                 + b"z" * 3000 + b"\r\n")}) as server:
        outcome, = deliver(postern, "smtp", server.nexthop)
        assert outcome.result == "bounced"
        assert r"550-5.1.1 a\033[2J 550-\342\200\256%s%n 550 5.1.1 zzz" in outcome.text
        assert len(outcome.text) < 1200
        assert len(re.findall("status=bounced", postern.log())) == 1
        assert "\x1b" not in postern.log()


def test_server_that_does_not_read(agents):
    """A message larger than all buffers; the server never takes a byte of it."""
    def data(session, argument):
        session.connection.sendall(b"354 go\r\n")
        held.wait(30)
        return CLOSE

    held = threading.Event()
    with MailServer({"DATA": data}, receive_buffer=4096) as server, \
            Agent(agents(), "smtp") as agent:
        agent.ask(server.nexthop, message=HUGE)
        start = time.monotonic()
        outcome, = agent.outcomes()
        held.set()
        assert outcome.result == "deferred"
        assert "timed out while sending message body" in outcome.text
        assert time.monotonic() - start < 10


def test_slow_reader_with_a_deadline(agents):
    """smtp_per_request_deadline: what is sent in time buys time by smtp_min_data_rate, no more."""
    def data(session, argument):
        session.connection.sendall(b"354 go\r\n")
        try:
            for _ in range(100):
                session.connection.recv(2000)
                time.sleep(0.2)
        except OSError:
            pass
        return CLOSE

    main = {"smtp_per_request_deadline": "yes", "smtp_data_xfer_timeout": "2s",
            "smtp_data_done_timeout": "30s"}
    for rate, result in (("100000000", "deferred"), ("1000", "sent")):
        is_slow = result != "sent"
        with MailServer({"DATA": data if is_slow else None},
                        receive_buffer=4096 if is_slow else None) as server, \
                Agent(agents(smtp_min_data_rate=rate, **main), "smtp") as agent:
            agent.ask(server.nexthop, message=HUGE)
            start = time.monotonic()
            outcome, = agent.outcomes()
            assert outcome.result == result
            assert result == "sent" or "timed out" in outcome.text
            assert result == "sent" or time.monotonic() - start < 10


def test_server_that_answers_at_length_and_does_not_read(agents):
    """Pipelining without a deadlock: replies of 200 kB to each command, read when they come."""
    long = "\r\n".join(["250-" + "x" * 900] * 200 + ["250 2.1.5 ok"])
    with MailServer({"RCPT": long}) as server:
        names = [f"user{i}.with.a.name.of.some.length@remote.test" for i in range(300)]
        found = deliver(agents("30s"), "smtp", server.nexthop, names)
        assert {o.result for o in found} == {"sent"} and len(found) == 300


def test_421_among_pipelined_replies(agents):
    def rcpt(session, argument):
        return Close(b"421 4.3.2 closing\r\n") if "<u5@" in argument else None

    with MailServer({"RCPT": rcpt}) as server:
        found = deliver(
            agents("30s"), "smtp", server.nexthop, [f"u{i}@remote.test" for i in range(9)])
        assert {o.result for o in found} == {"deferred"}
        assert all("421 4.3.2 closing (in reply to RCPT TO command)" in o.text for o in found)
        assert all(o.destination_failed for o in found)
        assert not server.contents


def test_hundred_hostile_servers_and_a_good_one(agents):
    """The good one is served at once."""
    postern = agents("30s")
    with MailServer({"banner": STALL}) as bad, MailServer() as good:
        waiting = [Agent(postern, "smtp") for _ in range(100)]
        for agent in waiting:
            agent.ask(bad.nexthop)
        poll_until(lambda: len(bad.sessions) == 100, "connections")
        start = time.monotonic()
        assert deliver(postern, "smtp", good.nexthop)[0].result == "sent"
        assert time.monotonic() - start < 10
        bad.__exit__(None, None, None)
        for agent in waiting:
            assert agent.outcomes()[0].result == "deferred"
            agent.socket.close()
