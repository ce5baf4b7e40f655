# SPDX-License-Identifier: Apache-2.0
"""The SMTP client: what it says to a server, and what becomes of the recipients."""

import re
import smtplib
import threading
import time

import pytest

from delivery_agent import Agent, deliver
from mail_server import CLOSE, RESET, STALL, MailServer, Raw
from postern import poll_until

AGENTS = """
smtp    unix - - n - - smtp
relay   unix - - n - - smtp
lmtp    unix - - n - - lmtp
"""
SUITE = AGENTS + """
127.0.0.1:{smtp} inet n - n - - smtpd
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 bounce
defer   unix - - n -  0 bounce
"""
ID = r"4jWRmP0BbLz1Kq\d+"


@pytest.fixture
def agents(postern_instance):
    return lambda **main: postern_instance(main=main, master=AGENTS).start()


def test_relays_from_smtp_to_smtp(postern_instance):
    """The whole way: smtpd, cleanup, qmgr, smtp, and the log as its readers expect it."""
    with MailServer() as server:
        postern = postern_instance(master=SUITE, main={
            "relayhost": server.nexthop, "mydestination": "", "local_recipient_maps": ""})
        postern.start()
        with smtplib.SMTP("127.0.0.1", postern.port()) as client:
            client.sendmail("a@x.test", ["u@remote.test", "v@other.test"],
                            "Subject: x\r\n\r\nline\r\n.\r\n..two\r\n")
        message = server.wait_messages()[0]
        assert message.sender.startswith("FROM:<a@x.test>")
        assert [r.split()[0] for r in message.recipients] == ["TO:<u@remote.test>",
                                                              "TO:<v@other.test>"]
        assert b"\r\nSubject: x\r\n" in message.data
        assert message.data.endswith(b"\r\n\r\nline\r\n.\r\n..two\r\n")
        for address in ("u@remote", "v@other"):
            postern.wait_log(
                r"/smtp\[\d+\]: \w+: to=<%s\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:%d, "
                r"delay=[\d.]+, delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=2\.0\.0, status=sent "
                r"\(250 2\.0\.0 Ok: queued as F1\)\n" % (address, server.port))
        poll_until(lambda: not postern.queue_files(), "the queue to be empty")


def test_conversation_of_one_message(agents):
    with MailServer(extensions=("PIPELINING", "SIZE", "DSN")) as server:
        outcome, = deliver(agents(), "smtp", server.nexthop, original=False)
        assert (outcome.result, outcome.dsn) == ("sent", "2.0.0")
        assert outcome.relay == f"127.0.0.1[127.0.0.1]:{server.port}"
        assert server.messages[0].data == (b"Subject: hello\r\nFrom: <a@x.test>\r\n\r\n"
                                           b"first line\r\n.second line\r\n")
        poll_until(lambda: "QUIT" in server.commands(), "QUIT")
        assert server.commands() == ["EHLO mail.example.test", "MAIL FROM:<a@x.test> SIZE=62",
                                     "RCPT TO:<u@remote.test>", "DATA", "QUIT"]


def test_connection_is_kept_for_the_next_message(agents):
    """From the second message on, because then there is a demand for it."""
    with MailServer() as server:
        postern = agents(smtp_connection_cache_time_limit="20s")
        with Agent(postern, "smtp") as agent:
            for _ in range(5):
                assert agent.deliver(server.nexthop)[0].result == "sent"
        assert len(server.sessions) == 2
        assert len(server.messages) == 5
        for use in (2, 3, 4):
            postern.wait_log(rf"relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, conn_use={use}, delay=")
        assert "RSET" not in server.commands()


def test_kept_connections_end(agents):
    with MailServer() as server:
        postern = agents(smtp_connection_cache_time_limit="1s",
                         smtp_connection_reuse_count_limit="3")
        with Agent(postern, "smtp") as agent:
            for _ in range(5):
                agent.deliver(server.nexthop)
        # The first is alone, then three for one connection, and the fifth on a third one.
        assert [len([c for c in s.commands if c == "DATA"]) for s in server.sessions] == [1, 3, 1]
        poll_until(lambda: all(s.said_quit for s in server.sessions), "QUIT everywhere")


def test_without_the_cache_each_message_has_its_connection(agents):
    with MailServer() as server:
        with Agent(agents(smtp_connection_cache_on_demand="no"), "smtp") as agent:
            for _ in range(4):
                agent.deliver(server.nexthop)
        assert len(server.sessions) == 4


def test_destinations_whose_connections_are_always_kept(agents):
    with MailServer() as server, MailServer(address="127.0.0.2") as other:
        postern = agents(smtp_connection_cache_on_demand="no",
                         smtp_connection_cache_destinations="127.0.0.2, other.test")
        with Agent(postern, "smtp") as agent:
            for _ in range(3):
                agent.deliver(server.nexthop)
                agent.deliver(other.nexthop)
        assert (len(server.sessions), len(other.sessions)) == (3, 1)


