# SPDX-License-Identifier: Apache-2.0
"""Notices: what bounce makes of a request, and what a sender finds in the mailbox."""

import contextlib
import getpass
import json
import os
import re
import smtplib
import time
import warnings

import pytest

import notices
from ipc_wire import Ipc
from notices import Notice
from postern import poll_until

SUBMITTED = """
bounce  unix - - n - 0 bounce
cleanup unix n - n - 0 fake_cleanup
"""
HEADER = (b"Received: from a\r\n\tby b\r\nMessage-ID: <m2@x.test>\r\n"
          b"References: <m0@x.test>\r\n <m1@x.test>\r\nSubject: the original\r\n")
BODY = b"line one\r\n.dot\r\n--x\r\nlast without end"
NOW = int(time.time() * 1e6)
FLAG_8BIT, FLAG_SMTPUTF8, FLAG_8BIT_HEADER = 1, 8, 32
FAILURE, DELAY, SUCCESS, DOUBLE = 1, 2, 3, 4

if notices.scan_message is None:
    warnings.warn("python3-flufl.bounce is not installed: notices are not read by it")


class Bounce:
    """bounce alone: a client of notice/1 before it, a cleanup that writes down behind it."""

    def __init__(self, factory, **main):
        self.postern = factory(main=main, master=SUBMITTED)
        self.taken = self.postern.path("taken")
        os.mkdir(self.taken)
        os.chmod(self.taken, 0o777)
        self.postern.write_config(main={"fake_cleanup_directory": self.taken})
        self.postern.start()

    def ipc(self):
        return Ipc(self.postern, "private/bounce")

    def request(self, ipc, header=HEADER, body=BODY, **fields):
        path = self.postern.path("original")
        with open(path, "wb") as f:
            f.write(b"p" * 100 + body + header)
        values = dict(kind=FAILURE, queue_id="4jWRmP0BbLz1KqXxV8BfRy9", flags=0,
                      body_offset=100, body_length=len(body),
                      header_offset=100 + len(body), header_length=len(header),
                      sender="sender@remote.test", arrival=NOW)
        values.update(fields)
        fd = os.open(path, os.O_RDONLY)
        try:
            ipc.send("notice/1.request", fd=fd, fd_field="message", **values)
        finally:
            os.close(fd)

    @staticmethod
    def recipient(ipc, address="gone@remote.test", **fields):
        values = dict(address=address, original=address, dsn="5.1.1", reason="no such user",
                      action="failed", when=NOW)
        values.update(fields)
        ipc.send("notice/1.recipient", **values)

    def ask(self, recipients=({},), **fields):
        """One notice; the fields of the answer."""
        with self.ipc() as ipc:
            self.request(ipc, **fields)
            for r in recipients:
                self.recipient(ipc, **r)
            ipc.send("notice/1.send")
            name, answer = ipc.receive()
        assert name == "notice/1.status"
        return answer

    def notice(self, recipients=({},), **fields):
        """The notice that was made, with its envelope as .envelope."""
        answer = self.ask(recipients, **fields)
        assert answer["ok"] == b"1", answer
        return self.submitted(answer["notice_id"].decode())

    def submitted(self, queue_id):
        with open(os.path.join(self.taken, queue_id + ".msg"), "rb") as f:
            notice = Notice(f.read())
        with open(os.path.join(self.taken, queue_id + ".json"), encoding="utf-8") as f:
            notice.envelope = json.load(f)
        return notice

    def count(self):
        return sum(name.endswith(".json") for name in os.listdir(self.taken))


@pytest.fixture
def bounce(postern_instance):
    return lambda **main: Bounce(postern_instance, **main)


