# SPDX-License-Identifier: Apache-2.0
"""Mail that Postern relays to other servers: Postfix, Exim, OpenSMTPD and sendmail, from Debian's
packages. What a client gave Postern arrives there byte for byte, and what they say of it comes
back to the sender."""

import email
import re

import pytest

from interop import ORIGIN, check_no_newline_at_the_end, made, smtp_source
from mailboxes import delivered_form, header
from notices import Notice
from other_servers import ALL, Exim, OpenSMTPD, Postfix
from postern import can_be_another_user, poll_until
from shapes import BODIES, assert_unchanged, message

pytestmark = pytest.mark.skipif(not can_be_another_user(),
                                reason="other mail servers start in a private root, as root")


@pytest.fixture(scope="module", params=ALL, ids=lambda kind: kind.name)
def pair(request):
    pair = made(request.param)
    yield pair
    pair.close()


@pytest.fixture
def own_pair():
    """A factory, for tests that change or stop the peer."""
    pairs = []

    def make(kind, **more):
        pairs.append(made(kind, **more))
        return pairs[-1]

    yield make
    for pair in pairs:
        pair.close()


def of_peers_with(feature):
    kinds = [kind for kind in ALL if feature in kind.features]
    return pytest.mark.parametrize("pair", kinds, ids=lambda kind: kind.name, indirect=True)


only_exim = pytest.mark.parametrize("pair", [Exim], ids=["exim"], indirect=True)


@pytest.mark.parametrize("name", BODIES)
def test_body(pair, name):
    message_id, content = message(BODIES[name])
    pair.send(content, [pair.peer.address()])
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content)


def test_no_newline_at_the_end(pair):
    check_no_newline_at_the_end(pair)


def test_long_line_is_folded(pair):
    """Lines beyond what SMTP allows get a line end and a blank, as Postfix does it."""
    message_id, content = message(b"c" * 5000 + b"\r\nshort\r\n")
    pair.send(content, [pair.peer.address()])
    found, = pair.at_peer(message_id)
    assert max(len(line) for line in found.split(b"\n")) <= 998
    long, short = found.split(b"\n\n", 1)[1].rsplit(b"\n", 2)[:2]
    assert long.replace(b"\n ", b"") == b"c" * 5000
    assert short == b"short"


def test_refused_recipient_comes_back(pair):
    """One recipient of two is refused: the other gets the message, the sender a notice."""
    message_id, content = message(b"for two\r\n")
    refused = pair.peer.address("refused")
    pair.send(content, [refused, pair.peer.address()])
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content)
    notice = Notice(pair.notice(refused.encode()))
    assert notice.final_recipients() == [refused]
    assert notice.recipients[0]["Action"] == "failed"
    assert notice.recipients[0]["Status"].startswith("5.")
    assert notice.recipients[0]["Diagnostic-Code"].startswith("smtp; 550")
    assert notice.original["Message-ID"] == message_id.decode()
    assert notice.found_by_flufl() in (None, {refused})
    pair.postern.wait_queue_empty()


@only_exim
def test_chunks_are_sent_to_who_takes_them(pair):
    message_id, content = message(BODIES["one megabyte"])
    pair.send(content, [pair.peer.address()])
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content)
    # Exim marks a message that came by BDAT with K.
    pair.peer.root.wait_log(rf"<= {ORIGIN} .* K S=\d+ .*id={message_id.decode()[1:-1]}")


@only_exim
def test_many_recipients(pair):
    """More than one transaction may have: each gets the message once."""
    recipients = [pair.peer.address(f"reader{n}") for n in range(60)]
    message_id, content = message(b"to many\r\n")
    pair.send(content, recipients)
    found = pair.at_peer(message_id, count=60)
    envelopes = [re.search(rb"^Envelope-to: (.*)$", m, re.M).group(1).decode() for m in found]
    assert sorted(envelopes) == sorted(recipients)
    arrivals = re.findall(r"<= .* id=%s" % re.escape(message_id.decode()[1:-1]),
                          pair.peer.root.log())
    assert len(arrivals) == 2  # 50 recipients and 10


