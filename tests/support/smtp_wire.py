# SPDX-License-Identifier: Apache-2.0
"""What the tests of smtpd share: an instance with a fake cleanup, and a client made of bytes."""

import json
import os
import socket

from postern import DEADLINE, LIBEXEC, Instance, poll_until

MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
cleanup unix n - n - 0 fake_cleanup
"""
OURS = "example.test"


def is_sanitized():
    with open(os.path.join(LIBEXEC, "smtpd"), "rb") as f:
        return b"__asan_init" in f.read()


class Smtpd:
    """
    smtpd in front of a cleanup that only writes down what it gets. main, master and dns are as
    for Instance; the local users are u, w and postmaster.
    """

    def __init__(self, main=None, master=MASTER, ports=(), crashes=False, files=None,
                 measures_memory=False, dns=None):
        parameters = {
            "local_recipient_maps": "inline:{u=x, w=x, postmaster=x}",
            "smtpd_error_sleep_time": "0",
        }
        parameters.update(main or {})
        environment = {}
        if measures_memory:  # the sanitizer keeps what was freed, up to 256 MB
            environment["ASAN_OPTIONS"] = ":".join(
                [os.environ.get("ASAN_OPTIONS", "detect_leaks=1"), "quarantine_size_mb=1",
                 "thread_local_quarantine_size_kb=64"])
        self.instance = Instance(main=parameters, master=master, ports=ports, crashes=crashes,
                                 files=files, environment=environment, dns=dns)
        self.directory = self.instance.path("taken")
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o777)
        self.instance.write_config(main={"fake_cleanup_directory": self.directory})

    def __enter__(self):
        self.instance.start()
        return self

    def __exit__(self, *failure):
        return self.instance.__exit__(*failure)

    def wire(self, port="smtp", greeting=True, host="127.0.0.1", source=None):
        return Wire(self.instance.port(port), greeting=greeting, host=host, source=source)

    def log(self):
        return self.instance.log()

    def wait_log(self, pattern, count=1):
        return self.instance.wait_log(pattern, count)

    def settled(self):
        """Waits until every session has said goodbye to the log; returns the log's length."""
        def quiet():
            log = self.log()
            same = log.count("]: connect from ") == log.count("]: disconnect from ")
            return len(log) if same else None
        return poll_until(quiet, "the end of all sessions")

    def taken(self):
        """Envelopes of all messages taken, each with its content as "content"."""
        found = []
        for name in sorted(os.listdir(self.directory)):
            if name.endswith(".json"):
                found.append(self.message(name[:-5]))
        return found

    def message(self, queue_id):
        path = os.path.join(self.directory, queue_id)
        with open(path + ".json", encoding="utf-8") as f:
            envelope = json.load(f)
        with open(path + ".msg", "rb") as f:
            envelope["content"] = f.read()
        return envelope

    def count(self, suffix="json"):
        return sum(name.endswith("." + suffix) for name in os.listdir(self.directory))

    def wait_count(self, count, suffix="json"):
        poll_until(lambda: self.count(suffix) >= count, f"{count} files .{suffix}")


class Reply(tuple):
    """(code, text) of a whole reply; text is what stands behind the codes, one line a line."""

    @property
    def code(self):
        return self[0]

    @property
    def text(self):
        return self[1]

    def __str__(self):
        return f"{self.code} {self.text}"


class Wire:
    """An SMTP client that sends any bytes and reads whole replies; source: its address."""

    def __init__(self, port, greeting=True, host="127.0.0.1", timeout=DEADLINE, source=None):
        self.socket = socket.create_connection((host, port), timeout=timeout,
                                               source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        if greeting:
            self.greeting = self.reply()
            assert self.greeting.code == 220, self.greeting

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        while b"\r\n" not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(self.buffer)
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def reply(self):
        lines = []
        while True:
            line = self.line()
            assert line[:3].isdigit() and line[3:4] in (b" ", b"-"), line
            lines.append(line[4:].decode("utf-8", "replace"))
            if line[3:4] == b" ":
                return Reply((int(line[:3]), "\n".join(lines)))

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def command(self, text):
        if isinstance(text, str):
            text = text.encode()
        self.send(text + b"\r\n")
        return self.reply()

    def commands(self, *texts):
        return [self.command(text) for text in texts]

    def is_closed(self):
        """True when the server has closed: what it still said is dropped."""
        try:
            while True:
                if not self.socket.recv(65536):
                    return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def ehlo(self):
        answer = self.command("EHLO client.test")
        assert answer.code == 250, answer
        return answer

    def envelope(self, sender="s@x.test", *recipients):
        """EHLO, MAIL and RCPT, all of which must be taken."""
        for text in ["EHLO client.test", f"MAIL FROM:<{sender}>"] + [
                f"RCPT TO:<{r}>" for r in recipients or [f"u@{OURS}"]]:
            answer = self.command(text)
            assert answer.code == 250, (text, answer)
        return self

    def data(self, content, end=b"\r\n.\r\n"):
        """DATA with content that is sent as it is; the final reply."""
        answer = self.command("DATA")
        assert answer.code == 354, answer
        self.send(content + end)
        return self.reply()


def queue_id(answer):
    """The id in "2.0.0 Ok: queued as ID"."""
    assert " queued as " in answer.text, answer
    return answer.text.rsplit(" ", 1)[1]
