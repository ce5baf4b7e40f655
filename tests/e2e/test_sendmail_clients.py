# SPDX-License-Identifier: Apache-2.0
"""Programs that hand mail to the sendmail command, as they are or with the command lines that they
are built with: what they wrote arrives at a relay host, from the sender and for the recipients
that they meant."""

import email
import email.policy
import glob
import os
import pwd
import shutil
import subprocess

import pytest

import packages
from interop import CLIENTS
from mail_server import MailServer
from postern import MASTER_CF, SBIN

SENDMAIL = os.path.join(SBIN, "sendmail")
LOGIN = pwd.getpwuid(os.getuid()).pw_name
TEXT = "first line\n.\nFrom the third line\n.. and two dots\n"


class Relay:
    """An instance that relays everything to a scripted server."""

    def __init__(self, factory, server):
        self.server = server
        self.postern = factory(master=MASTER_CF + CLIENTS, main={
            "relayhost": server.nexthop, "mydestination": "", "local_recipient_maps": ""}).start()
        self.env = {**self.postern.env(), "HOME": self.postern.dir, "LANG": "C.UTF-8"}

    def run(self, *argv, text="", env=None, code=0):
        done = subprocess.run(argv, input=text.encode(), env={**self.env, **(env or {})},
                              cwd=self.postern.dir, capture_output=True, timeout=60)
        shown = (done.stdout + done.stderr).decode(errors="replace")
        self.postern._check_text(shown, argv[0])
        assert done.returncode == code, shown
        return shown

    def received(self):
        """The one message: (sender, recipients, message)."""
        message = self.server.wait_messages()[0]
        self.postern.wait_queue_empty()
        assert len(self.server.messages) == 1
        assert b"\n" not in message.data.replace(b"\r\n", b"")
        sender = message.sender.split(">")[0].removeprefix("FROM:<")
        recipients = [r.split(">")[0].removeprefix("TO:<") for r in message.recipients]
        return sender, recipients, email.message_from_bytes(message.data,
                                                            policy=email.policy.default)


@pytest.fixture
def relay(postern_instance):
    with MailServer() as server:
        yield Relay(postern_instance, server)


def text_of(message):
    return message.get_content().replace("\r\n", "\n")


def unpacked(*wanted):
    try:
        return packages.unpack(*wanted)
    except packages.NotToBeHad as e:
        pytest.skip(str(e))


