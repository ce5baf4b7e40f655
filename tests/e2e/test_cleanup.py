# SPDX-License-Identifier: Apache-2.0
"""cleanup in the running suite: what messages look like in a Maildir, what is refused and how the
client hears of it, hostile submitters, a full disk and a disk that loses data."""

import os
import re
import smtplib
import struct
import subprocess
import time

import pytest

from ipc_wire import Ipc, message
from faults import Faults
from mailboxes import READERS, body, header, mailbox, receiving
from postern import LIBEXEC, poll_until

SENDER = "sender@example.test"
READER = READERS[0]
USER = READER + "@example.test"


def send(postern, content=b"Subject: x\r\n\r\nbody\r\n", sender=SENDER, to=(USER,), options=(),
         rcpt_options=()):
    """Sends by SMTP; returns the answer to the message as (code, text)."""
    with smtplib.SMTP("127.0.0.1", postern.port(), timeout=30) as client:
        client.ehlo("client.example.org")
        code, text = client.mail(sender, options)
        if code != 250:
            return code, text.decode()
        for address in to:
            code, text = client.rcpt(address, rcpt_options)
            assert code == 250, text
        code, text = client.docmd("DATA")
        assert code == 354
        client.send(content + b".\r\n")
        code, text = client.getreply()
        return code, text.decode()


def fields(message_bytes, name):
    """The values of all fields of that name, folding undone."""
    text = re.sub(rb"\n[ \t]+", b" ", header(message_bytes)).decode("utf-8", "surrogateescape")
    return [line.split(":", 1)[1].strip() for line in text.splitlines()
            if line.lower().startswith(name.lower() + ":")]


def delivered(postern, reader=READER, count=1):
    return postern.wait_maildir(mailbox(postern, reader), count)[-1]


def test_missing_fields_and_received(postern_instance):
    postern = receiving(postern_instance)
    code, text = send(postern)
    assert code == 250
    queue_id = text.rsplit(" ", 1)[1]
    got = delivered(postern)
    assert re.search(
        rb"\nReceived: from client\.example\.org \(localhost \[127\.0\.0\.1\]\)\n"
        rb"\tby mail\.example\.test \(Postfix\) with ESMTP id " + queue_id.encode() +
        rb"\n\tfor <" + USER.encode() + rb">; [A-Z][a-z]{2}, \d\d? [A-Z][a-z]{2} \d{4} "
        rb"\d\d:\d\d:\d\d [+-]\d{4} \([A-Z0-9+-]+\)\nSubject: x\n", got)
    assert fields(got, "From") == [SENDER]
    assert re.fullmatch(r"<\d{14}\.%s@mail\.example\.test>" % queue_id,
                        fields(got, "Message-Id")[0])
    assert len(fields(got, "Date")) == 1
    assert fields(got, "To") == []
    assert body(got) == b"body\n"
    postern.wait_log(r"cleanup\[\d+\]: %s: message-id=%s\n"
                     % (queue_id, re.escape(fields(got, "Message-Id")[0])))


@pytest.mark.parametrize("parameters,added", [
    ({"local_header_rewrite_clients": ""}, False),
    ({"local_header_rewrite_clients": "permit_mynetworks"}, True),
    ({"local_header_rewrite_clients": "", "always_add_missing_headers": "yes"}, True),
])
def test_who_gets_missing_fields(postern_instance, parameters, added):
    postern = receiving(postern_instance, undisclosed_recipients_header="To: nobody:;",
                        **parameters)
    send(postern)
    got = delivered(postern)
    for name in ("From", "Date", "Message-Id", "To"):
        assert (len(fields(got, name)) == 1) == added, name
    if not added:
        postern.wait_log(r"cleanup\[\d+\]: \w+: message-id=<>\n")


def test_dropped_and_converted_fields(postern_instance):
    postern = receiving(postern_instance, mail_name="Mailer", message_drop_headers="x-one, Bcc",
                        header_size_limit="40", myhostname="other.example.test")
    send(postern, b"From nobody Mon\r\nX-One: 1\r\nBCC: secret@x\r\nX-Two: 2\r\n"
                  b"X-Long: 0123456789012345678901234567890123456789\r\nno field\r\nlast\r\n")
    got = delivered(postern)
    assert b"secret" not in got and fields(got, "X-One") == []
    assert fields(got, "X-Two") == ["2"]
    assert fields(got, "X-Mailbox-Line") == ["From nobody Mon"]
    assert fields(got, "X-Long") == ["01234567890123456789012345678901"]
    assert "by other.example.test (Mailer) with ESMTP" in fields(got, "Received")[0]
    assert body(got) == b"no field\nlast\n"


