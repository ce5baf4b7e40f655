# SPDX-License-Identifier: Apache-2.0
"""Reading a delivery status notice, as strictly as a stranger's program might."""

import email
import email.policy
import json
import os
import subprocess
import tempfile

try:
    from flufl.bounce import scan_message
except ImportError:  # python3-flufl.bounce is not there: notices are read by one reader less
    scan_message = None


def part_text(part):
    """The content of a text part, with LF line ends."""
    return part.get_payload(decode=True).decode("utf-8").replace("\r\n", "\n")


class Notice:
    """
    message     email.message.Message of the whole
    text        the part for people
    fields      the fields about the message (a Message)
    recipients  one Message per recipient
    original    the Message that is returned (of which only the header may be there)
    """

    def __init__(self, raw):
        self.raw = raw
        self.message = email.message_from_bytes(raw)
        for part in self.message.walk():
            assert part.defects == [], (part.get_content_type(), part.defects, raw)
        assert self.message.get_content_type() == "multipart/report"
        assert self.message.get_param("report-type") == "delivery-status"
        self.text_part, self.status_part, self.original_part = self.message.get_payload()
        assert self.text_part.get_content_type() == "text/plain"
        self.text = part_text(self.text_part)
        self._read_status()
        self._read_original()
        for name in ("From", "To", "Subject", "MIME-Version", "Auto-Submitted"):
            assert len(self.message.get_all(name, [])) == 1, name

    def _read_status(self):
        kind = self.status_part.get_content_type()
        if kind == "message/delivery-status":
            blocks = self.status_part.get_payload()
        else:
            assert kind == "message/global-delivery-status", kind
            blocks = self._global_blocks()
        self.fields, *self.recipients = [b for b in blocks if b.keys()]
        assert self.fields["Reporting-MTA"]
        for r in self.recipients:
            assert r["Final-Recipient"] and r["Action"] and r["Status"], r.as_string()

    def _global_blocks(self):
        # The email package knows this type as some message: its blocks come apart by hand.
        start = self.raw.index(b"message/global-delivery-status")
        body = self.raw[start:].replace(b"\r\n", b"\n").split(b"\n\n", 1)[1]
        body = body.split(b"\n--" + self.message.get_boundary().encode(), 1)[0]
        return [email.message_from_string(block.decode("utf-8") + "\n\n")
                for block in body.split(b"\n\n")]

    def _read_original(self):
        kind = self.original_part.get_content_type()
        self.is_whole = kind in ("message/rfc822", "message/global")
        if self.is_whole:
            self.original, = self.original_part.get_payload()
        else:
            assert kind in ("text/rfc822-headers", "message/global-headers"), kind
            payload = self.original_part.get_payload()
            if isinstance(payload, list):
                self.original, = payload
            else:
                self.original = email.message_from_string(payload)

    def final_recipients(self):
        return [r["Final-Recipient"].split(";", 1)[1].strip() for r in self.recipients]

    def found_by_flufl(self):
        """Addresses that flufl.bounce takes for failed ones, or None when it is not installed."""
        if scan_message is None:
            return None
        return {a.decode() for a in scan_message(self.message)}

    def found_by_sisimai(self):
        """What libsisimai-perl reads: (recipient, action, status, reason) of each recipient, or
        None when it is not installed."""
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "notice")
            with open(path, "wb") as f:
                f.write(self.raw.replace(b"\r\n", b"\n"))
            try:
                done = subprocess.run(
                    ["perl", "-MSisimai", "-e",
                     'print Sisimai->dump($ARGV[0], delivered => 1) // "[]"', path],
                    capture_output=True, text=True, timeout=60)
            except FileNotFoundError:
                return None
        if "Can't locate Sisimai.pm" in done.stderr:
            return None
        assert done.returncode == 0, done.stderr
        return {(d["recipient"], d["action"], d["deliverystatus"], d["reason"])
                for d in json.loads(done.stdout)}
