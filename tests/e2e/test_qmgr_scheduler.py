# SPDX-License-Identifier: Apache-2.0
"""How fast, how many at a time and in which order: the scheduler of the queue manager."""

import re
import time

import pytest

from postern import poll_until
from queue_instance import SERVICES


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


@pytest.mark.parametrize("cost,place", [("5", 12), ("0", 30)])
def test_small_message_overtakes_a_list(queue, cost, place):
    """Thirty deliveries one after the other, and then a message that needs one."""
    q = queue("* wait 40\n", default_delivery_slot_cost=cost,
              fake_destination_concurrency_limit="1", fake_destination_recipient_limit="2")
    q.inject(*[f"u{i}@one.example" for i in range(60)])
    q.wait("sent", 4)
    q.inject("small@one.example")
    q.wait_empty()
    order = [line[2] for line in q.lines("sent")]
    deliveries_before = order.index("small@one.example") // 2
    assert len(order) == 61
    assert deliveries_before <= place if cost == "5" else deliveries_before == place


def test_small_message_overtakes_a_list_to_many_places(queue):
    """Its agent takes one delivery at a time: the next one is chosen here, not at its door."""
    q = queue("* wait 40\n", services=SERVICES.replace("fake    unix - - n -  -",
                                                       "fake    unix - - n -  1"))
    q.inject(*[f"list@d{i}.example" for i in range(40)])
    q.wait("sent", 2)
    q.inject("small@other.example")
    q.wait_empty()
    order = [line[2] for line in q.lines("sent")]
    assert len(order) == 41 and order.index("small@other.example") < 20


def test_list_of_thousands_does_not_hold_up_the_others(queue):
    """Read in portions, with the next ones long before the last one has been delivered."""
    q = queue("list wait 1\n", local_recipient_maps="")
    q.inject(*[f"list{i}@d{i % 500}.example" for i in range(3000)])
    q.wait("sent")
    q.inject("small@d7.example")
    q.wait_empty(60)
    sent = [line[2] for line in q.lines("sent")]
    assert len(sent) == 3001 and len(set(sent)) == 3001
    assert sent.index("small@d7.example") < 2900


def test_destination_that_clogs_the_queue(queue):
    q = queue("* hang\n", qmgr_message_active_limit="20", qmgr_clog_warn_time="100ms")
    q.inject("user@one.example", count=8)
    q.postern.wait_log(r"nrcpt=1 \(queue active\)", 8)

    def one_more():
        q.inject("user@one.example")
        return "active queue entries" in q.postern.log()

    poll_until(one_more, "a warning")
    q.postern.wait_log(r"warning: mail for one\.example is using up \d+ of \d+ active queue "
                       r"entries")


def test_wait_between_attempts(queue):
    """As long as the message is old, from minimal_backoff_time to maximal_backoff_time."""
    q = queue("* deferred 4.2.0 later\n", minimal_backoff_time="1s", maximal_backoff_time="3s",
              queue_run_delay="1s")
    q.inject("user@one.example")
    pauses = gaps([float(line[6]) for line in q.wait("deferred", 5)])
    # At the ages of 0, 1, 2, 4 and 7 s, each wait a tenth longer or shorter.
    for pause, expected in zip(pauses, (1, 1, 2, 3)):
        assert 0.75 * expected <= pause <= expected + 2, pauses
