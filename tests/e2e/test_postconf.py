# SPDX-License-Identifier: Apache-2.0
"""postconf: its output, its warnings, and the configurations that other packages ship."""

import os
import pathlib
import re
import subprocess

import pytest

from postern import ROOT, SBIN

REALWORLD = pathlib.Path(ROOT).parent / "shared" / "realworld"

MASTER_CF = """\
smtp      inet  n       -       n       -       -       smtpd
submission inet n       -       n       -       5       smtpd
  -o syslog_name=postfix/submission
  -o { smtpd_client_restrictions = $mua_client, reject }
  -o mua_typo=1
pickup    unix  n       -       n       60?     1       pickup -v
dovecot   unix  -       n       n       -       -       pipe
  flags=DRhu user=vmail argv=/usr/lib/deliver -f ${sender} { a  b }
"""

MAIN_CF = """\
compatibility_level = 3.11
myhostname = mail.example.org
mydestination = $myhostname,
# comment
    localhost.$mydomain

mua_client = permit_sasl_authenticated
relayhost = [$smarthost]
smtpd_restriction_classes = strict
strict = reject
biff = no
biff = yes
virtual_alias_maps = ldap:work
work_server_host = ldap.example.org
dovecot_destination_recipient_limit = 1
hopcountlimit = 7
"""


class Result:
    def __init__(self, process):
        self.code = process.returncode
        self.lines = process.stdout.splitlines()
        self.text = process.stdout
        self.warnings = process.stderr.splitlines()


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "main.cf").write_text(MAIN_CF)
    (tmp_path / "master.cf").write_text(MASTER_CF)
    return tmp_path


def postconf(*arguments, env=None):
    process = subprocess.run([os.path.join(SBIN, "postconf"), *map(str, arguments)], text=True,
                             stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                             env={**os.environ, **(env or {})}, check=False)
    assert "Sanitizer" not in process.stderr and "runtime error" not in process.stderr
    return Result(process)


def test_names(directory):
    result = postconf("-c", directory, "mydestination", "biff", "relay_domains")
    assert result.code == 0
    assert result.lines == ["mydestination = $myhostname, localhost.$mydomain", "biff = yes",
                            "relay_domains = ${{$compatibility_level} <level {2} ? "
                            "{$mydestination} : {}}"]


def test_expanded(directory):
    assert postconf("-c", directory, "-x", "mydestination", "append_dot_mydomain").lines == [
        "mydestination = mail.example.org, localhost.example.org", "append_dot_mydomain = no"]


def test_values_and_names_only(directory):
    assert postconf("-c", directory, "-h", "biff", "relayhost").lines == ["yes", "[$smarthost]"]
    assert postconf("-c", directory, "-H", "biff", "relayhost").lines == ["biff", "relayhost"]
    assert postconf("-hx", "-c", directory, "mail_name", "relayhost").lines == ["Postfix", "[]"]


def test_only_set(directory):
    lines = postconf("-c", directory, "-n").lines
    assert lines == sorted(lines)
    names = [line.split(" = ")[0] for line in lines]
    assert names == ["biff", "compatibility_level", "config_directory",
                     "dovecot_destination_recipient_limit", "mua_client", "mydestination",
                     "myhostname", "relayhost", "smtpd_restriction_classes", "strict",
                     "virtual_alias_maps", "work_server_host"]
    assert f"config_directory = {directory}" in lines


def test_warnings(directory):
    main, master = directory / "main.cf", directory / "master.cf"
    assert sorted(postconf("-c", directory, "-n").warnings) == sorted([
        f"postconf: warning: {main}, line 12: overriding earlier entry: biff=no",
        f"postconf: warning: {main}: undefined parameter: smarthost",
        f"postconf: warning: {main}: unused parameter: hopcountlimit=7",
        f"postconf: warning: {master}: unused parameter: mua_typo=1"])
    assert postconf("-c", directory, "-q", "-n").warnings == []


def test_defaults_need_no_file(tmp_path):
    result = postconf("-c", tmp_path, "-d")
    assert result.code == 0 and result.warnings == []
    assert result.lines == sorted(result.lines, key=lambda line: line.split(" =")[0])
    assert len(result.lines) > 900
    for line in ("message_size_limit = 10240000", "smtpd_banner = $myhostname ESMTP $mail_name",
                 "relayhost =", "default_database_type = lmdb", "2bounce_notice_recipient = "
                 "postmaster", "queue_sync = yes"):
        assert line in result.lines
    # Postfix hides the names that it has replaced.
    assert not any(line.startswith(("virtual_maps ", "fallback_relay ")) for line in result.lines)


