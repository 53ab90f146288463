# SPDX-License-Identifier: MIT
"""Failures of the library's functions as exceptions, with the library's own text."""

import ctypes
import enum

from ._ffi import fault, lib


class ErrorCode(enum.IntEnum):
    """enum npurt_error."""
    INVALID = -1
    RANGE = -2
    NO_DEVICE = -3
    ACCESS = -4
    HOST_MEMORY = -5
    DEVICE_MEMORY = -6
    RESOURCE = -7
    NOT_FOUND = -8
    NOT_READY = -9
    TIMED_OUT = -10
    BUSY = -11
    MODULE = -12
    UNSUPPORTED = -13
    FORKED = -14
    STREAM_FAULT = -15
    STREAM_TIMEOUT = -16
    STREAM_LOST = -17
    DEVICE_LOST = -18
    SYSTEM = -19
    CANCELED = -20
    CONTEXT_LOST = -21
    CAPTURE = -22
    LIMIT = -23
    COLLECTIVE = -24
    VALIDATE = -25


class Scope(enum.IntEnum):
    """enum npurt_scope: how far a failure reaches, and what helps: see npurt_context(3)."""
    CALL = 0
    STREAM = 1
    CONTEXT = 2
    DEVICE = 3


class Error(RuntimeError):
    """
    A call of the library failed. code: an ErrorCode, or the number of a later one; scope: a Scope.
    """

    def __init__(self, code, text):
        meaning = lib.strerror(code).decode()
        super().__init__(f"{lib.error_name(code).decode()}: {text or meaning}")
        try:
            self.code = ErrorCode(code)
        except ValueError:
            self.code = code
        self.scope = Scope(lib.error_scope(code))


class OutOfMemory(Error, MemoryError):
    """Out of HBM or of system memory."""


class TimedOut(Error, TimeoutError):
    """The caller's time-out passed."""


class StreamError(Error):
    """A stream stopped. fault: npurt_fault, or None."""
    fault = None


CLASSES = {
    ErrorCode.HOST_MEMORY: OutOfMemory,
    ErrorCode.DEVICE_MEMORY: OutOfMemory,
    ErrorCode.TIMED_OUT: TimedOut,
    ErrorCode.STREAM_FAULT: StreamError,
    ErrorCode.STREAM_TIMEOUT: StreamError,
    ErrorCode.STREAM_LOST: StreamError,
    ErrorCode.CANCELED: StreamError,
    ErrorCode.COLLECTIVE: StreamError,
    ErrorCode.CONTEXT_LOST: StreamError,
}


def message(function, pointer):
    """What a device, context or stream tells of its last failure."""
    text = ctypes.create_string_buffer(512)
    if pointer is None or function(pointer, text, len(text)):
        return ""
    return text.value.decode(errors="replace")


def make_error(code, text, stream=None):
    error = CLASSES.get(code, Error)(code, text)
    if stream is not None and isinstance(error, StreamError):
        found = fault()
        if lib.stream_get_fault(stream, ctypes.byref(found)) == 0:
            error.fault = found
    return error


def check_device(code, pointer=None):
    if code:
        raise make_error(code, message(lib.device_error_message, pointer))


def check_context(code, pointer):
    if code:
        raise make_error(code, message(lib.context_error_message, pointer))


def check_stream(code, pointer):
    if code:
        raise make_error(code, message(lib.stream_error_message, pointer), pointer)
