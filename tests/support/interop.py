# SPDX-License-Identifier: Apache-2.0
"""Postern with another mail server beside it: each relays to the other what is for the other."""

import os
import smtplib
import subprocess

import pytest

from mailboxes import mailbox, receiving
from packages import NotToBeHad, postfix_program
from postern import MASTER_CF, Instance, free_port, poll_until
from private_root import template
from shapes import assert_unchanged, message, with_id
from smtp_wire import Wire

CLIENTS = """
smtp    unix - - n - - smtp
relay   unix - - n - - smtp
lmtp    unix - - n - - lmtp
"""
ORIGIN = "games@example.test"  # a sender who reads what comes back


def made(kind, **more):
    """A Pair, or a test that is skipped for want of the package."""
    try:
        return Pair(kind, **more)
    except NotToBeHad as e:
        pytest.skip(str(e))


def smtp_source(*arguments):
    """Starts Postfix's program that sends many messages."""
    try:
        program, environment = postfix_program("smtp-source")
    except NotToBeHad as e:
        pytest.skip(str(e))
    return subprocess.Popen([program, *arguments], env=environment)


class Pair:
    """postern and peer; settings are for main.cf, options for the peer."""

    def __init__(self, kind, settings=None, ports=(), options=None):
        template(*kind.packages)  # before anything is started
        port = free_port()
        master = MASTER_CF if " smtp\n" in MASTER_CF else MASTER_CF + CLIENTS
        self.postern = receiving(Instance, master=master, ports=ports, **{
            "relayhost": f"[127.0.0.1]:{port}", "message_size_limit": "20000000",
            "minimal_backoff_time": "600s", "maximal_backoff_time": "600s",
            "queue_run_delay": "600s", **(settings or {})})
        try:
            self.peer = kind(relay_port=self.postern.port(), port=port, options=options)
        except BaseException:
            self.postern.close(failed=True)
            raise

    def close(self):
        self.peer.close()
        self.postern.close()

    def send(self, content, recipients, sender=ORIGIN, mail_options=("BODY=8BITMIME",),
             rcpt_options=(), port=None):
        """Gives a message to Postern, or to whoever listens at the port."""
        with smtplib.SMTP("127.0.0.1", port or self.postern.port(), timeout=60) as client:
            client.ehlo("client.example")
            refused = client.sendmail(sender, recipients, content, mail_options, rcpt_options)
            assert refused == {}

    def _wait(self, messages, message_id, count):
        def arrived():
            found = messages()
            if message_id:
                found = with_id(found, message_id)
            return found if len(found) >= count else None
        try:
            return poll_until(arrived, "the message")
        except AssertionError as e:
            raise AssertionError(f"{e}; the peer says:\n{self.peer.root.log()[-4000:]}\n"
                                 f"Postern says:\n{self.postern.log()[-4000:]}") from None

    def at_peer(self, message_id=None, count=1, **more):
        """Waits for messages in the peer's mailbox, all or those with that Message-ID."""
        return self._wait(lambda: self.peer.messages(**more), message_id, count)

    def at_postern(self, message_id=None, reader="games", count=1):
        return self._wait(lambda: Instance.maildir(mailbox(self.postern, reader)), message_id,
                          count)

    def notice(self, about):
        """Waits for a notice in the mailbox of ORIGIN that has these bytes in it."""
        def found():
            return [m for m in self.at_postern()
                    if about in m and b"Content-Type: multipart/report" in m]
        return poll_until(found, f"a notice with {about}")[0]

    def mailq(self):
        return self.postern.run("mailq").stdout

    def deferred(self):
        return [os.path.basename(f) for f in self.postern.queue_files() if "/deferred/" in f]


def check_no_newline_at_the_end(pair):
    """Only BDAT can say that the last line has no end: it gets one."""
    message_id, content = message(b"first\r\n.\r\nlast")
    with Wire(pair.postern.port()) as wire:
        wire.ehlo()
        wire.commands(f"MAIL FROM:<{ORIGIN}>", f"RCPT TO:<{pair.peer.address()}>")
        wire.send(b"BDAT %d LAST\r\n" % len(content) + content)
        assert wire.reply().code == 250
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content + b"\r\n")