def test_failure(bounce):
    b = bounce()
    n = b.notice([{}, dict(address="x@y.test", original="x@y.test", dsn="4.4.1",
                           reason="host mx.y.test[192.0.2.1] said: 451 no (in reply to DATA)",
                           remote_host="host mx.y.test[192.0.2.1]")],
                 envelope_id="QQ314159", dsn_ret="FULL")
    assert n.envelope["sender"] == ""
    assert n.envelope["source"] == 3
    assert [r["address"] for r in n.envelope["recipients"]] == ["sender@remote.test"]
    assert n.envelope["keep_missing_headers"] == 0
    assert n.message["To"] == "sender@remote.test"
    assert n.message["From"] == "Mail Delivery System <MAILER-DAEMON@mail.example.test>"
    assert n.message["Subject"] == "Undelivered Mail Returned to Sender"
    assert n.message["Auto-Submitted"] == "auto-replied"
    assert n.message["References"] is None
    assert n.fields["Reporting-MTA"] == "dns; mail.example.test"
    assert n.fields["Original-Envelope-Id"] == "QQ314159"
    assert n.fields["X-Postfix-Queue-ID"] == "4jWRmP0BbLz1KqXxV8BfRy9"
    assert n.fields["X-Postfix-Sender"] == "rfc822; sender@remote.test"
    assert n.final_recipients() == ["gone@remote.test", "x@y.test"]
    assert [r["Status"] for r in n.recipients] == ["5.1.1", "4.4.1"]
    assert n.recipients[0]["Diagnostic-Code"] == "X-Postfix; no such user"
    assert n.recipients[1]["Diagnostic-Code"] == "smtp; 451 no"
    assert n.recipients[1]["Remote-MTA"] == "dns; mx.y.test"
    assert "<gone@remote.test>: no such user\n" in n.text
    assert n.found_by_flufl() in (None, {"gone@remote.test", "x@y.test"})
    # The original byte for byte.
    assert n.is_whole
    assert b"\r\nReturn-Path: <sender@remote.test>\r\n" + HEADER + b"\r\n" + BODY + b"\r\n--" \
        in n.raw
    b.postern.wait_log(r"bounce\[\d+\]: 4jWRmP0BbLz1KqXxV8BfRy9: sender non-delivery "
                       r"notification: " + n.envelope["queue_id"])


@pytest.mark.parametrize("kind, action, subject, label", [
    (DELAY, "delayed", "Delayed Mail (still being retried)", "sender delay notification"),
    (SUCCESS, "relayed", "Successful Mail Delivery Report",
     "sender delivery status notification"),
])
def test_other_kinds(bounce, kind, action, subject, label):
    b = bounce()
    n = b.notice([dict(action=action, dsn="4.4.1" if kind == DELAY else "2.0.0")], kind=kind)
    assert n.message["Subject"] == subject
    assert n.recipients[0]["Action"] == action
    assert (n.recipients[0]["Will-Retry-Until"] is not None) == (kind == DELAY)
    assert not n.is_whole
    assert n.original["Subject"] == "the original"
    assert n.found_by_flufl() in (None, set())
    b.postern.wait_log(": %s: " % label)


def test_double_goes_to_the_postmaster(bounce):
    b = bounce(**{"2bounce_notice_recipient": "admin@other.test"})
    n = b.notice([dict(address="member@home.test", original="list@example.test")],
                 kind=DOUBLE, sender="")
    assert n.envelope["sender"] == "double-bounce@mail.example.test"
    assert [r["address"] for r in n.envelope["recipients"]] == ["admin@other.test"]
    assert n.message["Subject"] == "Postmaster Copy: Undelivered Mail"
    assert n.final_recipients() == ["member@home.test"]
    assert n.is_whole
    b.postern.wait_log("postmaster non-delivery notification")


def test_nobody_hears_of_some_messages(bounce):
    b = bounce(double_bounce_sender="no-more")
    for kind in (FAILURE, DELAY, SUCCESS, DOUBLE):
        assert b.ask(kind=kind, sender="No-More@mail.example.test")["ok"] == b"1"
    for kind in (FAILURE, DELAY, SUCCESS):
        assert b.ask(kind=kind, sender="")["ok"] == b"1"
    assert b.count() == 0
    b.postern.wait_log("undeliverable postmaster notification discarded", 4)


def test_copies_by_notify_classes(bounce):
    for name, subject in (("bounce", "Postmaster Copy: Undelivered Mail"),
                          ("delay", "Postmaster Warning: Delayed Mail")):
        one_copy(bounce(**{"notify_classes": "resource, " + name,
                           name + "_notice_recipient": "copies@other.test"}), subject)


def one_copy(b, subject):
    b.notice()
    b.notice(kind=DELAY)
    copy, = [n for n in map(b.submitted, {f.split(".")[0] for f in os.listdir(b.taken)})
             if n.envelope["sender"]]
    assert copy.envelope["sender"] == "double-bounce@mail.example.test"
    assert copy.envelope["recipients"][0]["address"] == "copies@other.test"
    assert copy.message["Subject"] == subject
    assert not copy.is_whole


