# SPDX-License-Identifier: Apache-2.0
"""The queue manager, with real cleanup and an agent that does as it is told."""

import collections
import os
import random
import signal
import socket
import subprocess
import time

import pytest

from postern import LIBEXEC, can_be_another_user, poll_until
from queue_instance import LARGE_MESSAGE, MESSAGE, PATIENT, SERVICES


def test_delivered_and_removed(queue):
    q = queue()
    queue_id = q.inject("user@example.test")
    q.wait_empty()
    assert [line[:3] for line in q.lines()] == [["sent", queue_id, "user@example.test"]]
    q.postern.wait_log(rf"qmgr\[\d+\]: {queue_id}: from=<sender@example.test>, size=\d+, "
                       r"nrcpt=1 \(queue active\)")
    q.postern.wait_log(rf"qmgr\[\d+\]: {queue_id}: removed")


def test_recipients_of_one_destination_share_a_delivery(queue):
    q = queue(fake_destination_recipient_limit="3")
    q.inject(*[f"u{i}@one.example" for i in range(7)], "x@two.example", "a@example.test",
             "b@example.test")
    q.wait_empty()
    sent = q.lines("sent")
    counts = {line[2]: (line[3], int(line[5])) for line in sent}
    assert len(sent) == 10
    assert sorted(c for a, (n, c) in counts.items() if n == "one.example") == [1] + 6 * [3]
    assert counts["x@two.example"] == ("two.example", 1)
    assert counts["a@example.test"][1] == 1 and counts["b@example.test"][1] == 1


def test_deferred_is_tried_again_and_only_that(queue):
    q = queue("bad@ deferred 4.2.2 mailbox busy\n")
    queue_id = q.inject("good@one.example", "bad@one.example")
    q.wait("deferred", 2)
    poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    q.rules("")
    q.wait_empty()
    sent = [line[2] for line in q.lines("sent")]
    assert sorted(sent) == ["bad@one.example", "good@one.example"]


def test_failure_is_told_once_while_others_wait(queue):
    q = queue("slow@ deferred 4.2.2 busy\nno@ bounced 5.1.1 no such user\n")
    queue_id = q.inject("slow@one.example", "no@one.example", "yes@one.example")
    notices = q.wait("notice")
    assert notices == [["notice-1", queue_id, "no@one.example", "5.1.1", "no", "such", "user"]]
    q.wait("deferred", 3)
    q.rules("")
    q.wait_empty()
    assert len(q.lines("notice")) == 1
    sent = sorted(line[2] for line in q.lines("sent"))
    assert sent == ["slow@one.example", "yes@one.example"]


@pytest.mark.parametrize("options,sender,classes,kind", [
    (["-N", "NEVER"], "s@example.test", "", None),
    (["-N", "SUCCESS"], "s@example.test", "", None),
    (["-N", "FAILURE"], "s@example.test", "", "notice-1"),
    ([], "", "", None),
    ([], "", "resource, 2bounce", "notice-4"),
    ([], "double-bounce@mail.example.test", "2bounce", None),
])
def test_who_is_told(queue, options, sender, classes, kind):
    q = queue("* bounced 5.1.1 no such user\n", notify_classes=classes)
    q.inject("no@one.example", sender=sender, options=options)
    q.wait("bounced")
    q.wait_empty()
    assert [line[0] for line in q.lines("notice")] == ([kind] if kind else [])


def test_bounce_refuses_for_a_while(queue):
    q = queue("notice:no@ refuse\nno@ bounced 5.1.1 no such user\n")
    queue_id = q.inject("no@one.example", "yes@one.example")
    q.postern.wait_log(rf"{queue_id}: no notice could be made: as told", 2)
    assert q.places(queue_id) == ["deferred"] and not q.lines("notice")
    q.rules("no@ bounced 5.1.1 no such user\n")
    q.wait_empty()
    assert len(q.lines("sent")) == 1 and len(q.lines("bounced")) == 1
    assert [line[1] for line in q.lines("notice")] == [queue_id]


