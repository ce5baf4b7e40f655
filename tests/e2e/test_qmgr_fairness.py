# SPDX-License-Identifier: Apache-2.0
"""A long queue for destinations that are dead or slow does not hold up mail for others."""

import collections
import time

from postern import poll_until

FEW = {"qmgr_message_active_limit": "200", "minimal_backoff_time": "30s",
       "maximal_backoff_time": "60s"}
RULES = "@slow.example wait 500\n@dead.example down 4.4.1 connection refused\n"


def seconds_until_sent(q, address):
    begin = time.monotonic()
    q.inject(address)
    poll_until(lambda: [1 for line in q.lines("sent") if line[2] == address], address)
    return time.monotonic() - begin


def test_fresh_mail_beside_dead_and_slow_destinations(queue):
    q = queue(RULES, **FEW, slow_destination_concurrency_limit="2")
    q.inject("user@slow.example", count=1500)
    times = [seconds_until_sent(q, "user@third.example")]
    q.inject("user@dead.example", count=1500)
    for i in range(4, 8):
        times.append(seconds_until_sent(q, f"user@d{i}.example"))
    assert max(times) < 1, times
    q.postern.stop()  # everything is found in incoming and deferred again
    q.postern.start()
    times = [seconds_until_sent(q, f"user@d{i}.example") for i in range(8, 12)]
    assert max(times[1:]) < 1, times


def test_postponed_mail_is_delivered_once_and_not_counted_as_tried(queue):
    q = queue("@slow.example wait 2000\n", qmgr_message_active_limit="20",
              minimal_backoff_time="3s",
              fake_destination_concurrency_limit="1")
    ids = q.inject("user@slow.example", "user@fast.example", count=60)
    q.postern.wait_log(r"postponed: \d+ messages are waiting for slow\.example", 10)
    q.rules("")
    q.wait_empty(60)
    sent = collections.Counter((line[1], line[2]) for line in q.lines("sent"))
    assert len(sent) == 120 and set(sent.values()) == {1}
    assert {queue_id for queue_id, _ in sent} == set(ids)
    assert "status=deferred" not in q.postern.log()


def test_what_was_taken_before_it_was_known_to_be_slow(queue):
    """A destination that hangs has filled the memory before its first second is over."""
    q = queue("@slow.example hang\n", **FEW, default_process_limit="50")
    q.inject("user@slow.example", count=400)
    assert seconds_until_sent(q, "user@third.example") < 5
    assert seconds_until_sent(q, "user@fourth.example") < 1


def test_a_fast_destination_may_have_all_the_room(queue):
    q = queue(**FEW)
    q.inject("user@fast.example", count=600)
    q.wait("sent", 600)
    assert "postponed" not in q.postern.log()
