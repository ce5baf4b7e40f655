# SPDX-License-Identifier: Apache-2.0
"""What the tests of local delivery share: instances, messages and what became of them."""

import collections
import os
import pwd
import re
import smtplib
import subprocess

from postern import can_be_another_user, poll_until

# The instance as whoever runs the tests (as root: users dropped), and without root.
WHO = [None, "nobody"] if can_be_another_user() else [None]

RETRY = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s"}

Outcome = collections.namedtuple("Outcome", "status dsn text")


def local_instance(factory, who=None, aliases=None, start=True, crashes=False, **main):
    """Mailboxes of the form mbox below spool/ of the instance's directory, unless told else."""
    postern = factory(user=who, crashes=crashes)
    spool = postern.path("spool")
    os.mkdir(spool)
    os.chmod(spool, 0o1777)
    settings = {"mail_spool_directory": spool, "local_recipient_maps": "", **RETRY}
    if aliases is not None:
        settings["alias_maps"] = settings["alias_database"] = "hash:" + postern.path("aliases")
        aliases_write(postern, aliases)
    postern.write_config(main={**settings, **main})
    if aliases is not None:
        postern.run("newaliases")
    return postern.start() if start else postern


def aliases_write(postern, text):
    with open(postern.path("aliases"), "w", encoding="utf-8") as f:
        f.write(text)


def send(postern, recipients, text="Subject: test\r\n\r\nhello\r\n",
         sender="sender@example.org"):
    """Sends one message; returns its queue id."""
    if isinstance(recipients, str):
        recipients = [recipients]
    with smtplib.SMTP("127.0.0.1", postern.port(), timeout=60) as client:
        client.ehlo("client.example.org")
        client.mail(sender)
        for recipient in recipients:
            code, reply = client.rcpt(recipient)
            assert code == 250, reply
        code, reply = client.data(text)
        assert code == 250, reply
    return reply.decode().rsplit(" ", 1)[1]


def outcome(postern, queue_id, recipient, count=1, deadline=None):
    """What local said of the recipient for the count-th time."""
    found = postern.wait_log(
        rf"local\[\d+\]: {queue_id}: to=<{re.escape(recipient)}>, .*dsn=([\d.]+), "
        r"status=(\w+) \((.*)\)\n", count, deadline)
    return Outcome(found.group(2), found.group(1), found.group(3))


def deliver(postern, recipient, **arguments):
    """Sends to one recipient and returns the outcome."""
    return outcome(postern, send(postern, recipient, **arguments), recipient)


def forwarded_as(result):
    assert (result.status, result.dsn) == ("sent", "2.0.0"), result
    return re.fullmatch(r"forwarded as (\w+)", result.text).group(1)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def spool(postern, name):
    return os.path.join(postern.path("spool"), name)


def processes(postern, name):
    """Pids of processes of that (comm) name below the instance's master."""
    found, pending = [], postern.children()
    while pending:
        pid = pending.pop()
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                pending += [int(p) for p in f.read().split()]
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                if f.read().strip() == name:
                    found.append(pid)
        except (OSError, ValueError):
            continue
    return found


def wait_process(postern, name):
    return poll_until(lambda: processes(postern, name), f"a {name} process")[0]


class Account:
    """A real user of this system for the time of a test; needs root."""

    def __init__(self, name, home):
        self.name, self.home = name, home
        subprocess.run(["useradd", "--no-create-home", "--no-log-init", "--home-dir", home,
                        "--shell", "/usr/sbin/nologin", name], check=True,
                       capture_output=True)
        os.mkdir(home, 0o700)
        self.uid, self.gid = pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid
        os.chown(home, self.uid, self.gid)

    def remove(self):
        # By force: a worker of this user may still wait for its next message.
        subprocess.run(["userdel", "--force", self.name], check=True, capture_output=True)