def test_how_much_is_returned(bounce):
    size = len(HEADER) + len(BODY)
    b = bounce(bounce_size_limit=str(size))
    assert b.notice().is_whole
    assert not b.notice(dsn_ret="HDRS").is_whole
    n = b.notice(body=BODY + b"x")
    assert not n.is_whole
    assert n.original["Subject"] == "the original"
    assert b"line one" not in n.raw
    # A header that is too large itself: whole fields only.
    n = b.notice(header=b"X-First: 1\r\n" + b"X-Long: " + b"v" * size + b"\r\n")
    assert n.original.keys() == ["Return-Path", "X-First"]


def test_large_original_comes_back_whole(bounce):
    b = bounce(bounce_size_limit="3000000")
    body = b"0123456789abcdef" * 64 + b"\r\n"
    body *= 2000
    n = b.notice(body=body)
    assert HEADER + b"\r\n" + body + b"\r\n--" in n.raw


def test_eight_bit(bounce):
    b = bounce()
    n = b.notice(body="gr\u00fcn\r\n".encode(), flags=FLAG_8BIT)
    assert n.envelope["is_8bit"] == 1 and n.envelope["smtputf8"] == 0
    assert n.message["Content-Transfer-Encoding"] == "8bit"
    assert n.original_part["Content-Transfer-Encoding"] == "8bit"
    n = b.notice(body="gr\u00fcn\r\n".encode(), flags=FLAG_8BIT, dsn_ret="HDRS")
    assert n.envelope["is_8bit"] == 0
    assert n.message["Content-Transfer-Encoding"] is None
    n = b.notice(header=b"Subject: \xff\r\n", flags=FLAG_8BIT_HEADER, dsn_ret="HDRS")
    assert n.envelope["is_8bit"] == 1


def test_smtputf8(bounce):
    b = bounce()
    n = b.notice([dict(address="j\u00fcrg@remote.test", original="j\u00fcrg@remote.test",
                       reason="kein Postfach f\u00fcr J\u00fcrg",
                       dsn_orcpt="utf-8;j\u00fcrg@remote.test")],
                 header="Subject: gr\u00fcn\r\n".encode(), flags=FLAG_SMTPUTF8,
                 sender="m\u00fcller@remote.test")
    assert n.envelope["smtputf8"] == 1
    assert n.envelope["recipients"][0]["address"] == "m\u00fcller@remote.test"
    assert n.original_part.get_content_type() == "message/global"
    assert n.status_part.get_content_type() == "message/global-delivery-status"
    assert n.recipients[0]["Final-Recipient"] == "utf-8; j\u00fcrg@remote.test"
    assert n.recipients[0]["Original-Recipient"] == "utf-8;j\u00fcrg@remote.test"
    assert "kein Postfach f\u00fcr J\u00fcrg" in n.text


def test_without_smtputf8_all_is_ascii(bounce):
    n = bounce().notice([dict(address="j\u00fcrg@remote.test", original="j\u00fcrg@remote.test",
                              reason="kein Postfach f\u00fcr J\u00fcrg")])
    assert n.raw.isascii()
    assert n.recipients[0]["Final-Recipient"] == "utf-8; j\\x{FC}rg@remote.test"


def test_where_an_alias_leads_is_not_told_elsewhere(bounce):
    b = bounce()
    forwarded = [dict(address="secret@home.test", original="public@example.test",
                      reason="host mx said: 550 <secret@home.test>: over quota",
                      remote_host="host mx")]
    n = b.notice(forwarded)
    assert b"secret" not in n.raw
    assert n.final_recipients() == ["public@example.test"]
    assert n.recipients[0]["Diagnostic-Code"] == "smtp; 550 <public@example.test>: over quota"
    # The owner of a list here has to know which member it is.
    n = b.notice(forwarded, sender="owner-public@example.test")
    assert n.final_recipients() == ["secret@home.test"]
    assert n.recipients[0]["Original-Recipient"] == "rfc822;public@example.test"


def test_local_recipient_without_domain_is_completed(bounce):
    n = bounce().notice([dict(address="gone@mail.example.test", original="gone")])
    assert n.final_recipients() == ["gone@mail.example.test"]


def test_threads(bounce):
    n = bounce(enable_threaded_bounces="yes").notice()
    assert n.message["In-Reply-To"] == "<m2@x.test>"
    assert n.message["References"].split() == ["<m0@x.test>", "<m1@x.test>", "<m2@x.test>"]


