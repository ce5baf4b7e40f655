# SPDX-License-Identifier: Apache-2.0
"""smtpd: names of clients, and tests of names in the DNS: yes, no, cannot tell now."""

import re

import pytest

from smtp_wire import OURS, Smtpd

# Clients are addresses of the loopback network, each with another story.
DNS = {
    "2.0.0.127.in-addr.arpa": ["PTR good.test"], "good.test": ["A 127.0.0.2"],
    "3.0.0.127.in-addr.arpa": ["PTR forged.test"], "forged.test": ["A 192.0.2.1"],
    "4.0.0.127.in-addr.arpa": ["PTR nowhere.test"],
    "5.0.0.127.in-addr.arpa": ["SERVFAIL"],
    "6.0.0.127.in-addr.arpa": ["PTR later.test"], "later.test": ["SERVFAIL"],
    "8.0.0.127.in-addr.arpa": ["PTR a/b.test"],
    "9.0.0.127.in-addr.arpa": ["PTR 127.0.0.9"], "127.0.0.9": ["A 127.0.0.9"],
    "10.0.0.127.in-addr.arpa": ["PTR a-first.test", "PTR second.test"],
    "second.test": ["A 127.0.0.10"], "a-first.test": ["A 192.0.2.1"],
    "mx-only.test": ["MX 10 good.test"], "txt-only.test": ["TXT x"], "null.test": ["MX 0 ."],
    "dead.test": ["SERVFAIL"],
}
LATER = "Temporary failure in name resolution"
# Address: name, reverse name, and the warning.
CLIENTS = {
    "127.0.0.2": ("good.test", "good.test", None),
    "127.0.0.3": ("unknown", "forged.test",
                  "hostname forged.test does not resolve to address 127.0.0.3"),
    "127.0.0.4": ("unknown", "nowhere.test", "hostname nowhere.test does not resolve to address "
                  "127.0.0.4: Name or service not known"),
    "127.0.0.5": ("unknown", "unknown", None),
    "127.0.0.6": ("unknown", "later.test",
                  f"hostname later.test does not resolve to address 127.0.0.6: {LATER}"),
    "127.0.0.7": ("unknown", "unknown", None),
    "127.0.0.8": ("unknown", "unknown", None),
    "127.0.0.9": ("unknown", "unknown", None),
    "127.0.0.10": ("second.test", "second.test", None),
}
CODES = {"unknown_client_reject_code": "550", "unknown_hostname_reject_code": "551",
         "unknown_address_reject_code": "552"}


@pytest.fixture(scope="module", name="server")
def make_server():
    master = ("127.0.0.1:{smtp} inet n - n - - smtpd\n"
              + "".join(f"127.0.0.1:{{{name}}} inet n - n - - smtpd -o {{ {list_} }}\n"
                        for name, list_ in LISTS.items())
              + "cleanup unix n - n - 0 fake_cleanup\n")
    main = {"mynetworks": "192.0.2.0/24", "relay_domains": "relay.test", **CODES}
    with Smtpd(main=main, master=master, ports=tuple(LISTS), dns=DNS) as server:
        yield server


RULE = "smtpd_recipient_restrictions = "
LISTS = {
    "client": RULE + "reject_unknown_client_hostname",
    "reverse": RULE + "reject_unknown_reverse_client_hostname",
    "helo": RULE + "reject_unknown_helo_hostname",
    "sender": RULE + "reject_unknown_sender_domain",
    "access": RULE + "check_reverse_client_hostname_access inline:{ {forged.test = REJECT no} }",
    "warn": RULE + "warn_if_reject reject_unknown_sender_domain",
}


@pytest.mark.parametrize("address", CLIENTS)
def test_names_of_clients(server, address):
    name, _, warning = CLIENTS[address]
    with server.wire(source=address) as wire:
        wire.envelope()
    server.wait_log(re.escape(f"connect from {name}[{address}]") + r"\n")
    about = [line for line in server.log().splitlines()
             if re.search(f"warning: hostname .* to address {re.escape(address)}(:|$)", line)]
    assert [line.split("warning: ")[1] for line in about] == ([warning] if warning else [])


def rcpt(server, port, source=None, helo="good.test", sender="s@good.test", to=f"u@{OURS}"):
    with server.wire(port, source=source) as wire:
        assert wire.command(f"EHLO {helo}").code == 250
        assert wire.command(f"MAIL FROM:<{sender}>").code == 250
        return str(wire.command(f"RCPT TO:<{to}>"))


def expected_of_client(status, address, what):
    if status == "ok":
        return "250 2.1.5 Ok"
    code = "450 4.7.1" if status == "later" else "550 5.7.1"
    return f"{code} Client host rejected: cannot find your {what}, [{address}]"