def test_refusals(postern_instance):
    postern = receiving(postern_instance, hopcount_limit="10", strict_8bitmime="yes",
                        strict_mime_encoding_domain="yes", mime_nesting_limit="2",
                        non_empty_end_of_header_action="reject", message_size_limit="100000")
    assert send(postern, b"Received: x\r\n" * 9 + b"\r\n") == \
        (554, "5.4.0 Error: too many hops")
    postern.wait_log(r"warning: \w+: message rejected: hopcount exceeded")
    assert send(postern, b"Subject: \xe9\r\n\r\n") == \
        (550, "5.6.0 improper use of 8-bit data in message header")
    postern.wait_log(r"\w+: reject: mime-error improper use of 8-bit data in message header: "
                     r"Subject: \\351 from localhost\[127\.0\.0\.1\]; from=<%s> to=<%s>"
                     % (SENDER, USER))
    assert send(postern, b"A: x\r\n\r\n\xe9\r\n") == \
        (550, "5.6.0 improper use of 8-bit data in message body")
    assert send(postern, b"Content-Type: message/rfc822\r\n"
                         b"Content-Transfer-Encoding: base64\r\n\r\nQQ==\r\n") == \
        (550, "5.6.0 invalid message/* or multipart/* encoding domain")
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=%c\r\n\r\n--%c\r\n" % (c, c)
                      for c in b"abc") + b"\r\nx\r\n"
    assert send(postern, nested) == (550, "5.6.0 MIME nesting exceeds safety limit")
    assert send(postern, b"A: x\r\nno field\r\n") == \
        (550, "5.6.0 message header was not terminated by empty line")
    assert send(postern, b"A: x\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y\r\n" * 33400)[0] == 552
    assert not postern.queue_files()
    assert send(postern)[0] == 250
    delivered(postern)


def test_copies_aliases_and_duplicates(postern_instance):
    a, b, c = READERS[:3]
    postern = receiving(
        postern_instance, always_bcc=c + "@example.test",
        virtual_alias_domains="list.example", virtual_alias_maps="inline:{ "
        "{team@list.example = %s@example.test, more@list.example} "
        "{more@list.example = %s@example.test, %s@example.test} }" % (a, a, b))
    assert send(postern, to=("team@list.example",))[0] == 250
    for reader in (a, b):
        got = delivered(postern, reader)
        assert fields(got, "X-Original-To") == ["team@list.example"]
        assert "for <team@list.example>" in fields(got, "Received")[0]
    got = delivered(postern, c)
    assert fields(got, "X-Original-To") == [c + "@example.test"]
    postern.wait_queue_empty()
    assert [len(postern.maildir(mailbox(postern, r))) for r in (a, b, c)] == [1, 1, 1]
    postern.wait_log(r"nrcpt=3 ")


def test_alias_tables_that_fail(postern_instance):
    postern = receiving(postern_instance, virtual_alias_maps="inline:{ "
                        "{loop1@example.test = loop2@example.test} "
                        "{loop2@example.test = loop1@example.test} "
                        "{big@example.test = a@x.example, b@x.example, c@x.example} }",
                        virtual_alias_expansion_limit="2", virtual_alias_recursion_limit="5",
                        smtpd_reject_unlisted_recipient="no", notify_classes="")
    for address in ("loop1@example.test", "big@example.test"):
        assert send(postern, to=(address,))[0] == 451
    assert not postern.queue_files()
    assert send(postern)[0] == 250
    delivered(postern)


def test_original_recipient_can_be_off(postern_instance):
    postern = receiving(postern_instance, enable_original_recipient="no",
                        virtual_alias_maps="inline:{ {x@example.test = %s} }" % USER)
    assert send(postern, to=("x@example.test", USER))[0] == 250
    delivered(postern)
    postern.wait_queue_empty()
    assert len(postern.maildir(mailbox(postern, READER))) == 1


def test_local_submission(postern_instance):
    postern = receiving(postern_instance, header_from_format="obsolete",
                        undisclosed_recipients_header="To: undisclosed-recipients:;")
    postern.run("sendmail", "-F", "J\u00f6rg (X)", "-f", SENDER, "-t",
                input="Bcc: %s\nSubject: x\n\nhello\n" % USER)
    got = delivered(postern)
    assert fields(got, "From") == [SENDER + " (=?utf-8?Q?J=C3=B6rg_=28X=29?=)"]
    assert fields(got, "Bcc") == []
    assert fields(got, "To") == ["undisclosed-recipients:;"]
    assert re.match(r"by mail\.example\.test \(Postfix, from userid %d\) id \w+; " % os.geteuid(),
                    fields(got, "Received")[0])