def test_age_at_which_a_connection_is_not_used_again(agents):
    with MailServer() as server:
        postern = agents(smtp_connection_cache_time_limit="20s",
                         smtp_connection_reuse_time_limit="1s")
        with Agent(postern, "smtp") as agent:
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                agent.deliver(server.nexthop)
        assert 3 <= len(server.sessions) <= 4


@pytest.mark.parametrize("end", [CLOSE, RESET, "421 4.3.2 too old"])
def test_kept_connection_that_ends_is_replaced(agents, end):
    """Nothing was answered to the message yet: it goes over another connection."""
    with MailServer(replies={"MAIL": [None, None, end, None]}) as server:
        postern = agents(smtp_connection_cache_time_limit="20s")
        with Agent(postern, "smtp") as agent:
            for _ in range(4):
                assert agent.deliver(server.nexthop)[0].result == "sent"
        assert len(server.sessions) == 3
        assert "deferred" not in postern.log()


# What a server does at a stage, and what becomes of the recipient: result, status, the text, and
# whether the destination is at fault. "later" as the text stands for what the server said.
REPLIES = {
    "4xx": "451 4.7.1 later", "5xx": "550 5.7.1 later", "421": "421 4.3.2 later",
    "close": CLOSE, "reset": RESET, "stall": STALL, "garbage": "what is this", "long": "2" * 100000,
    "999": "999 later", "000": "000 later", "2xx": "250 2.0.0 yes", "3xx": "354 go on",
    "split": Raw(b"250-4.0.0 half\r\n550 5.0.0 other\r\n"),
}
LOST, TIMEOUT, STRANGE = "lost connection", "timed out", "no reply"
STAGES = {
    "banner": "receiving the initial server greeting",
    "HELO": "performing the HELO handshake",
    "MAIL": "sending MAIL FROM",
    "RCPT": "sending RCPT TO",
    "DATA": "sending DATA command",
    "dot": "sending end of data -- message may be sent more than once",
}
COMMANDS = {"MAIL": "MAIL FROM command", "RCPT": "RCPT TO command", "DATA": "DATA command",
            "dot": "end of DATA command"}


def expected(stage, act):
    """(result, status, text, destination_failed)"""
    yes = "3xx" if stage == "DATA" else "2xx"
    said = re.escape(REPLIES[act]) if isinstance(REPLIES[act], str) else ""
    if act == yes:
        return ("sent", "2.0.0", said if stage == "dot" else "250 2.0.0 Ok: queued as F1", False)
    if stage in ("banner", "HELO") and act == "3xx":
        return "deferred", "4.0.0", f"host .* refused to talk to me: {said}", True
    if act in ("4xx", "5xx", "421"):
        status = {"4xx": "4.7.1", "5xx": "5.7.1", "421": "4.3.2"}[act]
        if stage in ("banner", "HELO"):
            if stage == "banner" and act == "5xx":
                status = "4.7.1"
            return ("bounced" if status[0] == "5" else "deferred", status,
                    f"host .* refused to talk to me: {said}", status[0] == "4")
        return ("bounced" if act == "5xx" else "deferred", status,
                rf"host .* said: {said} \(in reply to {COMMANDS[stage]}\)", act == "421")
    doing = STAGES[stage]
    if act in ("close", "reset"):
        return "deferred", "4.4.2", rf"lost connection with \S+ while {doing}", True
    if act == "stall":
        return "deferred", "4.4.2", rf"conversation with \S+ timed out while {doing}", True
    return "deferred", "4.5.0", rf"host \S+ sent what is no reply, \".*\", while {doing}", True


@pytest.mark.parametrize("pipelining", [True, False])
def test_each_stage_with_each_answer(agents, pipelining):
    """A message is sent only when the server said so where that is the answer; what is not known
    is tried again."""
    patient = agents()
    impatient = agents(**{f"smtp_{stage}_timeout": "1s" for stage in (
        "helo", "mail", "rcpt", "data_init", "data_xfer", "data_done")})
    failures = []

    def one(stage, act):
        replies = {stage: REPLIES[act]}
        if stage == "HELO":
            replies["EHLO"] = "502 5.5.1 what?"
        # Nothing to expect; or the reset may come before the connection is seen.
        if stage == "banner" and act in ("2xx", "reset"):
            return
        with MailServer(replies, ["PIPELINING"] if pipelining else []) as server:
            outcome, = deliver(
                impatient if act == "stall" else patient, "smtp", server.nexthop)
        result, status, text, failed = expected(stage, act)
        if (outcome.result, outcome.dsn, outcome.destination_failed) != (result, status, failed) \
                or not re.fullmatch(text, outcome.text):
            failures.append((stage, act, outcome, expected(stage, act)))
        if len(server.contents) != (result == "sent" or stage == "dot"):
            failures.append((stage, act, "messages", len(server.contents)))

    threads = [threading.Thread(target=one, args=(stage, act)) for stage in STAGES for act in REPLIES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, "\n".join(map(str, failures))