def test_bounce_is_not_there_for_a_while(queue):
    services = SERVICES.replace("bounce  unix - - n -  0 fake_agent {agent}\n", "")
    q = queue("no@ bounced 5.1.1 no such user\n", services=services)
    queue_id = q.inject("no@one.example", "yes@one.example")
    q.postern.wait_log(rf"{queue_id}: cannot reach the bounce service", 2)
    assert q.places(queue_id) == ["deferred"]
    q.postern.write_config(master=SERVICES.replace("{agent}", f"{q.rules_path} {q.log_path}"))
    q.postern.reload()
    q.wait_empty()
    assert len(q.lines("sent")) == 1 and len(q.lines("bounced")) == 1
    assert [line[1] for line in q.lines("notice")] == [queue_id]


def test_expiry(queue):
    q = queue("* deferred 4.4.1 nobody there\n", maximal_queue_lifetime="3s")
    queue_id = q.inject("user@one.example")
    notice = q.wait("notice")[0]
    assert notice == ["notice-1", queue_id, "user@one.example", "4.4.1", "nobody", "there"]
    q.wait_empty()
    assert len(q.lines("deferred")) >= 2
    q.postern.wait_log(rf"{queue_id}: from=<sender@example.test>, status=expired, "
                       "returned to sender")


def test_no_second_chance_with_lifetime_0(queue):
    q = queue("* deferred 4.4.1 nobody there\n", maximal_queue_lifetime="0")
    q.inject("user@one.example")
    q.wait("notice")
    q.wait_empty()
    assert len(q.lines("deferred")) == 1


def test_missing_transport_defers_and_others_go_on(queue):
    q = queue(default_transport="smtp")
    queue_id = q.inject("user@one.example", "user@example.test")
    q.wait("sent")
    q.postern.wait_log(rf"qmgr\[\d+\]: {queue_id}: to=<user@one.example>, relay=none, "
                       r"delay=[\d.]+, delays=[\d./]+, dsn=4.3.0, status=deferred "
                       r"\(mail transport smtp is not available\)")
    poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    q.postern.wait_log(rf"{queue_id}: to=<user@one.example>.*status=deferred", 3)
    assert len(q.lines("sent")) == 1


@pytest.mark.parametrize("action", ["die", "close", "garbage"])
def test_agent_breaks_off(queue, action):
    q = queue(f"* {action}\n")
    queue_id = q.inject("user@one.example")
    q.postern.wait_log(rf"{queue_id}: to=<user@one.example>, .*dsn=4.3.0, status=deferred "
                       r"\(mail transport unavailable\)")
    q.rules("")
    q.wait_empty()
    assert len(q.lines("sent")) == (2 if action == "garbage" else 1)


def test_dead_destination_is_suspended_and_flush_revives_it(queue):
    q = queue("dead.example down 4.4.1 connection refused\n", **PATIENT,
              initial_destination_concurrency="1")
    first = q.inject("user@dead.example")
    q.postern.wait_log(rf"{first}: from=")
    q.wait("deferred")
    second = q.inject("user@dead.example")
    q.postern.wait_log(rf"{second}: to=.*dsn=4.4.1, status=deferred \(delivery temporarily "
                       r"suspended: connection refused\)")
    q.inject("user@alive.example")
    q.wait("sent")
    q.rules("")
    poll_until(lambda: q.places(second) == ["deferred"], "the message in deferred")
    assert q.command("flush").startswith("done")
    q.wait_empty()
    assert len(q.lines("sent")) == 3


def test_active_limit(queue):
    q = queue("* wait 5\n", qmgr_message_active_limit="5")
    ids = q.inject("user@one.example", count=200)
    q.wait_empty()
    assert sorted(line[1] for line in q.lines("sent")) == sorted(ids)


