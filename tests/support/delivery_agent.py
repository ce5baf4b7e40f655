# SPDX-License-Identifier: Apache-2.0
"""A delivery agent asked as qmgr asks it: a request over deliver/1, and the outcomes."""

import functools
import itertools
import tempfile

from ipc_wire import Ipc

SENT, DEFERRED, BOUNCED = b"1", b"2", b"3"
RESULTS = {SENT: "sent", DEFERRED: "deferred", BOUNCED: "bounced"}
FLAG_8BIT, FLAG_DOT_LINES, FLAG_LONG_LINES, FLAG_SMTPUTF8, FLAG_NO_CRLF, FLAG_8BIT_HEADER = (
    1, 2, 4, 8, 16, 32)
MESSAGE = b"Subject: hello\r\nFrom: <a@x.test>\r\n\r\nfirst line\r\n.second line\r\n"

_table = []
for _i in range(256):
    for _ in range(8):
        _i = (_i >> 1) ^ (0x82F63B78 if _i & 1 else 0)
    _table.append(_i)
_ids = itertools.count(1)


@functools.lru_cache(maxsize=8)
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


class Outcome:
    def __init__(self, fields):
        self.result = RESULTS[fields["result"]]
        self.dsn = fields["dsn"].decode()
        self.text = fields["reason"].decode()
        self.relay = fields.get("relay", b"").decode()
        self.remote_host = fields.get("remote_host", b"").decode()
        self.destination_failed = fields.get("destination_failed") == b"1"
        self.dsn_passed_on = fields.get("dsn_passed_on") == b"1"
        self.relayed = fields.get("relayed") == b"1"

    def __repr__(self):
        return f"{self.result} {self.dsn} {self.text} ({self.relay})"


class Agent(Ipc):
    """A connection to private/SERVICE of an instance."""

    def __init__(self, instance, service):
        super().__init__(instance, "private/" + service)
        self.service = service

    def ask(self, nexthop, recipients=("u@remote.test",), message=MESSAGE, sender="a@x.test",
            crc=None, notify=None, orcpt=None, original=True, **fields):
        header, _, body = message.partition(b"\r\n\r\n")
        header += b"\r\n"
        request = {
            "queue_id": f"4jWRmP0BbLz1Kq{next(_ids):08d}", "body_offset": 0,
            "body_length": len(body), "header_offset": len(body), "header_length": len(header),
            "body_crc": crc32c(body) if crc is None else crc, "sender": sender,
            "transport": self.service, "nexthop": nexthop, "arrival": 1, "queued": 1,
            "size": len(message)}
        request.update(fields)
        with tempfile.TemporaryFile() as file:
            file.write(body + header)
            file.flush()
            self.send("deliver/1.request", fd=file.fileno(), fd_field="message", **request)
        for index, address in enumerate(recipients):
            self.send("deliver/1.recipient", index=index, address=address,
                      original=address if original else None, notify=notify, dsn_orcpt=orcpt)
        self.send("deliver/1.go")

    def outcomes(self):
        """What comes until done, by recipient."""
        found = {}
        while True:
            name, fields = self.receive()
            if name == "deliver/1.done":
                return [found[index] for index in sorted(found)]
            assert name == "deliver/1.outcome"
            index = int(fields["index"])
            assert index not in found
            found[index] = Outcome(fields)

    def deliver(self, *arguments, **fields):
        self.ask(*arguments, **fields)
        return self.outcomes()


def deliver(instance, service, *arguments, **fields):
    with Agent(instance, service) as agent:
        return agent.deliver(*arguments, **fields)
