# SPDX-License-Identifier: Apache-2.0
"""Parameters that no other test shows the effect of: one short test each."""

import os
import re
import smtplib
import socket
import struct

import pytest

from postern import MASTER_CF
from queue_instance import Queue

MESSAGE = "Subject: hello\nTo: nobody@example.test\n\nText.\n"
SMTPD = "127.0.0.1:{smtp} inet n - n - - smtpd"


def connect(postern, **more):
    return smtplib.SMTP("127.0.0.1", postern.port(), timeout=20, **more)


def renamed(names):
    text = MASTER_CF
    for old, new in names.items():
        text = re.sub(rf"(?m)^{old}(\s)", rf"{new}\1", text)
    return text


def test_services_by_other_names(postern_instance):
    names = {"cleanup": "tidy", "qmgr": "boss", "pickup": "porter", "showq": "list",
             "bounce": "refuse"}
    postern = postern_instance(main={
        "cleanup_service_name": "tidy", "queue_service_name": "boss",
        "pickup_service_name": "porter", "showq_service_name": "list",
        "bounce_service_name": "refuse", "notify_classes": "",
        "local_transport": "error:5.1.1 nobody here",
    }, master=renamed(names)).start()
    # A notice that cannot be delivered either ends there, told to nobody: seen in the log.
    postern.run("sendmail", "-f", "them@example.test", "nobody@example.test", input=MESSAGE)
    postern.wait_log(r"porter|pickup\[\d+\]: \w+: uid=")
    postern.wait_log(r"sender non-delivery notification: \w+")
    postern.wait_queue_empty()
    assert postern.run("mailq").stdout == "Mail queue is empty\n"
    postern.run("postqueue", "-f")


def test_default_session_limit(postern_instance):
    postern = postern_instance(main={"default_session_limit": "2"}).start()
    first, second = connect(postern), connect(postern)
    with socket.create_connection(("127.0.0.1", postern.port()), timeout=0.5) as third:
        with pytest.raises(TimeoutError):
            third.recv(100)
        assert second.noop()[0] == 250
        first.quit()
        third.settimeout(20)
        assert third.recv(100).startswith(b"220 ")
    second.quit()


def test_connections_are_counted_by_network(postern_instance):
    postern = postern_instance(main={
        "smtpd_client_connection_count_limit": "1", "smtpd_client_ipv4_prefix_length": "24",
        "service_processes": "1", "smtpd_client_event_limit_exceptions": ""}).start()
    with connect(postern, source_address=("127.0.7.1", 0)):
        with socket.create_connection(("127.0.0.1", postern.port()), timeout=20,
                                      source_address=("127.0.7.2", 0)) as neighbour:
            assert neighbour.recv(100).startswith(b"421 ")
        with connect(postern, source_address=("127.0.8.1", 0)) as stranger:
            assert stranger.noop()[0] == 250


def test_names_in_replies_and_logs(postern_instance):
    postern = postern_instance(
        main={"mail_version": "9.8.7"},
        master=MASTER_CF.replace(SMTPD, SMTPD + " -o myhostname=$process_name.example"
                                 " -o syslog_name=postfix/$service_name")).start()
    postern.wait_log(r"daemon started -- version 9\.8\.7,")
    with connect(postern) as client:
        code, text = client.ehlo()
        assert code == 250 and text.startswith(b"smtpd.example")
    postern.wait_log(rf"postfix/127\.0\.0\.1:{postern.port()}/smtpd\[\d+\]: connect from")


def test_mail_name(postern_instance):
    postern = postern_instance(main={"mail_name": "Fancy",
                                     "smtpd_reject_unlisted_recipient": "no",
                                     "default_transport": "retry:4.0.0 not now"}).start()
    with connect(postern) as client:
        assert client.ehlo()[0] == 250
        client.sendmail("a@example.org", ["u@example.net"], MESSAGE)
    queue_id = postern.wait_log(r"\]: (\w{10,}): to=<u@example\.net>")[1]
    text = postern.run("postcat", "-q", "-h", queue_id).stdout
    assert "by mail.example.test (Fancy) with ESMTP id " + queue_id in text


