# SPDX-License-Identifier: MIT
"""Traces of a device: what is called, and what it does of that."""

import ctypes
import enum

from . import _ffi
from ._errors import ErrorCode, check_device
from ._ffi import lib
from ._handle import Handle, Owner, callback, values


class TraceKind(enum.IntFlag):
    """NPURT_TRACE_*."""
    CALL = 1
    KERNEL = 2
    COPY = 4
    SYNC = 8
    GRAPH = 16
    ALL = 31


class Trace(Owner):
    """
    A subscription, until it is closed; see npurt_trace(3). The function of a trace may call the
    package, but not close one.
    """

    def __init__(self, device, function, kinds):
        def deliver(record, _):
            function(values(record.contents))

        trace_fn = callback(_ffi.trace_fn, deliver)
        attr = _ffi.trace_attr(kinds=kinds, fn=trace_fn)
        pointer = ctypes.c_void_p()
        check_device(lib.trace_subscribe(device.pointer, ctypes.byref(attr),
                                         ctypes.byref(pointer)), device.pointer)
        self._handle = Handle(pointer, lib.trace_unsubscribe, device._handle)
        # Until the library does not call it any more.
        self._handle.kept = trace_fn

    def close(self):
        """Ends it when the function has returned; in a function of a trace an Error, BUSY."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        code = lib.trace_unsubscribe(handle.pointer)
        if code == ErrorCode.BUSY:
            self._handle = handle
            check_device(code, handle.parent.pointer)
        handle.take()