def test_agent_that_has_few_sessions(queue):
    """A service for one delivery at a time, as many use it to go easy on somebody."""
    q = queue("* wait 300\n", services=SERVICES.replace("fake    unix - - n -  -",
                                                        "fake    unix - - n -  1"))
    for i in range(4):
        q.inject(f"user@d{i}.example")
    q.wait("sent", 4, deadline=20)
    q.rules("")
    q.inject("later@one.example", count=20)  # to one that is full of idle connections
    q.wait("sent", 24, deadline=20)


def test_recipients_in_portions(queue):
    q = queue("r1 deferred 4.2.2 later\n", qmgr_message_recipient_limit="20")
    q.inject(*[f"r{i}@d{i % 7}.example" for i in range(300)])
    q.wait("deferred", 50)
    q.rules("")
    q.wait_empty()
    sent = [line[2] for line in q.lines("sent")]
    assert len(sent) == 300 and len(set(sent)) == 300


def test_restart_picks_up_what_was_running(queue):
    q = queue("hang@ hang\n")
    queue_id = q.inject("hang@one.example", "ok@two.example")
    q.wait("sent")
    time.sleep(0.2)  # the moment until an outcome is in the journal
    q.kill_qmgr()
    q.rules("")
    q.postern.wait_log(rf"{queue_id}: from=<sender@example.test>, size=\d+, nrcpt=1 "
                       r"\(queue active\)")
    q.wait_empty()
    sent = [line[2] for line in q.lines("sent")]
    assert sorted(sent) == ["hang@one.example", "ok@two.example"]


def test_unannounced_messages_are_found(queue):
    q = queue()
    q.postern.stop()
    q.postern.write_config(master="cleanup unix n - n - 0 cleanup\n")
    q.postern.start()
    q.inject("user@one.example", count=20)
    q.postern.stop()
    agent = f"{q.rules_path} {q.log_path}"
    q.postern.write_config(master=SERVICES.replace("{agent}", agent))
    q.postern.start()
    q.wait_empty()
    assert len(q.lines("sent")) == 20


def test_damaged_and_incomplete_files(queue):
    q = queue("* deferred 4.2.0 wait\n", **PATIENT)
    queue_id = q.inject("user@one.example")
    poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    q.postern.stop()
    path = q.postern.queue_files()[0]
    with open(path, "r+b") as f:
        f.seek(300)
        f.write(b"\xff\xfe\xfd" * 20)
    incoming = os.path.join(q.postern.queue, "incoming")
    owner = os.stat(incoming)
    damaged = os.path.join(incoming, os.path.basename(path))
    os.rename(path, damaged)
    incomplete = os.path.join(incoming, "4jWRfr01bXz2Y7n68qS2rd4")
    with open(incomplete, "wb") as f:
        f.write(b"\0" * 1000)
    os.chown(incomplete, owner.st_uid, owner.st_gid)
    q.rules("")
    q.postern.start()
    q.postern.wait_log(rf"{queue_id}: damaged queue file in incoming: .*moved to corrupt")
    q.postern.wait_log("4jWRfr01bXz2Y7n68qS2rd4: removed what an interrupted writer left")
    assert q.places(queue_id) == ["corrupt"]
    assert not os.path.exists(incomplete)
    assert q.lines("sent") == []


def test_body_that_rots_in_deferred(queue):
    q = queue("* deferred 4.2.0 wait\n")
    queue_id = q.inject("user@one.example")
    poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    q.postern.stop()
    with open(q.postern.queue_files()[0], "r+b") as f:
        f.seek(256)  # behind the preamble the body begins
        f.write(b"HELLO")
    q.rules("")
    q.postern.start()
    q.postern.wait_log(rf"{queue_id}: damaged queue file in deferred: .*moved to corrupt")
    assert q.places(queue_id) == ["corrupt"] and not q.lines("sent")


