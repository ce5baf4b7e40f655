# SPDX-License-Identifier: Apache-2.0
"""Tables: the commands that build and ask them, the tables service, and changes under load."""

import json
import os
import pwd
import shutil
import socket
import stat
import struct
import subprocess

import pytest

from postern import can_be_another_user, poll_until

FOUND, NOT_FOUND, CANNOT_TELL = 0, 1, 2


@pytest.fixture
def instance(postern_instance):
    return postern_instance()


def source(instance, name, text):
    path = instance.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def lines(done):
    return sorted(done.stdout.splitlines())


# postmap, postalias, newaliases


def test_build_query_and_list(instance):
    path = source(instance, "map", "# comment\nAlice@Example.org one,\n  two\nbob\tb\n")
    done = instance.run("postmap", "hash:" + path)
    assert done.stdout == "" and done.stderr == ""
    assert lines(instance.run("postmap", "-s", "lmdb:" + path)) == [
        "alice@example.org\tone,  two", "bob\tb"]
    assert instance.run("postmap", "-q", "ALICE@example.org", "btree:" + path).stdout == (
        "one,  two\n")
    missing = instance.run("postmap", "-q", "carol", "hash:" + path, check=False)
    assert (missing.returncode, missing.stdout, missing.stderr) == (1, "", "")
    several = instance.run("postmap", "-q", "-", "hash:" + path, input="bob\ncarol\nBOB\n")
    assert several.stdout == "bob\tb\nBOB\tb\n"
    assert [json.loads(line) for line in lines(instance.run("postmap", "-sj", path))] == [
        {"alice@example.org": "one,  two"}, {"bob": "b"}]


def test_warnings_name_file_and_line(instance):
    path = source(instance, "map", "a 1\n\na 2\nalone\nx: y\n")
    err = instance.run("postmap", path).stderr
    assert f'postmap: warning: {path}, line 3: duplicate entry: "a"' in err
    assert f"postmap: warning: {path}, line 4: expected format: key whitespace value" in err
    assert (f'postmap: warning: {path}, line 5: record is in "key: value" format; '
            "is this an alias file?") in err
    assert instance.run("postmap", "-q", "a", path).stdout == "1\n"
    assert instance.run("postmap", "-r", path).stderr.count("duplicate") == 0
    assert instance.run("postmap", "-q", "a", path).stdout == "2\n"
    assert instance.run("postmap", "-w", path).stderr.count("duplicate") == 0
    assert instance.run("postmap", "-q", "a", path).stdout == "1\n"


def test_failures_leave_the_old_table(instance):
    path = source(instance, "map", "a 1\n")
    instance.run("postmap", path)
    source(instance, "map", "a 2\n" + "k" * 600 + " v\n")
    done = instance.run("postmap", path, check=False)
    assert done.returncode == 1 and f"{path}, line 2: " in done.stderr
    assert instance.run("postmap", "-q", "a", path).stdout == "1\n"
    os.unlink(path)
    assert instance.run("postmap", path, check=False).returncode == 1
    assert instance.run("postmap", "-q", "a", path).stdout == "1\n"
    unknown = instance.run("postmap", "cidr:" + path, check=False)
    assert unknown.returncode == 1 and "unsupported map type" in unknown.stderr


def test_a_table_that_cannot_tell_is_not_a_miss(instance):
    done = instance.run("postmap", "-q", "a", "hash:" + instance.path("none"), check=False)
    assert done.returncode == 1
    assert "fatal: table hash:" in done.stderr and "query error" in done.stderr


def test_add_replace_and_remove(instance):
    path = source(instance, "map", "a 1\nb 2\n")
    instance.run("postmap", path)
    err = instance.run("postmap", "-i", path, input="b 3\nc 4\n").stderr
    assert 'duplicate entry: "b"' in err
    assert lines(instance.run("postmap", "-s", path)) == ["a\t1", "b\t2", "c\t4"]
    instance.run("postmap", "-ir", path, input="B 3\n")
    assert instance.run("postmap", "-q", "b", path).stdout == "3\n"
    assert instance.run("postmap", "-d", "A", path).returncode == 0
    assert instance.run("postmap", "-d", "a", path, check=False).returncode == 1
    assert instance.run("postmap", "-d", "-", path, input="b\nnone\n").returncode == 0
    assert lines(instance.run("postmap", "-s", path)) == ["c\t4"]


def test_case_and_nul(instance):
    path = source(instance, "map", "Key v\n")
    instance.run("postmap", "-f", path)
    assert instance.run("postmap", "-fq", "Key", path).stdout == "v\n"
    assert instance.run("postmap", "-q", "Key", path, check=False).returncode == 1
    instance.run("postmap", "-n", path)
    with open(path + ".lmdb", "rb") as f:
        assert b"key\0" not in f.read()
    assert instance.run("postmap", "-q", "key", path).stdout == "v\n"
    instance.run("postmap", path)
    with open(path + ".lmdb", "rb") as f:
        assert b"key\0" in f.read()


