# SPDX-License-Identifier: Apache-2.0
"""The index of deferred mail: whatever happens to it or to qmgr, it ends up saying what the
files say, and mail is delivered meanwhile."""

import glob
import os
import random
import re
import shutil
import time

import pytest

from postern import poll_until
from queue_instance import PATIENT

COMPARED = r"index of deferred mail: compared with the queue files in [\d.]+ s, " \
    r"(\d+) entered, (\d+) dropped"


def differences(q):
    """Between index and files, once qmgr has written what it knows; last, the counts."""
    poll_until(lambda: q.command("index").startswith("done"), "a complete index")
    return q.tool("index_check", q.postern.queue).stdout.splitlines()


def check(q, entries, due):
    """What an attempt that is just ending did is in the file a moment earlier."""
    expected = [f"{entries} entries, {due} due"]
    poll_until(lambda: differences(q) == expected, f"{expected}, not {differences(q)}")


def wait_deferred(q, count):
    poll_until(lambda: len(glob.glob(q.postern.queue + "/deferred/?/*")) == count,
               f"{count} deferred messages")


def wait_attempts(q, queue_id, count):
    poll_until(lambda: len([line for line in q.lines("deferred") if line[1] == queue_id]) >=
               2 * count, f"attempt {count} at {queue_id}")


@pytest.fixture
def patient(queue):
    """Thirty messages that wait, in three domains, some of them held."""
    q = queue("* deferred 4.2.0 wait\n", **PATIENT)
    ids = q.inject("a@one.example", "b@two.example", count=30)
    wait_deferred(q, 30)
    for queue_id in ids[:5]:
        assert q.command("hold", queue_id) == "done"
    q.ids = ids
    check(q, 30, 25)
    return q


def test_it_follows_commands(patient):
    q = patient
    q.command("delete", q.ids[0])
    q.command("delete", q.ids[5])
    q.command("release", q.ids[1])
    q.command("expire", q.ids[2])
    wait_attempts(q, q.ids[1], 2)
    wait_deferred(q, 25)
    check(q, 28, 25)


def test_taken_away_while_running(patient):
    q = patient
    for path in glob.glob(q.postern.queue + "/index/*"):
        os.unlink(path)
    q.postern.wait_log("given up: its file has gone")
    found = q.postern.wait_log(COMPARED, 2)
    assert found.group(1) == "30"
    check(q, 30, 25)


def test_asked_to_be_made_anew(patient):
    q = patient
    done = q.postern.run("postsuper", "-s")
    assert "the index is being made anew" in done.stderr
    assert q.postern.wait_log(COMPARED, 2).group(1) == "30"
    check(q, 30, 25)


def test_trusted_after_a_stop(patient):
    q = patient
    q.postern.stop()
    q.postern.start()
    check(q, 30, 25)
    assert len(re.findall(COMPARED, q.postern.log())) == 1  # of the first start alone


def harm_nothing(index):
    shutil.rmtree(index)
    os.mkdir(index, 0o700)
    os.chown(index, os.stat(os.path.dirname(index) + "/deferred").st_uid, -1)


def harm_directory(index):
    shutil.rmtree(index)


def harm_cut(index):
    os.truncate(index + "/data.mdb", 20000)


def harm_root(index):
    with open(index + "/data.mdb", "r+b") as f:
        f.write(b"\xa5" * 8192)


def harm_note(index):
    with open(index + "/state", "w", encoding="ascii") as f:
        f.write("postern-index 2 something else\n")


def harm_copy(index):
    shutil.copy2(index + "/data.mdb", index + "/copy")
    os.replace(index + "/copy", index + "/data.mdb")


@pytest.mark.parametrize("harm", [harm_nothing, harm_directory, harm_cut, harm_root, harm_note,
                                  harm_copy])
def test_lost_while_down(patient, harm):
    q = patient
    q.postern.stop()
    harm(q.postern.queue + "/index")
    q.postern.start()
    assert q.postern.wait_log(COMPARED, 2).group(1) == "30"
    check(q, 30, 25)


