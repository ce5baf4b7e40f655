# SPDX-License-Identifier: Apache-2.0
"""An SMTP server that refuses and breaks off at random, at each stage, and notes every message
that it took over: with 250, or without an answer when it broke off behind the final dot.

    with FlakySink(random.Random(1)) as sink:
        ... relayhost = sink.nexthop ...
        sink.calm()     # from here on it takes everything
"""

import collections
import random
import re
import socket
import socketserver
import threading
import time

from numbered import NUMBER

# stage: (chance of breaking off, of a 4xx, of a 5xx) in a thousand
TROUBLE = {
    "greeting": (20, 10, 5), "EHLO": (10, 10, 0), "MAIL": (10, 20, 10), "RCPT": (10, 40, 40),
    "DATA": (10, 20, 10), "body": (20, 0, 0), "dot": (20, 20, 10), "unanswered": (30, 0, 0),
    "answered": (20, 0, 0),
}
ADDRESS = re.compile(rb"<([^>]*)>")

Taken = collections.namedtuple("Taken", "when answered")


class BrokenOff(Exception):
    pass


class Session(socketserver.StreamRequestHandler):
    timeout = 60

    def answer(self, text):
        self.wfile.write(text + b"\r\n")

    def trouble(self, stage):
        """True when the stage was refused; may end the session."""
        drop, later, never = TROUBLE[stage] if self.server.is_flaky else (0, 0, 0)
        dice = self.server.dice()
        if dice < drop:
            self.server.count[stage, "broken off"] += 1
            raise BrokenOff
        if dice < drop + later + never:
            code = b"450 4.3.0" if dice < drop + later else b"550 5.3.0"
            self.server.count[stage, code[:3].decode()] += 1
            self.answer(code + b" trouble at " + stage.encode())
            return True
        return False

    def handle(self):
        try:
            if self.trouble("greeting"):
                return
            self.answer(b"220 sink.test ESMTP")
            while line := self.rfile.readline(4096):
                self.command(line.strip())
        except (BrokenOff, OSError):
            pass

    def command(self, line):
        verb = line[:4].upper()
        if verb in (b"EHLO", b"HELO"):
            if not self.trouble("EHLO"):
                self.answer(b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME")
        elif verb == b"MAIL":
            self.recipients = []
            if not self.trouble("MAIL"):
                self.answer(b"250 2.1.0 Ok")
        elif verb == b"RCPT":
            if not self.trouble("RCPT"):
                self.recipients.append(ADDRESS.search(line).group(1).decode())
                self.answer(b"250 2.1.5 Ok")
        elif verb == b"DATA":
            self.data()
        elif verb == b"QUIT":
            self.answer(b"221 2.0.0 Bye")
            raise BrokenOff
        else:
            self.recipients = []
            self.answer(b"250 2.0.0 Ok")

    def data(self):
        if not self.recipients:
            self.answer(b"554 5.5.1 no valid recipients")
            return
        if self.trouble("DATA"):
            return
        self.answer(b"354 go on")
        text = self.body()
        if self.trouble("dot"):
            return
        numbers = [int(n) for n, _ in NUMBER.findall(text)]
        try:
            self.trouble("unanswered")
        except BrokenOff:
            self.server.take(numbers, self.recipients, False)
            raise
        self.server.take(numbers, self.recipients, True)
        self.answer(b"250 2.0.0 taken")
        self.trouble("answered")

    def body(self):
        lines = []
        self.trouble("body")
        while (line := self.rfile.readline(65536)) != b".\r\n":
            if not line:
                raise BrokenOff  # the client has gone: nothing was taken
            lines.append(line[1:] if line.startswith(b".") else line)
            if len(lines) == 10:
                self.trouble("body")
        return b"".join(lines)


class FlakySink(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, rng=random):
        super().__init__(("127.0.0.1", 0), Session)
        self.rng = rng
        self.lock = threading.Lock()
        self.taken = collections.defaultdict(list)  # (number, recipient): [Taken]
        self.count = collections.Counter()
        self.is_flaky = True
        self.port = self.server_address[1]
        self.nexthop = f"[127.0.0.1]:{self.port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def dice(self):
        with self.lock:
            return self.rng.randrange(1000)

    def take(self, numbers, recipients, answered):
        with self.lock:
            for number in numbers[:1]:
                for recipient in recipients:
                    self.taken[number, recipient].append(Taken(time.monotonic(), answered))

    def calm(self):
        self.is_flaky = False

    def shutdown_request(self, request):
        """Closes both ways, so that a peer that still sends hears of it."""
        try:
            request.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.close_request(request)

    def handle_error(self, request, client_address):
        raise  # a mistake of ours: shown by the thread

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
