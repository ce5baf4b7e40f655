# SPDX-License-Identifier: Apache-2.0
"""sendmail and pickup: options, exit codes, text as stored, the way through maildrop/, and users
who do not play by the rules. Messages go as far as the queue: qmgr does not run here."""

import os
import pwd
import re
import resource
import signal
import socket
import stat
import struct
import subprocess
import time

import pytest

from postern import SBIN, can_be_another_user, poll_until

# Without qmgr, what was accepted stays where it can be looked at.
MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
pickup  unix n - n 60 1 pickup
cleanup unix n - n -  0 cleanup
"""
EX_OK, EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE, EX_TEMPFAIL = 0, 64, 65, 67, 69, 75
LOGIN = pwd.getpwuid(os.getuid()).pw_name
READY = 0o604
PREAMBLE = 256  # of a queue file; the body follows


@pytest.fixture
def postern(postern_instance):
    return postern_instance(master=MASTER).start()


def argv(instance, *arguments, user=None):
    command = [os.path.join(SBIN, "sendmail"), *arguments]
    if user:
        account = pwd.getpwnam(user)
        command = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}",
                   "--clear-groups", *command]
    return command


def sendmail(instance, *arguments, text=b"Subject: test\n\nhello\n", code=EX_OK, user=None,
             **more):
    if isinstance(text, str):
        text = text.encode()
    env = {**instance.env(), **more.pop("env", {})}
    done = subprocess.run(argv(instance, *arguments, user=user), input=text, env=env,
                          capture_output=True, timeout=60, **more)
    error = done.stderr.decode(errors="replace")
    instance._check_text(error, "stderr of sendmail")
    assert done.returncode == code, error + instance.log()[-2000:]
    return error


def stored(instance, place="incoming"):
    """Every message in a place: (envelope lines, content as bytes with LF)."""
    found = []
    top = os.path.join(instance.queue, place)
    for path in sorted((f for f in instance.queue_files() if f.startswith(top)),
                       key=lambda f: instance.queue_bytes(f)[16:24]):  # when it arrived
        name = [path] if os.path.exists(path) else ["-q", os.path.basename(path)]
        parts = []
        for part in ("-e", "-hb"):
            done = subprocess.run([os.path.join(SBIN, "postcat"), part, *name],
                                  capture_output=True, env=instance.env(), timeout=30)
            assert done.returncode == 0 and not done.stderr, done.stderr
            parts.append(done.stdout)
        found.append((parts[0].decode().splitlines(), parts[1]))
    return found


def one(instance, place="incoming"):
    messages = stored(instance, place)
    assert len(messages) == 1, messages
    return messages[0]


def body(content):
    return content.split(b"\n\n", 1)[1]


def recipients(envelope):
    return [l.split(": ", 1)[1] for l in envelope if l.startswith("recipient: ")]


def sender(envelope):
    return [l.split(": ", 1)[1] for l in envelope if l.startswith("sender: ")][0]


def maildrop(instance):
    return sorted(os.listdir(os.path.join(instance.queue, "maildrop")))


# ---- what a message becomes ----

def test_plain_message(postern):
    sendmail(postern, "-f", "from@example.test", "to@example.test", "Joe <joe@example.net>, x@y.z",
             text="From: a@example.test\nSubject: hi\n\nhello\n")
    envelope, content = one(postern)
    assert sender(envelope) == "from@example.test"
    assert recipients(envelope) == ["to@example.test", "joe@example.net", "x@y.z"]
    assert body(content) == b"hello\n"
    assert content.startswith(b"Received: by mail.example.test (Postfix, from userid %d)\n"
                              % os.getuid())
    assert b"\nSubject: hi\n" in content and b"\nMessage-Id: <" in content
    postern.wait_log(r"postfix/pickup\[\d+\]: [0-9A-Za-z]{12,}: uid=%d from=<from@example.test>"
                     % os.getuid())


def test_sender_defaults_to_login_and_name_goes_into_from(postern):
    sendmail(postern, "-F", "A. \"Q\" Name", "to@example.test")
    envelope, content = one(postern)
    assert sender(envelope).split("@")[0] == LOGIN
    assert re.search(rb'\nFrom: "A\. \\"Q\\" Name" <%s@' % LOGIN.encode(), content)
    postern.wait_log(r"uid=%d from=<%s>" % (os.getuid(), LOGIN))


@pytest.mark.parametrize("null", ["", "<>"])
def test_null_sender(postern, null):
    sendmail(postern, "-f", null, "to@example.test")
    envelope, _ = one(postern)
    assert sender(envelope) == ""
    postern.wait_log(r"from=<>")


def test_recipients_from_header(postern):
    sendmail(postern, "-t", "-oi", "extra@example.test",
             text="To: A <a@example.test>, (x) b@example.test\nCc: c@example.test\n"
                  "Bcc: secret@example.test\nSubject: x\n\nbody\n")
    envelope, content = one(postern)
    assert sorted(recipients(envelope)) == sorted([
        "a@example.test", "b@example.test", "c@example.test", "secret@example.test",
        "extra@example.test"])
    assert b"secret" not in content


def test_no_recipients(postern):
    error = sendmail(postern, "-t", text="Subject: x\n\nbody\n", code=EX_USAGE)
    assert "No recipient addresses found in message header" in error
    error = sendmail(postern, code=EX_USAGE)
    assert "Recipient addresses must be specified on the command line or via the -t option" \
        in error
    assert error.startswith("sendmail: fatal: %s(%d): " % (LOGIN, os.getuid()))
    assert stored(postern) == []


TEXTS = [
    # options, given, body as stored (with LF)
    ([], b"a\n.\nb\n", b"a\n"),
    ([], b"a\r\n.\r\nb\r\n", b"a\n"),
    ([], b"a\n..\n.b\nc\n", b"a\n..\n.b\nc\n"),
    (["-i"], b"a\n.\nb\n", b"a\n.\nb\n"),
    (["-oi"], b".\n.\n", b".\n.\n"),
    ([], b"one\r\ntwo\nthree\r\n", b"one\ntwo\nthree\n"),
    ([], b"a\rb\r\rc\n", b"a b  c\n"),
    ([], b"a\0b\n", b"a\0b\n"),
    ([], b"\xff\xfe 8bit\n", b"\xff\xfe 8bit\n"),
    ([], b"", b""),
    ([], b"\n\n\n", b"\n\n\n"),
    (["-i"], b"x" * 200000 + b"\n" + b"y" * 70000 + b"\r\nz\n",
     b"x" * 200000 + b"\n" + b"y" * 70000 + b"\nz\n"),
]


@pytest.mark.parametrize("options, given, expected", TEXTS, ids=range(len(TEXTS)))
def test_body_text(postern, options, given, expected):
    sendmail(postern, *options, "to@example.test", text=b"Subject: x\n\n" + given)
    _, content = one(postern)
    assert body(content) == expected
    wire = expected.replace(b"\n", b"\r\n")
    raw = postern.queue_bytes(postern.queue_files()[0])
    assert raw[PREAMBLE:PREAMBLE + len(wire)] == wire


def test_no_final_newline_and_separator_line(postern):
    sendmail(postern, "to@example.test",
             text=b">From joe Mon Jan  1 00:00:00 2024\nSubject: x\n\nno end")
    _, content = one(postern)
    assert body(content) == b"no end\n"  # postcat ends the line, the file does not
    assert b"joe" not in content and b"X-Mailbox-Line" not in content
    raw = postern.queue_bytes(postern.queue_files()[0])
    assert raw[PREAMBLE:].startswith(b"no end") and b"no end\r\n" not in raw


def test_large_message_and_many_recipients(postern):
    text = b"Subject: big\n\n" + b"0123456789 abcdef\n" * 300000
    sendmail(postern, "to@example.test", text=text)
    assert body(one(postern)[1]) == body(text)
    many = ["user%d@example.test" % i for i in range(1000)]
    sendmail(postern, *many)
    assert recipients(stored(postern)[-1][0]) == many


def test_too_big(postern):
    error = sendmail(postern, "to@example.test", text=b"Subject: x\n\n" + b"x" * 11000000,
                     code=EX_UNAVAILABLE)
    assert "message file too big" in error
    assert stored(postern) == [] and maildrop(postern) == []


def test_dsn_options(postern):
    sendmail(postern, "-N", "success,delay", "-R", "hdrs", "-V", "envelope+id", "-B", "8BITMIME",
             "to@example.test")
    envelope, _ = one(postern)
    assert "named_attribute: notify_flags=10" in envelope
    assert "named_attribute: dsn_ret=HDRS" in envelope
    assert "named_attribute: envelope_id=envelope+id" in envelope
    assert "named_attribute: encoding=8bit" in envelope


def test_ignored_options(postern):
    """What old programs give along; mutt, cron, PHP and Perl among them."""
    sendmail(postern, "-oem", "-oi", "-odb", "-om", "-o7", "-m", "-e", "x", "-h", "3", "-U",
             "-L", "tag", "-Am", "-Xlog", "-q15m", "-bm", "-Otimeout=1", "--", "to@example.test")
    assert recipients(one(postern)[0]) == ["to@example.test"]


@pytest.mark.parametrize("arguments, code, text", [
    (["-Z", "x@example.test"], EX_USAGE, "usage:"),
    (["-n", "x@example.test"], EX_USAGE, "-n option not supported"),
    (["-bz"], EX_USAGE, "unsupported: -bz"),
    (["-bv", "x@example.test"], EX_USAGE, "not supported yet"),
    (["-qSx"], EX_USAGE, "-qS is not implemented"),
    (["-N", "sometimes", "x@example.test"], EX_USAGE, "bad -N"),
    (["-N", "never,delay", "x@example.test"], EX_USAGE, "bad -N"),
    (["-R", "some", "x@example.test"], EX_USAGE, "bad -R"),
    (["-V", "a b", "x@example.test"], EX_USAGE, "bad -V"),
    (["-f", "a@example.test, b@example.test <", "x@example.test"], EX_USAGE,
     "-f option specified malformed sender"),
    (["a@b@c@example.test"], EX_DATAERR, "malformed recipient"),
    ([""], EX_DATAERR, "malformed recipient"),
    (["  "], EX_DATAERR, "malformed recipient"),
    (["to@example.test", "a\nb@example.test"], EX_DATAERR, "malformed recipient"),
])
def test_refused_command_lines(postern, arguments, code, text):
    assert text in sendmail(postern, *arguments, code=code)
    assert postern.queue_files() == []


def test_addresses_that_look_like_something_else(postern):
    """G7: behind -- nothing is an option, and nothing is ever given to a shell."""
    odd = ["-oQ/tmp@example.test", "|touch@example.test", "${x}@example.test", "a%n@example.test"]
    sendmail(postern, "-f", "-x@example.test", "--", *odd)
    envelope, _ = one(postern)
    assert recipients(envelope) == odd and sender(envelope) == "-x@example.test"


def test_header_injection_by_full_name(postern):
    """G3: a name from the environment stays inside its field."""
    sendmail(postern, "to@example.test", env={"NAME": "Evil\r\nBcc: x@example.test\n\nbody"})
    _, content = one(postern)
    assert not re.search(rb"^Bcc:", content, re.M)
    assert content.count(b"\n\n") == 1


def test_smtp_mode(postern):
    lines = (b"EHLO x\r\nMAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n"
             b"Subject: x\r\n\r\nby smtp\r\n.\r\nQUIT\r\n")
    done = subprocess.run(argv(postern, "-bs"), input=lines, env=postern.env(),
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and b"\r\n250 2.0.0 Ok: queued as " in done.stdout, done
    envelope, content = one(postern)
    assert sender(envelope) == "a@example.test" and recipients(envelope) == ["b@example.test"]
    assert body(content) == b"by smtp\n"


def test_configuration_option(postern, tmp_path):
    env = {"MAIL_CONFIG": str(tmp_path)}
    sendmail(postern, "-C", postern.conf, "to@example.test", env=env)
    sendmail(postern, "-C", postern.conf + "/main.cf", "to@example.test", env=env)
    assert len(stored(postern)) == 2
    sendmail(postern, "to@example.test", env=env, code=78)


# ---- the system is down ----

def test_maildrop_and_pickup_later(postern_instance):
    instance = postern_instance(master=MASTER).start()
    instance.stop()
    text = b"To: a@example.test\nBcc: b@example.test\nSubject: later\n\nkept\n" + b"z" * 200000
    sendmail(instance, "-t", "-f", "me@example.test", "-N", "never", text=text)
    names = maildrop(instance)
    assert len(names) == 1 and re.fullmatch("[0-9a-f]{32}", names[0])
    st = os.lstat(os.path.join(instance.queue, "maildrop", names[0]))
    assert stat.S_IMODE(st.st_mode) == READY and st.st_uid == os.getuid()
    directory = os.stat(os.path.join(instance.queue, "maildrop"))
    assert stat.S_IMODE(directory.st_mode) == 0o1733
    instance.start()
    poll_until(lambda: not maildrop(instance), "maildrop to be empty")
    envelope, content = one(instance)
    assert sender(envelope) == "me@example.test"
    assert sorted(recipients(envelope)) == ["a@example.test", "b@example.test"]
    assert body(content) == b"kept\n" + b"z" * 200000 + b"\n"
    instance.wait_log(r"pickup\[\d+\]: \w+: uid=%d from=<me@example.test>" % os.getuid())


def test_maildrop_many(postern_instance):
    instance = postern_instance(master=MASTER).start()
    instance.stop()
    for i in range(30):
        sendmail(instance, "to%d@example.test" % i, text="Subject: %d\n\n%d\n" % (i, i))
    assert len(maildrop(instance)) == 30
    instance.start()
    poll_until(lambda: not maildrop(instance), "maildrop to be empty")
    got = {recipients(e)[0]: body(c) for e, c in stored(instance)}
    assert got == {"to%d@example.test" % i: b"%d\n" % i for i in range(30)}


def test_cleanup_down(postern_instance):
    """pickup is there and cleanup is not: the message is kept, and goes when cleanup is back."""
    instance = postern_instance(master=MASTER.replace("cleanup unix", "#")).start()
    sendmail(instance, "to@example.test")
    assert len(maildrop(instance)) == 1
    instance.stop()
    instance.write_config(master=MASTER)
    instance.start()
    poll_until(lambda: not maildrop(instance), "maildrop to be empty")
    assert recipients(one(instance)[0]) == ["to@example.test"]


def test_maildrop_with_mail_that_cannot_be_taken_now(postern_instance):
    """A message that fails time and again, or ends cleanup, holds up no other."""
    master = MASTER.replace("0 cleanup", "0 fake_cleanup")
    instance = postern_instance(master=master.replace("60 1 pickup", "1 1 pickup"), crashes=True)
    instance.write_config(main={"fake_cleanup_directory": instance.mail,
                                "service_throttle_time": "1s"})
    instance.start()
    instance.stop()
    for i in range(10):
        sendmail(instance, "-f", "retry@example.test", "to@example.test")
    sendmail(instance, "-f", "die@example.test", "to@example.test")
    kept = maildrop(instance)
    for i in range(20):
        sendmail(instance, "-f", "good@example.test", "to@example.test")
    instance.start()
    poll_until(lambda: maildrop(instance) == kept, "the other mail to go")


def test_bad_headers_are_refused_while_down(postern_instance):
    instance = postern_instance(master=MASTER).start()
    instance.stop()
    sendmail(instance, "-t", text="Subject: x\n\nTo: a@example.test\n", code=EX_USAGE)
    sendmail(instance, "-t", text="To: a@b@c@example.test\n\n", code=EX_DATAERR)
    assert maildrop(instance) == []
    sendmail(instance, "-t", "a@example.test", text="Subject: x\n\n")
    assert len(maildrop(instance)) == 1


def test_line_ending_parameter(postern_instance):
    instance = postern_instance(master=MASTER, main={"sendmail_fix_line_endings": "never"})
    instance.start()
    sendmail(instance, "to@example.test", text=b"Subject: x\n\na\r\nb\n")
    assert body(one(instance)[1]) == b"a \nb\n"


def test_service_name_parameter(postern_instance):
    instance = postern_instance(
        master=MASTER.replace("pickup  unix n - n 60 1 pickup", "desk unix n - n 60 1 pickup"),
        main={"pickup_service_name": "desk"}).start()
    sendmail(instance, "to@example.test")
    assert recipients(one(instance)[0]) == ["to@example.test"] and maildrop(instance) == []


def test_no_queue_directory(postern_instance):
    instance = postern_instance(master=MASTER)
    error = sendmail(instance, "to@example.test", code=EX_TEMPFAIL)
    assert "mail system is down, and queue file creation failed" in error


def make_drop(instance, name, data, mode=READY):
    path = os.path.join(instance.queue, "maildrop", name)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    return path


def test_foreign_things_in_maildrop(postern_instance):
    instance = postern_instance(master=MASTER).start()
    instance.stop()
    sendmail(instance, "good@example.test")
    drop = os.path.join(instance.queue, "maildrop")
    good = open(os.path.join(drop, maildrop(instance)[0]), "rb").read()
    outside = instance.path("outside")
    with open(outside, "wb") as f:
        f.write(good)
    os.chmod(outside, READY)
    kept = {
        "0" * 32: lambda n: make_drop(instance, n, b"garbage" * 100),
        "1" * 32: lambda n: make_drop(instance, n, good[:-3]),
        "2" * 32: lambda n: make_drop(instance, n, good[:100] + b"\xff\xff\xff\xff" + good[104:]),
        "3" * 32: lambda n: make_drop(instance, n, b""),
        "4" * 32: lambda n: make_drop(instance, n, good, 0o644),
        "5" * 32: lambda n: make_drop(instance, n, good, 0o600),
        "6" * 32: lambda n: os.symlink(outside, os.path.join(drop, n)),
        "7" * 32: lambda n: os.link(outside, os.path.join(drop, n)),
        "8" * 32: lambda n: os.mkfifo(os.path.join(drop, n), READY),
        "9" * 32: lambda n: os.mkdir(os.path.join(drop, n)),
        "name": lambda n: make_drop(instance, n, good),
    }
    for name, make in kept.items():
        make(name)
    old = make_drop(instance, "a" * 32, good[:50], 0o600)
    os.utime(old, (time.time() - 90000, time.time() - 90000))
    instance.start()
    poll_until(lambda: maildrop(instance) == sorted(kept), "what is good and what is old to go")
    assert recipients(one(instance)[0]) == ["good@example.test"]
    for name in kept:
        if name != "5" * 32:
            instance.wait_log(r"maildrop/%s: " % name[:16])
    # A name is enough to read a message: the log must not tell it.
    assert not re.search("[0-9a-f]{17}", instance.log())


def test_refused_maildrop_file_is_kept(postern_instance):
    instance = postern_instance(master=MASTER, main={"message_size_limit": "20000"}).start()
    instance.stop()
    sendmail(instance, "to@example.test", text="Subject: x\n\n" + "x" * 15000)
    instance.write_config(main={"message_size_limit": "10000"})
    instance.start()
    instance.wait_log(r"error: maildrop/[0-9a-f]{16}: from uid=%d, refused" % os.getuid())
    poll_until(lambda: os.listdir(os.path.join(instance.queue, "corrupt")), "it to be set aside")
    assert maildrop(instance) == [] and stored(instance) == []


# ---- T51: hostile callers ----

def test_closed_descriptors(postern):
    done = subprocess.run(["sh", "-c", "%s to@example.test <&- >&- 2>&-"
                           % os.path.join(SBIN, "sendmail")], env=postern.env(), timeout=60)
    assert done.returncode == EX_DATAERR
    assert postern.queue_files() == []


def test_file_size_limit(postern_instance):
    instance = postern_instance(master=MASTER).start()
    instance.stop()
    sendmail(instance, "to@example.test", code=EX_TEMPFAIL,
             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)))
    assert maildrop(instance) == []
    # Running, the caller's limits do not matter.
    instance.start()
    sendmail(instance, "to@example.test",
             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)))
    assert len(stored(instance)) == 1


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGALRM])
def test_signals_leave_nothing(postern_instance, number):
    """Signals at any moment: nothing, or the whole message, and success says which."""
    instance = postern_instance(master=MASTER).start()
    instance.stop()
    for i in range(15):
        process = subprocess.Popen(argv(instance, "to@example.test"), stdin=subprocess.PIPE,
                                   env=instance.env(), stderr=subprocess.DEVNULL)
        process.stdin.write(b"Subject: x\n\n" + b"x" * 60000)
        if i % 3:
            process.stdin.close()
        end = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < end:
            process.send_signal(number)
        assert process.wait(timeout=10) in (EX_OK, -number)
        left = maildrop(instance)
        assert len(left) == (1 if process.returncode == EX_OK else 0)
        for name in left:
            path = os.path.join(instance.queue, "maildrop", name)
            assert stat.S_IMODE(os.stat(path).st_mode) == READY
            os.unlink(path)


def test_environment_and_no_arguments(postern, tmp_path):
    (tmp_path / "DB_CONFIG").write_text("set_flags DB_SOMETHING\n")
    sendmail(postern, "to@example.test", cwd=tmp_path,
             env={"TZ": ":/etc/passwd", "MALLOC_CHECK_": "3", "IFS": "x", "LOGNAME": "root",
                  "USER": "root"})
    assert len(stored(postern)) == 1
    # Linux makes one empty argument of none; Python no longer lets a caller say so.
    done = subprocess.run(["bash", "-c", "exec -a '' \"$0\"", os.path.join(SBIN, "sendmail")],
                          env=postern.env(), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60)
    assert done.returncode == EX_USAGE
    assert len(stored(postern)) == 1


def test_many_at_once(postern):
    running = []
    for i in range(40):
        process = subprocess.Popen(argv(postern, "to%d@example.test" % i), env=postern.env(),
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(b"Subject: %d\n\n" % i + b"%d\n" % i * 5000)
        running.append(process)
    for process in running:
        _, error = process.communicate(timeout=60)
        assert process.returncode == EX_OK, error
    assert maildrop(postern) == []
    got = {recipients(e)[0]: body(c) for e, c in stored(postern)}
    assert got == {"to%d@example.test" % i: b"%d\n" % i * 5000 for i in range(40)}


def frame(kind, payload):
    return struct.pack(">I", len(payload) + 1) + kind + payload


def message(name, **values):
    """A message of submit/1 as any local program may send it."""
    out = b""
    for key, value in [("submit/1." + name, b"")] + list(values.items()):
        value = value if isinstance(value, bytes) else str(value).encode()
        out += struct.pack(">H", len(key)) + key.encode() + struct.pack(">I", len(value)) + value
    return frame(b"m", out)


def raw_submit(instance, *frames):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(os.path.join(instance.queue, "public", "pickup"))
        try:
            s.sendall(b"".join(frames))
        except (BrokenPipeError, ConnectionResetError):
            pass
        s.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := s.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
    return answer


BEGIN = message("begin", source=1, sender="a@example.test", uid=0, queue_id="4bXzTq1234z0000000",
                client_name="trusted.example", client_address="192.0.2.1", helo_name="x",
                hold=1)
RECIPIENT = message("recipient", address="b@example.test")
DATA = frame(b"d", b"Subject: x\r\n\r\nbody\r\n")
END = message("end")


def test_client_facts_are_not_believed(postern):
    assert b"queued as" in raw_submit(postern, BEGIN, RECIPIENT, DATA, END)
    envelope, content = one(postern)
    text = "\n".join(envelope) + content.decode()
    for lie in ("trusted.example", "192.0.2.1", "4bXzTq1234z0000000"):
        assert lie not in text
    assert b"from userid %d)" % os.getuid() in content


@pytest.mark.parametrize("frames", [
    [b"\xff\xff\xff\xffmxxxx"],
    [b"GET / HTTP/1.0\r\n\r\n"],
    [RECIPIENT, DATA, END],
    [DATA],
    [END],
    [BEGIN, BEGIN],
    [BEGIN, RECIPIENT, DATA],
    [BEGIN, message("status", result=1)],
    [BEGIN, message("unknown")],
    [message("begin", sender="a@example.test")],
    [frame(b"m", b"\0\x05ab")],
    [frame(b"x", b"abc")],
    [b""],
])
def test_broken_conversations(postern, frames):
    assert b"queued" not in raw_submit(postern, *frames)
    assert postern.queue_files() == []
    sendmail(postern, "after@example.test")  # the same process goes on


@pytest.mark.parametrize("field, value", [
    ("sender", b"a\r\nb@example.test"),
    ("sender", b"a@exam\nple.test"),
    ("sender", b"a" * 2000 + b"@example.test"),
    ("sender", b"a@b c"),
    ("sender", b"\xff@example.test"),
    ("envelope_id", b"a\nb"),
    ("envelope_id", b"x" * 101),
    ("dsn_ret", b"EVERYTHING"),
], ids=range(8))
def test_bad_envelope_is_refused(postern, field, value):
    begin = {"source": 2, "sender": "a@example.test", field: value}
    answer = raw_submit(postern, message("begin", **begin), RECIPIENT, DATA, END)
    assert b"submit/1.status" in answer and b"queued" not in answer
    assert postern.queue_files() == []


@pytest.mark.parametrize("values", [
    {"address": b""}, {"address": b"a\0b@example.test"}, {"address": b"a@example.test\r\nx"},
    {"address": b"a@example.test", "notify": 16}, {"address": b"a@example.test", "notify": 3},
    {"address": b"a@example.test", "dsn_orcpt": b"rfc822;a\nb"},
    {"address": b"a@example.test", "dsn_orcpt": b"none"},
])
def test_bad_recipient_is_refused(postern, values):
    answer = raw_submit(postern, BEGIN, message("recipient", **values), DATA, END)
    assert b"submit/1.status" in answer and b"queued" not in answer
    assert postern.queue_files() == []


def test_bare_line_ends_from_a_local_program(postern):
    """T02 by the socket itself: what is stored has CRLF and no other CR or LF."""
    text = b"Subject: x\r\n\r\na\nb\rc\r\r\nd\n.\n.\r\n\r"
    for split in (1, 2, 3, 7, len(text)):
        pieces = [frame(b"d", text[i:i + split]) for i in range(0, len(text), split)]
        assert b"queued as" in raw_submit(postern, BEGIN, RECIPIENT, *pieces, END)
    for envelope, content in stored(postern):
        assert body(content) == b"a\nb c \nd\n.\n.\n \n"


def test_idle_clients_do_not_stop_others(postern):
    held = []
    for _ in range(60):
        s = socket.socket(socket.AF_UNIX)
        s.connect(os.path.join(postern.queue, "public", "pickup"))
        s.sendall(BEGIN[:7])
        held.append(s)
    sendmail(postern, "to@example.test")
    for s in held:
        s.close()
    assert len(stored(postern)) == 1


@pytest.mark.skipif(not can_be_another_user(), reason="needs root to be another user")
class TestOtherUsers:
    def test_uid_is_the_callers(self, postern):
        nobody = pwd.getpwnam("nobody")
        sendmail(postern, "to@example.test", user="nobody")
        envelope, content = one(postern)
        assert b"from userid %d)" % nobody.pw_uid in content
        assert sender(envelope).startswith("nobody@")

    def test_maildrop_of_another_user(self, postern_instance):
        instance = postern_instance(master=MASTER).start()
        instance.stop()
        sendmail(instance, "to@example.test", user="nobody")
        instance.start()
        poll_until(lambda: not maildrop(instance), "maildrop to be empty")
        _, content = one(instance)
        assert b"from userid %d)" % pwd.getpwnam("nobody").pw_uid in content

    def test_maildrop_is_closed_to_others(self, postern):
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "ls",
                               os.path.join(postern.queue, "maildrop")], capture_output=True)
        assert done.returncode != 0

    def test_not_authorized(self, postern_instance):
        instance = postern_instance(
            master=MASTER + "tables unix - - n - - tables\n",
            main={"authorized_submit_users": "!nobody, static:all"}).start()
        error = sendmail(instance, "to@example.test", user="nobody", code=77)
        assert "User nobody(65534) is not allowed to submit mail" in error
        sendmail(instance, "to@example.test", user="games")
        sendmail(instance, "to@example.test")
        assert len(stored(instance)) == 2

    def test_nothing_is_set_id(self, postern):
        for top, _, names in os.walk(os.path.dirname(SBIN)):
            for name in names:
                mode = os.lstat(os.path.join(top, name)).st_mode
                assert not mode & (stat.S_ISUID | stat.S_ISGID), name
