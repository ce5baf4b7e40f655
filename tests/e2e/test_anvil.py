# SPDX-License-Identifier: Apache-2.0
"""Client limits: exact over all processes of a service, by anvil; and mail without it."""

import os
import re
import signal
import socket
import time

import pytest

from ipc_wire import Ipc
from postern import DEADLINE, poll_until
from smtp_wire import OURS, Smtpd, Wire

MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{rate} inet n - n - - smtpd -o smtpd_client_connection_rate_limit=3
127.0.0.1:{mail} inet n - n - - smtpd -o smtpd_client_message_rate_limit=2
127.0.0.1:{rcpt} inet n - n - - smtpd -o smtpd_client_recipient_rate_limit=3
127.0.0.1:{free} inet n - n - - smtpd -o smtpd_client_event_limit_exceptions=127.0.0.9
  -o smtpd_client_connection_rate_limit=1
127.0.0.1:{wide} inet n - n - - smtpd -o smtpd_client_ipv4_prefix_length=24
127.0.0.1:{off} inet n - n - - smtpd -o smtpd_client_connection_count_limit=0
cleanup unix n - n - 0 fake_cleanup
anvil unix - - n - 1 anvil
"""
PORTS = ("rate", "mail", "rcpt", "free", "wide", "off")
LIMIT = 4
REFUSED = "421 4.7.0 mail.example.test Error: too many connections from "


def server(**main):
    parameters = {"service_processes": "2", "smtpd_client_event_limit_exceptions": "",
                  "smtpd_client_connection_count_limit": str(LIMIT),
                  "anvil_rate_time_unit": "300s"}
    parameters.update(main)
    return Smtpd(main=parameters, master=MASTER, ports=PORTS, crashes=True)


@pytest.fixture(scope="module")
def shared():
    with server() as smtpd:
        yield smtpd


class Client(Wire):
    """A client with an address of its own, whatever the greeting is."""

    def __init__(self, smtpd, port="smtp", source="127.0.0.1"):
        self.socket = socket.create_connection(
            ("127.0.0.1", smtpd.instance.port(port)), timeout=DEADLINE,
            source_address=(source, 0))
        self.buffer = b""
        self.greeting = self.reply()

    @property
    def is_welcome(self):
        return self.greeting.code == 220


def mail(smtpd, port="smtp", source="127.0.0.1"):
    with Client(smtpd, port, source) as wire:
        assert wire.is_welcome
        wire.envelope()
        assert wire.data(b"Subject: x\r\n\r\nx").code == 250


def smtpd_of(smtpd, client):
    """The smtpd process at the other end of the client's connection."""
    port = client.socket.getsockname()[1]
    pattern = re.compile(r"smtpd\[(\d+)\]: connect from \S+\[[\d.]+\]:%d$" % port, re.M)
    return int(smtpd.instance.wait_log(pattern)[1])


def fill(smtpd, count, source, port="smtp"):
    clients = [Client(smtpd, port, source) for _ in range(count)]
    assert all(c.is_welcome for c in clients)
    return clients


def close_all(clients):
    for client in clients:
        client.close()


def wait_welcome(smtpd, source, port="smtp"):
    def attempt():
        client = Client(smtpd, port, source)
        if client.is_welcome:
            return client
        client.close()
        return None
    return poll_until(attempt, "a place for one more client")


def test_count_is_exact_over_processes_and_released():
    with server(smtpd_client_port_logging="yes", sessions_per_process="3") as smtpd:
        source = "127.0.0.2"
        clients = fill(smtpd, LIMIT, source)
        assert len({smtpd_of(smtpd, c) for c in clients}) == 2
        with Client(smtpd, source=source) as late:
            assert str(late.greeting) == REFUSED + source
            assert late.is_closed()
        smtpd.wait_log(r"warning: Connection concurrency limit exceeded: 5 from "
                       r"\S+\[127\.0\.0\.2\]:\d+ for service 127\.0\.0\.1:\d+\n")
        with Client(smtpd, source="127.0.0.3") as other:
            assert other.is_welcome
        clients.pop().close()
        clients.append(wait_welcome(smtpd, source))
        close_all(clients)


def test_count_is_released_when_smtpd_is_killed():
    with server(smtpd_client_port_logging="yes", sessions_per_process="3") as smtpd:
        source = "127.0.0.2"
        clients = fill(smtpd, LIMIT, source)
        with Client(smtpd, source=source) as late:
            assert not late.is_welcome
        for pid in {smtpd_of(smtpd, c) for c in clients}:
            smtpd.instance.kill(pid)
        again = [wait_welcome(smtpd, source) for _ in range(LIMIT)]
        with Client(smtpd, source=source) as late:
            assert str(late.greeting) == REFUSED + source
        close_all(again + clients)


