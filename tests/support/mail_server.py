# SPDX-License-Identifier: Apache-2.0
"""A scripted SMTP or LMTP server for tests of clients: it answers well unless told otherwise.

    with MailServer(replies={"RCPT": "550 5.1.1 who?"}) as server:
        ... something delivers to server.nexthop ...
        server.messages[0].data

replies maps a stage to what happens there: banner, EHLO, HELO, LHLO, XFORWARD, MAIL, RCPT, DATA,
BDAT, dot (the end of data, by either way), RSET, NOOP, QUIT. What happens is a reply (str or bytes, line ends
are added), one of the acts below, a list of these (the first for the first time and so on, the
last for ever after), or a function of (session, argument) that returns one; None is the answer
of a good server.
"""

import os
import random
import re
import socket
import tempfile
import threading

from postern import DEADLINE, poll_until

EXTENSIONS = ("PIPELINING", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES")


def lonely_address():
    """An address of this host that no other test uses, for ports that are not to be chosen."""
    return "127." + ".".join(str(random.randrange(2, 250)) for _ in range(3))


class Act:
    """What may happen instead of a reply."""


class Close(Act):
    """The connection ends, after the text (sent as it is), if any; abruptly when reset."""

    def __init__(self, text=b"", reset=False):
        self.text, self.reset = text, reset


class Stall(Act):
    """The text, if any, and then nothing until the client goes away."""

    def __init__(self, text=b""):
        self.text = text


class Raw(Act):
    """Bytes as they are; the conversation goes on."""

    def __init__(self, text):
        self.text = text


class Flood(Act):
    """The same text again and again until the client goes away."""

    def __init__(self, text):
        self.text = text


class Drip(Act):
    """A reply in single bytes, each in a packet of its own."""

    def __init__(self, text):
        self.text = text if isinstance(text, bytes) else text.encode()


CLOSE, RESET, STALL = Close(), Close(reset=True), Stall()


class Message:
    def __init__(self, sender):
        self.sender = sender      # the argument of MAIL
        self.recipients = []      # arguments of RCPT that were accepted
        self.data = None          # bytes, dots undone
        self.wire = b""           # bytes as they came
        self.chunked = False


class Gone(Exception):
    pass


class Session:
    def __init__(self, server, connection):
        self.server = server
        self.connection = connection
        self.commands = []
        self.message = None
        self.buffer = b""
        self.said_quit = False
        self.flooded = 0

    # Bytes

    def read(self):
        more = self.connection.recv(65536)
        if not more:
            raise Gone
        self.server.reads += 1
        self.buffer += more

    def line(self):
        while b"\n" not in self.buffer:
            self.read()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def exactly(self, count):
        while len(self.buffer) < count:
            self.read()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def until_gone(self):
        while self.connection.recv(65536):
            pass
        raise Gone

    # Replies

    def send(self, what):
        if not isinstance(what, Act):
            what = what.encode() if isinstance(what, str) else what
            self.connection.sendall(what + b"\r\n")
        elif isinstance(what, Drip):
            for byte in what.text + b"\r\n":
                self.connection.sendall(bytes([byte]))
        elif isinstance(what, Raw):
            self.connection.sendall(what.text)
        elif isinstance(what, Flood):
            while True:
                self.connection.sendall(what.text)
                self.flooded += len(what.text)
        elif isinstance(what, Stall):
            self.connection.sendall(what.text)
            self.until_gone()
        elif isinstance(what, Close):
            self.connection.sendall(what.text)
            if what.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           b"\1\0\0\0\0\0\0\0")
            raise Gone

    def choose(self, stage, good, argument=""):
        """What the script says for the stage, and whether that is a yes."""
        what = self.server.scripted(stage, self, argument)
        if what is None:
            what = good
        text = getattr(what, "text", what)
        text = text if isinstance(text, str) else text.decode("latin-1")
        return what, text[:1] in "23"

    def answer(self, stage, good, argument=""):
        what, is_yes = self.choose(stage, good, argument)
        self.send(what)
        return is_yes

    # The conversation

    def run(self):
        if not self.answer("banner", "220 fake.test ESMTP"):
            self.until_gone()
        while not self.said_quit:
            line = self.line().decode("utf-8", "surrogateescape")
            self.commands.append(line)
            verb, _, argument = line.partition(" ")
            getattr(self, "do_" + verb.lower(), self.do_unknown)(argument)

    def do_unknown(self, argument):
        self.send("500 5.5.1 what?")

    def hello(self, stage):
        lines = ["fake.test", *self.server.extensions]
        self.answer(stage, "\r\n".join(
            f"250{'-' if i + 1 < len(lines) else ' '}{t}" for i, t in enumerate(lines)))
        self.message = None

    def do_ehlo(self, argument):
        self.hello("EHLO")

    def do_lhlo(self, argument):
        self.hello("LHLO")

    def do_helo(self, argument):
        self.answer("HELO", "250 fake.test")

    def do_xforward(self, argument):
        self.answer("XFORWARD", "250 2.0.0 Ok", argument)

    def do_noop(self, argument):
        self.answer("NOOP", "250 2.0.0 Ok")

    def do_mail(self, argument):
        if self.answer("MAIL", "250 2.1.0 Ok", argument):
            self.message = Message(argument)

    def do_rcpt(self, argument):
        if self.message is None:
            self.send("503 5.5.1 need MAIL")
        elif self.answer("RCPT", "250 2.1.5 Ok", argument):
            self.message.recipients.append(argument)

    def do_data(self, argument):
        if self.message is None or not self.message.recipients:
            if not self.answer("DATA", "554 5.5.1 no valid recipients"):
                return
        elif not self.answer("DATA", "354 go on"):
            return
        wire = self.until_dot()
        self.finish(wire, re.sub(rb"(^|\r\n)\.", rb"\1", wire[:-3]), False)

    def until_dot(self):
        """Bytes up to the end of data, which CRLF . CRLF is and nothing else."""
        wire = bytearray(b"\r\n" + self.buffer)
        end, start = -1, 0
        while (end := wire.find(b"\r\n.\r\n", start)) < 0:
            start = max(0, len(wire) - 4)
            self.buffer = b""
            self.read()
            wire += self.buffer
        self.buffer = bytes(wire[end + 5:])
        return bytes(wire[2:end + 5])

    def do_bdat(self, argument):
        size, _, last = argument.partition(" ")
        chunk = self.exactly(int(size))
        if self.message is None or not self.message.recipients:
            self.send("503 5.5.1 no valid recipients")
            return
        self.message.wire += chunk
        if last.upper() == "LAST":
            self.finish(self.message.wire, self.message.wire, True)
        else:
            self.answer("BDAT", "250 2.0.0 Ok")

    def finish(self, wire, data, chunked):
        message, self.message = self.message, None
        if message is None:
            message = Message("")
        message.wire, message.data, message.chunked = wire, data, chunked
        rounds = len(message.recipients) if self.server.is_lmtp else 1
        self.server.contents.append(message)
        good = True
        for i in range(rounds):
            recipient = message.recipients[i] if self.server.is_lmtp else message
            number = self.server.count()
            what, is_yes = self.choose("dot", f"250 2.0.0 Ok: queued as F{number}", recipient)
            good = good and is_yes
            if good and i + 1 == rounds:
                self.server.messages.append(message)  # before the client knows
            self.send(what)

    def do_rset(self, argument):
        if self.answer("RSET", "250 2.0.0 Ok"):
            self.message = None

    def do_quit(self, argument):
        self.said_quit = True
        self.answer("QUIT", "221 2.0.0 bye")


