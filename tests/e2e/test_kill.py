# SPDX-License-Identifier: Apache-2.0
"""Clients hand in numbered messages while processes of every kind are killed. Afterwards each
message that was answered with 250 is in a mailbox, in the queue, or was returned, whole; none that
was refused is anywhere. Twice is allowed, and counted.

POSTERN_KILL_SECONDS says for how long (default 60); POSTERN_KILL_SEED makes a run again."""

import collections
import os
import random
import smtplib
import threading
import time

from killing import QUICK, Ledger, killer_run, restart, stories, text
from mailboxes import READERS, mailbox, receiving
from numbered import account, content, hand_in

SECONDS = float(os.environ.get("POSTERN_KILL_SECONDS", "60"))
CLIENTS = 4

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


def messages(postern):
    return [m for reader in READERS for m in postern.maildir(mailbox(postern, reader))]


def test_nothing_is_lost(postern_instance):
    seed = int(os.environ.get("POSTERN_KILL_SEED", str(random.randrange(10**6))))
    print("seed", seed)
    postern = receiving(postern_instance, crashes=True, start=False, notify_classes="",
                        **QUICK)
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
