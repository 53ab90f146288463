# SPDX-License-Identifier: MIT
"""Attributes of launches, with the line of the program that launches."""

import functools
import os
import sys

from ._ffi import launch_attr
from ._handle import encode

# A fault has room for 127 bytes of "file:line"; the end of a path tells most.
SITE_BYTES = 112

STRICT = 1


@functools.cache
def _file(name):
    """The library holds on to it: it stays for good, once for each file."""
    return os.fsencode(name)[-SITE_BYTES:]


def launch_attributes(timeout_us, max_cores, tag, label, strict):
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return launch_attr(flags=STRICT if strict else 0, timeout_us=timeout_us, max_cores=max_cores,
                       tag=tag, label=encode(label), file=_file(frame.f_code.co_filename),
                       line=frame.f_lineno)
