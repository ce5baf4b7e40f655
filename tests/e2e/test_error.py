# SPDX-License-Identifier: Apache-2.0
"""error, retry and discard: what a next hop says is what happens to the recipient."""

import contextlib
import os
import re
import smtplib

import pytest

from ipc_wire import Ipc
from postern import poll_until

AGENTS = """
error   unix - - n - - error
retry   unix - - n - - error
discard unix - - n - - discard
moved   unix - - n - - error
"""
SENT, DEFERRED, BOUNCED = b"1", b"2", b"3"


class Agents:
    def __init__(self, factory, **main):
        self.postern = factory(main=main, master=AGENTS)
        self.postern.start()

    def request(self, ipc, nexthop, recipients, transport="error"):
        with open(os.devnull, "rb") as nothing:
            ipc.send("deliver/1.request", fd=nothing.fileno(), fd_field="message",
                     queue_id="4jWRmP0BbLz1KqXxV8BfRy9", body_offset=0, body_length=0,
                     header_offset=0, header_length=0, body_crc=0, sender="a@x.test",
                     transport=transport, nexthop=nexthop, arrival=1, queued=1)
        for index, address in recipients:
            ipc.send("deliver/1.recipient", index=index, address=address, original=address)
        ipc.send("deliver/1.go")

    def outcomes(self, ipc):
        """What comes until done: {index: fields}."""
        found = {}
        while True:
            name, fields = ipc.receive()
            if name == "deliver/1.done":
                return found
            assert name == "deliver/1.outcome"
            assert fields["index"] not in found
            found[fields["index"]] = fields

    def one(self, service, nexthop):
        with Ipc(self.postern, "private/" + service) as ipc:
            self.request(ipc, nexthop, [(0, "u@remote.test")], service)
            return self.outcomes(ipc)[b"0"]


@pytest.fixture
def agents(postern_instance):
    return lambda **main: Agents(postern_instance, **main)


def test_outcomes(agents):
    a = agents()
    for service, nexthop, result, dsn, status, text in [
        ("error", "5.1.6 user has moved", BOUNCED, "5.1.6", "bounced", "user has moved"),
        ("error", "no such host", BOUNCED, "5.0.0", "bounced", "no such host"),
        ("error", "4.3.5 later", DEFERRED, "4.3.5", "deferred", "later"),
        ("moved", "elsewhere", BOUNCED, "5.0.0", "bounced", "elsewhere"),
        ("retry", "4.4.3 name server trouble", DEFERRED, "4.4.3", "deferred",
         "name server trouble"),
        ("retry", "5.4.4 no route", DEFERRED, "4.4.4", "deferred", "no route"),
        ("discard", "on request", SENT, "2.0.0", "sent", "on request"),
        ("discard", "", SENT, "2.0.0", "sent", "discarded"),
    ]:
        outcome = a.one(service, nexthop)
        assert outcome["result"] == result, (service, nexthop)
        assert outcome["dsn"] == dsn.encode()
        assert outcome["reason"] == text.encode()
        program = "discard" if service == "discard" else "error"
        a.postern.wait_log(
            r"/%s\[\d+\]: 4jWRmP0BbLz1KqXxV8BfRy9: to=<u@remote\.test>, relay=none, "
            r"delay=[\d.]+, delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=%s, status=%s \(%s\)\n"
            % (program, re.escape(dsn), status, text))


def test_many_recipients_and_requests_on_one_connection(agents):
    a = agents()
    with Ipc(a.postern, "private/error") as ipc:
        for count in (3000, 1):
            a.request(ipc, "no", [(i, f"u{i}@remote.test") for i in range(count)])
            found = a.outcomes(ipc)
            assert sorted(map(int, found)) == list(range(count))
            assert {f["result"] for f in found.values()} == {BOUNCED}


def test_soft_bounce_defers(agents):
    a = agents(soft_bounce="yes")
    outcome = a.one("error", "5.1.6 user has moved")
    assert (outcome["result"], outcome["dsn"]) == (DEFERRED, b"4.1.6")
    a.postern.wait_log(r"dsn=4\.1\.6, status=SOFTBOUNCE \(user has moved\)")
    assert a.one("discard", "")["result"] == SENT


def test_rules_of_the_conversation(agents):
    """Each breach costs the connection, and the next client is served."""
    a = agents()

    def go_first(ipc):
        ipc.send("deliver/1.go")

    def no_descriptor(ipc):
        ipc.send("deliver/1.request", queue_id="x", transport="error", arrival=1, body_offset=0,
                 body_length=0, header_offset=0, header_length=0, body_crc=0)

    def unknown_message(ipc):
        a.request(ipc, "no", [])
        a.outcomes(ipc)
        ipc.send("deliver/1.what")

    def bad_index(ipc):
        a.request(ipc, "no", [("x", "u@remote.test")])

    for breach in (go_first, no_descriptor, unknown_message, bad_index):
        with Ipc(a.postern, "private/error") as ipc:
            with contextlib.suppress(BrokenPipeError):  # it may not wait for the rest
                breach(ipc)
            assert ipc.is_closed(), breach.__name__
    assert a.one("error", "no")["result"] == BOUNCED


def test_hostile_text_stays_on_its_line(agents):
    a = agents()
    outcome = a.one("error", "5.1.1 a\nb\x1b[2J")
    assert outcome["result"] == BOUNCED
    a.postern.wait_log(r"status=bounced \(a\\012b\\033\[2J\)")


SUITE = AGENTS + """
127.0.0.1:{smtp} inet n - n - - smtpd
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 bounce
local   unix - n n -  - local
"""


def test_by_transport_maps(postern_instance):
    """The administrator's words in a transport table, from SMTP to the end of the message."""
    postern = postern_instance(master=SUITE, main={
        "transport_maps": "inline:{discard.test=discard:, {left.test=error:5.1.6 has left}, "
                          "{later.test=retry:4.3.2 not now}}",
        "relay_domains": "discard.test, left.test, later.test", "local_recipient_maps": "",
        "smtpd_reject_unlisted_recipient": "no"})
    postern.start()
    with smtplib.SMTP("127.0.0.1", postern.port()) as client:
        client.sendmail("", ["a@discard.test", "b@left.test", "c@later.test"],
                        "Subject: x\r\n\r\nx\r\n")
    postern.wait_log(r"/discard\[\d+\]: \w+: to=<a@discard\.test>, relay=none, .*dsn=2\.0\.0, "
                     r"status=sent \(discard\.test\)")
    postern.wait_log(r"/error\[\d+\]: \w+: to=<b@left\.test>, relay=none, .*dsn=5\.1\.6, "
                     r"status=bounced \(has left\)")
    postern.wait_log(r"/error\[\d+\]: \w+: to=<c@later\.test>, relay=none, .*dsn=4\.3\.2, "
                     r"status=deferred \(not now\)")
    poll_until(lambda: any("/deferred/" in f for f in postern.queue_files()),
               "the message in deferred")
