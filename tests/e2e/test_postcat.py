# SPDX-License-Identifier: Apache-2.0
"""postcat: the layout that scripts cut apart, the choice of parts, damaged files."""

import os
import subprocess

import pytest

from postern import ROOT, SBIN

SAMPLE = os.path.join(ROOT, "tests", "fuzz", "seeds", "queue_file", "journal")
PREAMBLE, BODY, ID_AT = 256, 300, 72

with open(SAMPLE, "rb") as f:
    DATA = f.read()
ID = DATA[ID_AT:ID_AT + 32].rstrip(b"\0").decode()
HEADER_TEXT = "Subject: test\nFrom: a@example.com\n"
BODY_TEXT = "\n" + DATA[PREAMBLE:PREAMBLE + BODY].decode().replace("\r\n", "\n")


def postcat(*arguments, stdin=b"", code=0, env=None):
    r = subprocess.run([os.path.join(SBIN, "postcat"), *arguments], input=stdin,
                       capture_output=True, timeout=30, env={**os.environ, **(env or {})})
    assert r.returncode == code, r.stderr
    return r.stdout.decode(), r.stderr.decode()


@pytest.fixture
def queue(tmp_path):
    """A configuration whose queue holds the sample."""
    places = ["incoming", "slots", "hold", "corrupt"] + ["deferred/%x" % i for i in range(16)]
    for place in places:
        os.makedirs(tmp_path / "q" / place)
    (tmp_path / "q" / "hold" / ID).write_bytes(DATA)
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nqueue_directory = %s\n"
                                      % (tmp_path / "q"))
    return tmp_path


def test_whole_message():
    out, err = postcat(SAMPLE)
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "*** ENVELOPE RECORDS %s ***" % SAMPLE
    size = len(HEADER_TEXT.replace("\n", "\r\n")) + 2 + BODY
    assert lines[1].split() == ["message_size:", str(size), str(PREAMBLE + BODY), "5", "0",
                                str(size), "0"]
    assert lines[2].startswith("message_arrival_time: ")
    assert "sender: sender@example.com" in lines
    assert "named_attribute: client_name=mail.example.com" in lines
    # The journal says that the first recipient has it.
    first = lines.index("original_recipient: alias0@example.org")
    assert lines[first + 1] == "done: user0@example.net"
    last = lines.index("original_recipient: alias4@example.org")
    assert lines[last + 1] == "recipient: user4@example.net"
    assert ("*** MESSAGE CONTENTS %s ***\n" % SAMPLE + HEADER_TEXT + BODY_TEXT
            + "*** HEADER EXTRACTED %s ***\n" % SAMPLE
            + "*** MESSAGE FILE END %s ***\n" % SAMPLE) in out


def test_parts():
    assert postcat("-h", SAMPLE)[0] == HEADER_TEXT
    assert postcat("-b", SAMPLE)[0] == BODY_TEXT
    assert postcat("-bh", SAMPLE)[0] == HEADER_TEXT + BODY_TEXT
    envelope = postcat("-e", SAMPLE)[0]
    assert "Subject" not in envelope and "*** MESSAGE CONTENTS" in envelope
    assert postcat("-hv", SAMPLE)[0].splitlines()[0] == "regular_text: Subject: test"
    assert postcat("-hod", SAMPLE)[0].splitlines()[1] == "%9d %3d From: a@example.com" % (
        PREAMBLE + BODY + len("Subject: test\r\n"), ord("N"))


def test_standard_input():
    out, _ = postcat(stdin=DATA)
    assert out.startswith("*** ENVELOPE RECORDS stdin ***\n")
    assert HEADER_TEXT + BODY_TEXT in out


def test_by_id(queue):
    for arguments, env in ((["-c", str(queue)], {}), ([], {"MAIL_CONFIG": str(queue)})):
        out, err = postcat("-q", *arguments, ID, env=env)
        assert out.startswith("*** ENVELOPE RECORDS hold/%s ***\n" % ID)
        assert HEADER_TEXT + BODY_TEXT in out
    _, err = postcat("-q", "-c", str(queue), "4bXzTq1234z000000000000", code=1)
    assert "No such file or directory" in err
    _, err = postcat("-q", "-c", str(queue), "../hold/" + ID, code=1)
    assert "bad mail queue ID" in err


def test_damage_is_said():
    changed = bytearray(DATA)
    changed[PREAMBLE + 10] ^= 1
    out, err = postcat(stdin=bytes(changed))
    assert "damaged" in err
    out, err = postcat(stdin=DATA[:500])
    assert out == "" and "not a valid queue file" in err
    out, err = postcat("/dev/null", SAMPLE)
    assert "/dev/null" in err and HEADER_TEXT in out
    postcat("/nonexistent", code=1)
    postcat("-x", code=1)
