# SPDX-License-Identifier: MIT
"""The host's end of the link to the guest's init; link.h is where its frames are specified."""

import os
import re
import struct

_HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "link.h")
with open(_HEADER) as _f:
    _text = _f.read()
TYPE = dict(re.findall(r"#define LINK_(\w+) '(.)'", _text))
MAX_PAYLOAD = int(re.search(r"#define LINK_MAX_PAYLOAD (\d+)", _text)[1])


class Link:
    """Frames over a connected socket."""

    def __init__(self, sock):
        self.sock = sock
        self.received = bytearray()
        self.unsent = bytearray()
        sock.setblocking(False)

    def send(self, kind, payload=b""):
        self.unsent += TYPE[kind].encode() + struct.pack("<I", len(payload))[:3] + payload
        self.flush()

    def flush(self):
        try:
            while self.unsent:
                del self.unsent[: self.sock.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent.clear()

    def receive(self):
        """Reads what is there; False once the guest's end is closed."""
        try:
            data = self.sock.recv(1 << 17)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.received += data
        return bool(data)

    def frames(self):
        """The complete frames, as pairs of type letter and payload."""
        while len(self.received) >= 4:
            length = int.from_bytes(self.received[1:4], "little")
            if len(self.received) < 4 + length:
                return
            kind = chr(self.received[0])
            payload = bytes(self.received[4 : 4 + length])
            del self.received[: 4 + length]
            yield kind, payload