def test_interrupted_writer_in_hold(queue):
    q = queue()
    q.postern.stop()
    path = os.path.join(q.postern.queue, "hold", "4jWRfr01bXz2Y7n68qS2rd4")
    with open(path, "wb") as f:
        f.write(b"\0" * 70000)
    owner = os.stat(os.path.dirname(path))
    os.chown(path, owner.st_uid, owner.st_gid)
    q.postern.start()
    poll_until(lambda: not os.path.exists(path), "the rest to be removed")


def test_commands_on_disk(queue):
    q = queue("* deferred 4.2.0 wait\n", **PATIENT)
    queue_id = q.inject("user@one.example")
    poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    assert q.command("hold", queue_id) == "done"
    assert q.places(queue_id) == ["hold"]
    assert q.command("flush") == "done"
    q.rules("")
    assert q.command("release", queue_id) == "done"
    q.wait_empty()
    assert len(q.lines("sent")) == 1
    held = q.inject("user@two.example", options=["-H"])
    assert q.places(held) == ["hold"]
    assert q.command("delete", held) == "done"
    assert q.places(held) == []
    assert q.command("delete", held).startswith("not-found")
    assert q.command("hold", "../../etc/passwd").startswith("not-found")
    q.rules("* deferred 4.2.0 wait\n")
    last = q.inject("user@three.example")
    poll_until(lambda: q.places(last) == ["deferred"], "the message in deferred")
    q.rules("")
    assert q.command("flush-id", last) == "done"
    q.wait_empty()


def test_deferred_transport_is_for_flushes(queue):
    q = queue(defer_transports="fake")
    queue_id = q.inject("user@one.example")
    q.postern.wait_log(rf"{queue_id}: to=<user@one.example>, .*dsn=4.3.2, status=deferred "
                       r"\(deferred transport\)", 2)
    assert q.command("flush") == "done"
    q.wait_empty()
    assert len(q.lines("sent")) == 1


@pytest.mark.skipif(not can_be_another_user(), reason="needs root to be another user")
@pytest.mark.parametrize("users,may_flush", [(None, True), ("", False)])
def test_who_may_command(queue, users, may_flush):
    q = queue("* deferred 4.2.0 wait\n", **PATIENT,
              authorized_flush_users=users)
    queue_id = q.inject("user@one.example")
    poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    stranger = ["--reuid=65534", "--regid=65534", "--clear-groups",
                os.path.join(LIBEXEC, "queuectl"), q.postern.queue]

    def ask(*words):
        return subprocess.run(["setpriv", *stranger, *words], capture_output=True, text=True,
                              timeout=60).stdout.strip()

    silent = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    for connection in silent:  # of root, who is no stranger
        connection.connect(os.path.join(q.postern.queue, "public", "qmgr"))
    for verb in ("hold", "release", "delete", "requeue", "expire"):
        assert ask(verb, queue_id) == "not-allowed", verb
    assert q.places(queue_id) == ["deferred"]
    assert ask("flush") == ("done" if may_flush else "not-allowed")
    if may_flush:
        q.wait("deferred", 2)
    ask("arrived", queue_id)  # not for strangers either
    q.postern.wait_log(r"bad request from user id 65534")
    for connection in silent:
        connection.close()


def test_expire_command(queue):
    q = queue("* deferred 4.2.0 wait\n", **PATIENT)
    queue_id = q.inject("user@one.example")
    poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    assert q.command("expire", queue_id) == "done"
    assert q.wait("notice")[0][:3] == ["notice-1", queue_id, "user@one.example"]
    q.wait_empty()
    q.postern.wait_log(rf"{queue_id}: from=<sender@example.test>, status=force-expired, "
                       "returned to sender")


