# SPDX-License-Identifier: Apache-2.0
"""Instances that deliver into Maildirs of their own, and what a message looks like there."""

import os

# Accounts of every Debian system that are not root. Without root all mail is written by the one
# user who runs the suite, whatever the name of the mailbox.
READERS = ["games", "man", "lp", "news", "uucp"]


def receiving(factory, master=None, files=None, ports=(), crashes=False, start=True, **main):
    """A started instance whose mailboxes are Maildirs below mail/ of its directory."""
    postern = factory(master=master, files=files, ports=ports, crashes=crashes)
    spool = postern.path("mail")
    os.makedirs(spool, exist_ok=True)
    os.chmod(spool, 0o1777)
    postern.write_config(main={"mail_spool_directory": spool + "/", **main})
    return postern.start() if start else postern


def mailbox(postern, reader):
    return os.path.join(postern.path("mail"), reader)


def body(message):
    """What follows the header of a delivered message, as bytes."""
    return message.split(b"\n\n", 1)[1]


def header(message):
    return message.split(b"\n\n", 1)[0] + b"\n"


def delivered_form(text):
    """Content with CRLF line ends as a Maildir shows it."""
    return text.replace(b"\r\n", b"\n")