@of_peers_with("SMTPUTF8")
def test_utf8_addresses(pair):
    message_id, content = message(BODIES["8-bit"], more="X-Thema: Grüße\r\n".encode())
    pair.send(content, [pair.peer.address("lesér")], sender="sändør@origin.test",
              mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content)
    assert re.search("^Return-Path: <sändør@origin.test>$".encode(), found, re.M | re.I)


@pytest.mark.parametrize("pair", [OpenSMTPD], ids=["opensmtpd"], indirect=True)
def test_utf8_addresses_where_the_peer_cannot(pair):
    """The recipient's address cannot be said to that server, so the message comes back."""
    message_id, content = message(b"x\r\n")
    recipient = pair.peer.address("lesér")
    pair.send(content, [recipient], mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    raw = pair.notice(message_id)
    assert b"5.6.7" in raw
    assert recipient.encode() in raw


@of_peers_with("REPORTS")
def test_success_is_told_by_the_peer(pair):
    """The peer learns what the sender asked for, under which names, and tells the sender."""
    message_id, content = message(b"important\r\n")
    pair.send(content, [pair.peer.address()],
              mail_options=["BODY=8BITMIME", "ENVID=QQ314159", "RET=HDRS"],
              rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;First+2BLast@elsewhere.test"])
    notice = email.message_from_bytes(pair.notice(message_id))
    status, = (p for p in notice.walk() if p.get_content_type() == "message/delivery-status")
    about, recipient = status.get_payload()[:2]
    assert about["Original-Envelope-Id"] == "QQ314159"
    assert "mail." + pair.peer.domain in about["Reporting-MTA"]
    assert recipient["Original-Recipient"].replace(" ", "") in (
        "rfc822;First+Last@elsewhere.test", "rfc822;First+2BLast@elsewhere.test")
    assert recipient["Action"].split()[0] == "delivered"


def test_peer_without_dsn(own_pair):
    """Postern tells the sender that it handed the message to a server that will tell nothing."""
    pair = own_pair(Exim, options={"dsn_advertise_hosts": ""})
    message_id, content = message(b"important\r\n")
    pair.send(content, [pair.peer.address()],
              rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;asked@elsewhere.test"])
    pair.at_peer(message_id)
    notice = Notice(pair.notice(message_id))
    assert notice.recipients[0]["Action"] == "relayed"
    assert notice.recipients[0]["Original-Recipient"] == "rfc822;asked@elsewhere.test"
    assert notice.final_recipients() == [pair.peer.address()]


@pytest.mark.parametrize("name", BODIES)
def test_peer_without_8bitmime(exim_7bit, name):
    """Text in 8 bits becomes quoted-printable, which reads the same; other text stays as it is."""
    message_id, content = message(BODIES[name])
    exim_7bit.send(content, [exim_7bit.peer.address()])
    found, = exim_7bit.at_peer(message_id)
    if name != "8-bit":
        assert_unchanged(found, content)
        return
    assert found.isascii()
    read = email.message_from_bytes(found)
    assert read["Content-Transfer-Encoding"] == "quoted-printable"
    assert read["Content-Type"] == "text/plain; charset=utf-8"
    assert read.get_payload(decode=True) == delivered_form(BODIES[name])


def test_peer_without_8bitmime_gets_parts(exim_7bit):
    """In a multipart each part is converted that needs it, and an enclosed message stays one."""
    part = ("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            "Grüße = \t\r\n.\r\n").encode()
    plain = b"Content-Type: text/plain\r\n\r\nplain = text\r\n"
    body = b"\r\n".join([b"preamble", b"--b", part, b"--b", plain, b"--b",
                         b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n",
                         b"Subject: inner\r\nMIME-Version: 1.0\r\n" + part, b"--b--", b""])
    message_id, content = message(body, mime=False, more=(
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n"))
    exim_7bit.send(content, [exim_7bit.peer.address()])
    found, = exim_7bit.at_peer(message_id)
    assert found.isascii()
    read = email.message_from_bytes(found)
    first, second, third = read.get_payload()
    assert first.get_payload(decode=True) == "Grüße = \t\n.\n".encode()
    assert second.get_payload() == "plain = text\n"
    inner, = third.get_payload()
    assert inner["Subject"] == "inner"
    assert inner.get_payload(decode=True) == "Grüße = \t\n.\n".encode()


@pytest.fixture(scope="module")
def exim_7bit():
    pair = made(Exim, options={"accept_8bitmime": "false"})
    yield pair
    pair.close()


def test_deferred_recipient_goes_out_after_a_flush(own_pair):
    pair = own_pair(Exim)
    message_id, content = message(b"patience\r\n")
    recipient = pair.peer.address("deferred")
    pair.send(content, [recipient])
    pair.postern.wait_log(rf"to=<{recipient}>, .*dsn=4\.2\.0, status=deferred")
    listed = pair.mailq()
    assert "that one is having lunch" in listed
    assert recipient in listed
    assert len(pair.deferred()) == 1
    pair.peer.accept()
    pair.postern.run("postqueue", "-f")
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content)
    pair.postern.wait_queue_empty()


def test_three_outcomes_of_one_transaction(own_pair):
    """One recipient gets the message, one is refused, one waits, and nobody gets it twice."""
    pair = own_pair(Exim)
    message_id, content = message(b"for three\r\n")
    waits, refused = pair.peer.address("deferred"), pair.peer.address("refused")
    pair.send(content, [waits, pair.peer.address(), refused])
    pair.at_peer(message_id)
    notice = Notice(pair.notice(message_id))
    assert notice.final_recipients() == [refused]
    pair.postern.wait_log(rf"to=<{waits}>, .*status=deferred")
    pair.peer.accept()
    pair.postern.run("postqueue", "-f")
    found = pair.at_peer(message_id, count=2)
    assert sorted(re.search(rb"^Envelope-to: (.*)$", m, re.M).group(1).decode()
                  for m in found) == sorted([waits, pair.peer.address()])
    pair.postern.wait_queue_empty()
    assert len(pair.at_postern()) == 1


@only_exim
def test_refused_at_the_end_of_data(pair):
    message_id, content = message(b"x\r\n", more=b"X-Refuse: yes\r\n")
    pair.send(content, [pair.peer.address(), pair.peer.address("second")])
    notice = Notice(pair.notice(message_id))
    assert notice.final_recipients() == [pair.peer.address(), pair.peer.address("second")]
    for recipient in notice.recipients:
        assert recipient["Status"] == "5.6.0"
        assert recipient["Diagnostic-Code"] == "smtp; 554 5.6.0 not that one"
    assert "not that one (in reply to end of DATA command)" in " ".join(notice.text.split())


def test_message_that_is_too_large_for_the_peer(own_pair):
    """The peer says so in its greeting: the message comes back without being sent."""
    pair = own_pair(Exim, options={"message_size_limit": "100K"})
    message_id, content = message(BODIES["one megabyte"])
    pair.send(content, [pair.peer.address()])
    notice = Notice(pair.notice(message_id))
    assert notice.recipients[0]["Status"] == "5.3.4"
    assert "message size" in notice.text
    assert "size limit 102400" in " ".join(notice.text.split())
    assert "<= " + ORIGIN not in pair.peer.root.log()


def test_peer_that_takes_two_messages_a_connection(own_pair):
    """Its 421 to the third is no answer to the message: that goes out over a new connection."""
    pair = own_pair(Exim, options={"smtp_accept_max_per_connection": "2"})
    messages = [message(b"x\r\n") for _ in range(12)]
    for _, content in messages:
        pair.send(content, [pair.peer.address()])
    for message_id, content in messages:
        found, = pair.at_peer(message_id)
        assert_unchanged(found, content)
    assert "status=deferred" not in pair.postern.log()
    assert "conn_use=2" in pair.postern.log()


def test_two_hundred_messages_at_once(pair):
    """From ten clients at a time: each arrives, and once."""
    def ids():
        return [re.search(rb"\(Postfix\) with \w+ id (\w+)", m).group(1)
                for m in pair.peer.messages()]
    before = ids()
    source = smtp_source("-s", "10", "-m", "200", "-l", "3000", "-f", ORIGIN, "-t",
                         pair.peer.address(), f"127.0.0.1:{pair.postern.port()}")
    assert source.wait(120) == 0
    pair.at_peer(count=len(before) + 200)
    pair.postern.wait_queue_empty()
    after = ids()
    assert len(after) == len(before) + 200
    assert len(set(after) - set(before)) == 200


def test_peer_learns_of_the_client(own_pair):
    """XFORWARD: the peer's log names the client and the id that the message had here."""
    pair = own_pair(Postfix, settings={"smtp_send_xforward_command": "yes"},
                    options={"smtpd_authorized_xforward_hosts": "127.0.0.0/8"})
    message_id, content = message(b"x\r\n")
    pair.send(content, [pair.peer.address()])
    found, = pair.at_peer(message_id)
    ours, = re.findall(rb"by mail\.example\.test \(Postfix\) with \w+ id (\w+)", found)
    pair.peer.root.wait_log(r"client=localhost\[127\.0\.0\.1\], "
                            rf"orig_queue_id={ours.decode()}, "
                            r"orig_client=localhost\[127\.0\.0\.1\]")


def test_second_mail_server_of_a_domain(own_pair):
    """The DNS names two servers, of which the better one is down."""
    pair = own_pair(Exim, settings={
        "resolver_static_records": "{exim.test MX 10 first.exim.test} "
        "{exim.test MX 20 second.exim.test} {first.exim.test A 127.0.0.3} "
        "{second.exim.test A 127.0.0.1}"})
    pair.postern.write_config(main={"relayhost": "", "smtp_tcp_port": str(pair.peer.port)})
    pair.postern.reload()
    message_id, content = message(b"x\r\n")
    pair.send(content, [pair.peer.address()])
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content)
    pair.postern.wait_log(rf"to=<{pair.peer.address()}>, relay=second\.exim\.test"
                          rf"\[127\.0\.0\.1\]:{pair.peer.port}, .*status=sent")


def test_peer_that_is_down_then_up(own_pair):
    pair = own_pair(Exim)
    pair.peer.stop()
    message_id, content = message(b"patience\r\n")
    pair.send(content, [pair.peer.address()])
    pair.postern.wait_log(rf"to=<{pair.peer.address()}>, .*status=deferred .*refused")
    assert "Connection refused" in pair.mailq()
    pair.peer.start()
    pair.postern.run("postqueue", "-f")
    found, = pair.at_peer(message_id)
    assert_unchanged(found, content)


def test_peer_that_restarts_between_messages(own_pair):
    """A connection that was kept, and that the peer has closed, costs no message a delay."""
    pair = own_pair(Postfix)
    for _ in range(2):
        for _ in range(3):
            message_id, content = message(b"x\r\n")
            pair.send(content, [pair.peer.address()])
            pair.at_peer(message_id)
        pair.peer.stop()
        pair.peer.start()
    assert "status=deferred" not in pair.postern.log()


def test_loop_between_two_servers(own_pair):
    """Each takes the other for the way to the domain: the hop count ends it, with one notice."""
    pair = own_pair(Postfix, settings={"mydestination": "example.test", "hopcount_limit": "20"},
                    options={"hopcount_limit": "20"})
    message_id, content = message(b"round and round\r\n")
    pair.send(content, ["somebody@loop.test"])
    raw = pair.notice(message_id)
    assert b"too many hops" in raw
    poll_until(lambda: not pair.postern.queue_files(), "an empty queue")
    notices = [m for m in pair.at_postern() if b"multipart/report" in m]
    assert len(notices) == 1
    assert header(notices[0]).count(b"\nReceived: ") <= 3
