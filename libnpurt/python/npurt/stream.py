# SPDX-License-Identifier: MIT
"""Streams and events."""

import asyncio
import collections
import contextlib
import ctypes
import enum
import os

from . import _ffi, _hostfn
from ._errors import ErrorCode, check_context, check_stream, make_error
from ._ffi import INFINITE, event_attr, fault, lib, stream_attr, stream_info
from ._handle import Handle, Owner, encode, values
from ._launch import launch_attributes
from .array import Reduce, copies, reduction
from .graph import Capture, Condition, Graph, milliseconds
from .memory import Priority, host_bytes

COPY_ONLY = 1
NO_AUTO_FLUSH = 2
DEPTH_WAIT = 4

# Commands between two looks at what is done.
KEEP_BATCH = 128


class FailureMode(enum.IntEnum):
    """enum npurt_failure_mode: what becomes of a stream with a command that fails."""
    STOP = 0
    CONTINUE = 1


class StreamState(enum.IntEnum):
    """enum npurt_stream_state."""
    IDLE = 0
    BUSY = 1
    FAILED = 2
    CAPTURING = 3


class Command(enum.IntEnum):
    """enum npurt_command: what a fault, a record of a trace or a node of a graph is of."""
    UNKNOWN = 0
    KERNEL = 1
    COPY = 2
    FILL = 3
    EVENT_RECORD = 4
    EVENT_WAIT = 5
    PROGRESS = 6
    REDUCE = 7
    WRITE = 8
    WAIT = 9
    BRANCH = 10
    SIGNAL = 11
    TIMESTAMP = 12
    COLLECTIVE = 13
    HOST_FUNCTION = 14


def nanoseconds(seconds):
    return INFINITE if seconds is None else max(0, int(seconds * 1e9))


def take_all(queue):
    """What is in a deque, which other threads may add to, or take from."""
    found = []
    with contextlib.suppress(IndexError):
        while True:
            found.append(queue.popleft())
    return found


