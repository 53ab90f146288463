# SPDX-License-Identifier: MIT
"""Devices, and the contexts on them."""

import ctypes
import enum
import json

from . import _ffi
from ._errors import check_context, check_device
from ._ffi import lib
from ._handle import Handle, Owner, callback, values
from .array import Array
from .graph import Graph
from .memory import Memory, Placement
from .module import Module
from .pool import Pool
from .range import Range
from .stream import Event, Stream
from .trace import Trace, TraceKind


def device_count():
    """How many devices there are; $NPURT_NULL_DEVICE asks for null ones, see npurt_null(7)."""
    count = ctypes.c_uint()
    check_device(lib.device_count(ctypes.byref(count)))
    return count.value


class LogLevel(enum.IntEnum):
    """enum npurt_log_level."""
    NONE = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    DEBUG = 4


class Device(Owner):
    """
    A device: by number, or by its PCI address, "0000:01:00.0". log(level, text) gets what the
    library has to say up to log_level, from any thread; without it $NPURT_LOG tells.
    """

    def __init__(self, which=0, log=None, log_level=LogLevel.INFO):
        log_fn = callback(_ffi.log_fn, lambda level, text, _: log(
            LogLevel(level), text.decode(errors="replace"))) if log else _ffi.log_fn()
        attr = _ffi.device_attr(log=log_fn, log_level=log_level if log else 0)
        pointer = ctypes.c_void_p()
        if isinstance(which, str):
            code = lib.device_open_bus_id(which.encode(), ctypes.byref(attr),
                                          ctypes.byref(pointer))
        else:
            code = lib.device_open(which, ctypes.byref(attr), ctypes.byref(pointer))
        check_device(code)
        self._handle = Handle(pointer, lib.device_close)
        self._handle.kept = log_fn

    def _query(self, function, structure):
        result = structure()
        check_device(function(self.pointer, ctypes.byref(result)), self.pointer)
        return values(result)

    @property
    def properties(self):
        """struct npurt_device_properties as a dictionary."""
        return self._query(lib.device_get_properties, _ffi.device_properties)

    @property
    def memory_info(self):
        """struct npurt_memory_info as a dictionary."""
        return self._query(lib.device_get_memory_info, _ffi.memory_info)

    @property
    def firmware(self):
        """struct npurt_firmware_info as a dictionary."""
        return self._query(lib.device_get_firmware, _ffi.firmware_info)

    @property
    def telemetry(self):
        """struct npurt_telemetry as a dictionary."""
        return self._query(lib.device_get_telemetry, _ffi.telemetry)

    def time(self):
        """Device time and CLOCK_MONOTONIC of one moment, both in ns."""
        device, cpu = ctypes.c_uint64(), ctypes.c_uint64()
        check_device(lib.device_get_time(self.pointer, ctypes.byref(device), ctypes.byref(cpu)),
                     self.pointer)
        return device.value, cpu.value

    def _written(self, function):
        """What the library writes piece by piece."""
        pieces = []

        def keep(text, size, _data):
            pieces.append(ctypes.string_at(text, size))
            return 0

        check_device(function(self.pointer, callback(_ffi.write_fn, keep), None), self.pointer)
        return b"".join(pieces).decode(errors="replace")

    def hang_report(self):
        """What each stream of this process is at, and waits for: see npurt_hang(3)."""
        return json.loads(self._written(lib.hang_write_json))["streams"]

    def hang_text(self):
        """The same for people."""
        return self._written(lib.hang_write)

    def context(self, strict=False):
        """A context; the attribute is that of Context."""
        return Context(self, strict)

    def trace(self, function, kinds=TraceKind.ALL):
        """Calls function with a dictionary, as struct npurt_trace_record, for what is done."""
        return Trace(self, function, kinds)

    def __repr__(self):
        return f"<npurt.Device {self.properties['node']}>" if self._handle else "<closed Device>"