def test_commands_while_active(queue):
    q = queue("* wait 800\n", fake_destination_concurrency_limit="1",
              fake_initial_destination_concurrency="1")
    ids = q.inject("user@one.example", count=4)
    q.postern.wait_log(rf"{ids[3]}: from=")
    assert q.command("hold", ids[3]) == "done"
    assert q.command("delete", ids[2]) == "done"
    assert q.places(ids[3]) == ["hold"] and q.places(ids[2]) == []
    q.wait("sent", 2)
    assert q.command("release", ids[3]) == "done"
    q.wait_empty()
    assert sorted(line[1] for line in q.lines("sent")) == sorted([ids[0], ids[1], ids[3]])


def test_due_mail_is_not_crowded_out_by_later_mail(queue):
    """More mail than qmgr remembers is due soon, and is found before what is due now."""
    q = queue("* deferred 4.2.0 later\n", **{**PATIENT, "queue_run_delay": "300s"})
    for i in range(100):
        queue_id = q.inject(f"user@d{i}.example")
        poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
        path = [f for f in q.postern.queue_files() if os.path.basename(f) == queue_id][0]
        if os.path.basename(os.path.dirname(path)) >= "8":  # read after the first half
            break
    q.postern.stop()
    owner, soon = os.stat(path), time.time() + 250
    for i in range(21000):
        name = os.path.join(q.postern.queue, "deferred", str(i % 8), f"4jWRfr01bXz2Y7n{i:06d}")
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600))
        os.chown(name, owner.st_uid, owner.st_gid)
        os.utime(name, (soon, soon))
    os.utime(path, (soon - 300, soon - 300))
    q.rules("")
    q.postern.start()
    q.wait("sent")


def test_room_beside_deliveries_that_hang(queue):
    """Memory is nearly full of what does not move: what little room there is gets used."""
    q = queue("* deferred 4.2.0 later\n", **PATIENT, qmgr_message_active_limit="8")
    old = [q.inject(f"hang@d{i}.example") for i in range(4)]
    for queue_id in old:
        poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    q.rules("hang@ hang\nslow@ wait 3000\n")
    for queue_id in old:
        assert q.command("flush-id", queue_id) == "done"
    new = [q.inject(f"hang@d{i}.example") for i in range(4, 7)] + [q.inject("slow@one.example")]
    for queue_id in new:
        q.postern.wait_log(rf"{queue_id}: from=")
    q.inject("late@one.example", count=2)
    q.wait("sent", 3)


def test_outcomes_are_noted_while_the_next_portion_runs(queue):
    q = queue("slow@ hang\n", qmgr_message_recipient_limit="20")
    fast = [f"u{i}@one.example" for i in range(20)]
    q.inject(*fast, "slow@two.example")
    q.wait("sent", 20)
    time.sleep(0.5)  # the moment until an outcome is in the journal
    q.kill_qmgr()
    q.rules("")
    q.wait_empty()
    assert collections.Counter(line[2] for line in q.lines("sent")) == \
        collections.Counter(fast + ["slow@two.example"])


def test_second_command_on_a_message_is_not_taken_for_the_first(queue):
    """Two administrators: one holds, one deletes, while a delivery runs."""
    q = queue("one wait 3000\ntwo hang\n", fake_destination_concurrency_limit="1")
    first = q.inject("user@two.example")
    q.postern.wait_log(rf"{first}: from=")
    queue_id = q.inject("user@one.example", "user@two.example")
    q.postern.wait_log(rf"{queue_id}: from=")
    hold = subprocess.Popen([os.path.join(LIBEXEC, "queuectl"), q.postern.queue, "hold",
                             queue_id], stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)  # until that was heard
    assert q.command("delete", queue_id) == "done"
    assert hold.communicate(timeout=60)[0].strip() == "done"
    assert q.places(queue_id) == []


