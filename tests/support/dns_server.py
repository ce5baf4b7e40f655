# SPDX-License-Identifier: Apache-2.0
"""A name server for tests: it says what it is told to, right or wrong.

    with DnsServer({"example.test": ["MX 10 mx.example.test"], "slow.test": ["DELAY 2"]}) as dns:
        Instance(main={"resolver_forwarders": dns.address, ...})

A zone is {name: [record, ...]}. Records are TYPE and data in words; names are full ones. Besides
real types there are
  SERVFAIL, REFUSED, NXDOMAIN   that answer
  DELAY seconds                 the answer comes late
  DROP                          no answer at all
  TRUNCATED                     over UDP only the TC bit; everything over TCP
  WRONG-ID, WRONG-QUESTION      an answer to something else, and no right one
  GARBAGE                       bytes that are no message
  RAW number hex                a record of that type with that data
  ALIASES n                     a chain of n CNAMEs, all in one answer, and an address at its end
Names that are not there do not exist. A name may be bytes with \\ooo escapes. What was asked is in
dns.questions: (name, type) in order.
"""

import ipaddress
import re
import socket
import socketserver
import struct
import threading

from postern import free_port

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "SRV": 33, "DS": 43, "RRSIG": 46, "DNSKEY": 48, "TLSA": 52}
NAMES = {number: name for name, number in TYPES.items()}
CODES = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}
TTL = 300


def wire_name(text):
    """Labels with \\ooo for bytes that cannot be written."""
    wire = b""
    for label in re.split(r"(?<!\\)\.", text.rstrip(".")):
        raw = re.sub(rb"\\(\d{3})", lambda m: bytes([int(m.group(1), 8)]), label.encode())
        raw = raw.replace(b"\\.", b".")
        if raw:
            wire += bytes([len(raw)]) + raw
    return wire + b"\0"


def read_name(packet, at):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    return ".".join(labels).lower(), at + 1


def wire_data(kind, words):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(words[0]).packed
    if kind in ("CNAME", "NS", "PTR"):
        return wire_name(words[0])
    if kind == "MX":
        return struct.pack(">H", int(words[0])) + wire_name(words[1])
    if kind == "SRV":
        return struct.pack(">HHH", *map(int, words[:3])) + wire_name(words[3])
    if kind == "TLSA":
        return bytes(map(int, words[:3])) + bytes.fromhex(words[3])
    if kind == "TXT":
        return b"".join(bytes([len(w)]) + w for w in (s.encode() for s in words))
    raise ValueError(kind)


def wire_record(owner, number, data, ttl=TTL):
    return wire_name(owner) + struct.pack(">HHIH", number, 1, ttl, len(data)) + data


class DnsServer:
    def __init__(self, zone, port=None, host="127.0.0.1"):
        self.zone = {name.lower(): list(records) for name, records in zone.items()}
        self.questions = []
        self.host = host
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = port or free_port()  # nobody's over TCP, and so over UDP
        self.udp.bind((host, self.port))
        self.tcp = self._tcp_server()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._serve_udp, daemon=True),
                        threading.Thread(target=self.tcp.serve_forever, daemon=True)]
        for thread in self.threads:
            thread.start()

    @property
    def address(self):
        return f"{self.host}@{self.port}"

    def asked(self, name, kind):
        return self.questions.count((name.lower(), kind))

    def _tcp_server(self):
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.settimeout(10)
                file = self.request.makefile("rb")
                while length := file.read(2):
                    answers = server.answers(file.read(int.from_bytes(length)), False)
                    for answer in answers:
                        self.request.sendall(struct.pack(">H", len(answer)) + answer)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        return Server((self.host, self.port), Handler)

    def _serve_udp(self):
        while not self.stopped.is_set():
            packet, peer = self.udp.recvfrom(65535)
            if peer == self.udp.getsockname():
                return
            threading.Thread(target=self._answer_udp, args=(packet, peer), daemon=True).start()

    def _answer_udp(self, packet, peer):
        for answer in self.answers(packet, True):
            try:
                self.udp.sendto(answer, peer)
            except OSError:
                return

    def answers(self, packet, is_udp):
        """The packets that go back, most often one."""
        ident = packet[:2]
        name, end = read_name(packet, 12)
        number = int.from_bytes(packet[end:end + 2])
        question = packet[12:end + 4]
        self.questions.append((name, NAMES.get(number, str(number))))
        records = self.zone.get(name)
        if records is None:
            records = next((r for n, r in self.zone.items() if n.startswith("*") and
                            (n == "*" or name.endswith(n[1:]))), None)
        told = {r.split()[0]: r.split()[1:] for r in records or ()}
        if "DELAY" in told and self.stopped.wait(float(told["DELAY"][0])):
            return []
        if "DROP" in told:
            return []
        if "GARBAGE" in told:
            return [ident + b"\xff" * 60]
        code = next((CODES[w] for w in told if w in CODES), 0 if records is not None else 3)
        if "WRONG-ID" in told:
            ident = bytes([ident[0] ^ 1, ident[1]])
        if "WRONG-QUESTION" in told:
            question = wire_name("other." + name) + question[-4:]
        if "TRUNCATED" in told and is_udp:
            return [self._message(ident, 0x8380, question, [])]
        answers = [] if code else list(self._records(name, number, told, records or ()))
        message = self._message(ident, 0x8180 | code, question, answers)
        if is_udp and len(message) > 1232:
            message = self._message(ident, 0x8380, question, [])
        return [message]

    @staticmethod
    def _message(ident, flags, question, records):
        return (ident + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question
                + b"".join(records))

    def _records(self, owner, number, told, records):
        if "ALIASES" in told:
            for i in range(int(told["ALIASES"][0])):
                yield wire_record(owner, 5, wire_name(f"alias{i}.test"))
                owner = f"alias{i}.test"
            yield wire_record(owner, 1, bytes([192, 0, 2, 1]))
            return
        for _ in range(30):  # CNAMEs to names that are here, as a resolver answers
            alias = next((r.split()[1] for r in records if r.split()[0] == "CNAME"), None)
            if alias is None or number == 5:
                break
            yield wire_record(owner, 5, wire_name(alias))
            owner, records = alias, self.zone.get(alias.lower(), ())
        for record in records:
            kind, *words = record.split()
            if kind == "RAW" and int(words[0]) == number:
                yield wire_record(owner, number, bytes.fromhex("".join(words[1:])))
            elif TYPES.get(kind) == number:
                yield wire_record(owner, number, wire_data(kind, words))

    def close(self):
        self.stopped.set()
        self.udp.sendto(b"", self.udp.getsockname())
        self.tcp.shutdown()
        self.tcp.server_close()
        for thread in self.threads:
            thread.join(10)
        self.udp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
