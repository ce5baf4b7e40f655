# SPDX-License-Identifier: Apache-2.0
"""An instance whose delivery agents do as a test tells them (fake_agent.c), for tests of qmgr."""

import os
import signal
import subprocess

from postern import LIBEXEC, SANITIZER, poll_until

SERVICES = """
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 fake_agent {agent}
local   unix - n n -  - fake_agent {agent}
error   unix - - n -  - fake_agent {agent}
fake    unix - - n -  - fake_agent {agent}
other   unix - - n -  - fake_agent {agent}
"""
MESSAGE = "Subject: test\r\n\r\nhello\r\n"
LARGE_MESSAGE = MESSAGE + ("x" * 76 + "\r\n") * 2000  # has a file of its own
# Mail for remote domains goes to "fake", which may have many recipients in a delivery.
DEFAULTS = {"default_transport": "fake", "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s", "queue_run_delay": "2s", "transport_retry_time": "1s"}


# What is deferred stays so, unless somebody asks for it.
PATIENT = {"minimal_backoff_time": "300s", "maximal_backoff_time": "400s"}


class Queue:
    """An instance with rules for its agents, and what they say they did."""

    def __init__(self, factory, rules="", services=SERVICES, **main):
        self.postern = factory(main={**DEFAULTS, **main}, crashes=True)
        self.rules_path = self.postern.path("rules")
        self.log_path = self.postern.path("deliveries")
        self.rules(rules)
        with open(self.log_path, "w", encoding="ascii"):
            pass
        os.chmod(self.log_path, 0o666)
        agent = f"{self.rules_path} {self.log_path}"
        self.postern.write_config(master=services.replace("{agent}", agent))

    def start(self):
        self.postern.start()
        return self

    def rules(self, text):
        with open(self.rules_path + ".new", "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(self.rules_path + ".new", 0o644)
        os.rename(self.rules_path + ".new", self.rules_path)

    def tool(self, name, *arguments, input=""):
        done = subprocess.run([os.path.join(LIBEXEC, name), *arguments], input=input,
                              capture_output=True, text=True, timeout=120)
        assert not SANITIZER.search(done.stderr), done.stderr
        return done

    def inject(self, *recipients, sender="sender@example.test", count=1, options=(),
               text=MESSAGE):
        done = self.tool("inject", "-n", str(count), *options, self.postern.queue, sender,
                         *recipients, input=text)
        assert done.returncode == 0, done.stderr
        ids = done.stdout.split()
        return ids[0] if count == 1 else ids

    def command(self, *words):
        return self.tool("queuectl", self.postern.queue, *words).stdout.strip()

    def lines(self, kind=""):
        with open(self.log_path, encoding="ascii") as f:
            return [line.split() for line in f if line.startswith(kind)]

    def wait(self, kind, count=1, deadline=None):
        try:
            return poll_until(lambda: (lambda x: x if len(x) >= count else None)(
                self.lines(kind)), f"{count} x {kind}", deadline)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.lines()}\n{self.postern.log()[-4000:]}") from None

    def wait_empty(self, deadline=None):
        try:
            self.postern.wait_queue_empty(deadline)
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.postern.queue_files()}\n"
                                 f"{self.postern.log()[-4000:]}") from None

    def places(self, queue_id):
        return [os.path.relpath(f, self.postern.queue).split(os.sep)[0]
                for f in self.postern.queue_files() if os.path.basename(f) == queue_id]

    def kill_qmgr(self):
        for pid in self.postern.children("qmgr"):
            os.kill(pid, signal.SIGKILL)