def test_connection_rate(shared):
    source = "127.0.0.4"
    for _ in range(3):
        with Client(shared, "rate", source) as client:
            assert client.is_welcome
            assert client.command("QUIT").code == 221
    with Client(shared, "rate", source) as client:
        assert str(client.greeting) == REFUSED + source
    shared.wait_log(r"warning: Connection rate limit exceeded: 4 from \S+\[127\.0\.0\.4\] "
                    r"for service ")
    with Client(shared, "rate", "127.0.0.5") as client:
        assert client.is_welcome


def test_message_rate(shared):
    source = "127.0.0.4"
    with Client(shared, "mail", source) as client:
        client.ehlo()
        for _ in range(2):
            assert client.command("MAIL FROM:<a@b.test>").code == 250
            assert client.command("RSET").code == 250
        assert (str(client.command("MAIL FROM:<a@b.test>")) ==
                "450 4.7.1 Error: too much mail from 127.0.0.4")
    with Client(shared, "mail", source) as client:  # another process, perhaps
        client.ehlo()
        assert client.command("MAIL FROM:<a@b.test>").code == 450
    shared.wait_log(r"warning: Message delivery request rate limit exceeded: 3 from "
                    r"\S+\[127\.0\.0\.4\] for service ")


def test_recipient_rate(shared):
    with Client(shared, "rcpt", "127.0.0.4") as client:
        client.ehlo()
        assert client.command("MAIL FROM:<a@b.test>").code == 250
        assert client.command(f"RCPT TO:<u@{OURS}>").code == 250
        assert client.command(f"RCPT TO:<nobody@{OURS}>").code == 550  # counts all the same
        assert client.command(f"RCPT TO:<w@{OURS}>").code == 250
        assert (str(client.command(f"RCPT TO:<u@{OURS}>")) ==
                "450 4.7.1 Error: too many recipients from 127.0.0.4")
        assert client.data(b"x").code == 250
    shared.wait_log(r"warning: Recipient address rate limit exceeded: 4 from ")


def test_vrfy_asks_for_recipients_too(shared):
    with Client(shared, "rcpt", "127.0.0.5") as client:
        client.ehlo()
        assert client.command(f"VRFY u@{OURS}").code == 252
        assert client.command(f"VRFY nobody@{OURS}").code == 550
        assert client.command(f"VRFY w@{OURS}").code == 252
        assert (str(client.command(f"VRFY u@{OURS}")) ==
                "450 4.7.1 Error: too many recipients from 127.0.0.5")


def test_rates_expire():
    with server(anvil_rate_time_unit="1s", smtpd_hard_error_limit="100000",
                smtpd_junk_command_limit="100000") as smtpd:
        with Client(smtpd, "mail", "127.0.0.4") as client:
            client.ehlo()

            def answers():
                code = client.command("MAIL FROM:<a@b.test>").code
                client.command("RSET")
                return code
            poll_until(lambda: answers() == 450, "a refusal")
            poll_until(lambda: answers() == 250, "mail to be taken again")


def test_exceptions_have_no_limits(shared):
    clients = fill(shared, LIMIT + 3, "127.0.0.9", "free")
    with Client(shared, "free", "127.0.0.8") as client:
        assert client.is_welcome
    with Client(shared, "free", "127.0.0.8") as client:
        assert not client.is_welcome
    close_all(clients)


def test_no_limit_asks_nobody(shared):
    close_all(fill(shared, LIMIT + 3, "127.0.0.4", "off"))


def test_clients_of_one_prefix_are_one(shared):
    clients = [Client(shared, "wide", f"127.0.4.{i + 1}") for i in range(LIMIT)]
    assert all(c.is_welcome for c in clients)
    with Client(shared, "wide", "127.0.4.200") as client:
        assert str(client.greeting) == REFUSED + "127.0.4.200"
    with Client(shared, "wide", "127.0.5.1") as client:
        assert client.is_welcome
    close_all(clients)


def test_ipv6_clients_of_one_prefix_are_one():
    master = """
[::1]:{smtp} inet n - n - - smtpd
cleanup unix n - n - 0 fake_cleanup
"""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this host has no IPv6")
    with Smtpd(main={"inet_protocols": "all", "smtpd_client_ipv6_prefix_length": "64",
                     "anvil_status_update_time": "1s"}, master=master) as smtpd:
        with smtpd.wire(host="::1") as client:
            client.ehlo()
        smtpd.wait_log(r"statistics: max connection count 1 for \(\[::1\]:\d+:::/64\) at ")


