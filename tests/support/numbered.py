# SPDX-License-Identifier: Apache-2.0
"""Numbered messages: what was handed in, what the client was told, and where each one is now."""

import collections
import glob
import hashlib
import re
import smtplib

NUMBER = re.compile(rb"^X-Number: (\d+) ([0-9a-f]{64})\r?$", re.M)


def content(number, text):
    """A message whose header says its number and what its body (with CRLF line ends) is."""
    digest = hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()
    return (b"From: sender@example.test\r\nTo: you@example.test\r\nSubject: numbered\r\n"
            b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@example.test>\r\n"
            b"X-Number: %d %s\r\n\r\n" % (number, number, digest.encode()) + text)


def hand_in(client, sender, recipients, message):
    """What the client was told of the message: ok, refused, or unknown when no answer came, or
    421, to the end of the data."""
    steps = [lambda: client.mail(sender)]
    steps += [lambda address=address: client.rcpt(address) for address in recipients]
    steps += [lambda: client.docmd("DATA")]
    for step in steps:
        try:
            code = step()[0]
        except (smtplib.SMTPException, OSError):
            return "refused"  # nothing was handed over yet
        if code >= 400:
            client.rset()
            return "refused"
    try:
        client.send(smtplib._quote_periods(message) + b".\r\n")
        code = client.getreply()[0]
    except (smtplib.SMTPException, OSError):
        return "unknown"
    if code == 250:
        return "ok"
    return "unknown" if code == 421 else "refused"


def account(messages):
    """Counters of the numbers of delivered messages, and of those that came back in notices;
    messages are what is in mailboxes, with LF line ends. A damaged one is an AssertionError."""
    delivered, returned = collections.Counter(), collections.Counter()
    for message in messages:
        head, _, text = message.partition(b"\n\n")
        match = NUMBER.search(head)
        if match:
            assert hashlib.sha256(text).hexdigest() == match.group(2).decode(), \
                f"message {match.group(1)} arrived damaged"
            delivered[int(match.group(1))] += 1
            continue
        for inner in NUMBER.finditer(text):
            returned[int(inner.group(1))] += 1
    return delivered, returned


def family(pid):
    """The process and all that descend from it."""
    found = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path, encoding="ascii") as f:
                children = f.read().split()
        except OSError:
            continue
        for child in children:
            found += family(int(child))
    return found
