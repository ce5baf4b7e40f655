# SPDX-License-Identifier: Apache-2.0
"""Clients hand in numbered messages for a server that refuses and breaks off at every stage,
first with all processes left alone, then while processes of every kind are killed. Afterwards
each recipient of a message that was answered with 250 was taken over by that server, or came back
to the sender; of a message that was refused nothing is there. What came twice is counted: only
where the server had broken off behind the final dot without an answer, or where somebody who
knew the answer was killed before it was noted.

POSTERN_KILL_SECONDS says for how long (default 30 here); POSTERN_KILL_SEED makes a run again."""

import collections
import os
import random
import re
import smtplib
import threading
import time

from flaky_sink import FlakySink
from killing import QUICK, Ledger, killer_run, restart, stories, text
from mailboxes import READERS, mailbox, receiving
from numbered import NUMBER, content, hand_in
from postern import MASTER_CF

SECONDS = float(os.environ.get("POSTERN_KILL_SECONDS", "30"))
CLIENTS = 4
SENDER = READERS[0]
MASTER = MASTER_CF + "smtp    unix - - n -  - smtp\nrelay   unix - - n -  - smtp\n"
FINAL = re.compile(rb"^Final-Recipient: rfc822; *(\S+)$", re.M)
# From the agent's answer to the note of it: qmgr gathers for 20 ms; the rest is a slow machine.
WINDOW = 2.0
KNOWS = ("smtp", "qmgr", "master")  # whose death may lose an answer


def client_run(postern, ledger, end, seed):
    rng = random.Random(seed)
    while time.monotonic() < end:
        try:
            with smtplib.SMTP("127.0.0.1", postern.port(), timeout=20) as client:
                client.ehlo("client.example.test")
                for _ in range(rng.randrange(1, 20)):
                    number = ledger.number()
                    recipients = [f"u{i}@d{rng.randrange(5)}.sink.test"
                                  for i in range(rng.choice([1, 1, 1, 4]))]
                    ledger.note(number, "unknown", recipients)
                    outcome = hand_in(client, f"{SENDER}@example.test", recipients,
                                      content(number, text(rng)))
                    ledger.note(number, outcome, recipients)
                    if outcome == "unknown" or time.monotonic() > end:
                        break
        except (smtplib.SMTPException, OSError):
            time.sleep(0.05)  # nobody listens while master is away


def clients_run(postern, ledger, end, seed, meanwhile=None):
    threads = [threading.Thread(target=client_run, args=(postern, ledger, end, seed + i))
               for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    if meanwhile:
        meanwhile()
    for thread in threads:
        thread.join()


def came_back(postern):
    """Counter of (number, recipient) in the notices of the sender."""
    found = collections.Counter()
    for notice in postern.maildir(mailbox(postern, SENDER)):
        number = NUMBER.search(notice)
        assert number, "a notice that quotes no message:\n" + notice.decode(errors="replace")
        for address in FINAL.findall(notice):
            found[int(number.group(1)), address.decode()] += 1
    return found


def is_excused(taken, kills):
    """Whether each time but the last there was a reason to do it again."""
    return all(not t.answered or any(name in KNOWS and t.when - WINDOW < when < t.when + WINDOW
                                     for when, name in kills) for t in taken[:-1])


def check(ledger, sink, returned, kills):
    twice = 0
    for number, (outcome, recipients) in sorted(ledger.told.items()):
        for recipient in recipients:
            taken, back = sink.taken[number, recipient], returned[number, recipient]
            if outcome == "ok":
                assert taken or back, f"message {number} for {recipient} is lost"
            elif outcome == "refused":
                assert not taken and not back, f"message {number} was refused and is there"
            if len(taken) > 1:
                twice += 1
                assert is_excused(taken, kills), \
                    f"message {number} for {recipient} without a reason: {taken}, {kills}"
            if back > 1:
                assert kills, f"message {number} for {recipient} came back twice"
    return twice


def finish(postern, sink):
    sink.calm()
    try:
        postern.wait_queue_empty(deadline=120)
    except AssertionError as e:
        raise AssertionError(f"{e}: {stories(postern)}") from None


def test_nothing_is_lost_on_the_way_out(postern_instance):
    seed = int(os.environ.get("POSTERN_KILL_SEED", str(random.randrange(10**6))))
    print("seed", seed)
    rng = random.Random(seed)
    with FlakySink(random.Random(seed)) as sink:
        postern = receiving(postern_instance, master=MASTER, crashes=True, relayhost=sink.nexthop,
                            notify_classes="", **QUICK)
        ledger, killed, kills = Ledger(), collections.Counter(), []
        for with_kills, seconds in ((False, SECONDS / 3), (True, SECONDS * 2 / 3)):
            end = time.monotonic() + seconds
            sink.is_flaky = True
            if with_kills:
                clients_run(postern, ledger, end, seed + CLIENTS,
                            lambda end=end: killer_run(postern, end, rng, killed, kills))
                restart(postern)
            else:
                clients_run(postern, ledger, end, seed)
            finish(postern, sink)
            returned = came_back(postern)
            twice = check(ledger, sink, returned, kills)
            print(f"told {dict(ledger.count())}, killed {dict(killed)}, twice {twice}, "
                  f"returned {sum(returned.values())}, taken over {len(sink.taken)}")
        assert ledger.count()["ok"] > 100, "too few messages were accepted"
        assert sum(killed.values()) > SECONDS / 3, "too few processes were killed"
        print({" ".join(k): v for k, v in sorted(sink.count.items())})
        assert len({stage for stage, _ in sink.count}) == 9, "a stage without trouble"