class MailServer:
    """
    contents   every message that was sent whole
    messages   those of them that were accepted
    sessions   each connection, with its commands
    """

    def __init__(self, replies=None, extensions=EXTENSIONS, lmtp=False, unix=False,
                 address="127.0.0.1", port=0, receive_buffer=None):
        self.replies = dict(replies or {})
        self.extensions = list(extensions)
        self.is_lmtp = lmtp
        self.messages, self.contents, self.sessions = [], [], []
        self.times, self.counter, self.reads = {}, 0, 0
        self.failures, self.peers = [], []
        self.lock = threading.Lock()
        self.directory = None
        if unix:
            self.directory = tempfile.mkdtemp(prefix="lmtp-")
            os.chmod(self.directory, 0o755)
            self.path = os.path.join(self.directory, "socket")
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            os.chmod(self.path, 0o666)
            self.nexthop = "unix:" + self.path
        else:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self.listener = socket.socket(family)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if receive_buffer:
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.listener.bind((address, port))
            self.port = self.listener.getsockname()[1]
            self.nexthop = f"[{address}]:{self.port}"
        self.listener.listen(500)

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, kind, value, traceback):
        self.listener.close()
        for session in self.sessions:
            try:
                session.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if self.directory:
            os.unlink(self.path)
            os.rmdir(self.directory)
        if kind is None and self.failures:
            raise self.failures[0]

    def accept(self):
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            self.peers.append(peer[0] if peer else "")
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, connection)
            self.sessions.append(session)
            threading.Thread(target=self.serve, args=(session,), daemon=True).start()

    def serve(self, session):
        try:
            session.run()
        except (Gone, OSError):
            pass
        except Exception as e:  # noqa: BLE001: the test shall see it
            self.failures.append(e)
            raise
        finally:
            session.connection.close()

    def count(self):
        with self.lock:
            self.counter += 1
            return self.counter

    def scripted(self, stage, session, argument):
        what = self.replies.get(stage)
        if isinstance(what, list):
            with self.lock:
                time = self.times.get(stage, 0)
                self.times[stage] = time + 1
            what = what[min(time, len(what) - 1)]
        return what(session, argument) if callable(what) else what

    def wait_messages(self, count=1, deadline=DEADLINE):
        poll_until(lambda: len(self.messages) >= count, f"{count} messages", deadline)
        return self.messages

    def commands(self):
        return [command for session in self.sessions for command in session.commands]