def test_mode_follows_the_source(instance):
    path = source(instance, "map", "a 1\n")
    os.chmod(path, 0o600)
    instance.run("postmap", path)
    assert stat.S_IMODE(os.stat(path + ".lmdb").st_mode) == 0o600
    os.chmod(path, 0o644)
    inode = os.stat(path + ".lmdb").st_ino
    instance.run("postmap", path)
    assert stat.S_IMODE(os.stat(path + ".lmdb").st_mode) == 0o644
    assert os.stat(path + ".lmdb").st_ino == inode


def test_aliases(instance):
    path = source(instance, "aliases",
                  'Postmaster: root\n"john smith": john\nlist: a, "|/bin/cmd x, y",\n /file\n')
    instance.write_config(main={"alias_database": "hash:" + path})
    instance.run("newaliases")
    assert lines(instance.run("postalias", "-s", path)) == [
        "john smith:\tjohn", 'list:\ta, "|/bin/cmd x, y", /file', "postmaster:\troot"]
    assert instance.run("postalias", "-q", "POSTMASTER", path).stdout == "root\n"
    bad = source(instance, "bad", "key value\n")
    assert f"{bad}, line 1: need name:value pair" in instance.run("postalias", bad).stderr


def test_a_large_table_grows_its_map(instance):
    count = 60000
    path = source(instance, "map", "".join(
        f"user{i}@example.org {'v' * 400}{i}\n" for i in range(count)))
    instance.run("postmap", path)
    assert os.path.getsize(path + ".lmdb") > 16777216
    assert instance.run("postmap", "-q", f"user{count - 1}@example.org", path).stdout == (
        f"{'v' * 400}{count - 1}\n")


@pytest.mark.skipif(not can_be_another_user(), reason="needs root")
def test_root_works_as_the_owner_of_the_source(instance):
    """Links in somebody's directory must not direct what root writes (attacks.md, 2026)."""
    nobody = pwd.getpwnam("nobody")
    home = instance.path("home")
    os.mkdir(home)
    path = source(instance, "home/map", "a 1\n")
    for name in (home, path):
        os.chown(name, nobody.pw_uid, nobody.pw_gid)
    instance.run("postmap", path)
    assert os.stat(path + ".lmdb").st_uid == nobody.pw_uid
    os.unlink(path + ".lmdb")
    victim = source(instance, "victim", "precious")
    for target in (victim, instance.path("new")):
        os.symlink(target, path + ".lmdb")
        assert instance.run("postmap", path, check=False).returncode == 1
        os.unlink(path + ".lmdb")
    assert not os.path.exists(instance.path("new"))
    os.link(victim, path + ".lmdb")
    assert instance.run("postmap", path, check=False).returncode == 1
    with open(victim, encoding="ascii") as f:
        assert f.read() == "precious"


# The tables service, spoken to by hand


def message(name, **fields):
    def pair(key, value):
        return struct.pack(">H", len(key)) + key + struct.pack(">I", len(value)) + value
    body = b"m" + pair(name.encode(), b"") + b"".join(
        pair(k.encode(), v.encode()) for k, v in fields.items())
    return struct.pack(">I", len(body)) + body