def test_anvil_killed_mail_goes_on_and_counts_come_back():
    with server(sessions_per_process="3") as smtpd:
        source = "127.0.0.2"
        clients = fill(smtpd, LIMIT, source)
        pid = smtpd.instance.wait_child("anvil")
        smtpd.instance.kill(pid)
        mail(smtpd, source="127.0.0.6")
        smtpd.instance.wait_child("anvil", other_than=(pid,))

        def is_refused():  # once all processes have told the new anvil
            with Client(smtpd, source=source) as late:
                return not late.is_welcome
        poll_until(is_refused, "the old sessions to count again")
        with Client(smtpd, source=source) as late:
            assert str(late.greeting) == REFUSED + source
        close_all(clients)
        wait_welcome(smtpd, source).close()


def test_anvil_that_hangs_costs_one_wait():
    with server(service_processes="1") as smtpd:
        mail(smtpd)
        pid = smtpd.instance.wait_child("anvil")
        smtpd.instance.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        mail(smtpd)
        assert time.monotonic() - started < 20
        smtpd.wait_log("warning: problem talking to service private/anvil")
        started = time.monotonic()
        mail(smtpd)
        assert time.monotonic() - started < 4
        smtpd.instance.kill(pid, signal.SIGCONT)
        mail(smtpd)


def test_without_anvil_each_process_counts_for_itself():
    master = MASTER.replace("anvil unix - - n - 1 anvil\n", "")
    parameters = {"service_processes": "1", "smtpd_client_event_limit_exceptions": "",
                  "smtpd_client_connection_count_limit": "2",
                  "master_service_disable": "anvil.unix"}
    with Smtpd(main=parameters, master=master, ports=PORTS) as smtpd:
        clients = fill(smtpd, 2, "127.0.0.2")
        with Client(smtpd, source="127.0.0.2") as late:
            assert str(late.greeting) == REFUSED + "127.0.0.2"
        close_all(clients)
        mail(smtpd, "mail", "127.0.0.6")
        mail(smtpd, "mail", "127.0.0.6")
        mail(smtpd, "mail", "127.0.0.6")
        smtpd.settled()
        warnings = re.findall(r"smtpd\[(\d+)\]: warning: problem talking to service private/anvil",
                              smtpd.log())
        assert warnings and len(warnings) == len(set(warnings)), "once a minute per process"


def test_a_master_cf_without_anvil_has_it():
    master = MASTER.replace("anvil unix - - n - 1 anvil\n", "")
    with Smtpd(main={"smtpd_client_event_limit_exceptions": ""}, master=master,
               ports=PORTS) as smtpd:
        with Client(smtpd, "rate") as client:
            assert client.is_welcome
        smtpd.instance.wait_child("anvil")
        assert "private/anvil" not in smtpd.log()


def test_statistics():
    with server(anvil_status_update_time="1s", anvil_rate_time_unit="60s") as smtpd:
        mail(smtpd, "mail", "127.0.0.6")
        port = smtpd.instance.port("mail")
        ident = rf"for \(127\.0\.0\.1:{port}:127\.0\.0\.6\) at \w\w\w [ \d]\d \d\d:\d\d:\d\d\n"
        smtpd.wait_log(r"postfix/anvil\[\d+\]: statistics: max connection rate 1/60s " + ident)
        smtpd.wait_log("statistics: max connection count 1 " + ident)
        smtpd.wait_log("statistics: max message rate 1/60s " + ident)
        smtpd.wait_log(r"statistics: max cache size 1 at \w\w\w ")


def test_reload_keeps_what_is_open():
    with server() as smtpd:
        source = "127.0.0.2"
        clients = fill(smtpd, LIMIT, source)
        smtpd.instance.reload()
        mail(smtpd, source="127.0.0.6")
        close_all(clients)
        wait_welcome(smtpd, source).close()


# What peers that break the rules get.

BAD = [
    ("anvil/1.connect", {"service": "smtp"}),
    ("anvil/1.connect", {"service": "smtp", "client": "", "open": 1}),
    ("anvil/1.connect", {"service": "smtp", "client": "x" * 64, "open": 1}),
    ("anvil/1.connect", {"service": "s" * 256, "client": "x", "open": 1}),
    ("anvil/1.connect", {"service": "smtp", "client": "x", "open": 1000001}),
    ("anvil/1.event", {"service": "smtp", "client": "x", "kind": 0}),
    ("anvil/1.event", {"service": "smtp", "client": "x", "kind": 5}),
    ("anvil/1.counts", {"connections": 1, "rate": 1}),
    ("submit/1.end", {}),
]


@pytest.mark.parametrize("name,fields", BAD)
def test_a_bad_question_loses_its_connection_only(shared, name, fields):
    mail(shared, source="127.0.0.6")  # so that anvil is there
    pid = shared.instance.wait_child("anvil")
    with Ipc(shared.instance, os.path.join("private", "anvil")) as peer:
        peer.send("anvil/1.connect", service="smtp", client="x", open=1)
        peer.send(name, **fields)
        with pytest.raises((EOFError, ConnectionResetError)):
            while True:
                peer._bytes(100000)
    assert shared.instance.children("anvil") == [pid]
