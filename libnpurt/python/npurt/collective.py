# SPDX-License-Identifier: MIT
"""Collectives: what several NPUs, a context each, do together."""

import ctypes

from ._errors import ErrorCode, check_context, make_error, message
from ._ffi import communicator_attr, communicator_info, lib
from ._handle import Handle, Owner, encode, values
from .array import Reduce, element_type, region

HBM = 1


class Communicator(Owner):
    """
    A rank: Communicator.create() makes one for each context. Every rank makes the same calls in
    the same order, with a stream and arrays of its own context; no call waits for other ranks.
    """

    def __init__(self, pointer, context):
        self._handle = Handle(pointer, lib.communicator_destroy, context._handle)

    @classmethod
    def create(cls, contexts, timeout_ms=0, buffer_bytes=0, hbm=False, label=None):
        """A list with one for each context, in the order of ranks."""
        count = len(contexts)
        attr = communicator_attr(flags=HBM if hbm else 0, timeout_ms=timeout_ms,
                                 buffer_bytes=buffer_bytes, label=encode(label))
        pointers = (ctypes.c_void_p * count)()
        handles = (ctypes.c_void_p * count)(*(c.pointer for c in contexts))
        check_context(lib.communicator_create(handles, count, ctypes.byref(attr), pointers),
                      contexts[0].pointer if contexts else None)
        return [cls(ctypes.c_void_p(p), c) for p, c in zip(pointers, contexts)]

    def _check(self, code):
        if code:
            raise make_error(code, message(lib.communicator_error_message, self.pointer))

    def _call(self, function, stream, *arguments, keep):
        self._check(function(self.pointer, stream.pointer, *arguments))
        stream._keep(self, *(array.memory for array in keep))

    def all_reduce(self, stream, out, array=None, op=Reduce.ADD):
        """out of all = op over the ranks' arrays; in place without an array."""
        array = out if array is None else array
        self._call(lib.all_reduce_async, stream, *region(out), *region(array), array.size,
                   element_type(array), op, keep=(out, array))

    def reduce_scatter(self, stream, out, array, op=Reduce.ADD):
        """The part of that, as large as out, which is the rank's."""
        self._call(lib.reduce_scatter_async, stream, *region(out), *region(array), out.size,
                   element_type(out), op, keep=(out, array))

    def all_gather(self, stream, out, array):
        """out of all = the ranks' arrays behind each other."""
        self._call(lib.all_gather_async, stream, *region(out), *region(array), array.nbytes,
                   keep=(out, array))

    def all_to_all(self, stream, out, array=None):
        """Each rank's array has a part for each rank; in place without an array."""
        array = out if array is None else array
        self._call(lib.all_to_all_async, stream, *region(out), *region(array),
                   array.nbytes // self.info["ranks"], keep=(out, array))

    def broadcast(self, stream, array, root):
        """The array of rank @root to all."""
        self._call(lib.broadcast_async, stream, *region(array), *region(array), array.nbytes,
                   root, keep=(array,))

    def send(self, stream, array, to):
        self._call(lib.send_async, stream, *region(array), array.nbytes, to, keep=(array,))

    def receive(self, stream, out, source):
        self._call(lib.receive_async, stream, *region(out), out.nbytes, source, keep=(out,))

    def send_receive(self, stream, out, source, array, to):
        """Both at once, so that two ranks can exchange arrays of any size."""
        self._call(lib.send_receive_async, stream, *region(out), out.nbytes, source,
                   *region(array), array.nbytes, to, keep=(out, array))

    def abort(self):
        """Operations of all ranks that have not ended fail, and later ones."""
        self._check(lib.communicator_abort(self.pointer))

    def done(self):
        """Whether all operations of the rank have ended; an Error if the communicator failed."""
        code = lib.communicator_query(self.pointer)
        if code == ErrorCode.NOT_READY:
            return False
        self._check(code)
        return True

    @property
    def info(self):
        """struct npurt_communicator_info as a dictionary."""
        found = communicator_info()
        self._check(lib.communicator_get_info(self.pointer, ctypes.byref(found)))
        return values(found)
