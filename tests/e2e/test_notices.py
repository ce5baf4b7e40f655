# SPDX-License-Identifier: Apache-2.0
"""What senders are told: failures, delays and successes, from MAIL to the sender's mailbox."""

import getpass
import os
import re
import signal
import smtplib

import pytest

from mail_server import MailServer
from notices import Notice
from postern import poll_until

ACCOUNT = "nobody" if os.geteuid() == 0 else getpass.getuser()
ME = f"{ACCOUNT}@example.test"
TEXT = "Subject: the original\r\nMessage-ID: <m@example.test>\r\n\r\nbody\r\n"
SERVICES = """
127.0.0.1:{smtp} inet n - n - - smtpd
cleanup unix n - n -  0 cleanup
qmgr    unix n - n 300 1 qmgr
bounce  unix - - n -  0 bounce
error   unix - - n -  - error
retry   unix - - n -  - error
local   unix - n n -  - local
fake    unix - - n -  - fake_agent RULES -
"""
QUICK = {"minimal_backoff_time": "1s", "maximal_backoff_time": "1s", "queue_run_delay": "1s"}


class Suite:
    """All daemons; mail for other domains goes to an agent that does as RULES say."""

    def __init__(self, factory, rules="", services=SERVICES, crashes=False, **main):
        self.postern = factory(crashes=crashes)
        self.rules_path = self.postern.path("rules")
        self.rules(rules)
        self.spool = self.postern.path("spool")
        os.mkdir(self.spool)
        os.chmod(self.spool, 0o1777)
        self.postern.write_config(
            master=services.replace("RULES", self.rules_path),
            main={"mail_spool_directory": self.spool + "/", "local_recipient_maps": "",
                  "myorigin": "example.test", "default_transport": "fake", **main})
        self.postern.start()

    def rules(self, text):
        with open(self.rules_path + ".new", "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(self.rules_path + ".new", 0o644)
        os.rename(self.rules_path + ".new", self.rules_path)

    def send(self, *recipients, sender=ME, text=TEXT, options=(), notify=None, orcpt=None):
        rcpt = [f"NOTIFY={notify}"] if notify else []
        rcpt += [f"ORCPT={orcpt}"] if orcpt else []
        with smtplib.SMTP("127.0.0.1", self.postern.port()) as client:
            assert client.sendmail(sender, recipients, text, options, rcpt) == {}

    def notices(self, count=1, account=ACCOUNT):
        mail = self.postern.wait_maildir(os.path.join(self.spool, account), count)
        return [Notice(m.replace(b"\n", b"\r\n")) for m in mail]

    def wait_attempts(self, count):
        """So many more messages have been taken up."""
        active = r"\(queue active\)"
        self.postern.wait_log(active, len(re.findall(active, self.postern.log())) + count)

    def delivered(self):
        return self.postern.maildir(os.path.join(self.spool, ACCOUNT))


@pytest.fixture
def suite(postern_instance):
    return lambda *a, **k: Suite(postern_instance, *a, **k)


@pytest.mark.parametrize("rule, action", [
    ("sent 2.1.5 taken", "delivered"),
    ("relayed 2.1.5 taken", "relayed"),
    ("expanded 2.1.5 taken", "expanded"),
])
def test_success_is_told_when_asked_for(suite, rule, action):
    s = suite(f"* {rule}\n")
    s.send("you@there.test", options=["ENVID=id+2B1", "RET=FULL"], notify="SUCCESS",
           orcpt="rfc822;first+2B@there.test")
    n, = s.notices()
    assert n.message["Subject"] == "Successful Mail Delivery Report"
    assert n.message["Return-Path"] == "<>"
    assert n.fields["Original-Envelope-Id"] == "id+1"
    assert n.final_recipients() == ["you@there.test"]
    r, = n.recipients
    assert (r["Action"], r["Status"]) == (action, "2.1.5")
    assert r["Original-Recipient"] == "rfc822;first+@there.test"
    assert r["Last-Attempt-Date"] and r["Will-Retry-Until"] is None
    assert r["Diagnostic-Code"] == "X-Postfix; taken"
    assert n.original["Subject"] == "the original"
    s.postern.wait_log(r"sender delivery status notification: \w+")
    s.postern.wait_queue_empty()


@pytest.mark.parametrize("rule, notify", [
    ("passed 2.0.0 ok", "SUCCESS,FAILURE"),  # the next system tells
    ("relayed 2.0.0 ok", "FAILURE,DELAY"),
    ("relayed 2.0.0 ok", "NEVER"),
    ("relayed 2.0.0 ok", None),
    ("bounced 5.1.1 no", "SUCCESS,DELAY"),
])
def test_nobody_is_told_who_did_not_ask(suite, rule, notify):
    s = suite(f"* {rule}\n")
    s.send("you@there.test", notify=notify)
    s.postern.wait_log("removed")
    s.postern.wait_queue_empty()
    assert "notification" not in s.postern.log()


def test_alias_to_one_address_passes_the_request_on(suite):
    """RFC 3461 5.2.7.1: who it leads to is reported, once, and not the alias."""
    s = with_aliases(suite, "{one = you@there.test}")
    s.send("one@example.test", notify="SUCCESS")
    n, = s.notices()
    assert n.recipients[0]["Action"] == "relayed"
    assert n.recipients[0]["Original-Recipient"] == "rfc822;one@example.test"
    s.postern.wait_queue_empty()
    assert len(s.delivered()) == 1


def test_alias_to_several_addresses_is_expanded(suite):
    s = with_aliases(suite, "{all = you@there.test, me@there.test}")
    s.send("all@example.test", notify="SUCCESS,FAILURE")
    n, = s.notices()
    assert n.final_recipients() == ["all@example.test"]
    assert n.recipients[0]["Action"] == "expanded"
    s.postern.wait_queue_empty()
    assert len(s.delivered()) == 1


def with_aliases(suite, table):
    return suite("* relayed 2.0.0 ok\n", alias_maps="inline:{ %s }" % table)


def test_failure_quotes_the_remote_host(suite):
    s = suite("* bounced 5.1.1 host mx said: 550 5.1.1 <you@there.test> no such user "
              "(in reply to RCPT TO command)\n")
    s.send("you@there.test")
    n, = s.notices()
    r, = n.recipients
    assert (r["Action"], r["Status"]) == ("failed", "5.1.1")
    assert r["Remote-MTA"] == "dns; mx.example.test"
    assert " ".join(r["Diagnostic-Code"].split()) == \
        "smtp; 550 5.1.1 <you@there.test> no such user"
    assert n.found_by_flufl() in (None, {"you@there.test"})


def test_delay_is_told_once(suite):
    s = suite("* deferred 4.4.1 connection timed out\n", delay_warning_time="1s", **QUICK)
    s.send("you@there.test")
    n, = s.notices()
    assert n.message["Subject"] == "Delayed Mail (still being retried)"
    assert n.final_recipients() == ["you@there.test"]
    r, = n.recipients
    assert (r["Action"], r["Status"]) == ("delayed", "4.4.1")
    assert r["Will-Retry-Until"] and r["Last-Attempt-Date"]
    assert not n.is_whole
    assert n.found_by_flufl() in (None, set())
    s.wait_attempts(3)
    assert len(re.findall("sender delay notification", s.postern.log())) == 1
    s.rules("* relayed 2.0.0 ok\n")
    s.postern.wait_queue_empty()
    assert len(s.delivered()) == 1


def test_delay_with_a_copy_for_the_postmaster(suite):
    s = suite("* deferred 4.4.1 timed out\n", delay_warning_time="1s", notify_classes="delay",
              delay_notice_recipient=ME, **QUICK)
    s.send("you@there.test")
    subjects = {n.message["Subject"] for n in s.notices(2)}
    assert subjects == {"Delayed Mail (still being retried)",
                        "Postmaster Warning: Delayed Mail"}


def test_delay_is_not_told_to_some(suite):
    s = suite("* deferred 4.4.1 connection timed out\n", delay_warning_time="1s", **QUICK)
    s.send("never@there.test", notify="NEVER")
    s.send("fail@there.test", notify="FAILURE,SUCCESS")
    s.send("null@there.test", sender="")
    s.send("yes@there.test", notify="DELAY")
    s.notices()
    s.wait_attempts(4 * 3)
    n, = s.notices()
    assert n.final_recipients() == ["yes@there.test"]


def test_delay_cleared_is_told(suite):
    s = suite("* deferred 4.4.1 connection timed out\n", delay_warning_time="1s",
              confirm_delay_cleared="yes", **QUICK)
    s.send("you@there.test")
    s.notices()
    s.rules("* passed 2.0.0 ok\n")
    late = [n for n in s.notices(2) if n.message["Subject"].startswith("Successful")]
    assert [r["Action"] for r in late[0].recipients] == ["relayed"]
    s.postern.wait_queue_empty()


def test_success_failure_and_wait_in_one_message(suite):
    s = suite("yes@ relayed 2.0.0 ok\nno@ bounced 5.1.1 no\n* deferred 4.2.0 busy\n", **QUICK)
    s.send("yes@there.test", "no@there.test", "wait@there.test", notify="SUCCESS,FAILURE")
    told = {n.recipients[0]["Action"]: n.final_recipients() for n in s.notices(2)}
    assert told == {"relayed": ["yes@there.test"], "failed": ["no@there.test"]}
    s.rules("* relayed 2.0.0 ok\n")
    last = {n.final_recipients()[0] for n in s.notices(3)}
    assert last == {"yes@there.test", "no@there.test", "wait@there.test"}
    s.postern.wait_queue_empty()


def test_notice_that_is_owed_survives_kills(suite):
    """bounce is killed again and again while it works, and qmgr as well: told at least once."""
    s = suite("* relayed 2.0.0 ok\n", crashes=True, service_throttle_time="1s", **QUICK)
    for i in range(20):
        s.send(f"u{i}@there.test", notify="SUCCESS")
        for program in ("bounce", "qmgr") if i % 5 == 4 else ("bounce",):
            for pid in s.postern.children(program):
                os.kill(pid, signal.SIGKILL)
    wanted = {f"u{i}@there.test" for i in range(20)}

    def told():
        return {r for m in s.delivered()
                for r in Notice(m.replace(b"\n", b"\r\n")).final_recipients()}

    poll_until(lambda: told() >= wanted, "all successes to be told", deadline=60)
    assert told() == wanted


def test_message_that_only_owes_a_notice_ends(suite):
    """bounce never reaches a cleanup: after bounce_queue_lifetime the notice is given up."""
    s = suite("* bounced 5.1.1 no\n", bounce_queue_lifetime="2s",
              services=SERVICES.replace("bounce\n", "bounce -o cleanup_service_name=none\n"),
              **QUICK)
    s.send("you@there.test")
    s.postern.wait_log("no notice could be made: cleanup is not available")
    s.postern.wait_log("the sender could not be told within bounce_queue_lifetime")
    s.postern.wait_queue_empty()


TEMPLATES = """
failure_template = <<EOF
Charset: utf-8
From: Post <post>
Subject: Back to you
Postmaster-Subject: Look

Grüße von $myhostname: nach $maximal_queue_lifetime_days Tagen ist Schluss.
EOF
delay_template = <<EOF
Foo: bar

never seen
EOF
"""


def test_soft_bounce_returns_nothing(suite):
    """Neither what is refused nor what is too old, until it is switched off."""
    s = suite("no@ bounced 5.1.1 no\n* deferred 4.4.1 timed out\n", soft_bounce="yes",
              maximal_queue_lifetime="1s", bounce_queue_lifetime="1s", **QUICK)
    s.send("no@there.test")
    s.send("late@there.test")
    s.wait_attempts(8)
    assert "notification" not in s.postern.log() and "removed" not in s.postern.log()
    s.postern.write_config(main={"soft_bounce": "no", "maximal_queue_lifetime": "1s"})
    s.postern.reload()
    assert {n.final_recipients()[0] for n in s.notices(2)} == {"no@there.test",
                                                               "late@there.test"}
    s.postern.wait_queue_empty()


def test_templates(postern_instance, suite, tmp_path):
    path = tmp_path / "bounce.cf"
    path.write_text(TEMPLATES, encoding="utf-8")
    tmp_path.chmod(0o755)
    s = suite("no@ bounced 5.1.1 no\n* deferred 4.4.1 timed out\n", delay_warning_time="1s",
              bounce_template_file=str(path), myhostname="mail.example.test", **QUICK)
    s.postern.wait_log("ready|started")
    s.send("no@there.test")
    n, = s.notices()
    assert n.message["From"] == "Post <post@example.test>"
    assert n.message["Subject"] == "Back to you"
    assert "Grüße von mail.example.test: nach 5 Tagen ist Schluss.\n" in n.text
    assert n.found_by_flufl() in (None, {"no@there.test"})
    s.postern.wait_log(re.escape(f"{path}, line 11: unknown header label: \"Foo\""))
    s.send("late@there.test")
    late = [n for n in s.notices(2) if n.message["Subject"].startswith("Delayed")]
    assert "never seen" not in late[0].text


def test_postconf_shows_templates(postern_instance, tmp_path):
    """-t prints a template file; -b what its texts become."""
    p = postern_instance(main={"delay_warning_time": "4h"})
    path = tmp_path / "bounce.cf"
    path.write_text(TEMPLATES, encoding="utf-8")
    raw = p.run("postconf", "-t", str(path))
    assert raw.stdout.startswith(
        "failure_template = <<EOF\nCharset: utf-8\nFrom: Post <post>\n"
        "Subject: Back to you\nPostmaster-Subject: Look\n\nGrüße von $myhostname")
    assert [line for line in raw.stdout.splitlines() if "<<EOF" in line] == [
        f"{name}_template = <<EOF" for name in ("failure", "delay", "success", "verify")]
    assert "line 11: unknown header label" in raw.stderr
    assert "never seen" not in raw.stdout
    again = tmp_path / "again.cf"
    again.write_text(raw.stdout, encoding="utf-8")
    assert p.run("postconf", "-t", str(again)).stdout == raw.stdout
    expanded = p.run("postconf", "-b", str(path)).stdout
    assert expanded.startswith("expanded_failure_text = <<EOF\nGrüße von mail.example.test: "
                               "nach 5 Tagen ist Schluss.\nEOF\n\nexpanded_delay_text = <<EOF\n")
    assert "4 hour(s)" in expanded and "5 day(s)" in expanded
    p.write_config(main={"bounce_template_file": str(path)})
    assert p.run("postconf", "-b").stdout == expanded
    assert "Grüße" not in p.run("postconf", "-b", "").stdout


def verp(user, domain="there.test"):
    return f"{ACCOUNT}+{user}={domain}@example.test"


def test_verp(suite):
    """Each recipient has a sender of its own: in the mailbox, and for its own notice."""
    s = suite("no@ bounced 5.1.1 no\nalso@ bounced 5.1.2 neither\n", recipient_delimiter="+",
              smtpd_authorized_verp_clients="127.0.0.1")
    s.send("no@there.test", "also@there.test", "yes@there.test", ME, options=["XVERP"])
    mail = [m.replace(b"\n", b"\r\n") for m in s.postern.wait_maildir(
        os.path.join(s.spool, ACCOUNT), 3)]
    own, = [m for m in mail if b"multipart/report" not in m]
    assert own.startswith(b"Return-Path: <%s>\r\n" % verp(ACCOUNT, "example.test").encode())
    told = {n.message["To"]: n.final_recipients()
            for n in (Notice(m) for m in mail if m is not own)}
    assert told == {verp("no"): ["no@there.test"], verp("also"): ["also@there.test"]}
    s.postern.wait_queue_empty()


def test_verp_without_verp_bounces(suite):
    s = suite("* bounced 5.1.1 no\n", recipient_delimiter="+", disable_verp_bounces="yes",
              smtpd_authorized_verp_clients="127.0.0.1")
    s.send("no@there.test", "also@there.test", options=["XVERP=-="])
    n, = s.notices()
    assert n.message["To"] == ME
    assert sorted(n.final_recipients()) == ["also@there.test", "no@there.test"]


def test_who_may_ask_for_verp_and_how(suite):
    s = suite(smtpd_authorized_verp_clients="127.0.0.0/8", verp_delimiter_filter="+=",
              default_verp_delimiters="==")
    with smtplib.SMTP("127.0.0.1", s.postern.port()) as client:
        client.ehlo()
        assert client.has_extn("xverp")
        for parameter, answer in (
                ("XVERP=+-", b"5.5.4 Error: XVERP needs two characters from +="),
                ("XVERP=+", b"5.5.4 Error: XVERP needs two characters from +=")):
            assert client.docmd(f"MAIL FROM:<{ME}> {parameter}") == (501, answer)
        assert client.docmd("MAIL FROM:<> XVERP") == (
            503, b"5.5.4 Error: XVERP requires non-null sender")
        assert client.docmd(f"MAIL FROM:<{ME}> XVERP")[0] == 250
    s.postern.write_config(main={"smtpd_authorized_verp_clients": ""})
    s.postern.reload()

    def is_refused():
        with smtplib.SMTP("127.0.0.1", s.postern.port()) as client:
            client.ehlo()
            return not client.has_extn("xverp") and \
                client.docmd(f"MAIL FROM:<{ME}> XVERP")[0] == 555
    poll_until(is_refused, "XVERP to be refused")


def test_sendmail_verp(suite):
    s = suite("* bounced 5.1.1 no\n", recipient_delimiter="=",
              services=SERVICES + "pickup unix n - n 60 1 pickup\n")
    s.postern.run("sendmail", "-XV=+", "-f", ME, "no@there.test", input=TEXT)
    n, = s.notices()
    assert n.message["To"] == f"{ACCOUNT}=no+there.test@example.test"
    for bad in (["-XV+"], ["-XV!="], ["-XV", "-f", ""]):
        done = s.postern.run("sendmail", *bad, "no@there.test", input=TEXT, check=False)
        assert done.returncode == 64 and "-XV requires" in done.stderr, bad


# Through the SMTP client, to servers that know DSN and servers that do not.

RELAYING = SERVICES + "smtp unix - - n - - smtp\n"
NO_SUCH_USER = "550 5.1.1 <you@there.test>: no such user"


def relaying(suite, server, **main):
    return suite(services=RELAYING, default_transport="smtp", relayhost=server.nexthop, **main)


def test_parameters_go_to_a_server_that_knows_them(suite):
    with MailServer(extensions=("PIPELINING", "DSN")) as server:
        s = relaying(suite, server)
        s.send("you@there.test", options=["ENVID=a+2Bb", "RET=HDRS"], notify="SUCCESS,DELAY",
               orcpt="rfc822;who+2B@there.test")
        server.wait_messages()
        s.postern.wait_log("removed")
        s.postern.wait_queue_empty()
        mail, = [c for c in server.commands() if c.startswith("MAIL")]
        rcpt, = [c for c in server.commands() if c.startswith("RCPT")]
        assert {"ENVID=a+2Bb", "RET=HDRS"} <= set(mail.split())
        assert {"NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;who+2B@there.test"} <= set(rcpt.split())
        assert "notification" not in s.postern.log()


def test_relayed_to_a_server_without_dsn(suite):
    with MailServer() as server:
        s = relaying(suite, server)
        s.send("you@there.test", notify="SUCCESS")
        n, = s.notices()
        r, = n.recipients
        assert (r["Action"], r["Status"]) == ("relayed", "2.0.0")
        assert r["Remote-MTA"] == "dns; 127.0.0.1"
        assert r["Diagnostic-Code"].startswith("smtp; 250 2.0.0 Ok: queued as F")
        assert not any("NOTIFY" in c or "RET=" in c for c in server.commands())
        assert n.found_by_flufl() in (None, set())
        assert n.found_by_sisimai() in (
            None, {("you@there.test", "relayed", "2.0.0", "delivered")})


@pytest.mark.parametrize("replies, status, reason, code", [
    ({"RCPT": NO_SUCH_USER}, "5.1.1", "userunknown", "smtp; " + NO_SUCH_USER),
    ({"RCPT": "552 5.2.2 mailbox full"}, "5.2.2", "mailboxfull",
     "smtp; 552 5.2.2 mailbox full"),
    ({"dot": "554-5.7.1 spam,\r\n554 5.7.1 we think"}, "5.7.1", None,
     "smtp; 554-5.7.1 spam, 554 5.7.1 we think"),
    # Long, hostile and without an enhanced code: one field, its lines within the limit.
    ({"RCPT": "550 " + "Action: delivered " * 25}, "5.0.0", None, None),
])
def test_refused_by_the_server(suite, replies, status, reason, code):
    with MailServer(replies) as server:
        s = relaying(suite, server)
        s.send("you@there.test", notify="FAILURE")
        n, = s.notices()
        r, = n.recipients
        assert (r["Action"], r["Status"]) == ("failed", status)
        assert r["Remote-MTA"] == "dns; 127.0.0.1"
        if code:
            assert " ".join(r["Diagnostic-Code"].split()) == code
        assert max(map(len, n.raw.split(b"\r\n"))) <= 998
        assert n.found_by_flufl() in (None, {"you@there.test"})
        found = n.found_by_sisimai()
        assert found is None or {f[:3] for f in found} == {("you@there.test", "failed", status)}
        assert not found or not reason or {f[3] for f in found} == {reason}


def test_delayed_by_the_server(suite):
    with MailServer({"RCPT": "451 4.7.1 come back later"}) as server:
        s = relaying(suite, server, delay_warning_time="1s", **QUICK)
        s.send("you@there.test")
        n, = s.notices()
        r, = n.recipients
        assert (r["Action"], r["Status"]) == ("delayed", "4.7.1")
        assert " ".join(r["Diagnostic-Code"].split()) == "smtp; 451 4.7.1 come back later"
        assert n.found_by_flufl() in (None, set())
        found = n.found_by_sisimai()
        assert found is None or {f[:3] for f in found} == {
            ("you@there.test", "delayed", "4.7.1")}


def test_sendmail_verbose_reports_the_first_attempt(suite):
    s = suite("no@ bounced 5.1.1 no\nwait@ deferred 4.2.0 busy\n* relayed 2.0.0 fine\n",
              services=SERVICES + "pickup unix n - n 60 1 pickup\n", **QUICK)
    s.postern.run("sendmail", "-v", "-f", ME, "-N", "never", "yes@there.test", "no@there.test",
                  "wait@there.test", input=TEXT)
    n, = s.notices()
    assert n.message["Subject"] == "Mail Delivery Status Report"
    assert {(a, r["Action"], r["Status"]) for a, r in zip(n.final_recipients(), n.recipients)} \
        == {("yes@there.test", "relayed", "2.0.0"), ("no@there.test", "failed", "5.1.1"),
            ("wait@there.test", "delayed", "4.2.0")}
    s.wait_attempts(2)
    s.rules("")
    s.postern.wait_queue_empty()
    assert len(s.delivered()) == 1
    s.postern.run("sendmail", "-v", "-f", ME, "yes@there.test", input=TEXT)
    last = [n for n in s.notices(2) if n.final_recipients() == ["yes@there.test"]]
    assert last[0].recipients[0]["Action"] == "delivered"
    s.postern.wait_queue_empty()
