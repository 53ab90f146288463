# SPDX-License-Identifier: MIT
"""Traces of a device: what is called, and what it does of that."""

import ctypes
import enum

from . import _ffi
from ._errors import check_device
from ._ffi import lib
from ._handle import Handle, Owner, values


class TraceKind(enum.IntFlag):
    """NPURT_TRACE_*."""
    CALL = 1
    KERNEL = 2
    COPY = 4
    SYNC = 8
    GRAPH = 16
    ALL = 31


class Trace(Owner):
    """A subscription, until it is closed; see npurt_trace(3)."""

    def __init__(self, device, function, kinds):
        def deliver(record, _):
            function(values(record.contents))

        callback = _ffi.trace_fn(deliver)
        attr = _ffi.trace_attr(kinds=kinds, fn=callback)
        pointer = ctypes.c_void_p()
        check_device(lib.trace_subscribe(device.pointer, ctypes.byref(attr),
                                         ctypes.byref(pointer)), device.pointer)

        def end(trace):
            lib.trace_unsubscribe(trace)
            # Only now the C function that Python made may go.
            nonlocal callback
            callback = None

        self._handle = Handle(pointer, end, device._handle)
