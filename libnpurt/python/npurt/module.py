# SPDX-License-Identifier: MIT
"""Modules and the kernels in them."""

import ctypes
import functools
import os
import struct

from ._errors import check_context
from ._ffi import kernel_arg, kernel_info, lib, occupancy
from ._handle import Handle, Owner, values


class Module(Owner):
    """A file of kernels, by its path or as bytes: module["name"] is a Kernel."""

    def __init__(self, context, file):
        pointer = ctypes.c_void_p()
        if isinstance(file, (bytes, bytearray, memoryview)):
            data = bytes(file)
            code = lib.module_load_data(context.pointer, data, len(data), ctypes.byref(pointer))
        else:
            code = lib.module_load_file(context.pointer, os.fsencode(file), ctypes.byref(pointer))
        check_context(code, context.pointer)
        self._handle = Handle(pointer, lib.module_unload, context._handle)

    def __len__(self):
        return lib.module_kernel_count(self.pointer)

    def __iter__(self):
        """The names of its kernels."""
        return (lib.kernel_name(self._at(i)).decode() for i in range(len(self)))

    def _at(self, index):
        pointer = ctypes.c_void_p()
        check_context(lib.module_get_kernel_at(self.pointer, index, ctypes.byref(pointer)),
                      self._handle.parent.pointer)
        return pointer

    def __getitem__(self, name):
        pointer = ctypes.c_void_p()
        check_context(lib.module_get_kernel(self.pointer, name.encode(), ctypes.byref(pointer)),
                      self._handle.parent.pointer)
        return Kernel(self, pointer)


class Argument:
    """
    A field of a kernel's argument structure: name, offset, size; format and count of its
    elements; is_address, and of an address whether the kernel reads and writes what is there.
    """

    FORMATS = (None, "B", "b", "H", "h", "I", "i", "Q", "q", "f", "d")
    ADDRESS, READ, WRITE = 1, 2, 4

    def __init__(self, found):
        self.name = found.name.decode()
        self.offset = found.offset
        self.size = found.bytes
        self.format = self.FORMATS[found.type]
        self.count = found.count
        self.is_address = bool(found.use & self.ADDRESS)
        self.reads = bool(found.use & self.READ)
        self.writes = bool(found.use & self.WRITE)

    @property
    def is_padding(self):
        return self.name.startswith(("pad", "rsvd", "reserved"))

    def pack(self, data, value):
        """Writes a value to its place in the structure."""
        if self.is_address:
            value = getattr(value, "address", value or 0)
        if self.format is None:
            data[self.offset:self.offset + self.size] = bytes(value).ljust(self.size, b"\0")
        elif self.count == 1:
            struct.pack_into("<" + self.format, data, self.offset, value)
        else:
            struct.pack_into(f"<{self.count}{self.format}", data, self.offset, *value)

    def __repr__(self):
        return f"<npurt.Argument {self.name}>"


class Kernel:
    """
    A kernel; it keeps its module. Called with a stream, a number of blocks and its arguments by
    name, it is launched: kernel(stream, 4, x=array, count=1000).
    """

    def __init__(self, module, pointer):
        self.module = module
        self._pointer = pointer

    @property
    def pointer(self):
        # Of a module that was closed it must not be used any more.
        return self._pointer if self.module.pointer else None

    @property
    def name(self):
        return lib.kernel_name(self.pointer).decode()

    def _check(self, code):
        check_context(code, self.module._handle.parent.pointer)

    @property
    def info(self):
        """struct npurt_kernel_info as a dictionary."""
        found = kernel_info()
        self._check(lib.kernel_get_info(self.pointer, ctypes.byref(found)))
        return values(found)

    @functools.cached_property
    def arguments(self):
        """What it takes, an Argument each; empty if its module does not tell."""
        found = []
        for i in range(self.info["num_args"]):
            argument = kernel_arg()
            self._check(lib.kernel_get_arg(self.pointer, i, ctypes.byref(argument)))
            found.append(Argument(argument))
        return found

    def pack(self, fields):
        """
        The argument structure as bytes. Memory, arrays and None stand for addresses; names of
        padding may be left out.
        """
        names = {a.name for a in self.arguments}
        needed = {a.name for a in self.arguments if not a.is_padding}
        if fields.keys() - names or needed - fields.keys():
            unknown, missing = sorted(fields.keys() - names), sorted(needed - fields.keys())
            raise TypeError(f"kernel {self.name}: " + "; ".join(filter(None, (
                unknown and "it takes no " + ", ".join(unknown),
                missing and "there is no " + ", ".join(missing)))))
        data = bytearray(self.info["args_bytes"])
        for argument in self.arguments:
            if argument.name in fields:
                argument.pack(data, fields[argument.name])
        return bytes(data)

    def launch(self, stream, blocks, args=None, keep=(), **attributes):
        """
        Starts it on a stream. @args is a dictionary of arguments, a ctypes structure, bytes, or
        None; see Stream.launch() for the rest.
        """
        if isinstance(args, dict):
            keep = [*keep, *(v for v in args.values() if hasattr(v, "address"))]
            args = self.pack(args)
        stream.launch(self, blocks, args, keep, **attributes)

    def __call__(self, stream, blocks, /, **fields):
        self.launch(stream, blocks, fields)

    def occupancy(self, blocks, core_mask=0, max_cores=0):
        """struct npurt_occupancy of a launch, as a dictionary."""
        found = occupancy()
        self._check(lib.kernel_get_occupancy(self.pointer, blocks, core_mask, max_cores,
                                             ctypes.byref(found)))
        return values(found)

    def __repr__(self):
        return f"<npurt.Kernel {self.name}>"