def test_many_recipients(bounce):
    b = bounce()
    many = [dict(address=f"user{i}@remote.test", original=f"user{i}@remote.test",
                 reason="r" * 5000) for i in range(5000)]
    n = b.notice(many)
    assert n.final_recipients() == [r["address"] for r in many]
    assert max(map(len, n.raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("refusal", ["retry", "full", "toobig", "reject", "loop"])
def test_refused_by_cleanup_is_asked_again(bounce, refusal):
    b = bounce(double_bounce_sender=refusal)
    answer = b.ask(kind=DOUBLE, sender="")
    assert answer["ok"] == b"0"
    assert b"cleanup refused the notice" in answer["why"]


def test_original_that_cannot_be_read(bounce):
    b = bounce()
    for wrong in (dict(header_offset=10**9), dict(body_length=40000),
                  dict(header_offset=2**63), dict(body_offset=2**64 - 1)):
        answer = b.ask(**wrong)
        assert answer["ok"] == b"0" and answer["why"], wrong
    assert b.count() == 0
    b.notice()


def test_connection_is_kept(bounce):
    b = bounce()
    with b.ipc() as ipc:
        for _ in range(3):
            b.request(ipc)
            b.recipient(ipc)
            ipc.send("notice/1.send")
            assert ipc.receive()[1]["ok"] == b"1"
    assert b.count() == 3


def test_cleanup_that_went_away_is_found_again(bounce):
    b = bounce()
    b.postern.crashes = True
    b.notice()
    cleanup = b.postern.wait_child("fake_cleanup")
    b.postern.kill(cleanup)
    poll_until(lambda: cleanup not in b.postern.children(), "cleanup to be gone")
    b.notice()
    assert b.count() == 2


def test_rules_of_the_conversation(bounce):
    """Each breach costs the connection, nothing is sent, and the next client is served."""
    b = bounce()

    def no_recipients(ipc):
        b.request(ipc)
        ipc.send("notice/1.send")

    def unknown_kind(ipc):
        b.request(ipc, kind=9)

    def unknown_action(ipc):
        b.request(ipc)
        b.recipient(ipc, action="failed\r\nX: y")

    def recipient_first(ipc):
        b.recipient(ipc)

    def no_descriptor(ipc):
        ipc.send("notice/1.request", kind=1, queue_id="x", body_offset=0, body_length=0,
                 header_offset=0, header_length=0, arrival=NOW)

    def address_too_long(ipc):
        b.request(ipc)
        b.recipient(ipc, address="a" * 1001)

    def not_a_number(ipc):
        b.request(ipc, header_length="-1")

    def data_frame(ipc):
        b.request(ipc)
        ipc.send_payload(b"dxyz")

    def garbage(ipc):
        ipc.send_payload(b"m" + b"\xff" * 50)

    for breach in (no_recipients, unknown_kind, unknown_action, recipient_first, no_descriptor,
                   address_too_long, not_a_number, data_frame, garbage):
        with b.ipc() as ipc:
            with contextlib.suppress(BrokenPipeError):  # it may not wait for the rest
                breach(ipc)
            assert ipc.is_closed(), breach.__name__
    with b.ipc() as ipc:  # a client that ends in the middle
        b.request(ipc)
        ipc.socket.sendall(b"\0\0")
    assert b.count() == 0
    b.notice()
    assert b.count() == 1


def test_line_breaks_stay_inside_their_field(bounce):
    evil = "x\r\nAction: delivered\r\n\r\n.\r\n--x"
    n = bounce().notice([dict(reason=evil, dsn=evil, remote_host=evil, dsn_orcpt=evil)],
                        envelope_id=evil, queue_id="id\r\nX: y")
    assert [r["Action"] for r in n.recipients] == ["failed"]
    assert n.recipients[0]["Status"] == "5.0.0"
    assert b"\r\n.\r\n" not in n.raw
    assert b"\r\nX: y" not in n.raw


# The whole suite: from the client's MAIL to the sender's mailbox.

ACCOUNT = "nobody" if os.geteuid() == 0 else getpass.getuser()
ME = f"{ACCOUNT}@example.test"
SERVICES = """
127.0.0.1:{smtp} inet n - n - - smtpd
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 bounce
error   unix - - n -  - error
retry   unix - - n -  - error
discard unix - - n -  - discard
local   unix - n n -  - local
"""


class Suite:
    def __init__(self, factory, **main):
        self.postern = factory(master=SERVICES)
        self.spool = self.postern.path("spool")
        os.mkdir(self.spool)
        os.chmod(self.spool, 0o1777)
        self.postern.write_config(main={
            "mail_spool_directory": self.spool + "/", "local_recipient_maps": "",
            "myorigin": "example.test", "default_transport": "error:5.4.4 no way out",
            **main})
        self.postern.start()

    def send(self, *recipients, sender=ME, text="Subject: the original\r\n\r\nbody\r\n",
             mail_options=(), rcpt_options=()):
        with smtplib.SMTP("127.0.0.1", self.postern.port()) as client:
            assert client.sendmail(sender, recipients, text, mail_options, rcpt_options) == {}
        return self.postern.wait_log(
            r"qmgr\[\d+\]: (\w+): from=<%s>" % re.escape(sender)).group(1)

    def mailbox(self, count=1):
        """The messages in the mailbox of ACCOUNT."""
        return self.postern.wait_maildir(os.path.join(self.spool, ACCOUNT), count)


@pytest.fixture
def suite(postern_instance):
    return lambda **main: Suite(postern_instance, **main)


def test_unknown_user_comes_back(suite):
    s = suite()
    queue_id = s.send("nosuch-user@example.test")
    n = Notice(s.mailbox()[0].replace(b"\n", b"\r\n"))
    assert n.message["Return-Path"] == "<>"
    assert n.message["To"] == ME
    assert n.message["Date"] and n.message["Message-ID"]
    assert n.fields["X-Postfix-Queue-ID"] == queue_id
    assert n.final_recipients() == ["nosuch-user@example.test"]
    assert n.recipients[0]["Status"] == "5.1.1"
    assert n.recipients[0]["Original-Recipient"] == "rfc822;nosuch-user@example.test"
    assert n.original["Subject"] == "the original"
    assert n.original.get_payload().strip() == "body"
    assert n.found_by_flufl() in (None, {"nosuch-user@example.test"})
    s.postern.wait_log(queue_id + r": sender non-delivery notification: \w+")
    s.postern.wait_log(queue_id + ": removed")
    s.postern.wait_queue_empty()


def test_dsn_parameters_come_back(suite):
    s = suite()
    s.send("nosuch-user@example.test", mail_options=["RET=HDRS", "ENVID=A+2BB"],
           rcpt_options=["NOTIFY=FAILURE", "ORCPT=rfc822;who+2B@there.test"])
    n = Notice(s.mailbox()[0].replace(b"\n", b"\r\n"))
    assert not n.is_whole
    assert n.fields["Original-Envelope-Id"] == "A+B"
    assert n.recipients[0]["Original-Recipient"] == "rfc822;who+@there.test"


def test_nobody_is_told_who_does_not_want_it(suite):
    s = suite()
    s.send("nosuch-user@example.test", rcpt_options=["NOTIFY=NEVER"])
    s.postern.wait_log("status=bounced")
    s.postern.wait_queue_empty()
    assert "notification" not in s.postern.log()


def test_null_sender_gets_nothing(suite):
    s = suite()
    s.send("nosuch-user@example.test", sender="")
    s.postern.wait_log("status=bounced")
    s.postern.wait_queue_empty()
    assert "notification" not in s.postern.log()


def test_double_bounce_ends_with_the_postmaster(suite):
    """An undeliverable message from an undeliverable sender, and a postmaster that is none."""
    s = suite(notify_classes="2bounce", **{"2bounce_notice_recipient": ME})
    s.send("nosuch-user@example.test", sender="forged@remote.test")
    n = Notice(s.mailbox()[0].replace(b"\n", b"\r\n"))
    assert n.message["Subject"] == "Postmaster Copy: Undelivered Mail"
    assert n.message["Return-Path"] == "<double-bounce@example.test>"
    assert n.final_recipients() == ["forged@remote.test"]
    assert n.original["Subject"] == "Undelivered Mail Returned to Sender"
    s.postern.wait_queue_empty()


def test_chain_of_notices_ends(suite):
    s = suite(notify_classes="2bounce, bounce",
              bounce_notice_recipient="nobody-there@example.test",
              **{"2bounce_notice_recipient": "nobody-there@example.test"})
    s.send("nosuch-user@example.test", sender="forged@remote.test")
    s.postern.wait_log("undeliverable postmaster notification discarded", 2)
    s.postern.wait_queue_empty()
    assert len(re.findall("notification: ", s.postern.log())) == 3


def test_one_notice_for_many_recipients(suite):
    s = suite()
    names = [f"nosuch{i}@example.test" for i in range(100)]
    s.send(*names)
    n = Notice(s.mailbox()[0].replace(b"\n", b"\r\n"))
    s.postern.wait_queue_empty()
    assert sorted(n.final_recipients()) == sorted(names)
    assert len(s.mailbox()) == 1
