# SPDX-License-Identifier: Apache-2.0
"""Other people's mail servers, each a private instance from its Debian package. They are configured
alike: mail for reader@DOMAIN is delivered into one Maildir, refused@DOMAIN is refused, and
everything else is relayed to a port of 127.0.0.1."""

import os
import re

from postern import Instance, free_port
from private_root import PrivateRoot


class OtherServer:
    """
    domain     the server's own; set by each class, as packages and users are
    port       where it listens
    options    {name: value} for its configuration; Postfix and Exim
    features   what of DSN, CHUNKING and SMTPUTF8 it announces; REPORTS when its notices have the
               names in them that the sender gave
    """

    features = frozenset()

    def __init__(self, relay_port, port=None, options=None):
        self.relay_port = relay_port
        self.options = options or {}
        self.port = port or free_port()
        self.root = PrivateRoot(self.packages, {"reader": 900, **self.users})
        try:
            self.root.make_dir("mail", "reader", mode=0o777)
            self.configure()
            self.start()
        except BaseException:
            self.root.close()
            raise

    def start(self):
        self.root.start(*self.command)
        self.root.wait_port(self.port)

    def stop(self):
        self.root.stop()

    def close(self):
        self.root.close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()

    def address(self, local_part="reader"):
        return f"{local_part}@{self.domain}"

    def configured(self, text):
        for name, value in (("PORT", self.port), ("RELAY", self.relay_port),
                            ("DOMAIN", self.domain)):
            text = text.replace("{%s}" % name, str(value))
        return text

    def messages(self):
        return Instance.maildir(self.root.path("mail", "inbox"))


class Exim(OtherServer):
    """deferred@DOMAIN gets a 4xx until accept(), a message with the header X-Refuse a 5xx at its
    end. options replace lines of the configuration, by the name before "="."""

    name, domain = "exim", "exim.test"
    packages, users = ("exim4-daemon-light",), {"Debian-exim": 901}
    features = frozenset(["DSN", "REPORTS", "CHUNKING", "SMTPUTF8"])
    command = ["/usr/sbin/exim4", "-bdf", "-q1m"]
    conf = """
primary_hostname = mail.{DOMAIN}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {PORT}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%s
pid_file_path = /run/exim.pid
keep_environment =
notifier_socket =
tls_advertise_hosts =
rfc1413_hosts =
never_users =
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
smtputf8_advertise_hosts = *
accept_8bitmime = true
dsn_advertise_hosts = *
smtp_accept_max_per_connection = 1000
message_size_limit = 20M
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny local_parts = refused
       message = 550 5.7.1 nothing for that one
  defer local_parts = deferred
        condition = ${if exists{/etc/accept}{no}{yes}}
        message = 450 4.2.0 that one is having lunch
  accept
data:
  deny condition = ${if def:h_X-Refuse:}
       message = 554 5.6.0 not that one
  accept
begin routers
relay:
  driver = manualroute
  domains = ! {DOMAIN}
  route_list = * 127.0.0.1::{RELAY} byname
  self = send
  transport = remote
inbox:
  driver = accept
  transport = inbox
begin transports
remote:
  driver = smtp
  allow_localhost
  hosts_try_chunking = *
inbox:
  driver = appendfile
  directory = /mail/inbox
  maildir_format
  return_path_add
  envelope_to_add
  user = reader
begin retry
* * F,1h,1m
"""

    def configure(self):
        conf = self.conf
        for name, value in self.options.items():
            conf, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", conf)
            assert count == 1, name
        self.root.write("etc/exim4/exim4.conf", self.configured(conf))
        self.root.make_dir("var/spool/exim4", "Debian-exim")
        self.root.make_dir("var/log/exim4", "Debian-exim")

    def accept(self):
        self.root.write("etc/accept", "")


class OpenSMTPD(OtherServer):
    name, domain = "opensmtpd", "opensmtpd.test"
    packages = ("opensmtpd",)
    users = {"opensmtpd": 902, "opensmtpq": 903}
    features = frozenset(["DSN"])
    command = ["/usr/sbin/smtpd", "-d"]
    conf = """
listen on 127.0.0.1 port {PORT} hostname mail.{DOMAIN}
action "inbox" maildir "/mail/inbox" user reader
action "remote" relay host smtp://127.0.0.1:{RELAY} helo mail.{DOMAIN}
match from any for domain {DOMAIN} action "inbox"
match from any for any action "remote"
"""

    def configure(self):
        self.root.write("etc/smtpd.conf", self.configured(self.conf))
        self.root.write("etc/mailname", self.configured("mail.{DOMAIN}\n"))
        self.root.make_dir("var/spool/smtpd", mode=0o711)
        self.root.make_dir("var/lib/opensmtpd/empty")


