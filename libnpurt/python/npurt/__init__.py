# SPDX-License-Identifier: MIT
"""
The runtime of the open NPU, for Python: libnpurt by ctypes, nothing to compile.

    import npurt, numpy as np

    with npurt.Device() as device, device.context() as context, context.stream() as stream:
        x = context.array(np.arange(1000, dtype=np.float32), stream)
        y = context.empty(1000)
        kernel = context.module("vector_add.elf")["vector_add"]
        kernel(stream, 4, x=x, y=x, out=y, count=1000)
        print(y.numpy(stream))

Parts of arrays are as in numpy, y[2:5] or a[..., ::2]: they are copied to and from numpy arrays and
each other, filled, and given to kernels. Failures of kernels tell the line that launched them.

Steps that are the same each time are captured once, `with stream.capture() as graph:`, and launched
as graph.instantiate().launch(stream). Coroutines `await event.happened()`; other processes get
memory and events by export_fd().

An object that is closed, or that nothing refers to any more, is destroyed as soon as nothing needs
it: arrays on a buffer, commands in flight and children count. The library's errors are exceptions
with its text. $NPURT_LIBRARY is the library to load, by default libnpurt.so.1; see npurt(7).
"""

from ._errors import Error, ErrorCode, OutOfMemory, Scope, StreamError, TimedOut
from ._ffi import lib
from .array import Array, Reduce
from .collective import Communicator
from .device import Context, Device, LogLevel, device_count
from .graph import Condition, Graph, GraphExec, GraphNode
from .memory import Advice, Memory, Placement, Priority
from .module import Kernel, Module
from .pool import Pool
from .range import Range
from .stream import Command, Event, FailureMode, Stream, StreamState
from .trace import Trace, TraceKind


def version():
    """Version of the library that is loaded, as (major, minor, patch)."""
    number = lib.version()
    return number >> 16, number >> 8 & 0xff, number & 0xff


__all__ = [
    "Advice", "Array", "Command", "Communicator", "Condition", "Context", "Device", "Error",
    "ErrorCode", "Event", "FailureMode", "Graph", "GraphExec", "GraphNode", "Kernel", "LogLevel",
    "Memory", "Module", "OutOfMemory", "Placement", "Pool", "Priority", "Range", "Reduce", "Scope",
    "Stream", "StreamError", "StreamState", "TimedOut", "Trace", "TraceKind", "device_count",
    "version"]