def test_commands_while_the_sender_is_told(queue):
    """What is asked for while bounce has the message is not forgotten behind it."""
    q = queue("notice: wait 2000\nno@ bounced 5.1.1 no such user\n"
              "* deferred 4.2.2 busy\n", **PATIENT)
    ids = [q.inject("no@one.example", "later@two.example") for _ in range(2)]
    q.wait("deferred", 2)
    q.wait("bounced", 2)
    assert q.command("expire", ids[0]) == "done"
    q.postern.wait_log(rf"{ids[0]}: .*status=force-expired")
    q.wait("notice", 3)
    poll_until(lambda: q.places(ids[0]) == [], "the expired message to go")
    assert q.places(ids[1]) == ["deferred"]


def test_bounce_that_hangs_holds_up_only_notices(queue):
    q = queue("notice: wait 40000\nno@ bounced 5.1.1 no such user\n"
              "* deferred 4.2.2 busy\n", **PATIENT)
    q.inject("no@one.example", count=20)
    q.wait("bounced", 20)
    queue_id = q.inject("later@two.example")
    poll_until(lambda: q.places(queue_id) == ["deferred"], "other mail to be put off")


def test_many_notices_at_once(queue):
    q = queue("notice: wait 200\nno@ bounced 5.1.1 no such user\n", **PATIENT)
    ids = q.inject("no@one.example", count=200)
    q.wait_empty()
    assert sorted(line[1] for line in q.lines("notice")) == sorted(ids)


def test_delete_that_outlasts_its_caller(queue):
    q = queue("notice: wait 12000\nno@ bounced 5.1.1 no such user\n"
              "* deferred 4.2.2 busy\n", **PATIENT)
    queue_id = q.inject("no@one.example", "later@two.example")
    q.wait("deferred")
    q.wait("bounced")
    assert q.command("delete", queue_id).startswith("done a delivery is running")
    poll_until(lambda: q.places(queue_id) == [], "the deleted message to go")


def test_flush_while_due_mail_waits_for_room(queue):
    q = queue("* deferred 4.2.0 later\n", **PATIENT, qmgr_message_active_limit="2")
    ids = [q.inject(f"user@d{i}.example") for i in range(4)]
    for queue_id in ids:
        poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    q.rules("* wait 3000\n")
    for queue_id in ids[:3]:
        assert q.command("flush-id", queue_id) == "done"
    assert q.command("flush") == "done"
    q.wait_empty()
    assert sorted(line[1] for line in q.lines("sent")) == sorted(ids)


def test_message_that_nobody_announced(queue):
    """Its writer died between the last sync and the announcement."""
    q = queue()
    queue_id = q.inject("user@one.example", options=["-H"])
    path = q.postern.queue_files()[0]
    os.rename(path, os.path.join(q.postern.queue, "incoming", queue_id))
    q.wait_empty()
    assert [line[1] for line in q.lines("sent")] == [queue_id]


def test_reload_loses_nothing(queue):
    q = queue("* wait 20\n")
    ids = []
    for _ in range(4):
        ids += q.inject("user@one.example", count=30)
        q.postern.reload()
    q.wait_empty()
    assert set(line[1] for line in q.lines("sent")) == set(ids)
    assert len(q.lines("sent")) == len(ids)


def test_kill_at_random_moments(queue):
    """Every accepted message is delivered; twice only for what was running at a kill."""
    q = queue("defer deferred 4.2.0 not now\nbounce bounced 5.1.1 no\n")
    generator = random.Random(os.environ.get("POSTERN_TEST_SEED", "1"))
    recipients, ids = ["a%@one.example", "b%@two.example", "bounce%@three.example"], []
    end = time.monotonic() + float(os.environ.get("POSTERN_KILL_SECONDS", "10"))
    kills = 0
    while time.monotonic() < end:
        ids += q.inject(*recipients, count=generator.randrange(2, 40))
        time.sleep(generator.random() * 0.1)
        victims = q.postern.children(generator.choice(["qmgr", "qmgr", "fake_agent"]))
        if victims:
            os.kill(generator.choice(victims), signal.SIGKILL)
            kills += 1
    q.postern.stop()
    q.postern.start()
    q.wait_empty(60)
    sent = collections.Counter((line[1], line[2][0]) for line in q.lines("sent"))
    told = collections.Counter(line[1] for line in q.lines("notice"))
    for queue_id in ids:
        assert sent[queue_id, "a"] >= 1 and sent[queue_id, "b"] >= 1 and told[queue_id] >= 1
    twice = sum(n - 1 for n in sent.values())
    print(f"messages={len(ids)} kills={kills} delivered_twice={twice}")
    assert not os.listdir(os.path.join(q.postern.queue, "corrupt"))