def read_exact(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def answer(s):
    body = read_exact(s, struct.unpack(">I", read_exact(s, 4))[0])
    at, fields = 1, {}
    while at < len(body):
        n = struct.unpack_from(">H", body, at)[0]
        key = body[at + 2:at + 2 + n]
        at += 2 + n
        n = struct.unpack_from(">I", body, at)[0]
        fields[key.decode()] = body[at + 4:at + 4 + n].decode()
        at += 4 + n
    return int(fields["result"]), fields.get("value", ""), fields.get("why", "")


def connect(instance):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(os.path.join(instance.queue, "private", "tables"))
    return s


def ask(instance, table, key):
    with connect(instance) as s:
        s.sendall(message("lookup/1.find", table=table, key=key))
        return answer(s)


def test_service_answers_what_is_allowed(postern_instance):
    instance = postern_instance(
        main={"virtual_alias_maps": "proxy:inline:{a=b}", "maillog_file_permissions": "0644"})
    instance.start()
    root = "root:x:0:0:root:/root:/bin/bash"
    assert ask(instance, "unix:passwd.byname", "root")[:2] == (FOUND, root)
    assert ask(instance, "unix:passwd.byname", "no-such-user-here")[0] == NOT_FOUND
    assert ask(instance, "unix:group.byname", "root")[0] == FOUND
    assert ask(instance, "inline:{a=b}", "a")[:2] == (FOUND, "b")
    for table in ("texthash:/etc/shadow", "static:x", "proxy:static:x", "nonsense", ""):
        assert ask(instance, table, "root")[0] == CANNOT_TELL
    # A process that dies is started again; nobody gets a wrong answer meanwhile.
    first = instance.wait_child("tables")
    instance.crashes = True
    instance.kill(first)
    poll_until(lambda: answers_root(instance), "the tables service to come back")
    assert ask(instance, "unix:passwd.byname", "root")[:2] == (FOUND, root)


def answers_root(instance):
    try:
        return ask(instance, "unix:passwd.byname", "root")[0] == FOUND
    except (OSError, EOFError):
        return False


@pytest.mark.skipif(not can_be_another_user(), reason="needs root")
def test_service_has_no_rights(postern_instance):
    instance = postern_instance()
    instance.start()
    assert ask(instance, "unix:passwd.byname", "root")[0] == FOUND
    pid = instance.wait_child("tables")
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    assert "0" not in status["Uid"].split() and "0" not in status["Gid"].split()
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


# Changes under running daemons


def rcpt(instance, address):
    with socket.create_connection(("127.0.0.1", instance.port()), timeout=30) as s:
        f = s.makefile("rwb")

        def command(text):
            f.write(text.encode() + b"\r\n")
            f.flush()
            line = f.readline()
            while line[3:4] == b"-":
                line = f.readline()
            return line.decode()

        f.readline()
        command("EHLO client.example")
        command("MAIL FROM:<sender@example.net>")
        reply = command(f"RCPT TO:<{address}>")
        command("QUIT")
        return reply


def test_smtpd_sees_a_new_table_without_restart(postern_instance):
    instance = postern_instance()
    path = source(instance, "aliases", "first: root\n")
    instance.write_config(main={"alias_maps": "hash:" + path, "alias_database": "hash:" + path})
    instance.run("newaliases")
    instance.start()
    assert rcpt(instance, "first@example.test").startswith("250 2.1.5")
    assert rcpt(instance, "second@example.test").startswith("550 5.1.1")
    process = instance.children("smtpd")
    source(instance, "aliases", "second: root\n")
    instance.run("newaliases")
    assert rcpt(instance, "second@example.test").startswith("250 2.1.5")
    assert rcpt(instance, "first@example.test").startswith("550 5.1.1")
    assert instance.children("smtpd") == process


def test_smtpd_sees_a_table_that_outgrew_its_map(postern_instance):
    instance = postern_instance()
    path = source(instance, "aliases", "first: root\n")
    instance.write_config(main={"alias_maps": "hash:" + path, "alias_database": "hash:" + path})
    instance.run("newaliases")
    instance.start()
    assert rcpt(instance, "first@example.test").startswith("250 2.1.5")
    process = instance.children("smtpd")
    source(instance, "aliases", "".join(f"user{i}: {'v' * 500}\n" for i in range(40000)))
    instance.run("newaliases")
    assert os.path.getsize(path + ".lmdb") > 16777216
    assert rcpt(instance, "user39999@example.test").startswith("250 2.1.5")
    assert rcpt(instance, "first@example.test").startswith("550 5.1.1")
    assert instance.children("smtpd") == process


def test_smtpd_survives_a_truncated_table(postern_instance):
    instance = postern_instance()
    path = source(instance, "aliases", "".join(f"user{i}: root\n" for i in range(5000)))
    instance.write_config(main={"alias_maps": "hash:" + path, "alias_database": "hash:" + path})
    instance.run("newaliases")
    instance.start()
    assert rcpt(instance, "user7@example.test").startswith("250 2.1.5")
    process = instance.children("smtpd")
    os.truncate(path + ".lmdb", 0)
    assert rcpt(instance, "user7@example.test").startswith("451 4.3.0")
    assert instance.children("smtpd") == process


def test_unreadable_tables_defer(postern_instance):
    instance = postern_instance(main={"alias_maps": "hash:/no/such/file"})
    instance.start()
    assert rcpt(instance, "nobody-here@example.test").startswith("451 4.3.0")
    # Each key is tried in all tables before the next: the alias may be for this address.
    assert rcpt(instance, "root@example.test").startswith("451 4.3.0")


def test_postmap_of_debian_reads_and_writes_the_same_files(instance):
    theirs = shutil.which("postmap", path="/usr/sbin:/opt/postfix/sbin")
    if theirs is None:
        pytest.skip("Postfix is not installed")
    conf = instance.path("theirs")
    os.mkdir(conf)
    with open(os.path.join(conf, "main.cf"), "w", encoding="ascii") as f:
        f.write("compatibility_level = 3.6\n")
    path = source(instance, "map", "a 1\n")
    instance.run("postmap", path)

    def run(*arguments):
        return subprocess.run([theirs, "-c", conf, *arguments], capture_output=True, text=True,
                              check=False, timeout=60)
    if "unsupported" in run("-q", "a", "lmdb:" + path).stderr:
        pytest.skip("Postfix has no LMDB here")
    assert run("-q", "a", "lmdb:" + path).stdout == "1\n"
    source(instance, "map", "a 2\nb 3\n")
    assert run("lmdb:" + path).returncode == 0
    assert lines(instance.run("postmap", "-s", path)) == ["a\t2", "b\t3"]
