# SPDX-License-Identifier: Apache-2.0
"""A wall clock that jumps by ten years, forth and back, returns no mail to its senders."""

import os
import struct

import pytest

from postern import LIBEXEC
from queue_instance import Queue

TEN_YEARS = 3652 * 86400


@pytest.fixture
def clock_queue(postern_instance):
    """A queue whose qmgr has a wrong clock, and a function that sets how wrong, in seconds."""
    q = Queue(postern_instance, "* deferred 4.2.2 mailbox busy\n")
    state = q.postern.path("clock")
    with open(state, "wb") as f:
        f.write(bytes(4096))
    os.chmod(state, 0o644)
    options = os.environ.get("ASAN_OPTIONS", "")
    q.postern.write_config(main={"import_environment": " ".join((
        q.postern.parameters["import_environment"].replace("ASAN_OPTIONS ", ""),
        "LD_PRELOAD=" + os.path.join(LIBEXEC, "clock_shim.so"), "CLOCK_PROGRAM=qmgr",
        "CLOCK_STATE=" + state,
        "ASAN_OPTIONS=" + ":".join(filter(None, (options, "verify_asan_link_order=0")))))})

    def jump(seconds):
        with open(state, "r+b") as f:
            f.write(struct.pack("=q", seconds))

    return q.start(), jump


@pytest.mark.parametrize("there,back", [(TEN_YEARS, 0), (TEN_YEARS, -TEN_YEARS),
                                        (-TEN_YEARS, 0), (-TEN_YEARS, TEN_YEARS)])
def test_no_mass_bounce(clock_queue, there, back):
    """Mail that waits and mail that comes later is tried on, before and after each jump."""
    q, jump = clock_queue
    recipients = ["old@one.example"]
    q.inject(recipients[0], count=5)
    for offset in (there, back):
        tried = len(q.lines("deferred"))
        q.wait("deferred", tried + 5)
        jump(offset)
        recipients.append(f"new{offset}@two.example")
        q.inject(recipients[-1])
        tried = len(q.lines("deferred"))
        q.wait("deferred", tried + 3 * 6)  # each of them some three times
    assert q.lines("notice") == [] and "expired" not in q.postern.log()
    q.rules("")
    q.wait_empty()
    sent = sorted(line[2] for line in q.lines("sent"))
    assert sent == sorted(5 * recipients[:1] + recipients[1:])


def test_clock_that_was_ahead_at_the_start(clock_queue):
    """Due times ten years from now, found by a qmgr that has the right clock again."""
    q, jump = clock_queue
    jump(TEN_YEARS)
    q.inject("user@one.example", count=3)
    q.wait("deferred", 3)
    q.postern.stop()
    jump(0)
    q.rules("")
    q.postern.start()
    q.wait_empty()
    assert len(q.lines("sent")) == 3 and q.lines("notice") == []
