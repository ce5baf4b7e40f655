# SPDX-License-Identifier: Apache-2.0
"""How fast and how many at a time: rate delays and concurrency feedback of the queue manager."""

import re
import time


def starts(q):
    """When each delivery was told, in order, and to whom."""
    return [(float(line[6]), line[2]) for line in q.lines("sent")]


def gaps(times):
    return [b - a for a, b in zip(times, times[1:])]


def test_rate_delay_of_a_destination(queue):
    """In ms, per destination: two destinations do not wait for one another."""
    q = queue(fake_destination_rate_delay="300ms")
    begin = time.monotonic()
    q.inject("user@one.example", count=4)
    q.inject("user@two.example", count=4)
    q.wait("sent", 8)
    q.wait_empty()
    assert time.monotonic() - begin < 8 * 0.3 - 0.3  # one after the other it would take
    for name in ("one.example", "two.example"):
        times = [t for t, address in starts(q) if address.endswith(name)]
        assert len(times) == 4 and min(gaps(times)) >= 0.29, times


def test_rate_delay_of_a_transport(queue):
    q = queue(fake_transport_rate_delay="200ms")
    for i in range(5):
        q.inject(f"user@d{i}.example")
    q.inject("user@example.test")  # of another transport: at once
    q.wait("sent", 6)
    times = [t for t, address in starts(q) if address != "user@example.test"]
    assert min(gaps(times)) >= 0.19, times


def test_feedback_is_logged_and_followed(queue):
    """With 1/concurrency five successes make the sixth parallel delivery, not one."""
    q = queue("* wait 100\n", destination_concurrency_feedback_debug="yes",
              fake_destination_concurrency_positive_feedback="1/concurrency",
              default_destination_concurrency_negative_feedback="0.5",
              fake_initial_destination_concurrency="5")
    q.inject("user@one.example", count=12)
    q.wait_empty()
    log = q.postern.log()
    windows = [int(w) for w in re.findall(r"queue one\.example: limit 20 window (\d+) success "
                                          r"[\d.e-]+ failure [\d.e-]+ fail_cohorts 0", log)]
    assert windows[:5] == [5, 5, 5, 5, 6], log[-3000:]
