# SPDX-License-Identifier: Apache-2.0
"""A private Dovecot that takes mail by LMTP, at a TCP port and at a UNIX socket. It knows reader,
second, and full, whose quota lets no message in for now."""

import os
import re

from other_servers import OtherServer
from postern import Instance

USERS = ("reader", "second", "full")


class Dovecot(OtherServer):
    name, domain = "dovecot", "dovecot.test"
    packages = ("dovecot-core", "dovecot-lmtpd")
    users = {"dovecot": 908, "dovenull": 909}
    command = ["/usr/sbin/dovecot", "-F", "-c", "/etc/dovecot.conf"]
    conf = """
protocols = lmtp
base_dir = /run/dovecot
log_path = /var/log/dovecot
listen = 127.0.0.1
ssl = no
hostname = mail.{DOMAIN}
postmaster_address = postmaster@{DOMAIN}
mail_location = maildir:/mail/%n
mail_uid = 900
mail_gid = 900
first_valid_uid = 100
mail_plugins = quota
quota_full_tempfail = yes
lmtp_save_to_detail_mailbox = no
auth_username_format = %Ln
protocol lmtp {
  mail_plugins = quota
}
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=100M
  quota_grace = 0
}
userdb {
  driver = passwd-file
  args = username_format=%n /etc/dovecot-users
}
passdb {
  driver = static
  args = nopassword=y
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = {PORT}
  }
  unix_listener lmtp {
    mode = 0666
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
"""

    def configure(self):
        self.root.write("etc/dovecot.conf", self.configured(self.conf))
        self._write_users(full="userdb_quota_rule=*:messages=0:storage=1B")
        for name in USERS:
            self.root.make_dir(os.path.join("mail", name), "reader", mode=0o700)

    def _write_users(self, **extra):
        lines = [f"{name}::900:900::/mail/{name}::{extra.get(name, '')}\n" for name in USERS]
        self.root.write("etc/dovecot-users", "".join(lines))

    def make_room(self):
        """From now on full is as the others are; Dovecot reads that file once a second only."""
        self.stop()
        self._write_users()
        self.start()

    @property
    def socket(self):
        return self.root.path("run", "dovecot", "lmtp")

    def messages(self, user="reader"):
        return Instance.maildir(self.root.path("mail", user))

    def fetch(self, user, message_id):
        """What Dovecot itself shows of that message: {field: text}."""
        shown = self.root.run("/usr/bin/doveadm", "-c", "/etc/dovecot.conf", "-f", "pager",
                              "fetch", "-u", user, "hdr body", "mailbox", "INBOX", "HEADER",
                              "Message-ID", message_id.decode()).stdout
        return dict(re.findall(r"(?ms)^(hdr|body):\n(.*?)(?=^\w+:\n|\f|\Z)", shown))
