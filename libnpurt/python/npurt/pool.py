# SPDX-License-Identifier: MIT
"""Pools: memory that comes and goes in the order of streams."""

import ctypes

from ._errors import check_context, check_stream
from ._ffi import lib, memory_attr, pool_attr, pool_info
from ._handle import Handle, Owner, encode, values
from .array import Array
from .memory import Memory, Placement

NO_WAITS = 1


class PoolMemory(Memory):
    """Memory of a pool. Without free() it goes back when no command uses it any more."""

    def __init__(self, pool, stream, size, label=None, tag=None):
        attr = memory_attr(label=encode(label), tag=encode(tag))
        pointer = ctypes.c_void_p()
        check_context(lib.pool_alloc_async(pool.pointer, stream.pointer, size, ctypes.byref(attr),
                                           ctypes.byref(pointer)), pool._handle.parent.pointer)
        self._handle = Handle(pointer, lib.memory_destroy, pool._handle.parent, pool._handle)
        self.placement = pool.placement

    def free(self, stream):
        """Gives it back, for what comes on a stream next; what is there may still use it."""
        check_stream(lib.memory_free_async(self.pointer, stream.pointer), stream.pointer)
        self._handle.take()
        self.close()


class Pool(Owner):
    """
    Memory for scratch and results that are soon gone: what one stream frees is the next one's,
    without a call of the driver. release_threshold: bytes that stay when unused; 0: all.
    """

    def __init__(self, context, placement=Placement.HBM, release_threshold=0, waits=True,
                 label=None, tag=None):
        attr = pool_attr(flags=0 if waits else NO_WAITS, placement=placement,
                         release_threshold=release_threshold, label=encode(label),
                         tag=encode(tag))
        pointer = ctypes.c_void_p()
        check_context(lib.pool_create(context.pointer, ctypes.byref(attr), ctypes.byref(pointer)),
                      context.pointer)
        self._handle = Handle(pointer, lib.pool_destroy, context._handle)
        self.placement = Placement(placement)

    def memory(self, stream, size, label=None, tag=None):
        """Memory for commands that follow on a stream; its contents are undefined."""
        return PoolMemory(self, stream, size, label, tag)

    def empty(self, stream, shape, dtype="float32", label=None):
        """An array on memory of the pool; array.memory.free(stream) gives it back."""
        return Array.on_new(lambda size: self.memory(stream, size, label), shape, dtype)

    def trim(self, keep=0):
        """Gives unused memory back to the driver, until at most so many bytes are left."""
        check_context(lib.pool_trim(self.pointer, keep), self._handle.parent.pointer)

    @property
    def info(self):
        """struct npurt_pool_info as a dictionary."""
        found = pool_info()
        check_context(lib.pool_get_info(self.pointer, ctypes.byref(found)),
                      self._handle.parent.pointer)
        return values(found)
