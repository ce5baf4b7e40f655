# SPDX-License-Identifier: Apache-2.0
"""What is done with the queue while calls fail: a row for each operation. A row says how a
message gets ready for it (without faults), what is then done (with them), and where the message
may be at the end, by what the one who asked for it was told."""

import collections
import os
import re
import signal
import smtplib
import subprocess

from faults import Faults
from mailboxes import READERS, mailbox
from numbered import NUMBER, account, content, family, hand_in
from postern import MASTER_CF, SBIN, Instance, poll_until

SENDER, READER = READERS[0], READERS[1]
LARGE = b"".join(b"%06d of a body that has a file of its own\r\n" % i for i in range(3000))
SMALL = b"hello\r\n"
# Retries come soon, so that what was interrupted ends within the test.
MAIN = {
    "minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s",
    "transport_retry_time": "1s", "service_throttle_time": "2s",
    "transport_maps": "inline:{{left.test=refuse:5.1.6 has left}, "
                      "{later.test=refuse:4.3.2 not now}}",
    "relay_domains": "left.test, later.test",
    "smtpd_recipient_restrictions": "check_recipient_access inline:{held@example.test=HOLD}",
    "local_recipient_maps": "", "notify_classes": "",
    "smtpd_client_connection_count_limit": "0",
    "smtpd_client_event_limit_exceptions": "127.0.0.1",
}
# error by another name, so that smtpd does not refuse the recipients itself; and what pickup could
# not hand over is not a minute late.
MASTER = MASTER_CF.replace("n 60 1 pickup", "n 1 1 pickup") + "refuse  unix - - n -  - error\n"
ADDRESSES = {"reader": f"{READER}@example.test", "left": "x@left.test", "later": "x@later.test",
             "held": "held@example.test"}