def test_bare_newline_reject_code(postern_instance):
    postern = postern_instance(main={"smtpd_forbid_bare_newline": "reject",
                                     "smtpd_forbid_bare_newline_reject_code": "521",
                                     "smtpd_forbid_bare_newline_exclusions": ""}).start()
    with socket.create_connection(("127.0.0.1", postern.port()), timeout=20) as s:
        answers = s.makefile("rb")
        assert answers.readline().startswith(b"220 ")
        s.sendall(b"NOOP\n")
        assert answers.readline().startswith(b"521 ")


def test_forbidden_commands(postern_instance):
    postern = postern_instance(main={"smtpd_forbidden_commands": "FROB"}).start()
    with connect(postern) as client:
        assert client.docmd("CONNECT", "x")[0] == 500
        assert client.docmd("FROB", "x")[0] == 221


def test_logrotate_by_its_parameters(postern_instance):
    postern = postern_instance(main={"maillog_file_rotate_suffix": "old-%Y"})
    packer = postern.path("packer")
    with open(packer, "w", encoding="ascii") as f:
        f.write('#!/bin/sh\nexec mv "$1" "$1.packed"\n')
    os.chmod(packer, 0o755)
    postern.write_config(main={"maillog_file_compressor": packer})
    postern.start()
    postern.run("postern", "logrotate")
    rotated = [n for n in os.listdir(postern.dir) if n.startswith("log.")]
    assert len(rotated) == 1 and re.fullmatch(r"log\.old-20\d\d\.packed", rotated[0])


def test_lmdb_map_size(postern_instance):
    """The size is in the first page of the file, behind 32 bytes."""
    postern = postern_instance(files={"map": "key value\n"})
    for size in (8 << 20, 64 << 20):
        postern.write_config(main={"lmdb_map_size": str(size)})
        path = os.path.join(postern.conf, "map")
        if os.path.exists(path + ".lmdb"):
            os.unlink(path + ".lmdb")
        postern.run("postmap", "lmdb:" + path)
        with open(path + ".lmdb", "rb") as f:
            assert struct.unpack("<Q", f.read(40)[32:])[0] == size


def test_bounce_queue_lifetime(postern_instance):
    postern = postern_instance(main={"bounce_queue_lifetime": "0",
                                     "default_transport": "retry:4.0.0 not now"}).start()
    for sender in ("them@example.org", "<>"):
        postern.run("sendmail", "-f", sender, "u@example.net", input=MESSAGE)
    postern.wait_log(r"from=<>, status=expired, returned to sender")
    postern.wait_log(r"status=deferred", count=2)
    assert len([f for f in postern.queue_files() if "/deferred/" in f]) == 1


def test_recipients_in_portions(postern_instance):
    """No more than the limit at one time, but at least the minimum of each message."""
    queue = Queue(postern_instance, qmgr_message_recipient_limit="1",
                  qmgr_message_recipient_minimum="3").start()
    queue.inject(*(f"u{i}@example.net" for i in range(6)))
    assert {line[5] for line in queue.wait("sent", 6)} == {"3"}
    queue.wait_empty()


def test_connection_to_an_agent_has_a_limit(postern_instance):
    """An agent that takes no connections: its backlog is full."""
    postern = postern_instance(main={"qmgr_ipc_timeout": "1s", "default_transport": "stuck"})
    postern.start()
    path = os.path.join(postern.queue, "private", "stuck")
    waiting = []
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(path)
        os.chmod(path, 0o666)
        agent.listen(0)
        for _ in range(2):
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(path)
        postern.run("sendmail", "u@example.net", input=MESSAGE)
        postern.wait_log(r"to=<u@example\.net>.* status=deferred", deadline=15)
    for client in waiting:
        client.close()


def test_full_name_encoding_charset(postern_instance):
    """The name is marked as what the administrator says it is; the bytes stay."""
    postern = postern_instance(main={"full_name_encoding_charset": "iso-8859-15",
                                     "default_transport": "retry:4.0.0 not now"}).start()
    postern.run("sendmail", "-f", "a@example.org", "-F", "J\u00f6rg", "u@example.net",
                input=MESSAGE)
    queue_id = postern.wait_log(r"\]: (\w{10,}): to=<u@example\.net>")[1]
    text = postern.run("postcat", "-q", "-h", queue_id).stdout
    assert "From: =?iso-8859-15?Q?J=C3=B6rg?= <a@example.org>\n" in text