def test_too_little_space_for_strangers(postern_instance):
    postern = receiving(postern_instance, queue_minfree="4611686018427387904")
    assert send(postern) == (452, "4.3.1 Insufficient system storage")
    postern.wait_log(r"warning: not enough free space in mail queue: \d+ bytes < 46116860184")
    assert not postern.queue_files()
    postern.run("sendmail", USER, input="Subject: ours\n\nx\n")
    delivered(postern)


# Those who hand messages in and do not behave.

BEGIN = dict(source=1, sender=SENDER, client_name="localhost", client_address="127.0.0.1",
             helo_name="h", protocol_name="ESMTP")


def begin(client, **changes):
    client.send("submit/1.begin", **{**BEGIN, **changes})
    client.send("submit/1.recipient", address=USER)


def data(*pieces):
    return b"".join(struct.pack(">I", len(p) + 1) + b"d" + p for p in pieces)


def end(client):
    client.send("submit/1.end")
    name, answer = client.receive()
    assert name == "submit/1.status"
    return answer


BROKEN = {
    "begin inside": message("submit/1.begin", **BEGIN),
    "another conversation": message("showq/1.list"),
    "no message": b"m",
    "unknown kind": b"x123",
    "recipient without address": message("submit/1.recipient"),
    "recipient behind content": message("submit/1.recipient", address=USER),
    "a name that overruns": b"m\xff\xff",
}


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_protocol_breaker_loses_only_its_connection(postern_instance, what):
    postern = receiving(postern_instance)
    with Ipc(postern, "public/cleanup") as client, Ipc(postern, "public/cleanup") as good:
        begin(good)
        good.socket.sendall(data(b"Subject: good\r\n\r\n"))
        begin(client)
        client.socket.sendall(data(b"Subject: bad\r\n\r\n", *[b"x" * 60000] * 3))
        client.send_payload(BROKEN[what])
        assert client.is_closed()
        good.socket.sendall(data(b"body\r\n"))
        assert end(good)["result"] == b"1"
    assert fields(delivered(postern), "Subject") == ["good"]
    postern.wait_queue_empty()
    postern.wait_log(r"cleanup\[\d+\]: warning: bad submission: ")


def test_client_dies_in_the_middle(postern_instance):
    postern = receiving(postern_instance)
    for pieces in ((), (b"Subject: x",), (b"Subject: x\r\n\r\n", *[b"y" * 60000] * 5)):
        with Ipc(postern, "public/cleanup") as client:
            begin(client)
            if pieces:
                client.socket.sendall(data(*pieces))
    with Ipc(postern, "public/cleanup") as client:  # aborts, and goes on
        begin(client)
        client.socket.sendall(data(b"Subject: x\r\n\r\n", *[b"y" * 60000] * 5))
        client.send("submit/1.abort")
        begin(client)
        client.socket.sendall(data(b"Subject: good\r\n\r\n"))
        assert end(client)["result"] == b"1"
    assert fields(delivered(postern), "Subject") == ["good"]
    postern.wait_queue_empty()


def memory_peak(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1])


@pytest.mark.parametrize("head", [b"", b"A: ", b"A: 1\r\n\t", b"A: 1\r\n\r\n"])
def test_a_million_tiny_frames(postern_instance, head):
    """A byte a frame, wherever the parser is: linear in time, and nothing piles up."""
    postern = receiving(postern_instance)
    with Ipc(postern, "public/cleanup") as client:
        begin(client)
        if head:
            client.socket.sendall(data(head))
        started = time.monotonic()
        burst = data(b"x") * 10000
        for _ in range(100):
            client.socket.sendall(burst)
        client.socket.sendall(data(b"\r\n\r\nend\r\n"))
        assert end(client)["result"] == b"1"
        assert time.monotonic() - started < 25
        pid = postern.wait_child("cleanup")
        if not is_sanitized():
            assert memory_peak(pid) < 32 * 1024
    delivered(postern)


def is_sanitized():
    with open(os.path.join(LIBEXEC, "cleanup"), "rb") as f:
        return b"__asan_init" in f.read()


@pytest.mark.parametrize("line", [b"A:\r\n", b"\tx\r\n", b"To: a@b,c@d,e@f,g@h\r\n",
                                  b"To: ((((((((((((((((((\r\n"])
