# SPDX-License-Identifier: Apache-2.0
"""Goes through the calls of an operation (queue_operations.py): a run that takes them down, and
then one for each call and each way in which it can fail. After each the message is where it may
be; after a batch of them that is still so when the system was started twice more, and when all
is removed nothing is left."""

import collections
import errno
import os
import random
import threading
import time

from postern import poll_until

SPACE = {"create", "write", "sync", "allocate", "rename", "link", "mkdir"}
INTERRUPTED = {"open", "create", "read", "write", "sync", "allocate", "truncate", "lock", "close"}
CHANGES = SPACE | {"truncate", "unlink", "times", "chmod", "lock"}
ALL = CHANGES | {"open", "read", "stat", "readdir", "close", "memfd"}

# name: (kinds of calls, action, errno, whether it lasts until the client was answered)
WAYS = {
    "EIO": (ALL, "error", errno.EIO, False),
    "EIO from there on": ({"write", "sync", "create", "rename", "unlink"}, "error", errno.EIO,
                          True),
    "ENOSPC": (SPACE, "error", errno.ENOSPC, False),
    "full from there on": (SPACE - {"sync"}, "error", errno.ENOSPC, True),
    "EINTR": (INTERRUPTED, "error", errno.EINTR, False),
    "short": ({"read", "write"}, "short", 0, False),
    "short, then full": ({"write"}, "short", errno.ENOSPC, True),
    "kill": (ALL, "kill before", 0, False),  # that process; master starts another
    "crash": (CHANGES, "kill after", 0, False),  # and all others with it
}
ONE_BY_ONE = 12  # of one kind in one place; of more (loops) some are tried
OF_MORE = 4
BATCH = 40
SETTLE = 30.0

Case = collections.namedtuple("Case", "program kind place nth way")


def describe(case):
    return f"{case.way} at {case.kind} {case.nth} in {case.place} by {case.program}"


