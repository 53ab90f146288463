# SPDX-License-Identifier: MIT
"""Lives of objects: one is destroyed when nothing needs it any more, a child before its parent."""

import atexit
import ctypes
import itertools
import threading

from ._errors import Error, ErrorCode


class Callbacks(threading.local):
    """How many functions of Python's the library is calling in a thread."""
    depth = 0


class Handle:
    """
    A pointer of the library's. Whoever needs the object holds its handle: the Python object that
    stands for it, its children, arrays on its memory, commands in flight. The last one to let go
    destroys it.

    @parent is the device of a context or trace, the context of all else; its text tells why a call
    failed. @needs: what else is destroyed later.
    """

    # What handles that are not destroyed need until then. Python's collector of cycles, which
    # ends their members in any order, cannot take it for a part of the cycle; nor, at the end of
    # the program, when all modules are one, with a reference that it does not know of.
    _needed = {}
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_needed))
    _numbers = itertools.count()

    # The library does not let its callbacks destroy all that there is, and may have locks of its
    # own meanwhile. What they were the last to have is destroyed by the next call from outside.
    callbacks = Callbacks()
    late = []

    def __init__(self, pointer, destroy, parent=None, needs=None):
        self.pointer = pointer
        self.parent = parent
        self._destroy = destroy
        self._number = next(self._numbers)
        self._needed[self._number] = parent, needs
        self.end_late()

    def __del__(self):
        # It is refused if an exception of a callback had it, which goes when that has ended.
        if self.callbacks.depth or (self.pointer and self._destroy(self.pointer)):
            self.late.append(self)
        else:
            self._needed.pop(self._number)

    @classmethod
    def end_late(cls):
        """Destroys what could not be destroyed when it was let go of."""
        while cls.late and not cls.callbacks.depth:
            try:
                handle = cls.late.pop()
            except IndexError:  # another thread has it
                return
            if handle.pointer:
                handle._destroy(handle.pointer)
            cls._needed.pop(handle._number)

    def take(self):
        """For a call that ends the object itself."""
        self.pointer = None


atexit.register(Handle.end_late)


def callback(kind, function):
    """A C function, of a type of _ffi, that has the library call one of Python's."""
    def call(*arguments):
        Handle.callbacks.depth += 1
        try:
            return function(*arguments)
        finally:
            Handle.callbacks.depth -= 1

    return kind(call)


class Owner:
    """An object with a handle, which close() or the end of a with block lets go of."""

    _handle = None

    @property
    def pointer(self):
        """The library's pointer, for calls by ctypes."""
        if Handle.late:
            Handle.end_late()
        if self._handle is None:
            raise Error(ErrorCode.INVALID, f"this {type(self).__name__} was closed")
        return self._handle.pointer

    def close(self):
        """
        Destroys it, as soon as nothing made from it is in use; in a function that the library
        calls, after that. May be called again.
        """
        self._handle = None
        Handle.end_late()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def values(structure):
    """The fields of a structure but size and flags, as a dictionary."""
    fields = {name: getattr(structure, name) for name, *_ in structure._fields_[2:]}
    return {name: v.decode(errors="replace") if isinstance(v, bytes) else v for name, v in fields.items()}


def encode(label):
    return None if label is None else label.encode()