def set_modes(queue_directory, name, mode, files):
    for top, _, names in os.walk(os.path.join(queue_directory, name)):
        for path in [os.path.join(top, n) for n in names] if files else [top]:
            try:
                os.chmod(path, mode)
            except FileNotFoundError:  # moved meanwhile
                pass


@pytest.mark.parametrize("place,files,mode,usual,text,complaint", [
    ("incoming", False, 0o500, 0o700, LARGE_MESSAGE, "remove queue file"),
    ("incoming", False, 0o500, 0o700, MESSAGE, "open queue file to note its state|move to def"),
    ("deferred", False, 0o500, 0o700, MESSAGE, "move to deferred"),
    ("incoming", True, 0o400, 0o600, LARGE_MESSAGE, "open queue file to note its state"),
], ids=("incoming", "slot", "deferred", "file"))
def test_file_system_refuses_for_a_while(queue, place, files, mode, usual, text, complaint):
    """Nothing is lost, and nothing that is known to be delivered is delivered again."""
    q = queue("other@ wait 1000\nlater@ deferred 4.2.2 busy\n")
    pid = q.postern.wait_child("qmgr")
    ids = [q.inject("now@one.example", "later@one.example", "other@two.example", text=text),
           q.inject("other@two.example", text=text)]
    set_modes(q.postern.queue, place, mode, files)
    q.postern.wait_log(complaint)
    q.rules("")
    for name in {place, "deferred"}:
        set_modes(q.postern.queue, name, usual, files)
    q.wait_empty(60)
    sent = sorted((line[1], line[2]) for line in q.lines("sent"))
    assert sent == sorted([(ids[0], "now@one.example"), (ids[0], "later@one.example"),
                           (ids[0], "other@two.example"), (ids[1], "other@two.example")])
    assert q.postern.children("qmgr") == [pid]


def test_file_that_is_taken_away(queue):
    """By an administrator with rm, while it is being delivered: there is nothing to be kept."""
    q = queue("later@ deferred 4.2.2 busy\n", **PATIENT)
    q.inject("first@one.example")
    q.wait("sent")
    agents = q.postern.children("fake_agent")
    for pid in agents:
        os.kill(pid, signal.SIGSTOP)
    queue_id = q.inject("later@one.example", text=LARGE_MESSAGE)
    q.postern.wait_log(rf"{queue_id}: from=.*queue active")
    os.unlink(os.path.join(q.postern.queue, "incoming", queue_id))
    for pid in agents:
        os.kill(pid, signal.SIGCONT)
    q.postern.wait_log(rf"{queue_id}: open queue file to note its state: No such file")
    other = q.inject("user@two.example")
    q.wait("sent", 2)
    assert q.command("delete", queue_id).startswith("not-found")
    assert q.places(queue_id) == [] and q.lines("sent")[1][1] == other


def test_files_that_cannot_be_read_for_a_while(queue):
    q = queue("* deferred 4.2.0 wait\n")
    queue_id = q.inject("user@one.example")
    q.wait("deferred")
    poll_until(lambda: q.places(queue_id) == ["deferred"], "the message in deferred")
    set_modes(q.postern.queue, "deferred", 0, True)
    q.postern.wait_log(rf"{queue_id}: open queue file: Permission denied")
    q.rules("")
    set_modes(q.postern.queue, "deferred", 0o600, True)
    q.wait_empty()
    assert len(q.lines("sent")) == 1