@pytest.mark.parametrize("address,name,reverse", [
    ("127.0.0.2", "ok", "ok"), ("127.0.0.3", "no", "ok"), ("127.0.0.4", "no", "ok"),
    ("127.0.0.5", "later", "later"), ("127.0.0.6", "later", "ok"), ("127.0.0.7", "no", "no"),
    ("127.0.0.8", "no", "no"), ("127.0.0.10", "ok", "ok")])
def test_clients_without_name(server, address, name, reverse):
    assert rcpt(server, "client", source=address) == expected_of_client(name, address, "hostname")
    assert rcpt(server, "reverse", source=address) == expected_of_client(
        reverse, address, "reverse hostname")


@pytest.mark.parametrize("helo,answer", [
    ("good.test", "250 2.1.5 Ok"), ("mx-only.test", "250 2.1.5 Ok"),
    ("[127.0.0.1]", "250 2.1.5 Ok"),
    ("gone.test", "551 5.7.1 <gone.test>: Helo command rejected: Host not found"),
    ("txt-only.test", "551 5.7.1 <txt-only.test>: Helo command rejected: Host not found"),
    ("dead.test", "450 4.7.1 <dead.test>: Helo command rejected: Host not found")])
def test_helo_names(server, helo, answer):
    assert rcpt(server, "helo", helo=helo) == answer


@pytest.mark.parametrize("sender,answer", [
    ("a@good.test", "250 2.1.5 Ok"), ("a@mx-only.test", "250 2.1.5 Ok"),
    ("", "250 2.1.5 Ok"), ("a@[192.0.2.1]", "250 2.1.5 Ok"), (f"a@{OURS}", "250 2.1.5 Ok"),
    ("a@gone.test", "552 5.1.8 <a@gone.test>: Sender address rejected: Domain not found"),
    ("a@txt-only.test", "552 5.1.8 <a@txt-only.test>: Sender address rejected: Domain not found"),
    ("a@dead.test", "450 4.1.8 <a@dead.test>: Sender address rejected: Domain not found"),
    ("a@null.test", "550 5.7.27 <a@null.test>: Sender address rejected: Domain null.test does "
     "not accept mail (nullMX)")])
def test_sender_domains(server, sender, answer):
    assert rcpt(server, "sender", sender=sender) == answer


def test_sender_domain_is_only_warned_about(server):
    assert rcpt(server, "warn", sender="a@gone.test") == "250 2.1.5 Ok"
    server.wait_log("reject_warning: RCPT from .*552 5.1.8 <a@gone.test>")


def test_reverse_name_in_an_access_table(server):
    assert rcpt(server, "access", source="127.0.0.3").startswith("554 5.7.1 <unknown[127.0.0.3]>")
    assert rcpt(server, "access", source="127.0.0.2") == "250 2.1.5 Ok"


@pytest.mark.parametrize("recipient,answer", [
    ("v@good.test", "250 2.1.5 Ok"),
    ("v@gone.test", "552 5.1.2 <v@gone.test>: Recipient address rejected: Domain not found"),
    ("v@dead.test", "450 4.1.2 <v@dead.test>: Recipient address rejected: Domain not found"),
    ("v@null.test", "556 5.1.10 <v@null.test>: Recipient address rejected: Domain null.test does "
     "not accept mail (nullMX)")])
def test_recipient_domains(recipient, answer):
    main = {"smtpd_recipient_restrictions": "reject_unknown_recipient_domain", **CODES}
    with Smtpd(main=main, dns=DNS) as server:
        assert rcpt(server, "smtp", to=recipient) == answer


@pytest.mark.parametrize("setting", ["reject_tempfail_action", "unknown_address_tempfail_action",
                                     "unknown_helo_hostname_tempfail_action"])
def test_what_follows_when_nobody_can_tell(setting):
    """By default what comes later may still refuse for good; with defer it does not get there."""
    test = "reject_unknown_helo_hostname" if "helo" in setting else "reject_unknown_sender_domain"
    rule = {"smtpd_recipient_restrictions": f"{test}, reject"}
    for action, code in (("defer_if_permit", "554"), ("defer", "450")):
        with Smtpd(main={setting: action, **rule}, dns=DNS) as server:
            assert rcpt(server, "smtp", helo="dead.test", sender="a@dead.test")[:3] == code


def test_without_the_resolver_nobody_can_tell():
    master = ("127.0.0.1:{smtp} inet n - n - - smtpd\ncleanup unix n - n - 0 fake_cleanup\n"
              "resolver unix - - n - 1 nothing-there\n")
    main = {"smtpd_recipient_restrictions": "reject_unknown_client_hostname, "
            "reject_unknown_sender_domain"}
    with Smtpd(main=main, master=master, dns=DNS, crashes=True) as server:
        assert rcpt(server, "smtp", source="127.0.0.2").startswith("450 4.7.1 Client host")
        assert rcpt(server, "smtp").startswith("450 4.1.8")  # from localhost, of /etc/hosts