def test_unknown_name(directory):
    result = postconf("-c", directory, "-q", "no_such_name", "biff", "sender_based_routing")
    assert result.code == 1
    assert result.lines == ["biff = yes"]
    assert result.warnings == [
        "postconf: warning: no_such_name: unknown parameter",
        "postconf: warning: sender_based_routing: unknown parameter: replaced by "
        "sender_dependent_relayhost_maps"]


def test_override_and_environment(directory):
    result = postconf("-qn", "-o", "biff=no", "-o", "relayhost = [other]", "biff", "relayhost",
                      env={"MAIL_CONFIG": str(directory)})
    assert result.lines == ["biff = no", "relayhost = [other]"]


def test_classes(directory):
    assert postconf("-c", directory, "-q", "-C", "user").lines == [
        "mua_client = permit_sasl_authenticated", "strict = reject",
        "work_server_host = ldap.example.org"]
    service = postconf("-c", directory, "-q", "-C", "service").lines
    assert "dovecot_destination_recipient_limit = 1" in service
    assert "dovecot_time_limit = $command_time_limit" in service
    assert not any(line.startswith("biff") for line in service)
    assert postconf("-c", directory, "-C", "wrong").code == 1


def test_fold(directory):
    lines = postconf("-c", directory, "-fd", "proxy_read_maps").lines
    assert len(lines) > 10 and all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("proxy_read_maps = $local_recipient_maps ")
    assert all(line.startswith("    $") for line in lines[1:])


def test_services(directory):
    assert postconf("-c", directory, "-q", "-M").lines == [
        "smtp       inet  n       -       n       -       -       smtpd",
        "submission inet  n       -       n       -       5       smtpd "
        "-o syslog_name=postfix/submission "
        "-o {smtpd_client_restrictions=$mua_client, reject} -o mua_typo=1",
        "pickup     unix  n       -       n       60?     1       pickup -v",
        "dovecot    unix  -       n       n       -       -       pipe flags=DRhu user=vmail "
        "argv=/usr/lib/deliver -f ${sender} {a  b}"]
    assert postconf("-c", directory, "-q", "-Mf", "submission/inet").lines == [
        "submission inet  n       -       n       -       5       smtpd",
        "    -o syslog_name=postfix/submission",
        "    -o {smtpd_client_restrictions=$mua_client, reject}",
        "    -o mua_typo=1"]
    result = postconf("-c", directory, "-q", "-M", "smtp/unix", "pickup")
    assert len(result.lines) == 1
    assert result.warnings == ['postconf: warning: unmatched request: "smtp/unix"']


@pytest.mark.parametrize("option", ["-e", "-X", "-#", "-F", "-P"])
def test_edits_come_later(directory, option):
    before = (directory / "main.cf").read_text()
    result = postconf("-c", directory, option, "biff=no")
    assert result.code == 1
    assert result.warnings == [f"postconf: fatal: {option}: not available in this version"]
    assert (directory / "main.cf").read_text() == before


@pytest.mark.parametrize("name,text,message", [
    ("main.cf", "a=1\n\nfoo\n  bar\n", "main.cf, line 3: missing '=' after attribute name"),
    ("main.cf", "relayhost = ${x\n", "relayhost: truncated macro reference"),
    ("master.cf", "\nsmtp inet n - q - - smtpd\n", 'master.cf, line 2: invalid chroot field "q"'),
])
def test_errors(directory, name, text, message):
    (directory / name).write_text(text)
    result = postconf("-c", directory, "-x", *(["-M"] if name == "master.cf" else []))
    assert result.code == 1
    assert any(line.startswith("postconf: fatal: ") and message in line
               for line in result.warnings)


def filled(text):
    """A template with its conditions taken and its values filled in."""
    text = re.sub(r"\{%.*?%\}", "#", text)
    return re.sub(r"\{\{.*?\}\}", "example.org", text)


@pytest.mark.skipif(not REALWORLD.is_dir(), reason="no configurations of other packages here")
@pytest.mark.parametrize("package", ["docker-mailserver", "ispmail", "mailinabox", "yunohost"])
def test_configurations_of_others(package, tmp_path):
    for name in ("main.cf", "master.cf"):
        source = sorted((REALWORLD / package).glob(f"*{name}*"))[0]
        (tmp_path / name).write_text(filled(source.read_text()))
    settings = postconf("-c", tmp_path, "-n")
    services = postconf("-c", tmp_path, "-M")
    assert settings.code == 0 and services.code == 0
    assert len(settings.lines) > 10
    assert services.lines
    unused = [line for line in settings.warnings if "unused parameter" in line]
    assert unused == []
    assert postconf("-c", tmp_path, "-qx").code == 0
