# SPDX-License-Identifier: Apache-2.0
"""Clients hand in numbered messages while processes of every kind are killed. Afterwards each
message that was answered with 250 is in a mailbox, in the queue, or was returned, whole; none that
was refused is anywhere. Twice is allowed, and counted.

POSTERN_KILL_SECONDS says for how long (default 60); POSTERN_KILL_SEED makes a run again."""

import collections
import os
import random
import signal
import smtplib
import threading
import time

from mailboxes import READERS, mailbox, receiving
from numbered import account, content, family, hand_in
from postern import poll_until

SECONDS = float(os.environ.get("POSTERN_KILL_SECONDS", "60"))
CLIENTS = 4

# Retries come soon, so that what was interrupted ends within the test.
QUICK = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s",
         "transport_retry_time": "1s", "service_throttle_time": "2s",
         "smtpd_client_connection_count_limit": "0"}


class Ledger:
    """What the clients were told. "unknown": no answer came, or 421, to the end of the data."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next = 0
        self.told = {}  # number: (outcome, reader or None when it must come back)

    def number(self):
        with self.lock:
            self.next += 1
            return self.next

    def note(self, number, outcome, recipient):
        with self.lock:
            self.told[number] = (outcome, recipient)

    def count(self):
        with self.lock:
            return collections.Counter(outcome for outcome, _ in self.told.values())


def text(rng):
    lines = [bytes(rng.choices(b"abcdefghijklmnop .", k=rng.randrange(70)))
             for _ in range(rng.choice([1, 20, 200, 3000]))]
    return b"".join(line + b"\r\n" for line in lines)


def client_run(postern, ledger, end, seed):
    rng = random.Random(seed)
    while time.monotonic() < end:
        try:
            with smtplib.SMTP("127.0.0.1", postern.port(), timeout=20) as client:
                client.ehlo("client.example.test")
                for _ in range(rng.randrange(1, 20)):
                    reader = rng.choice(READERS + ["ghost"])
                    number = ledger.number()
                    ledger.note(number, "unknown", reader)
                    outcome = hand_in(client, "news@example.test",
                                      [reader + "@example.test"], content(number, text(rng)))
                    ledger.note(number, outcome, reader)
                    if outcome == "unknown" or time.monotonic() > end:
                        break
        except (smtplib.SMTPException, OSError):
            time.sleep(0.05)  # nobody listens while master is away


def process_name(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return ""


def killer_run(postern, end, rng, killed):
    while time.monotonic() < end:
        time.sleep(rng.uniform(0.02, 0.4))
        try:
            master = postern.master_pid()
        except (OSError, IndexError, ValueError):
            continue
        pids = family(master)
        by_name = collections.defaultdict(list)
        for pid in pids:
            by_name[process_name(pid)].append(pid)
        by_name.pop("", None)
        if not by_name:
            continue
        name = rng.choice(sorted(by_name))
        if name == "master" and rng.random() > 0.3:
            continue
        victim = rng.choice(by_name[name])
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed[name] += 1
        if victim == master:
            poll_until(lambda: not os.path.exists(f"/proc/{master}"), "master to be gone")
            restart(postern)


def restart(postern):
    def attempt():
        return postern.run("postern", "start", check=False).returncode == 0 or \
            postern.is_running()

    poll_until(attempt, "a restart of the killed master", interval=0.2)
    postern.note_processes()


def stories(postern):
    """The log lines of what is still in the queue."""
    log = postern.log().splitlines()
    return "\n".join(path + "\n" + "\n".join(
        [line for line in log if os.path.basename(path) in line][-12:])
        for path in postern.queue_files()[:5])


def messages(postern):
    return [m for reader in READERS for m in postern.maildir(mailbox(postern, reader))]


def test_nothing_is_lost(postern_instance):
    seed = int(os.environ.get("POSTERN_KILL_SEED", str(random.randrange(10**6))))
    print("seed", seed)
    postern = receiving(postern_instance, crashes=True, start=False, **QUICK)
    postern.write("aliases", "ghost: no-such-user-here\n")
    postern.write_config(main={"alias_maps": f"lmdb:{postern.conf}/aliases",
                               "alias_database": f"lmdb:{postern.conf}/aliases"})
    postern.run("newaliases")
    postern.start()
    ledger, killed, rng = Ledger(), collections.Counter(), random.Random(seed)
    end = time.monotonic() + SECONDS
    clients = [threading.Thread(target=client_run, args=(postern, ledger, end, seed + i))
               for i in range(CLIENTS)]
    for thread in clients:
        thread.start()
    killer_run(postern, end, rng, killed)
    for thread in clients:
        thread.join()
    restart(postern)
    try:
        postern.wait_queue_empty(deadline=90)
    except AssertionError as e:
        raise AssertionError(f"{e}: {stories(postern)}") from None

    delivered, returned = account(messages(postern))
    told = ledger.count()
    twice = sum(1 for n in delivered.values() if n > 1) + \
        sum(1 for n in returned.values() if n > 1)
    print(f"told {dict(told)}, killed {dict(killed)}, twice {twice}")
    assert told["ok"] > 50, "too few messages were accepted for the test to mean anything"
    assert sum(killed.values()) > SECONDS / 2, "too few processes were killed"
    for number, (outcome, reader) in sorted(ledger.told.items()):
        if outcome == "ok" and reader == "ghost":
            assert returned[number], f"message {number} was accepted and did not come back"
        elif outcome == "ok":
            assert delivered[number], f"message {number} was accepted and is lost"
        elif outcome == "refused":
            assert not delivered[number] and not returned[number], \
                f"message {number} was refused and is there all the same"
