# SPDX-License-Identifier: Apache-2.0
"""A long queue for destinations that are dead or slow does not hold up mail for others."""

import collections
import os
import time

import pytest

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
    q.inject("user@slow.example", count=800)
    times = [seconds_until_sent(q, "user@third.example")]
    q.inject("user@dead.example", count=800)
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


@pytest.mark.parametrize("delay", ["900ms", "0"])
def test_receivers_slow_down_when_mail_comes_faster_than_it_goes(queue, delay):
    q = queue("* hang\n", qmgr_message_active_limit="8", in_flow_delay=delay)
    q.inject("user@d%.example", count=10)  # two more than there is room for
    q.postern.wait_log(r"nrcpt=1 \(queue active\)", 8)

    def was_delayed():
        begin = time.monotonic()
        q.inject("user@more.example")
        return time.monotonic() - begin >= 0.9

    if delay == "0":
        assert not any(was_delayed() for _ in range(3))
        return
    poll_until(was_delayed, "a message that had to wait")
    q.rules("")
    q.kill_qmgr()  # for what hangs goes on hanging
    q.wait_empty()
    assert not was_delayed()


def test_messages_that_wait_leave_their_slots(queue):
    q = queue("* wait 6000\n", fake_destination_concurrency_limit="5")
    ids = set(q.inject("user@one.example", count=150))
    incoming = os.path.join(q.postern.queue, "incoming")
    poll_until(lambda: len(ids & set(os.listdir(incoming))) >= 80, "files of their own")
    assert {q.places(i)[0] for i in ids if q.places(i)} <= {"incoming"}
    q.rules("")
    q.wait_empty()
    sent = collections.Counter(line[1] for line in q.lines("sent"))
    assert set(sent) == ids and set(sent.values()) == {1}
