# SPDX-License-Identifier: Apache-2.0
"""LMTP: an answer for each recipient, over UNIX and TCP sockets."""

import os
import re
import smtplib

import pytest

from delivery_agent import Agent, deliver
from mail_server import CLOSE, STALL, MailServer
from postern import poll_until
from test_smtp_client import AGENTS, SUITE

NAMES = ["a@local.test", "b@local.test", "c@local.test"]


@pytest.fixture
def agents(postern_instance):
    return lambda **main: postern_instance(main=main, master=AGENTS).start()


@pytest.mark.parametrize("nexthop", ["[127.0.0.1]:{}", "inet:127.0.0.1:{}", "inet:[127.0.0.1]:{}"])
def test_over_tcp(agents, nexthop):
    with MailServer(lmtp=True) as server:
        found = deliver(agents(), "lmtp", nexthop.format(server.port), NAMES)
        assert [o.text for o in found] == [f"250 2.0.0 Ok: queued as F{i}" for i in (1, 2, 3)]
        assert {o.relay for o in found} == {f"127.0.0.1[127.0.0.1]:{server.port}"}
        assert server.sessions[0].commands[0] == "LHLO mail.example.test"
        assert len(server.contents) == 1


def test_over_a_unix_socket_from_the_queue(postern_instance):
    with MailServer(lmtp=True, unix=True) as server:
        postern = postern_instance(master=SUITE, main={
            "virtual_transport": "lmtp:" + server.nexthop, "virtual_mailbox_domains": "local.test",
            "mydestination": ""})
        postern.start()
        with smtplib.SMTP("127.0.0.1", postern.port()) as client:
            client.sendmail("s@x.test", NAMES[:2], "Subject: x\r\n\r\nline\r\n")
        for i in (1, 2):
            postern.wait_log(
                r"/lmtp\[\d+\]: \w+: to=<%s>, relay=mail\.example\.test\[%s\], delay=\S+, "
                r"delays=\S+, dsn=2\.0\.0, status=sent \(250 2\.0\.0 Ok: queued as F%d\)\n"
                % (re.escape(NAMES[i - 1]), re.escape(server.path), i))
        poll_until(lambda: not postern.queue_files(), "the queue to be empty")


def test_local_users_in_a_mailbox_store(postern_instance):
    """As a store beside us is named: by a path below the queue directory."""
    with MailServer(lmtp=True, unix=True) as server:
        postern = postern_instance(master=SUITE, main={
            "local_transport": "lmtp:unix:private/store", "mydestination": "local.test",
            "local_recipient_maps": ""}).start()
        os.link(server.path, os.path.join(postern.queue, "private", "store"))
        with smtplib.SMTP("127.0.0.1", postern.port()) as client:
            client.sendmail("s@x.test", NAMES[:1], "Subject: x\r\n\r\nline\r\n")
        postern.wait_log(r"/lmtp\[\d+\]: \w+: to=<a@local\.test>, "
                         r"relay=mail\.example\.test\[private/store\], .*status=sent")
        assert len(server.contents) == 1


def test_each_recipient_has_its_answer(agents):
    """One is refused at RCPT, one at the end, one is delivered; what came is never forgotten."""
    def rcpt(session, argument):
        return "550 5.1.1 unknown" if "<a@" in argument else None

    def dot(session, recipient):
        return "452 4.2.2 full" if "<b@" in recipient else None

    with MailServer({"RCPT": rcpt, "dot": dot}, lmtp=True) as server:
        a, b, c = deliver(agents(), "lmtp", server.nexthop, NAMES)
        assert (a.result, a.dsn) == ("bounced", "5.1.1")
        assert (b.result, b.dsn) == ("deferred", "4.2.2")
        assert "452 4.2.2 full (in reply to end of DATA command)" in b.text
        assert (c.result, c.dsn) == ("sent", "2.0.0")
        assert not b.destination_failed


@pytest.mark.parametrize("end", [CLOSE, STALL, "what is this", "354 go on"])
def test_connection_lost_between_the_answers(agents, end):
    postern = agents(lmtp_data_done_timeout="3s")
    with MailServer({"dot": [None, end]}, lmtp=True) as server:
        a, b, c = deliver(postern, "lmtp", server.nexthop, NAMES)
        assert a.result == "sent"
        assert b.result == c.result == "deferred"
        assert "message may be sent more than once" in b.text == c.text


def test_session_serves_the_next_message_after_refusals(agents):
    with MailServer({"RCPT": [None, "550 5.1.1 no", None]}, lmtp=True) as server:
        with Agent(agents(lmtp_connection_cache_time_limit="20s"), "lmtp") as agent:
            results = [agent.deliver(server.nexthop, ["u@local.test"])[0].result
                       for _ in range(4)]
        assert results == ["sent", "bounced", "sent", "sent"]
        assert len(server.sessions) == 2
        # The transaction that had no recipient was left open, and is taken back with the next.
        assert server.sessions[1].commands.count("RSET") == 1


def test_server_that_speaks_smtp_only(agents):
    with MailServer({"LHLO": "500 5.5.1 what?"}) as server:
        outcome, = deliver(agents(), "lmtp", server.nexthop)
        assert (outcome.result, outcome.dsn) == ("bounced", "5.5.1")
        assert "HELO fake" not in server.commands()


@pytest.mark.parametrize("final,relayed", [("no", True), ("yes", False)])
def test_delivery_that_is_final(agents, final, relayed):
    """To a server that tells nobody: has the message left the mail system, or only us?"""
    postern = agents(lmtp_assume_final=final)
    with MailServer(lmtp=True) as server:
        assert deliver(postern, "lmtp", server.nexthop)[0].relayed == relayed
        outcome, = deliver(postern, "lmtp", server.nexthop, notify=2)
        assert not outcome.dsn_passed_on
