# SPDX-License-Identifier: Apache-2.0
"""Messages that a mail server could spoil on their way, for tests that send them through others."""

import itertools
import random
import re

from mailboxes import delivered_form

_numbers = itertools.count(1)
_random = random.Random(3)

# Each body as it goes on the wire.
BODIES = {
    "no body": b"",
    "one character": b"x\r\n",
    "dots": b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n",
    "from lines": b"From here\r\n>From there\r\nFrom:\r\n",
    "blanks": b" \r\n\t\r\n\r\nline with blanks behind  \t \r\n\r\n\r\n",
    "line of 998": b"a" * 998 + b"\r\n" + b"." + b"b" * 997 + b"\r\n",
    "boundary": b"QUIT\r\nRSET\r\n--frontier\r\n=20=0D=0A.\r\n-- \r\n",
    "8-bit": "Grüße aus Köln, 日本語, ελληνικά\r\n".encode() * 3,
    "one megabyte": b"".join(
        bytes(_random.choices(b"abcdefghij klmnop.=", k=74)) + b"\r\n" for _ in range(13800)),
}
TEXT = [name for name in BODIES if name != "8-bit"]


def message(body, to="reader@example.test", mime=True, more=b""):
    """(Message-ID, content): complete, so that nobody needs to add a header to it."""
    number = next(_numbers)
    message_id = b"<%d.%06d@interop.example>" % (number, _random.randrange(10 ** 6))
    header = (b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: " + message_id
              + b"\r\nFrom: sender@origin.test\r\nTo: " + to.encode()
              + b"\r\nSubject: number %d\r\n" % number + more)
    if mime:
        header += (b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                   b"Content-Transfer-Encoding: 8bit\r\n")
    return message_id, header + b"\r\n" + body


def with_id(messages, message_id):
    """Those of the messages (as a Maildir has them) that carry the Message-ID."""
    wanted = re.compile(rb"^Message-ID: " + re.escape(message_id) + rb"$", re.M | re.I)
    return [m for m in messages if wanted.search(m.split(b"\n\n", 1)[0])]


def assert_unchanged(found, content):
    """What arrived ends with the content: other servers only put their trace on top."""
    expected = delivered_form(content)
    if not found.endswith(expected):
        trace = found[:max(0, len(found) - len(expected))]
        raise AssertionError(f"changed on its way:\n{found[len(trace):][:2000]!r}\nis not\n"
                             f"{expected[:2000]!r}\nwith {trace[-300:]!r} on top")
