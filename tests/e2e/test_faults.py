# SPDX-License-Identifier: Apache-2.0
"""A disk that is full or broken, calls that are interrupted, and processes that die at a call:
a sample of what tests/support/sweep_faults goes through whole. After each fault the message is
delivered, returned or queued if that is what its client was told, and nowhere if it was refused;
that is so after two more starts, and nothing is left behind (fault_sweep.py).

POSTERN_FAULT_SEED makes a run again, POSTERN_FAULT_SECONDS says how long each group takes."""

import os
import random
import time

import pytest

from fault_sweep import WAYS, Sweep
from queue_operations import OPERATIONS, Bench

SECONDS = float(os.environ.get("POSTERN_FAULT_SECONDS", "6"))
GROUPS = {
    "accepting": ["accept", "accept large", "accept and hold", "submit"],
    "keeping": ["defer", "journal", "bounce one of three"],
    "commands": ["hold", "release", "requeue", "expire", "remove"],
    "starting": ["start with a slot", "maildrop", "release while down"],
}


def sample(cases, rng):
    """All in an order that takes the ways in turn, for some have many more cases."""
    by_way = {way: [c for c in cases if c.way == way] for way in WAYS}
    for some in by_way.values():
        rng.shuffle(some)
    for i in range(max(map(len, by_way.values()))):
        yield from (some[i] for some in by_way.values() if i < len(some))


@pytest.mark.parametrize("group", GROUPS)
def test_faults(postern_instance, group):
    seed = int(os.environ.get("POSTERN_FAULT_SEED", str(random.randrange(10**6))))
    rng = random.Random(seed)
    bench = Bench(postern_instance)
    operations = [o for o in OPERATIONS if o.name in GROUPS[group]]
    assert len(operations) == len(GROUPS[group])
    sweep = Sweep(bench, operations[0], rng)
    for operation in operations:
        sweep.operation = operation
        cases = sweep.cases()
        end = time.monotonic() + SECONDS / len(operations)
        for case in sample(cases, rng):
            if time.monotonic() > end:
                break
            sweep.attempt(case)
    sweep.end_batch()
    print(f"seed {seed}: {sweep.summary()}")
    assert not sweep.problems, f"seed {seed}:\n" + "\n".join(sweep.problems)
    assert sum(sweep.count.values()) > sweep.unfired, "no faults were met"