class Sweep:
    def __init__(self, bench, operation, rng=None):
        self.bench, self.operation = bench, operation
        self.rng = rng or random.Random(1)
        self.expected = {}  # of this batch: number: where it was found at the end of its case
        self.told = collections.Counter()
        self.count = collections.Counter()  # cases by way
        self.unfired = 0
        self.seconds = collections.Counter()
        self.slowest = (0, "")
        self.case_of = {}  # number: its case
        self.twice = collections.Counter()
        self.known_twice = set()
        self.last_kill = 0
        self.problems = []

    def summary(self):
        return (f"{sum(self.count.values())} cases, {len(self.problems)} problems; not reached "
                f"{self.unfired}; told {dict(self.told)}; twice {dict(self.twice)}; slowest "
                f"{self.slowest[0]:.0f} s ({self.slowest[1]}); " +
                ", ".join(f"{way}: {n} in {self.seconds[way]:.0f} s"
                          for way, n in self.count.items()))

    # The calls

    def _trace(self):
        number = self.bench.next()
        self.operation.prepare(self.bench, number)
        self.bench.faults.trace()
        told = self.operation.act(self.bench, number)
        assert told == "ok", f"{self.operation.name} without faults: {told}"
        self.bench.wait_state(number, self.operation.ends["ok"])
        self.wait_quiet(1.0)
        found = collections.Counter((c.program, c.kind, c.place)
                                    for c in self.bench.faults.traced())
        self.bench.faults.disarm()
        self.expected[number] = self.bench.state(number)
        return found

    def calls(self):
        """{(program, kind, place): how often}, from runs without faults. The first one starts
        daemons, which is an operation of its own."""
        self._trace()
        return self._trace() | self._trace()

    def cases(self):
        found = []
        for (program, kind, place), count in sorted(self.calls().items()):
            numbers = list(range(1, count + 1))
            if count > ONE_BY_ONE:
                numbers = numbers[:2] + sorted(self.rng.sample(numbers[2:], OF_MORE - 2))
            for way, (kinds, *_) in WAYS.items():
                if kind in kinds:
                    found += [Case(program, kind, place, nth, way) for nth in numbers]
        return found

    # One case

    def wait_quiet(self, most):
        """Until no calls have been made for a moment."""
        end = time.monotonic() + most
        before = -1
        while time.monotonic() < end:
            now = self.bench.faults.called()
            if now == before:
                return
            before = now
            time.sleep(0.05)  # the moment

    def _watch(self, done):
        """A crash of everything as soon as one process was killed."""
        while not done.is_set():
            if self.bench.faults.fired():
                self.bench.crash()
                return
            done.wait(0.002)

    def run(self, case):
        _, action, error, lasts = WAYS[case.way]
        began = time.monotonic()
        bench, number = self.bench, self.bench.next()
        self.case_of[number] = describe(case)
        bench.start()
        self.operation.prepare(bench, number)
        bench.faults.arm(case.program, [case.kind], [case.place], case.nth, lasts, action, error)
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,))
        if case.way == "crash":
            watcher.start()
        try:
            told = self.operation.act(bench, number)
            if not bench.faults.fired():
                self.wait_quiet(0.5)
        finally:
            done.set()
            if case.way == "crash":
                watcher.join()
        fired = bench.faults.fired()
        bench.faults.disarm()
        bench.start()
        self.unfired += not fired
        self.count[case.way] += 1
        self.told[told] += 1
        bench.wait_state(number, self.operation.ends[told], SETTLE)
        self.expected[number] = bench.state(number)
        self.seconds[case.way] += time.monotonic() - began
        self.slowest = max(self.slowest, (time.monotonic() - began, describe(case)))
        if case.way in ("kill", "crash"):
            self.last_kill = number
        self.check_twice()

    def check_twice(self):
        """Only what was under way when somebody died may come twice."""
        wrong = []
        for number in self.bench.states()[1] - self.known_twice:
            self.known_twice.add(number)
            if number <= self.last_kill:
                self.twice["killed"] += 1
            else:
                wrong.append(f"message {number} came twice: {self.case_of.get(number)}\n"
                             + self.bench.story(number))
        assert not wrong, "\n".join(wrong)

    # A batch of cases

    def attempt(self, case):
        try:
            self.run(case)
        except Exception as e:
            self.problems.append(f"{self.operation.name}: {describe(case)}: {e}")
            self.bench.faults.disarm()
            self.bench.start()

    def end_batch(self):
        try:
            self.check_batch()
        except Exception as e:
            self.problems.append(f"{self.operation.name}: after a batch: {e}")

    def run_all(self, cases, report=None):
        for i, case in enumerate(cases, 1):
            self.attempt(case)
            if report:
                report(case)
            if i % BATCH == 0 or i == len(cases):
                self.end_batch()

    def _compare(self, when):
        def differences():
            states, _ = self.bench.states()
            return {self.case_of.get(n, n): (set(s), set(states.get(n, ()))) for n, s in self.expected.items()
                    if states.get(n, frozenset()) != s}
        try:
            poll_until(lambda: not differences(), "", SETTLE)
        except AssertionError:
            raise AssertionError(f"{when}: (was, is) {differences()}") from None

    def check_batch(self):
        """What was found is found again, and nothing else; then all of it goes."""
        bench, expected = self.bench, self.expected
        try:
            self._compare("at the end")
            for when in ("after a start", "after another start"):
                bench.crash()
                bench.start()
                self.probe()
                self._compare(when)
            bench.postern.run("postsuper", "-s")
            self._compare("after postsuper -s")
            bench.postern.run("postsuper", "-d", "ALL", timeout=120)
            try:
                poll_until(lambda: not bench.postern.queue_files(), "an empty queue", SETTLE)
            except AssertionError as e:
                raise AssertionError(f"{e}: {bench.postern.queue_files()} " + "\n".join(
                    f"{places} {self.case_of.get(n)}\n{bench.story(n)}"
                    for n, places in bench.files().items())) from None
            assert not bench.strays(), f"left behind: {bench.strays()}"
        finally:
            self.expected = {}
            bench.clear_mail()
            self.known_twice = set()
        assert expected

    def probe(self):
        """No daemon is stuck: a message goes the whole way."""
        number = self.bench.next()
        assert self.bench.smtp(number, ["reader"]) == "ok"
        self.bench.wait_state(number, [frozenset(["delivered"])])
        self.expected[number] = frozenset(["delivered"])