class Sendmail(OtherServer):
    name, domain = "sendmail", "sendmail.test"
    packages = ("sendmail-bin", "sendmail-base", "sendmail-cf", "m4")
    users = {"smmsp": 904, "smmta": 905}
    features = frozenset(["DSN", "REPORTS"])
    command = ["/usr/libexec/sendmail/sendmail", "-bD", "-q1m", "-C", "/etc/mail/sendmail.cf"]
    mc = """
define(`_CF_DIR_', `/usr/share/sendmail/cf/')dnl
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mail.{DOMAIN}')dnl
define(`confTO_IDENT', `0s')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {RELAY}')dnl
define(`LOCAL_MAILER_PATH', `/bin/deliver')dnl
define(`LOCAL_MAILER_ARGS', `deliver $f $u')dnl
define(`LOCAL_MAILER_FLAGS', `SPn9')dnl
undefine(`ALIAS_FILE')dnl
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={PORT}')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_CONFIG
Cw{DOMAIN}
"""
    # sendmail hands a local message to a program; here it writes the file of a Maildir.
    deliver = """#!/bin/sh
umask 0
mkdir -p /mail/inbox/new /mail/inbox/tmp
name=$$.`cat /proc/sys/kernel/random/uuid 2>/dev/null`$2
cat >/mail/inbox/tmp/$name && mv /mail/inbox/tmp/$name /mail/inbox/new/$name
"""

    def configure(self):
        self.root.write("etc/mail/sendmail.mc", self.configured(self.mc))
        made = self.root.run("/usr/bin/m4", "/etc/mail/sendmail.mc")
        self.root.write("etc/mail/sendmail.cf", made.stdout)
        self.root.write("etc/mail/service.switch", "hosts files\naliases files\n")
        self.root.write("etc/mail/local-host-names", "")
        self.root.write("bin/deliver", self.deliver, mode=0o755)
        self.root.make_dir("var/spool/mqueue", mode=0o700)


class Postfix(OtherServer):
    name, domain = "postfix", "postfix.test"
    packages = ("postfix",)
    users = {"postfix": 906, "postdrop": 907}
    features = frozenset(["DSN", "REPORTS", "CHUNKING", "SMTPUTF8"])
    command = ["/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix"]
    conf = """
compatibility_level = 3.6
myhostname = mail.{DOMAIN}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
maillog_file = /var/log/postfix
relayhost = [127.0.0.1]:{RELAY}
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = /mail
virtual_mailbox_maps = inline:{reader@{DOMAIN}=inbox/, lesér@{DOMAIN}=inbox/}
virtual_uid_maps = static:900
virtual_gid_maps = static:900
virtual_minimum_uid = 100
smtputf8_enable = yes
daemon_directory = /usr/lib/postfix/sbin
smtp_dns_support_level = disabled
disable_dns_lookups = yes
smtp_host_lookup = native
message_size_limit = 20000000
bounce_size_limit = 5000
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
"""
    spool = [("active", 0o700), ("bounce", 0o700), ("corrupt", 0o700), ("defer", 0o700),
             ("deferred", 0o700), ("flush", 0o700), ("hold", 0o700), ("incoming", 0o700),
             ("private", 0o700), ("saved", 0o700), ("trace", 0o700), ("maildrop", 0o1730),
             ("public", 0o2710)]

    def configure(self):
        conf = self.conf + "".join(f"{k} = {v}\n" for k, v in self.options.items())
        self.root.write("etc/postfix/main.cf", self.configured(conf))
        with open(self.root.path("usr/share/postfix/master.cf.dist"), encoding="utf-8") as f:
            lines = [line.split() for line in f if line[0] not in "# \n"]
        for fields in lines:
            fields[4] = "n"  # the whole is in a directory of its own already
            if fields[:2] == ["smtp", "inet"]:
                fields[0] = f"127.0.0.1:{self.port}"
        self.root.write("etc/postfix/master.cf", "".join(" ".join(f) + "\n" for f in lines))
        self.root.make_dir("var/lib/postfix", "postfix")
        self.root.make_dir("var/spool/postfix/pid")
        for name, mode in self.spool:
            group = "postdrop" if name in ("maildrop", "public") else "postfix"
            self.root.make_dir(os.path.join("var/spool/postfix", name), "postfix", group, mode)


ALL = [Postfix, Exim, OpenSMTPD, Sendmail]