def test_header_floods(postern_instance, line):
    postern = receiving(postern_instance)
    for extract in (False, True):
        with Ipc(postern, "public/cleanup") as client:
            begin(client, source=2, extract_recipients=extract)
            pieces = [line * (60000 // len(line))] * 33
            client.socket.sendall(data(b"A: 1\r\n", *pieces, b"\r\nbody\r\n"))
            assert end(client)["result"] in (b"1", b"5")
            if not is_sanitized():
                assert memory_peak(postern.wait_child("cleanup")) < 32 * 1024
            postern.run("postsuper", "-d", "ALL")
    assert send(postern, b"Subject: good\r\n\r\n")[0] == 250
    poll_until(lambda: any(fields(m, "Subject") == ["good"]
                           for m in postern.maildir(mailbox(postern, READER))), "the good one")


# Disks that fail.

@pytest.fixture
def small_disk(postern_instance):
    """An instance whose queue is a file system of 4 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    postern = receiving(postern_instance, start=False, message_size_limit="0",
                        notify_classes="")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs",
                            postern.queue], capture_output=True, check=False)
    if mount.returncode != 0:
        pytest.skip("cannot mount a file system here")
    try:
        postern.start()
        yield postern
        postern.close()
    finally:
        subprocess.run(["umount", "-l", postern.queue], check=True)


def test_full_disk(small_disk):
    postern = small_disk
    large = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 80000
    assert send(postern, large) == (452, "4.3.1 Insufficient system storage")
    postern.wait_log(r"warning: .*[Nn]o space")
    assert not postern.queue_files()
    filler = os.path.join(postern.queue, "filler")
    with open(filler, "wb") as f:
        try:
            while True:
                os.write(f.fileno(), b"z" * 4096)
        except OSError:
            pass
    for _ in range(3):
        assert send(postern, b"Subject: small\r\n\r\n") == \
            (452, "4.3.1 Insufficient system storage")
    assert not postern.queue_files()
    os.unlink(filler)
    assert send(postern, b"Subject: after\r\n\r\n")[0] == 250
    assert fields(delivered(postern), "Subject") == ["after"]
    assert len(postern.maildir(mailbox(postern, READER))) == 1


def test_file_size_limit(postern_instance):
    """SIGXFSZ would end cleanup; here it is a full disk."""
    postern = postern_instance(prefix=("prlimit", "--fsize=1000000"))
    postern.write_config(main={"mail_spool_directory": postern.path("mail") + "/",
                               "notify_classes": ""})
    postern.start()
    large = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 20000
    assert send(postern, large) == (452, "4.3.1 Insufficient system storage")
    assert not postern.queue_files()
    assert send(postern, b"Subject: after\r\n\r\n")[0] == 250
    assert fields(delivered(postern), "Subject") == ["after"]


ENOSPC, EIO = 28, 5


@pytest.fixture
def faulty(postern_instance):
    """An instance whose cleanup syncs as the returned function says: fault(file, directory)."""
    postern = receiving(postern_instance, start=False, notify_classes="")
    faults = Faults(postern)

    def fault(file=0, directory=0):
        if file:
            faults.arm("cleanup", kinds=["sync"], lasts=True, error=file, files_only=True)
        elif directory:
            faults.arm("cleanup", kinds=["sync"], lasts=True, error=directory,
                       directories_only=True)
        else:
            faults.disarm()

    postern.start()
    return postern, fault


@pytest.mark.parametrize("errors,answer", [
    ((EIO, 0), (451, "4.3.0 Error: queue file write error")),
    ((0, EIO), (451, "4.3.0 Error: queue file write error")),
    ((ENOSPC, 0), (452, "4.3.1 Insufficient system storage")),
])
def test_disk_that_loses_data(faulty, errors, answer):
    postern, fault = faulty
    large = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 5000
    assert send(postern, b"Subject: first\r\n\r\n")[0] == 250
    delivered(postern)
    postern.wait_queue_empty()
    fault(*errors)
    # A small message needs no directory: it goes into a file that is there already.
    for content in (b"Subject: lost\r\n\r\n", large) if errors[0] else (large, large):
        assert send(postern, content) == answer
        assert not postern.queue_files()
    postern.wait_log(r"cleanup\[\d+\]: warning: \w+: ", count=2)
    fault()
    assert send(postern, b"Subject: after\r\n\r\n")[0] == 250
    got = postern.wait_maildir(mailbox(postern, READER), 2)
    postern.wait_queue_empty()
    assert sorted(fields(m, "Subject")[0] for m in got) == ["after", "first"]
    assert len(postern.maildir(mailbox(postern, READER))) == 2
