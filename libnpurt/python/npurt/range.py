# SPDX-License-Identifier: MIT
"""Ranges of device addresses that memory is mapped to, a part at a time."""

import ctypes

from ._errors import check_context
from ._ffi import lib, range_attr
from ._handle import Handle, Owner, encode
from .memory import READONLY, Memory, Placement

GRANULARITY = 4096
SPARSE = 1


class Range(Owner):
    """
    Addresses of a context. Offsets and sizes are multiples of 4096. sparse: what is not mapped
    reads as zero and takes writes, instead of faulting.
    """

    def __init__(self, context, size, alignment=0, sparse=False, label=None):
        attr = range_attr(flags=SPARSE if sparse else 0, alignment=alignment,
                          label=encode(label))
        pointer = ctypes.c_void_p()
        check_context(lib.range_reserve(context.pointer, size, ctypes.byref(attr),
                                        ctypes.byref(pointer)), context.pointer)
        self._handle = Handle(pointer, lib.range_release, context._handle)
        self.size = size

    def _check(self, code):
        check_context(code, self._handle.parent.pointer)

    def map(self, offset, memory, memory_offset=0, size=None, readonly=False):
        """Maps memory, to the end of it without a size, in the place of what was there."""
        if size is None:
            size = (memory.size - memory_offset + GRANULARITY - 1) // GRANULARITY * GRANULARITY
        self._check(lib.range_map(self.pointer, offset, memory.pointer, memory_offset, size,
                                  READONLY if readonly else 0))

    def unmap(self, offset=0, size=None):
        """What is mapped goes, all of it without a size. It does not wait for commands."""
        self._check(lib.range_unmap(self.pointer, offset,
                                    self.size - offset if size is None else size))

    @property
    def memory(self):
        """All of it as a Memory, for copies and for arguments of kernels."""
        memory = Memory.__new__(Memory)
        memory._handle = Handle(lib.range_memory(self.pointer), lambda pointer: None,
                                self._handle.parent, self._handle)
        memory.placement = Placement.HBM
        return memory

    @property
    def address(self):
        return self.memory.address