class Context(Owner):
    """
    An address space of a device. What is made from one works together. With strict=True mistakes
    of all kernels are looked for, and new memory is not zero: see npurt_strict(7).
    """

    STRICT = 1

    def __init__(self, device, strict=False):
        attr = _ffi.context_attr(flags=self.STRICT if strict else 0)
        pointer = ctypes.c_void_p()
        check_device(lib.context_create(device.pointer, ctypes.byref(attr),
                                        ctypes.byref(pointer)), device.pointer)
        self._handle = Handle(pointer, lib.context_destroy, device._handle)

    def memory(self, size, placement=Placement.HBM, label=None, **attributes):
        """Memory of that many bytes, all zero; the attributes are those of Memory."""
        return Memory(self, size, placement, label, **attributes)

    def import_fd(self, fd, placement=Placement.HBM, label=None, **attributes):
        """Memory that was exported by another context or process; readonly, tag: attributes."""
        return Memory.imported(self, fd, placement, label, **attributes)

    def memory_report(self):
        """Who has its memory: a struct npurt_memory_holder for each tag, as a dictionary."""
        holders = []
        report = callback(_ffi.memory_report_fn,
                          lambda holder, _: holders.append(values(holder.contents)))
        check_context(lib.context_memory_report(self.pointer, report, None), self.pointer)
        return holders

    def reserve(self, size, **attributes):
        """Addresses to map memory to; the attributes are those of Range."""
        return Range(self, size, **attributes)

    def pool(self, placement=Placement.HBM, **attributes):
        """A pool of memory; the attributes are those of Pool."""
        return Pool(self, placement, **attributes)

    def graph(self, label=None):
        """An empty graph; Stream.capture() makes one of commands."""
        return Graph(self, label)

    @property
    def status(self):
        """struct npurt_context_status as a dictionary: the error that reaches farthest."""
        found = _ffi.context_status()
        check_context(lib.context_get_status(self.pointer, ctypes.byref(found)), self.pointer)
        return values(found)

    def recover(self):
        """
        Makes a context work again: streams that have failed get fresh queues, memory stays. Gives
        the labels of Memory whose contents the device cannot read any more.
        """
        lost = []
        recovery = _ffi.recovery(lost=callback(
            _ffi.lost_fn, lambda memory, label, data: lost.append(label.decode())))
        check_context(lib.context_recover(self.pointer, ctypes.byref(recovery)), self.pointer)
        return lost

    def on_print(self, function):
        """
        Calls function with a dictionary, as struct npurt_print, for what kernels print; None: as
        without it, to the device's log or to stderr. It must not use the library.
        """
        print_fn = callback(_ffi.print_fn, lambda found, _: function(
            values(found.contents))) if function else _ffi.print_fn()
        check_context(lib.context_set_print(self.pointer, print_fn, None), self.pointer)
        self._handle.kept = print_fn

    def stream(self, **attributes):
        """A stream; the attributes are those of Stream."""
        return Stream(self, **attributes)

    def event(self, label=None):
        return Event(self, label)

    def import_event(self, fd, label=None):
        """An event that was exported by another context or process."""
        return Event.imported(self, fd, label)

    def module(self, file):
        """A module from a file's path, or from the bytes of one."""
        return Module(self, file)

    def empty(self, shape, dtype="float32", placement=Placement.HBM, label=None, **attributes):
        """An array of zeros on memory of its own; the attributes are those of Memory."""
        return Array.empty(self, shape, dtype, placement, label, **attributes)

    def array(self, data, stream=None, placement=Placement.HBM, label=None, **attributes):
        """
        A copy of an Array, of a numpy array, or of what numpy makes one of. Into HBM it goes by
        @stream, in order with what follows there.
        """
        return Array.copy_of(self, data, stream, placement, label, **attributes)

    def wrap(self, data, label=None, tag=None):
        """A C-ordered numpy array in place: the device reads and writes it where it is."""
        return Array.wrap(self, data, label, tag)

    def from_dlpack(self, tensor, stream=None, placement=Placement.HBM, label=None):
        """A copy of a CPU tensor of another library's, by DLPack."""
        return Array.from_dlpack(self, tensor, stream, placement, label)