def test_pages_of_garbage(patient):
    """What LMDB does not notice may crash whoever reads it, but not for ever."""
    q = patient
    q.postern.stop()
    path = q.postern.queue + "/index/data.mdb"
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.seek(8192)
        f.write(bytes(random.Random(1).randrange(256) for _ in range(size - 8192)))
    q.postern.start()
    check(q, 30, 25)


def test_files_changed_while_down(patient):
    q = patient
    q.postern.stop()
    q.postern.run("postsuper", "-d", q.ids[0], "-H", q.ids[1], "-e", q.ids[2])
    os.unlink(glob.glob(q.postern.queue + "/deferred/?/" + q.ids[10])[0])
    q.postern.start()
    found = q.postern.wait_log(COMPARED, 2)
    assert int(found.group(1)) >= 1 and found.group(2) == "2"
    wait_attempts(q, q.ids[1], 2)
    wait_deferred(q, 25)
    check(q, 28, 25)


def test_file_removed_under_a_running_qmgr(patient):
    q = patient
    os.unlink(glob.glob(q.postern.queue + "/deferred/?/" + q.ids[10])[0])
    assert q.command("flush-id", q.ids[10]) == "not-found"
    check(q, 29, 24)


def test_due_mail_goes_out_while_there_is_no_index(queue):
    """No index can be made: the directories are read."""
    q = queue("* deferred 4.2.0 wait\n", minimal_backoff_time="1s", queue_run_delay="5s")
    poll_until(lambda: q.command("index").startswith("done"), "a complete index")
    shutil.rmtree(q.postern.queue + "/index")
    q.postern.wait_log("no index of deferred mail: ")
    ids = q.inject("a@one.example", count=3)
    wait_deferred(q, 3)
    q.rules("")
    q.wait_empty()
    assert sorted(line[1] for line in q.lines("sent")) == sorted(ids)


def test_due_time_of_a_clock_that_was_ahead(queue):
    q = queue("* deferred 4.2.0 wait\n", **{**PATIENT, "queue_run_delay": "2s"})
    queue_id = q.inject("a@one.example")
    wait_deferred(q, 1)
    path = glob.glob(q.postern.queue + "/deferred/?/" + queue_id)[0]
    q.postern.stop()
    os.utime(path, (time.time(), time.time() + 10 * 365 * 86400))
    q.rules("")
    q.postern.run("postsuper", "-s")
    q.postern.start()
    q.wait_empty()


def test_equal_after_random_operations_and_kills(queue):
    """Mail arrives, is deferred, delivered, held, released, deleted; qmgr is killed; in the end
    index and files are the same."""
    draw = random.Random(20)
    q = queue("* deferred 4.2.0 wait\n", minimal_backoff_time="1s", maximal_backoff_time="3s",
              queue_run_delay="2s", service_throttle_time="1s")
    ids = []
    for step in range(60):
        ids += q.inject(f"a@d{step % 7}.example", "b@other.example", count=3)
        verb = draw.choice(["hold", "release", "delete", "requeue", "expire", "hold"])
        q.command(verb, draw.choice(ids))
        if step % 8 == 7:
            q.rules(draw.choice(["* deferred 4.2.0 wait\n", "b@ deferred 4.2.0 wait\n"]))
        if step % 10 == 9:
            q.kill_qmgr()
            q.postern.wait_log(COMPARED, 2 + step // 10)
    q.rules("* deferred 4.2.0 wait\n")
    q.postern.stop()  # nothing is active any more, so files and index stand still
    q.postern.write_config(main={"defer_transports": "fake", **PATIENT})
    q.postern.start()
    poll_until(lambda: q.command("index").startswith("done"), "a complete index")
    q.postern.stop()
    found = q.tool("index_check", q.postern.queue)
    assert found.returncode == 0, found.stdout
    entries, due = map(int, re.findall(r"\d+", found.stdout.splitlines()[-1]))
    assert entries == len(glob.glob(q.postern.queue + "/deferred/?/*")) + len(
        glob.glob(q.postern.queue + "/hold/*"))
    assert 0 < due <= entries