async def signalled(fd):
    """Waits for an eventfd in a coroutine, and takes the signal."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.add_reader(fd, lambda: future.done() or future.set_result(None))
    try:
        await future
    finally:
        loop.remove_reader(fd)
    os.eventfd_read(fd)


class InFlight:
    """
    Holds what commands of a stream use until they are done, so that memory which nobody needs
    any more is not taken away from under them. Any number of threads may use the stream.
    """

    def __init__(self, context_handle):
        self._context = context_handle
        self._open = collections.deque()  # handles
        self._closed = collections.deque()  # of a number of them each: an event after, and them

    def add(self, stream, handles):
        self._open.extend(handles)
        if len(self._open) < KEEP_BATCH:
            return
        # What is added from here on has commands that may come after the event.
        batch = take_all(self._open)
        try:
            event = self._record(stream)
        except BaseException:
            self._open.extend(batch)
            raise
        self._closed.append((event, batch))
        self._drop_done()

    def _record(self, stream):
        pointer = ctypes.c_void_p()
        check_context(lib.event_create(self._context.pointer, None, ctypes.byref(pointer)),
                      self._context.pointer)
        event = Handle(pointer, lib.event_destroy, self._context)
        check_stream(lib.event_record(pointer, stream), stream)
        return event

    def _drop_done(self):
        with contextlib.suppress(IndexError):
            while True:
                batch = self._closed.popleft()
                if lib.event_query(batch[0].pointer):
                    self._closed.appendleft(batch)
                    return

    def drop_if(self, is_done):
        """Lets go of what it held before is_done() was called, if that gives true."""
        handles, batches = take_all(self._open), take_all(self._closed)
        done = False
        try:
            done = is_done()
        finally:
            if not done:
                self._open.extend(handles)
                self._closed.extendleft(reversed(batches))
        return done

    def clear(self):
        self.drop_if(lambda: True)


class Stream(Owner):
    """
    A queue of commands that run in order. Functions that put commands on it return at once,
    but for upload(), download() and synchronize().
    """

    def __init__(self, context, priority=Priority.NORMAL, timeout_ms=0, core_mask=0,
                 wait_timeout_ms=0, copy_only=False, auto_flush=True, label=None, depth=0,
                 depth_wait=False, failure_mode=FailureMode.STOP):
        attr = stream_attr(
            flags=((COPY_ONLY if copy_only else 0) | (0 if auto_flush else NO_AUTO_FLUSH) |
                   (DEPTH_WAIT if depth_wait else 0)),
            priority=priority, timeout_ms=timeout_ms, core_mask=core_mask,
            wait_timeout_ms=wait_timeout_ms, label=encode(label), depth=depth,
            failure_mode=failure_mode)
        pointer = ctypes.c_void_p()
        check_context(lib.stream_create(context.pointer, ctypes.byref(attr),
                                        ctypes.byref(pointer)), context.pointer)
        self._in_flight = InFlight(context._handle)
        self._handle = Handle(pointer, lib.stream_destroy, context._handle, self._in_flight)
        self._capture = Capture.NONE

    def close(self):
        """Does not wait: commands that have not ended are stopped."""
        super().close()
        self._in_flight.clear()

    def _check(self, code):
        check_stream(code, self.pointer)

    def _keep(self, *owners):
        self._keep_handles([owner._handle for owner in owners])

    def _keep_handles(self, handles):
        if self._capture.active:
            self._capture.kept += handles
        else:
            self._in_flight.add(self.pointer, handles)

    def copy(self, dst, src, size=None, dst_offset=0, src_offset=0):
        """Copies between two Memory objects, the whole of src without a size."""
        size = src.size - src_offset if size is None else size
        self._check(lib.memcpy_async(self.pointer, dst.pointer, dst_offset, src.pointer,
                                     src_offset, size))
        self._keep(dst, src)

    def copy_peer(self, dst, src, size=None, dst_offset=0, src_offset=0):
        """The same, where one may be exportable memory of another context or NPU."""
        size = src.size - src_offset if size is None else size
        self._check(lib.memcpy_peer_async(self.pointer, dst.pointer, dst_offset, src.pointer,
                                          src_offset, size))
        self._keep(dst, src)

    def copy_box(self, dst, src, row_bytes, rows=1, slices=1, *, dst_offset=0, src_offset=0,
                 dst_pitch=0, src_pitch=0, dst_slice_pitch=0, src_slice_pitch=0):
        """
        Copies rows, and slices of rows, between two Memory objects: rows are a pitch apart,
        slices a slice pitch, all in bytes.
        """
        box = _ffi.copy(
            dst=dst.pointer, src=src.pointer, dst_offset=dst_offset, src_offset=src_offset,
            row_bytes=row_bytes, rows=rows, slices=slices, dst_pitch=dst_pitch,
            src_pitch=src_pitch, dst_slice_pitch=dst_slice_pitch,
            src_slice_pitch=src_slice_pitch)
        self._check(lib.memcpy_3d_async(self.pointer, ctypes.byref(box)))
        self._keep(dst, src)

    def copy_arrays(self, pairs):
        """
        Copies arrays, or parts of them, by one call: pairs (dst, src) of the same shape and type.
        They must not overlap, as they may be copied at the same time.
        """
        pairs = list(pairs)
        boxes = [box for dst, src in pairs for box in copies(dst, src)]
        self._check(lib.memcpy_batch_async(self.pointer, (_ffi.copy * len(boxes))(*boxes),
                                           len(boxes)))
        self._keep(*(array.memory for pair in pairs for array in pair))

    def reduce(self, dst, src, op=Reduce.ADD):
        """dst = dst op src, for each element of two arrays of one shape and type."""
        self._check(lib.reduce_async(self.pointer, *reduction(dst, src), op))
        self._keep(dst.memory, src.memory)

    def fill(self, dst, pattern, pattern_bytes=1, size=None, offset=0):
        """Fills a Memory with the low bytes (1, 2, 4 or 8) of a number."""
        size = dst.size - offset if size is None else size
        self._check(lib.fill_async(self.pointer, dst.pointer, offset, pattern, pattern_bytes,
                                   size))
        self._keep(dst)

    def upload(self, dst, data, offset=0):
        """Copies from a numpy array or another buffer, which may be changed afterwards."""
        address, size, kept = host_bytes(data, writable=False)
        self._check(lib.upload(self.pointer, dst.pointer, offset, address, size))
        self._keep(dst)
        del kept

    def download(self, data, src, offset=0):
        """Copies to a numpy array or another buffer, and waits until the data are there."""
        address, size, kept = host_bytes(data, writable=True)
        self._check(lib.download(self.pointer, address, src.pointer, offset, size))
        del kept

    def launch(self, kernel, blocks, args=None, keep=(), timeout_us=0, max_cores=0, tag=0,
               label=None, strict=False):
        """
        Starts a kernel. @args is what it takes: a ctypes structure, bytes, or None. Memory and
        arrays in @keep are not freed before the kernel has ended. With @strict its mistakes are
        looked for, see npurt_strict(7).
        """
        attr = launch_attributes(timeout_us, max_cores, tag, label, strict)
        data = b"" if args is None else bytes(args)
        self._check(lib.launch(self.pointer, kernel.pointer, blocks, data or None, len(data),
                               ctypes.byref(attr)))
        self._keep(kernel.module, *(getattr(k, "memory", k) for k in keep))

    def write_value(self, memory, value, offset=0, size=8):
        """Writes a number of 4 or 8 bytes to a Memory."""
        self._check(lib.write_value_async(self.pointer, memory.pointer, offset, value, size))
        self._keep(memory)

    def wait_value(self, memory, value, offset=0, condition=Condition.GE, timeout=None):
        """What comes next starts when a 64-bit word of a Memory is as wanted; seconds."""
        self._check(lib.wait_value_async(self.pointer, memory.pointer, offset, value, condition,
                                         milliseconds(timeout)))
        self._keep(memory)

    def host_function(self, function):
        """
        Has function(error) called by a thread of the library's when what is on the stream so far
        has ended; what comes next waits until it returns. It must not use streams or events.
        """
        if self._capture.active:
            host = _hostfn.HostFunction(function)
            self._check(lib.stream_host_function(self.pointer, _hostfn.call, host.number))
            self._capture.kept.append(host)
            return
        number = _hostfn.once(function)
        code = lib.stream_host_function(self.pointer, _hostfn.call, number)
        if code:
            _hostfn.forget(number)
        self._check(code)

    def wait_event(self, event, point=None):
        """
        What comes next starts after the last record of the event, or that of the number @point,
        on the device. A stream that waits for an event of a capture becomes a part of it.
        """
        if point is None:
            self._check(lib.stream_wait_event(self.pointer, event.pointer))
        else:
            self._check(lib.stream_wait_event_point(self.pointer, event.pointer, point))
        if event._capture.active:
            self._capture = event._capture
        self._keep(event)

    @property
    def capturing(self):
        """Whether commands become a part of a graph."""
        found = ctypes.c_int()
        self._check(lib.stream_is_capturing(self.pointer, ctypes.byref(found)))
        return found.value != 0

    @contextlib.contextmanager
    def capture(self):
        """
        Commands in a with block become the graph that it gives, and are not run:

            with stream.capture() as graph:
                kernel(stream, 4, x=x, out=y)
            step = graph.instantiate()
            step.launch(stream)
        """
        graph = Graph.__new__(Graph)
        pointer = ctypes.c_void_p()
        self._check(lib.stream_begin_capture(self.pointer, 0))
        capture = self._capture = Capture()
        try:
            yield graph
        except BaseException:
            capture.end()
            if lib.stream_end_capture(self.pointer, ctypes.byref(pointer)) == 0:
                lib.graph_destroy(pointer)
            raise
        kept = capture.end()
        self._check(lib.stream_end_capture(self.pointer, ctypes.byref(pointer)))
        graph._take(self._handle.parent, pointer, kept)

    def record(self, event=None):
        """Records an event, a new one if none is given; gives it back."""
        if event is None:
            event = Event._in(self._handle.parent)
        event.record(self)
        return event

    def flush(self):
        """Hands to the device what is still batched."""
        self._check(lib.stream_flush(self.pointer))

    def done(self):
        """Whether all is done; flushes."""
        def query():
            code = lib.stream_query(self.pointer)
            if code == ErrorCode.NOT_READY:
                return False
            self._check(code)
            return True

        return self._in_flight.drop_if(query)

    def synchronize(self, timeout=None):
        """Waits until all is done that was there before, at most so many seconds: TimedOut."""
        def wait():
            self._check(lib.stream_wait(self.pointer, nanoseconds(timeout)))
            return True

        self._in_flight.drop_if(wait)

    def abort(self):
        """Stops it at once, for other threads' calls, too; it fails until reset()."""
        self._check(lib.stream_abort(self.pointer))

    def reset(self):
        """Makes a stream that has failed work again; what it had not done is lost."""
        def reset():
            failed = self.info["state"] == StreamState.FAILED
            self._check(lib.stream_reset(self.pointer))
            return failed

        self._in_flight.drop_if(reset)

    @property
    def info(self):
        """struct npurt_stream_info as a dictionary."""
        found = stream_info()
        self._check(lib.stream_get_info(self.pointer, ctypes.byref(found)))
        return values(found)

    @property
    def fault(self):
        """Why the stream stopped, npurt_fault; None if it has not."""
        found = fault()
        code = lib.stream_get_fault(self.pointer, ctypes.byref(found))
        if code == ErrorCode.NOT_READY:
            return None
        self._check(code)
        return found


