# SPDX-License-Identifier: Apache-2.0
"""Mail handed to a real Dovecot by LMTP, over TCP and at its UNIX socket."""

import re

import pytest

from dovecot_server import Dovecot
from interop import ORIGIN, check_no_newline_at_the_end, made
from mailboxes import header
from notices import Notice
from postern import can_be_another_user
from shapes import BODIES, assert_unchanged, message

pytestmark = pytest.mark.skipif(not can_be_another_user(),
                                reason="Dovecot starts in a private root, as root")
DOMAIN = Dovecot.domain


def dovecot_pair(way):
    pair = made(Dovecot, settings={"relay_domains": DOMAIN})
    peer = pair.peer
    next_hop = f"inet:127.0.0.1:{peer.port}" if way == "tcp" else f"unix:{peer.socket}"
    pair.postern.write_config(main={"relay_transport": "lmtp:" + next_hop})
    pair.postern.reload()
    pair.relay = "127.0.0.1[127.0.0.1]" if way == "tcp" else f"mail.example.test[{peer.socket}]"
    return pair


@pytest.fixture(scope="module", params=["tcp", "unix"])
def pair(request):
    pair = dovecot_pair(request.param)
    yield pair
    pair.close()


@pytest.mark.parametrize("name", BODIES)
def test_body(pair, name):
    message_id, content = message(BODIES[name])
    pair.send(content, [pair.peer.address()])
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content)
    pair.postern.wait_log(rf"lmtp\[\d+\]: \w+: to=<{pair.peer.address()}>, "
                          rf"relay={re.escape(pair.relay)}[^ ]*, .*dsn=2\.0\.0, status=sent")


def test_no_newline_at_the_end(pair):
    check_no_newline_at_the_end(pair)


def test_message_as_dovecot_shows_it(pair):
    message_id, content = message(BODIES["8-bit"])
    pair.send(content, [pair.peer.address()])
    pair.at_peer(message_id)
    shown = pair.peer.fetch("reader", message_id)
    assert shown["body"].strip() == BODIES["8-bit"].decode().replace("\r\n", "\n").strip()
    lines = shown["hdr"].split("\n")
    assert lines[0] == f"Return-Path: <{ORIGIN}>"
    assert f"Delivered-To: {pair.peer.address()}" in lines
    assert "Subject: number" in shown["hdr"]


def test_bounce_has_an_empty_return_path(pair):
    message_id, content = message(b"from nobody\r\n")
    pair.send(content, [pair.peer.address()], sender="")
    found, = pair.at_peer(message_id)
    assert header(found).startswith(b"Return-Path: <>\n")


def test_each_recipient_has_its_own_outcome(pair):
    """One is unknown, one has no room for now, two get the message: once each."""
    peer = pair.peer
    message_id, content = message(b"for four\r\n")
    unknown, full = peer.address("nobody"), peer.address("full")
    pair.send(content, [peer.address(), unknown, full, peer.address("second")])
    for user in ("reader", "second"):
        found, = pair.at_peer(message_id, user=user)
        assert_unchanged(found, content)
        pair.postern.wait_log(rf"to=<{user}@{DOMAIN}>, .*dsn=2\.0\.0, status=sent")
    pair.postern.wait_log(rf"to=<{unknown}>, .*dsn=5\.1\.1, status=bounced")
    pair.postern.wait_log(rf"to=<{full}>, .*dsn=4\.2\.2, status=deferred")
    notice = Notice(pair.notice(message_id))
    assert notice.final_recipients() == [unknown]
    assert "User doesn't exist" in notice.text
    listed = pair.mailq()
    assert "Quota exceeded" in listed
    assert full in listed
    assert unknown not in listed


def test_room_is_made_and_the_queue_flushed():
    """The recipient that had to wait gets the message, and nobody gets it again."""
    pair = dovecot_pair("unix")
    try:
        message_id, content = message(b"for two\r\n")
        full = pair.peer.address("full")
        pair.send(content, [pair.peer.address(), full])
        pair.postern.wait_log(rf"to=<{full}>, .*status=deferred")
        pair.peer.make_room()
        pair.postern.run("postqueue", "-f")
        found, = pair.at_peer(message_id, user="full")
        assert_unchanged(found, content)
        pair.postern.wait_queue_empty()
        assert len(pair.at_peer(message_id)) == 1
    finally:
        pair.close()


def test_dovecot_is_down(pair):
    """What a socket that nobody answers at means: not now."""
    pair.peer.stop()
    message_id, content = message(b"patience\r\n")
    pair.send(content, [pair.peer.address()])
    pair.postern.wait_log(rf"to=<{pair.peer.address()}>, .*status=deferred")
    pair.peer.start()
    pair.postern.run("postqueue", "-f")
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content)
