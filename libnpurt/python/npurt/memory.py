# SPDX-License-Identifier: MIT
"""Memory objects."""

import ctypes
import enum

from ._errors import check_context
from ._ffi import lib, memory_attr
from ._handle import Handle, Owner, encode

READONLY = 1
EXPORTABLE = 2


class Placement(enum.IntEnum):
    """enum npurt_placement."""
    HBM = 0
    HOST = 1


class Priority(enum.IntEnum):
    """enum npurt_priority: of streams, and of memory, but for REALTIME, when HBM is short."""
    LOW = -1
    NORMAL = 0
    HIGH = 1
    REALTIME = 2


class Advice(enum.IntEnum):
    """enum npurt_advice: see npurt_memory(3), "When HBM is short"."""
    WILLNEED = 0
    DONTNEED = 1
    EVICT_FIRST = 2
    EVICT_NORMAL = 3
    EVICT_LAST = 4


class Memory(Owner):
    """A buffer in HBM or in system memory."""

    def __init__(self, context, size, placement=Placement.HBM, label=None, readonly=False,
                 exportable=False, tag=None, priority=Priority.NORMAL):
        attr = memory_attr(
            flags=(READONLY if readonly else 0) | (EXPORTABLE if exportable else 0),
            placement=placement, label=encode(label), tag=encode(tag), priority=priority)
        pointer = ctypes.c_void_p()
        check_context(lib.memory_create(context.pointer, size, ctypes.byref(attr),
                                        ctypes.byref(pointer)), context.pointer)
        self._take(context, pointer, placement)

    def _take(self, context, pointer, placement):
        self._handle = Handle(pointer, lib.memory_destroy, context._handle)
        self.placement = Placement(placement)
        return self

    def _check(self, code):
        check_context(code, self._handle.parent.pointer)

    @classmethod
    def registered(cls, context, data, label=None, tag=None):
        """The bytes of a numpy array or another buffer, for the device to use in place."""
        readonly = memoryview(data).readonly
        address, size, kept = host_bytes(data, writable=not readonly, in_place=True)
        attr = memory_attr(flags=READONLY if readonly else 0, label=encode(label),
                           tag=encode(tag))
        pointer = ctypes.c_void_p()
        check_context(lib.memory_register(context.pointer, address, size, ctypes.byref(attr),
                                          ctypes.byref(pointer)), context.pointer)
        memory = cls.__new__(cls)._take(context, pointer, Placement.HOST)
        memory._handle.kept = kept
        return memory

    @classmethod
    def imported(cls, context, fd, placement=Placement.HBM, label=None, readonly=False, tag=None):
        """What another context or process exported; the file descriptor stays the caller's."""
        attr = memory_attr(flags=READONLY if readonly else 0, label=encode(label),
                           tag=encode(tag))
        pointer = ctypes.c_void_p()
        check_context(lib.memory_import_fd(context.pointer, fd, ctypes.byref(attr),
                                           ctypes.byref(pointer)), context.pointer)
        return cls.__new__(cls)._take(context, pointer, placement)

    def export_fd(self):
        """A file descriptor (dma-buf) of exportable memory, to be passed on and closed."""
        fd = ctypes.c_int()
        self._check(lib.memory_export_fd(self.pointer, ctypes.byref(fd)))
        return fd.value

    def advise(self, advice):
        """
        Tells what becomes of it when HBM is short, an Advice; commands must not use it between
        DONTNEED and WILLNEED. False if the contents were dropped, and read as zero now.
        """
        retained = ctypes.c_int()
        self._check(lib.memory_advise(self.pointer, advice, ctypes.byref(retained)))
        return retained.value != 0

    def prefetch(self, offset=0, size=None):
        """Brings it, or a part, to where it belongs before commands need it there: a hint."""
        size = self.size - offset if size is None else size
        self._check(lib.memory_prefetch(self.pointer, offset, size))

    @property
    def size(self):
        return lib.memory_size(self.pointer)

    @property
    def address(self):
        """The device's address of it, for arguments of kernels."""
        return lib.memory_address(self.pointer)

    @property
    def buffer(self):
        """
        All of its bytes, for the CPU to read and write in place (slowly, if in HBM). The memory
        lives on until the last array on them is gone.
        """
        start = ctypes.c_void_p()
        self._check(lib.memory_map(self.pointer, ctypes.byref(start)))
        view = (ctypes.c_ubyte * self.size).from_address(start.value)
        view.npurt_handle = self._handle
        return view

    def __repr__(self):
        if self._handle is None:
            return "<closed Memory>"
        return f"<npurt.Memory {self.size} bytes in {self.placement.name} at {self.address:#x}>"


def host_bytes(data, writable, in_place=False):
    """Address and size of an object's bytes, which must be one piece; and what keeps them."""
    view = memoryview(data)
    if not view.c_contiguous:
        raise ValueError("the data are not C-contiguous")
    if writable and view.readonly:
        raise ValueError("the data are read-only")
    if hasattr(data, "ctypes"):
        return data.ctypes.data, view.nbytes, data
    if not view.readonly:
        kept = (ctypes.c_ubyte * view.nbytes).from_buffer(view.cast("B"))
        return ctypes.addressof(kept), view.nbytes, kept
    if in_place:
        raise ValueError("the data are read-only, and no numpy array")
    kept = ctypes.create_string_buffer(view.tobytes(), view.nbytes)
    return ctypes.addressof(kept), view.nbytes, kept
