# SPDX-License-Identifier: Apache-2.0
"""What the kill tests share: clients' ledger, and somebody who kills processes of an instance at
random."""

import collections
import os
import signal
import threading
import time

from numbered import family
from postern import poll_until

# Retries come soon, so that what was interrupted ends within the test.
QUICK = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s",
         "transport_retry_time": "1s", "service_throttle_time": "2s",
         "smtpd_client_connection_count_limit": "0"}


class Ledger:
    """What the clients were told. "unknown": no answer came, or 421, to the end of the data."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next = 0
        self.told = {}  # number: (outcome, recipient or recipients)

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


def process_name(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return ""


def killer_run(postern, end, rng, killed, kills=None):
    """Until end; killed counts by name, kills notes when each was."""
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
        if kills is not None:
            kills.append((time.monotonic(), name))
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
