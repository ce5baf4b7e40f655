# SPDX-License-Identifier: Apache-2.0
"""Mail that other servers relay to Postern: Postfix, Exim, OpenSMTPD and sendmail, from Debian's
packages. What a client gave them arrives in a Maildir of Postern byte for byte."""

import re

import pytest

from interop import made, smtp_source
from mailboxes import header, mailbox
from notices import Notice
from other_servers import ALL, Exim, Postfix
from postern import Instance, can_be_another_user, poll_until
from shapes import BODIES, assert_unchanged, message
from smtp_wire import Wire

pytestmark = pytest.mark.skipif(not can_be_another_user(),
                                reason="other mail servers start in a private root, as root")

# One recipient's mail waits, so that its envelope can be looked at.
SETTINGS = {
    "virtual_alias_maps": "inline:{lesér@example.test=games@example.test}",
    "transport_maps": "inline:{waiting@example.test=discard:}",
    "defer_transports": "discard",
    "local_recipient_maps": "",
    "smtpd_relay_restrictions": "reject_unauth_destination",
}


@pytest.fixture(scope="module", params=ALL, ids=lambda kind: kind.name)
def pair(request):
    pair = made(request.param, settings=SETTINGS)
    yield pair
    pair.close()


def relay(pair, content, recipients=("games@example.test",), sender="sender@origin.test", **more):
    """Gives a message to the peer."""
    pair.send(content, recipients, sender, port=pair.peer.port, **more)


def of_peers_with(feature):
    kinds = [kind for kind in ALL if feature in kind.features]
    return pytest.mark.parametrize("pair", kinds, ids=lambda kind: kind.name, indirect=True)


@pytest.mark.parametrize("name", BODIES)
def test_body(pair, name):
    message_id, content = message(BODIES[name])
    relay(pair, content)
    found, = pair.at_postern(message_id)
    assert_unchanged(found, content)


def test_several_recipients(pair):
    readers = ["games", "man", "lp", "news", "uucp"]
    message_id, content = message(b"to all\r\n")
    relay(pair, content, [f"{reader}@example.test" for reader in readers])
    for reader in readers:
        found, = pair.at_postern(message_id, reader)
        assert_unchanged(found, content)
        assert b"Delivered-To: %s@example.test\n" % reader.encode() in header(found)


@of_peers_with("CHUNKING")
def test_no_newline_at_the_end(pair):
    """The servers that can get such a message pass on one with a newline, or as it is."""
    message_id, content = message(b"first\r\nlast")
    with Wire(pair.peer.port) as wire:
        wire.ehlo()
        wire.commands("MAIL FROM:<sender@origin.test>", "RCPT TO:<games@example.test>")
        wire.send(b"BDAT %d LAST\r\n" % len(content) + content)
        assert wire.reply().code == 250
    found, = pair.at_postern(message_id)
    assert_unchanged(found, content + b"\r\n")


@of_peers_with("DSN")
def test_dsn_parameters(pair):
    """What the sender asked to be told of, and under which name, reaches Postern's queue."""
    _, content = message(b"for the queue\r\n")
    relay(pair, content, ["waiting@example.test"],
          mail_options=["BODY=8BITMIME", "ENVID=QQ314159", "RET=HDRS"],
          rcpt_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;First+2BLast@elsewhere.test"])
    queue_id = pair.postern.wait_log(
        r": (\w+): to=<waiting@example\.test>, .*status=deferred").group(1)
    # The log comes before the message has moved to where it waits.
    envelope = poll_until(lambda: pair.postern.run("postcat", "-e", "-q", queue_id).stdout,
                          "the queue file")
    assert "envelope_id=QQ314159\n" in envelope
    assert "dsn_orig_rcpt=rfc822;First+Last@elsewhere.test\n" in envelope
    assert "notify_flags=10\n" in envelope  # 2 for success, 8 for delay
    assert "dsn_ret=HDRS\n" in envelope


@of_peers_with("SMTPUTF8")
def test_utf8_addresses(pair):
    message_id, content = message(BODIES["8-bit"], to="lesér@example.test",
                                  more="X-Thema: Grüße\r\n".encode())
    relay(pair, content, ["lesér@example.test"], sender="sändør@origin.test",
          mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    found, = pair.at_postern(message_id)
    assert_unchanged(found, content)
    assert "Return-Path: <sändør@origin.test>\n".encode() in header(found)
    assert "X-Original-To: lesér@example.test\n".encode() in header(found)


@pytest.mark.parametrize("pair", [Exim], ids=["exim"], indirect=True)
def test_exim_sends_chunks(pair):
    message_id, content = message(BODIES["dots"])
    relay(pair, content)
    pair.at_postern(message_id)
    pair.postern.wait_log(r"smtpd\[\d+\]: disconnect from .* bdat=1 ")


def test_unknown_recipient_is_told_to_the_sender(pair):
    """Postern's 5xx makes the peer return the message to its sender."""
    _, content = message(b"for nobody\r\n")
    relay(pair, content, ["nobody-here@unknown.test"], sender=pair.peer.address())
    found = b" ".join(poll_until(pair.peer.messages, "a notice of the peer")[0].split())
    assert b"554 5.7.1 <nobody-here@unknown.test>: Relay access denied" in found


@of_peers_with("DSN")
def test_success_is_told_to_the_sender_at_the_peer(pair):
    """Postern delivers, and its notice goes back through the peer."""
    message_id, content = message(b"important\r\n")
    relay(pair, content, sender=pair.peer.address(),
          mail_options=["BODY=8BITMIME", "ENVID=QQ271828"],
          rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;First+2BLast@elsewhere.test"])
    pair.at_postern(message_id)
    found = poll_until(lambda: [m for m in pair.peer.messages() if b"QQ271828" in m],
                       "a notice of Postern")[0]
    notice = Notice(found)
    assert notice.fields["Reporting-MTA"] == "dns; mail.example.test"
    assert notice.fields["Original-Envelope-Id"] == "QQ271828"
    recipient, = notice.recipients
    assert recipient["Action"] == "delivered"
    assert recipient["Final-Recipient"] == "rfc822; games@example.test"
    assert recipient["Original-Recipient"] == "rfc822;First+Last@elsewhere.test"


@pytest.mark.parametrize("pair", [Postfix], ids=["postfix"], indirect=True)
def test_restart_while_mail_comes_in(pair):
    """Postern stops and starts in the middle: what it had answered is there, the rest comes."""
    spool = mailbox(pair.postern, "lp")
    before = len(Instance.maildir(spool))
    source = smtp_source("-s", "5", "-m", "200", "-l", "3000", "-f", "sender@origin.test", "-t",
                         "lp@example.test", f"127.0.0.1:{pair.peer.port}")
    pair.postern.wait_maildir(spool, before + 20)
    pair.postern.stop()
    assert source.wait(60) == 0
    pair.postern.start()

    def arrived():
        pair.peer.root.run("/usr/sbin/postqueue", "-c", "/etc/postfix", "-f")
        ids = {re.search(rb"by mail\.postfix\.test \(Postfix\) with \w+ id (\w+)", m).group(1)
               for m in Instance.maildir(spool)}
        return len(ids) >= 200
    poll_until(arrived, "all messages", interval=0.5)
    pair.postern.wait_queue_empty()