class Event(Owner):
    """
    A point in a stream that others wait for, with a time. Coroutines await
    happened().
    """

    _capture = Capture.NONE

    def __init__(self, context, label=None):
        self._create(context._handle, label)

    @classmethod
    def _in(cls, context_handle):
        event = cls.__new__(cls)
        event._create(context_handle, None)
        return event

    def _create(self, context_handle, label):
        attr = event_attr(label=encode(label))
        pointer = ctypes.c_void_p()
        check_context(lib.event_create(context_handle.pointer, ctypes.byref(attr),
                                       ctypes.byref(pointer)), context_handle.pointer)
        self._handle = Handle(pointer, lib.event_destroy, context_handle)

    @classmethod
    def imported(cls, context, fd, label=None):
        """One that was exported elsewhere; it can be waited for, and not be recorded."""
        attr = event_attr(label=encode(label))
        pointer = ctypes.c_void_p()
        check_context(lib.event_import_fd(context.pointer, fd, ctypes.byref(attr),
                                          ctypes.byref(pointer)), context.pointer)
        event = cls.__new__(cls)
        event._handle = Handle(pointer, lib.event_destroy, context._handle)
        return event

    def _check(self, code):
        check_context(code, self._handle.parent.pointer)

    def _check_wait(self, code, timeout):
        if code == ErrorCode.TIMED_OUT:
            raise make_error(code, f"the event did not happen within {timeout} s")
        self._check(code)

    def _check_time(self, code):
        # For that the library has no text, and would tell of a failure before.
        if code == ErrorCode.NOT_READY:
            raise make_error(code, "the event has not happened")
        self._check(code)

    def record(self, stream):
        check_stream(lib.event_record(self.pointer, stream.pointer), stream.pointer)
        self._capture = stream._capture

    def done(self):
        """Whether the last record has happened; one that was never recorded counts as done."""
        code = lib.event_query(self.pointer)
        if code == ErrorCode.NOT_READY:
            return False
        self._check(code)
        return True

    def wait(self, timeout=None):
        """Waits for it, at most so many seconds: TimedOut."""
        self._check_wait(lib.event_wait(self.pointer, nanoseconds(timeout)), timeout)

    async def happened(self):
        """Waits for it in a coroutine; other tasks of the event loop go on."""
        fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            self.eventfd(fd)
            await signalled(fd)
            # A stream that goes on after a fault signals when it faults, too.
            while not self.done():
                self.eventfd(fd)
                await signalled(fd)
        finally:
            os.close(fd)

    def eventfd(self, fd):
        """Adds 1 to an eventfd when the last record has happened or failed."""
        self._check(lib.event_eventfd(self.pointer, fd))

    def export_fd(self):
        """A file descriptor (syncobj) for import_event() elsewhere, to be passed on and closed."""
        fd = ctypes.c_int()
        self._check(lib.event_export_fd(self.pointer, ctypes.byref(fd)))
        return fd.value

    @property
    def point(self):
        """The number of the last record, 0 before the first one."""
        point = ctypes.c_uint64()
        self._check(lib.event_get_point(self.pointer, ctypes.byref(point)))
        return point.value

    def wait_point(self, point, timeout=None):
        """Waits until a record by its number was made and has happened."""
        self._check_wait(lib.event_wait_point(self.pointer, point, nanoseconds(timeout)), timeout)

    def wait_recorded(self, point, timeout=None):
        """Waits until it was made, so that streams can wait for it."""
        self._check_wait(lib.event_wait_recorded(self.pointer, point, nanoseconds(timeout)),
                         timeout)

    @property
    def time_ns(self):
        """Device time of the last record, in ns."""
        time = ctypes.c_uint64()
        self._check_time(lib.event_time(self.pointer, ctypes.byref(time)))
        return time.value

    @property
    def monotonic_ns(self):
        """The same in time.monotonic_ns(), and by how much that may be wrong at most."""
        time, error = ctypes.c_uint64(), ctypes.c_uint64()
        self._check_time(lib.event_time_monotonic(self.pointer, ctypes.byref(time),
                                                  ctypes.byref(error)))
        return time.value, error.value

    def elapsed_ns(self, start):
        """Time since another event, in ns."""
        elapsed = ctypes.c_int64()
        self._check_time(lib.event_elapsed(start.pointer, self.pointer,
                                           ctypes.byref(elapsed)))
        return elapsed.value