class Bench:
    """An instance with faults, and what is known of its numbered messages."""

    def __init__(self, factory=Instance):
        self.postern = factory(master=MASTER, crashes=True)
        self.postern.write_config(main={"mail_spool_directory": self.postern.mail + "/", **MAIN})
        self.faults = Faults(self.postern)
        self.number = 0
        self.postern.start()

    # What clients do

    def smtp(self, number, to, text=SMALL):
        try:
            with smtplib.SMTP("127.0.0.1", self.postern.port(), timeout=30) as client:
                client.ehlo("client.example.test")
                told = hand_in(client, f"{SENDER}@example.test", [ADDRESSES[t] for t in to],
                               content(number, text))
                return told
        except OSError:  # at the greeting: all later ones are hand_in's
            return "refused"

    def sendmail(self, number, to, text=SMALL):
        """From the same sender; with faults in sendmail itself."""
        self.faults.in_tools()
        try:
            done = subprocess.run(
                [os.path.join(SBIN, "sendmail"), "-f", f"{SENDER}@example.test", "--",
                 *[ADDRESSES[t] for t in to]], env=self.postern.env(), capture_output=True,
                input=content(number, text).replace(b"\r\n", b"\n"), timeout=60)
        finally:
            self.faults.in_tools(False)
        if done.returncode < 0 or done.returncode == 137:
            return "unknown"
        return "refused" if done.returncode else "ok"

    def tool(self, number, letter, done_line):
        """postsuper with one option for the message: ok when it says that it was done."""
        self.faults.in_tools()
        try:
            done = self.postern.run("postsuper", "-" + letter, self.queue_id(number),
                                    check=False, timeout=90)
        finally:
            self.faults.in_tools(False)
        return "ok" if done.returncode == 0 and done_line in done.stderr else "unknown"

    # Where messages are

    def files(self):
        """{number or None: [(place, name)]} of all message files and slots."""
        found = collections.defaultdict(list)
        for path in self.postern.queue_files():
            place = os.path.relpath(path, self.postern.queue).split(os.sep)[0]
            try:
                content_now = self.postern.queue_bytes(path)
            except (OSError, KeyError):  # it went on meanwhile
                continue
            if not content_now.startswith((b"PosternQ", b"PosternM")):
                continue  # its writer never finished: not a message
            match = NUMBER.search(content_now)
            found[int(match.group(1)) if match else None].append((place, os.path.basename(path)))
        return found

    def queue_id(self, number):
        return poll_until(lambda: self.files().get(number), f"message {number}")[0][1]

    def mail(self):
        return account([m for reader in READERS
                        for m in self.postern.maildir(mailbox(self.postern, reader))])

    def states(self):
        """{number: where it is, as a frozenset}, and the numbers that came twice."""
        files = self.files()
        delivered, returned = self.mail()
        found = collections.defaultdict(set)
        for number, places in files.items():
            found[number] |= {place for place, _ in places}
        for number in delivered:
            found[number].add("delivered")
        for number in returned:
            found[number].add("returned")
        twice = {n for c in (delivered, returned) for n, count in c.items() if count > 1}
        return {n: frozenset(s) for n, s in found.items()}, twice

    def state(self, number):
        return self.states()[0].get(number, frozenset())

    def wait_state(self, number, allowed, deadline=20):
        last = [None]

        def reached():
            last[0] = self.state(number)
            return last[0] in allowed
        try:
            poll_until(reached, "a state", deadline)
        except AssertionError:
            raise AssertionError(f"message {number} is {set(last[0]) or 'nowhere'} and should be "
                                 f"{' or '.join(str(set(a) or 'nowhere') for a in allowed)}\n"
                                 + self.story(number)) from None

    def story(self, number):
        """The end of the log, and what it says of the message."""
        log = self.postern.log().splitlines()
        names = [name for _, name in self.files().get(number, ())]
        names += re.findall(r": (\w+): message-id=<%d@" % number, "\n".join(log))
        about = [line for line in log if any(name in line for name in names)]
        return "\n".join(about[-20:] + ["..."] + log[-20:])

    def strays(self):
        """Files of the queue that are neither messages nor of those that stay."""
        found = []
        for top, _, names in os.walk(self.postern.queue):
            place = os.path.relpath(top, self.postern.queue)
            for name in names:
                stays = place in ("pid", "private", "public", "index") or \
                    (place == "slots" and name.isdigit())
                if not stays:
                    found.append(os.path.join(place, name))
        return found

    def clear_mail(self):
        for reader in READERS:
            for part in ("new", "cur", "tmp"):
                directory = os.path.join(mailbox(self.postern, reader), part)
                for name in os.listdir(directory) if os.path.isdir(directory) else ():
                    os.unlink(os.path.join(directory, name))

    # Ends and beginnings

    def crash(self):
        """All processes end at once, as they stand."""
        try:
            pids = family(self.postern.master_pid())
        except (OSError, IndexError, ValueError):
            pids = []
        self.postern.note_processes()
        for pid in pids:
            self.postern._note(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        poll_until(lambda: not self.postern.left_over(), "processes to be gone")

    def start(self):
        if not self.postern.is_running():
            poll_until(lambda: self.postern.run("postern", "start", check=False).returncode == 0
                       or self.postern.is_running(), "a start", interval=0.1)
        self.postern.note_processes()

    def next(self):
        self.number += 1
        return self.number


Operation = collections.namedtuple("Operation", "name prepare act ends")


def ends(ok, otherwise=()):
    """The sets of places where a message may be: told ok, and told no (or nothing, as well)."""
    ok, otherwise = [[frozenset(s.split()) for s in x] for x in (ok, otherwise)]
    return {"ok": ok, "refused": otherwise, "unknown": ok + otherwise}


def nothing(bench, number):
    pass


def in_place(place, to=("later",), text=SMALL):
    def prepare(bench, number):
        assert bench.smtp(number, to, text) == "ok"
        bench.wait_state(number, [frozenset([place])])
    return prepare


def deferred_then(letter, line):
    def prepare(bench, number):
        in_place("deferred")(bench, number)
        assert bench.tool(number, letter, line) == "ok"
    return prepare


def down(prepare):
    """As prepare, and then the system goes down."""
    def both(bench, number):
        prepare(bench, number)
        bench.crash()
    return both


def in_slot(bench, number):
    """Accepted, and then everything ended before qmgr had it."""
    pid = bench.postern.wait_child("qmgr")
    os.kill(pid, signal.SIGSTOP)
    assert bench.smtp(number, ["reader"]) == "ok"
    bench.crash()


def by_smtp(*to, text=SMALL):
    return lambda bench, number: bench.smtp(number, to, text)


def by_sendmail(*to, text=SMALL):
    return lambda bench, number: bench.sendmail(number, to, text)


def by_tool(letter, line):
    return lambda bench, number: bench.tool(number, letter, line)


def start(bench, number):
    bench.start()
    return "ok"


def then_start(act):
    def both(bench, number):
        told = act(bench, number)
        bench.start()
        return told
    return both


REMOVED, HELD = "Deleted: 1 message", "Placed on hold: 1 message"
RELEASED, REQUEUED = "Released from hold: 1 message", "Requeued: 1 message"
EXPIRED = "Force-expired: 1 message"
NOWHERE = [""]

OPERATIONS = [
    Operation("accept", nothing, by_smtp("reader"), ends(["delivered"], NOWHERE)),
    Operation("accept large", nothing, by_smtp("reader", text=LARGE),
              ends(["delivered"], NOWHERE)),
    Operation("accept and hold", nothing, by_smtp("held"), ends(["hold"], NOWHERE)),
    Operation("accept large and hold", nothing, by_smtp("held", text=LARGE),
              ends(["hold"], NOWHERE)),
    Operation("submit", nothing, by_sendmail("reader"), ends(["delivered"], NOWHERE)),
    Operation("maildrop", down(nothing), then_start(by_sendmail("reader")),
              ends(["delivered"], NOWHERE)),
    Operation("defer", nothing, by_smtp("later"), ends(["deferred"], NOWHERE)),
    Operation("defer large", nothing, by_smtp("later", text=LARGE), ends(["deferred"], NOWHERE)),
    Operation("journal", nothing, by_smtp("reader", "later"),
              ends(["delivered deferred"], NOWHERE)),
    Operation("journal large", nothing, by_smtp("reader", "later", text=LARGE),
              ends(["delivered deferred"], NOWHERE)),
    Operation("bounce", nothing, by_smtp("left"), ends(["returned"], NOWHERE)),
    Operation("bounce one of three", nothing, by_smtp("left", "reader", "later"),
              ends(["returned delivered deferred"], NOWHERE)),
    Operation("requeue", in_place("deferred"), by_tool("r", REQUEUED),
              ends(["deferred"], ["deferred"])),
    Operation("hold", in_place("deferred"), by_tool("h", HELD), ends(["hold"], ["deferred"])),
    Operation("release", deferred_then("h", HELD), by_tool("H", RELEASED),
              ends(["deferred"], ["hold"])),
    Operation("expire", in_place("deferred"), by_tool("e", EXPIRED),
              ends(["returned"], ["deferred"])),
    Operation("remove", in_place("deferred"), by_tool("d", REMOVED), ends(NOWHERE, ["deferred"])),
    Operation("start with a slot", in_slot, start, ends(["delivered"])),
    Operation("start with deferred", down(in_place("deferred")), start, ends(["deferred"])),
    Operation("start with held", down(deferred_then("h", HELD)), start, ends(["hold"])),
    Operation("hold while down", down(in_place("deferred")), then_start(by_tool("h", HELD)),
              ends(["hold"], ["deferred"])),
    Operation("release while down", down(deferred_then("h", HELD)),
              then_start(by_tool("H", RELEASED)), ends(["deferred"], ["hold"])),
    Operation("requeue while down", down(in_place("deferred")),
              then_start(by_tool("r", REQUEUED)), ends(["deferred"], ["deferred"])),
    Operation("remove while down", down(in_place("deferred")),
              then_start(by_tool("d", REMOVED)), ends(NOWHERE, ["deferred"])),
]
