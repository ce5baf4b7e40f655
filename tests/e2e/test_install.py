# SPDX-License-Identifier: Apache-2.0
"""What cmake --install gives: all that is needed, nothing that only tests run, no power by file
modes, and a suite that works from where it was installed."""

import os
import pathlib
import shutil
import smtplib
import stat
import subprocess
import tempfile

import pytest

from postern import BUILD, SBIN

COMMANDS = {"mailq", "newaliases", "postalias", "postcat", "postconf", "postern", "postlog",
            "postmap", "postqueue", "postsuper", "qshape", "sendmail"}
DAEMONS = {"anvil", "bounce", "cleanup", "error", "local", "master", "pickup", "postlogd", "qmgr",
           "resolver", "showq", "smtp", "smtpd", "tables"}
OTHER_PAGES = {"man5/aliases.5", "man5/bounce.5", "man5/master.5", "man5/postconf.5",
               "man8/discard.8", "man8/lmtp.8", "man8/relay.8", "man8/retry.8"}
SAMPLES = {"aliases", "main.cf", "master.cf"}

MESSAGE = "Subject: installed\nTo: nobody@example.test\n\nHello.\n"


def install(prefix):
    subprocess.run(["cmake", "--install", BUILD, "--prefix", str(prefix)], check=True,
                   capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def installed():
    prefix = pathlib.Path(tempfile.mkdtemp(prefix="pt-install-"))
    prefix.chmod(0o755)  # the daemons drop root: their users must get here
    install(prefix)
    yield prefix
    shutil.rmtree(prefix)


def names(directory):
    return {p.relative_to(directory).as_posix() for p in directory.rglob("*") if not p.is_dir()}


def test_commands_and_daemons(installed):
    assert names(installed / "sbin") == COMMANDS
    assert names(installed / "libexec" / "postern") == DAEMONS
    for directory in (installed / "sbin", installed / "libexec" / "postern"):
        for program in directory.iterdir():
            assert os.access(program, os.X_OK), program


def test_samples(installed):
    assert names(installed / "etc" / "postern") == SAMPLES


def test_manual_pages(installed):
    pages = names(installed / "share" / "man")
    assert pages == ({f"man1/{name}.1" for name in COMMANDS}
                     | {f"man8/{name}.8" for name in DAEMONS} | OTHER_PAGES)


def test_manual_pages_are_well_formed(installed):
    manuals = installed / "share" / "man"
    for page in sorted(names(manuals)):
        text = (manuals / page).read_text()
        if text.startswith(".so "):
            assert (manuals / text.split()[1]).is_file(), page
            continue
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], cwd=manuals,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout


def test_every_parameter_has_its_entry(installed):
    done = subprocess.run([os.path.join(SBIN, "postconf"), "-d", "-H", "-C", "builtin"],
                          capture_output=True, text=True, check=True, timeout=60)
    parameters = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    text = (installed / "share" / "man" / "man5" / "postconf.5").read_text()
    assert len(parameters) > 900
    for name in parameters:
        assert f'.It Sy "\\&{name}"\n' in text, name


def test_no_file_has_power_of_its_own(installed):
    for path in [installed, *installed.rglob("*")]:
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        assert not mode & (stat.S_ISUID | stat.S_ISGID), path
        assert path.is_dir() or not mode & (stat.S_IWGRP | stat.S_IWOTH), path


def test_links_stay_inside(installed):
    for path in installed.rglob("*"):
        if path.is_symlink():
            assert "/" not in os.readlink(path), path
            assert path.exists(), path


def test_nothing_of_the_build_tree_is_named(installed):
    for path in (installed / "etc" / "postern").iterdir():
        assert BUILD not in path.read_text()


def test_installing_again_keeps_the_configuration(tmp_path):
    install(tmp_path)
    main_cf = tmp_path / "etc" / "postern" / "main.cf"
    main_cf.write_text("myhostname = mine.example\n")
    (tmp_path / "etc" / "postern" / "aliases").unlink()
    install(tmp_path)
    assert main_cf.read_text() == "myhostname = mine.example\n"
    assert (tmp_path / "etc" / "postern" / "aliases").is_file()


def test_an_instance_of_it_works(installed, postern_instance):
    sbin, libexec = installed / "sbin", installed / "libexec" / "postern"
    p = postern_instance(main={"daemon_directory": libexec, "command_directory": sbin})
    aliases = f"lmdb:{p.conf}/aliases"
    p.write("aliases", "friend: nobody\n")
    p.write_config(main={"alias_maps": aliases, "alias_database": aliases,
                         "mail_spool_directory": p.mail + "/"})

    def run(command, *arguments, **more):
        return p.run(str(sbin / command), *arguments, **more)

    run("newaliases")
    assert run("postalias", "-q", "friend", aliases).stdout == "nobody\n"
    run("postern", "check")
    run("postern", "start")
    qmgr = p.wait_child("qmgr")
    assert os.readlink(f"/proc/{qmgr}/exe") == str(libexec / "qmgr")
    with smtplib.SMTP("127.0.0.1", p.port(), timeout=20) as client:
        client.sendmail("a@example.org", ["friend@example.test"], MESSAGE)
    run("sendmail", "-t", input=MESSAGE)
    messages = p.wait_maildir(os.path.join(p.mail, "nobody"), count=2)
    assert all(b"Subject: installed\n" in m for m in messages)
    p.wait_queue_empty()
    assert run("mailq").stdout == "Mail queue is empty\n"
    run("postern", "stop")