def installed(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


@installed("mutt")
def test_mutt(relay):
    attached = relay.postern.path("attached.bin")
    with open(attached, "wb") as f:
        f.write(bytes(range(256)))
    relay.run("mutt", "-n", "-F", "/dev/null", "-e",
              f"set sendmail='{SENDMAIL} -oem -oi' copy=no from=me@example.test realname=Ich "
              "use_envelope_from=yes", "-s", "Grüße", "-c", "copy@example.net", "-a", attached,
              "--", "to@example.net", text=TEXT)
    sender, recipients, message = relay.received()
    assert sender == "me@example.test"
    assert recipients == ["to@example.net", "copy@example.net"]
    assert message["Subject"] == "Grüße"
    assert message["From"] == "Ich <me@example.test>"
    body, data = message.iter_parts()
    assert text_of(body) == TEXT
    assert data.get_content() == bytes(range(256))


@installed("s-nail")
def test_s_nail(relay):
    relay.run("s-nail", "-:/", "-S", "mta=" + SENDMAIL, "-S", "v15-compat", "-s", "from s-nail",
              "-r", "me@example.test", "-c", "copy@example.net", "-b", "blind@example.net",
              "to@example.net", text=TEXT)
    sender, recipients, message = relay.received()
    assert sender == "me@example.test"
    assert sorted(recipients) == ["blind@example.net", "copy@example.net", "to@example.net"]
    assert message["Bcc"] is None
    assert text_of(message) == TEXT


def test_bsd_mailx(relay):
    """The mail(1) of BSD, which scripts call."""
    tree = unpacked("bsd-mailx")
    with open(relay.postern.path(".mailrc"), "w", encoding="ascii") as f:
        f.write(f"set sendmail={SENDMAIL}\n")
    relay.run(os.path.join(tree, "usr", "bin", "bsd-mailx"), "-s", "from mail", "-c",
              "copy@example.net", "-a", "From: Me <me@example.test>", "to@example.net", text=TEXT,
              env={"LD_LIBRARY_PATH": packages.library_path(tree)})
    sender, recipients, message = relay.received()
    assert sender.split("@")[0] == LOGIN
    assert sorted(recipients) == ["copy@example.net", "to@example.net"]
    assert message["From"] == "Me <me@example.test>"
    assert message["Subject"] == "from mail"
    assert text_of(message).rstrip("\n") == TEXT.rstrip("\n")


@pytest.mark.parametrize("arguments", [
    ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t"],
    ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"],  # cronie
    ["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root@cron.test"],     # Debian's
])
def test_cron(relay, arguments):
    """The command lines of several crons, and the header that they write."""
    relay.run(SENDMAIL, *arguments, text=(
        "From: root (Cron Daemon)\nTo: root@cron.test\nSubject: Cron <root@host> ls /none\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
        "Content-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n"
        "X-Cron-Env: <HOME=/root>\n\nls: cannot access '/none'\nFalsche Größe\n"))
    sender, recipients, message = relay.received()
    assert sender.split("@")[0] == ("root" if "-f" in arguments else LOGIN)
    assert recipients == ["root@cron.test"]
    assert message["Subject"] == "Cron <root@host> ls /none"
    assert len(message.get_all("X-Cron-Env")) == 2
    assert text_of(message) == "ls: cannot access '/none'\nFalsche Größe\n"


def test_git_send_email(relay):
    """Two patches of a series, with a recipient taken from the commit and one blind."""
    tree = unpacked("git-email", "libmailtools-perl")
    work = relay.postern.path("work")
    env = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", "Jörg"), ("EMAIL", "joerg@example.test"))}
    relay.run("git", "init", "-q", work)
    for number in (1, 2):
        with open(os.path.join(work, "file"), "a", encoding="utf-8") as f:
            f.write(f".{number} ä\n")
        relay.run("git", "-C", work, "add", "file")
        relay.run("git", "-C", work, "commit", "-q", "-m",
                  f"change {number}\n\nCc: Reviewer <reviewer@example.net>", env=env)
    relay.run("git", "-C", work, "format-patch", "-q", "--root", "-o", "out", env=env)
    patches = sorted(glob.glob(os.path.join(work, "out", "*.patch")))
    relay.run("perl", os.path.join(tree, "usr", "lib", "git-core", "git-send-email"), "--quiet",
              "--confirm=never", "--from", "Jörg <joerg@example.test>", "--to",
              "list@example.net", "--bcc", "blind@example.net", "--transfer-encoding=8bit",
              "--8bit-encoding=UTF-8", "--envelope-sender=bounces@example.test",
              f"--smtp-server={SENDMAIL}", *patches,
              env={**env, "GIT_DIR": os.path.join(work, ".git"),
                   "PERL5LIB": os.path.join(tree, "usr", "share", "perl5")})
    messages = relay.server.wait_messages(2)
    subjects = set()
    for message in messages:
        assert message.sender.startswith("FROM:<bounces@example.test>")
        assert {r.split()[0] for r in message.recipients} == {
            "TO:<list@example.net>", "TO:<reviewer@example.net>", "TO:<blind@example.net>",
            "TO:<joerg@example.test>"}
        read = email.message_from_bytes(message.data, policy=email.policy.default)
        assert read["Bcc"] is None
        assert read["From"] == "Jörg <joerg@example.test>"
        subjects.add(read["Subject"])
        number = read["Subject"][-1]
        assert f"\n+.{number} ä\n" in text_of(read)
    assert subjects == {"[PATCH 1/2] change 1", "[PATCH 2/2] change 2"}


def test_perl_report(relay):
    """As logwatch and many scripts do it: a pipe, a header with the recipients, a report."""
    relay.run("perl", "-e", r'''
        open(OUT, "|$ARGV[0] -t") or die "no pipe: $!";
        print OUT "To: admin\@example.net, Second <second\@example.net>\n";
        print OUT "From: Logwatch <logwatch\@example.test>\n";
        print OUT "Subject: Logwatch for host (Linux)\n";
        print OUT "Auto-Submitted: auto-generated\nPrecedence: bulk\n";
        print OUT "Content-Transfer-Encoding: 8bit\nContent-Type: text/plain; charset=\"utf-8\"\n";
        print OUT "\n";
        print OUT " Line $_ of the report\n" for 1..2000;
        close(OUT) or die "failed: $?";''', SENDMAIL)
    _, recipients, message = relay.received()
    assert recipients == ["admin@example.net", "second@example.net"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert text_of(message).splitlines() == [f" Line {n} of the report" for n in range(1, 2001)]


def php(relay, tree, code, options=""):
    program, = glob.glob(os.path.join(tree, "usr", "bin", "php8*"))
    return relay.run(program, "-n", "-d", f"sendmail_path={SENDMAIL} -t -i {options}".strip(),
                     "-r", code, env={"LD_LIBRARY_PATH": packages.library_path(tree)})


def test_php_mail(relay):
    """PHP's mail(), whose header lines end in CRLF and whose text lines end in LF."""
    tree = unpacked("php8.2-cli")
    php(relay, tree, r'''
        exit(mail("to@example.net", "Subject of PHP", "one\ntwo\n.\nthree\n",
                  ["From" => "web@example.test", "Cc" => "copy@example.net",
                   "Bcc" => "blind@example.net", "MIME-Version" => "1.0",
                   "Content-Type" => "text/plain; charset=utf-8"],
                  "-fbounces@example.test") ? 0 : 1);''')
    sender, recipients, message = relay.received()
    assert sender == "bounces@example.test"
    assert sorted(recipients) == ["blind@example.net", "copy@example.net", "to@example.net"]
    assert message["Subject"] == "Subject of PHP"
    assert message["Bcc"] is None
    assert message["Cc"] == "copy@example.net"
    assert text_of(message).rstrip("\n") == "one\ntwo\n.\nthree"


def test_php_tells_of_a_refusal(relay):
    """Nobody to send to: sendmail's exit code makes mail() false."""
    tree = unpacked("php8.2-cli")
    php(relay, tree, r'exit(mail("", "nobody", "x\n") === false ? 0 : 1);')
    assert relay.server.messages == []


@installed("msmtp")
def test_msmtp(relay):
    """msmtp as many hosts have it in place of a sendmail command: a client of our SMTP service."""
    relay.run("msmtp", "--host=127.0.0.1", f"--port={relay.postern.port()}", "--auth=off",
              "--tls=off", "--from=me@example.test", "-t", text=(
                  "From: me@example.test\nTo: to@example.net\nBcc: blind@example.net\n"
                  "Subject: x\n\n" + TEXT))
    sender, recipients, message = relay.received()
    assert sender == "me@example.test"
    assert sorted(recipients) == ["blind@example.net", "to@example.net"]
    assert message["Bcc"] is None
    assert text_of(message) == TEXT
