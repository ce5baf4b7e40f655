# SPDX-License-Identifier: Apache-2.0
"""A client of the conversations between our programs (lib/ipc/ipc.h), made of bytes."""

import os
import socket
import struct

from postern import DEADLINE


def message(name, /, **fields):
    """The payload of a message; numbers and booleans in decimal, None leaves a field out."""
    pairs = [(name, b"")]
    for key, value in fields.items():
        if value is None:
            continue
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, bytes):
            value = str(value).encode()
        pairs.append((key, value))
    return b"m" + b"".join(
        struct.pack(">H", len(key)) + key.encode() + struct.pack(">I", len(value)) + value
        for key, value in pairs)


class Ipc:
    """One connection to a service of an instance: Ipc(postern, "private/bounce")."""

    def __init__(self, instance, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(os.path.join(instance.queue, path))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.socket.close()

    def send_payload(self, payload, fd=None):
        frame = struct.pack(">I", len(payload)) + payload
        if fd is None:
            self.socket.sendall(frame)
        else:
            socket.send_fds(self.socket, [frame], [fd])

    def send(self, name, /, fd=None, fd_field=None, **fields):
        """Sends a message; fd travels with it as the field fd_field."""
        if fd_field:
            fields[fd_field] = b""
        self.send_payload(message(name, **fields), fd)

    def _bytes(self, count):
        while len(self.buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(self.buffer)
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive(self):
        """(name, {field: bytes}) of the next message."""
        payload = self._bytes(struct.unpack(">I", self._bytes(4))[0])
        assert payload[:1] == b"m", payload
        pairs, at = [], 1
        while at < len(payload):
            length, = struct.unpack_from(">H", payload, at)
            key = payload[at + 2:at + 2 + length].decode()
            at += 2 + length
            length, = struct.unpack_from(">I", payload, at)
            pairs.append((key, payload[at + 4:at + 4 + length]))
            at += 4 + length
        return pairs[0][0], dict(pairs[1:])

    def is_closed(self):
        """Waits for the other side to close; anything else that it sends is an error."""
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
