# SPDX-License-Identifier: MIT
"""DLPack: an array handed to another library in a capsule, as its specification has it."""

import ctypes
from ctypes import POINTER, Structure, c_int32, c_int64, c_uint8, c_uint16, c_uint64, c_void_p

CPU = 1
KINDS = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}
UNUSED, USED = b"dltensor", b"used_dltensor"


class DLTensor(Structure):
    _fields_ = [
        ("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32),
        ("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16), ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)), ("byte_offset", c_uint64)]


class DLManagedTensor(Structure):
    pass


deleter_fn = ctypes.CFUNCTYPE(None, POINTER(DLManagedTensor))
DLManagedTensor._fields_ = [
    ("tensor", DLTensor), ("manager_ctx", c_void_p), ("deleter", deleter_fn)]

_api = ctypes.pythonapi
_destructor_fn = ctypes.PYFUNCTYPE(None, c_void_p)
_new = ctypes.PYFUNCTYPE(ctypes.py_object, c_void_p, ctypes.c_char_p, _destructor_fn)(
    ("PyCapsule_New", _api))
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, c_void_p, ctypes.c_char_p)(
    ("PyCapsule_IsValid", _api))
_pointer = ctypes.PYFUNCTYPE(c_void_p, c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _api))

# What consumers hold, by address: the tensor, its shape and the memory.
_held = {}


@deleter_fn
def _delete(managed):
    _held.pop(ctypes.addressof(managed.contents), None)


@_destructor_fn
def _forget(capsule):
    """Of a capsule that nobody took; a consumer renames one and calls the deleter itself."""
    if _is_valid(capsule, UNUSED):
        _held.pop(_pointer(capsule, UNUSED), None)


def export(array):
    dtype = array.dtype
    if dtype.kind not in KINDS or not dtype.isnative:
        raise BufferError(f"DLPack has no {dtype}")
    view = array.memory.buffer
    shape = (c_int64 * max(len(array.shape), 1))(*array.shape)
    # In elements, which is not enough for every pitch of a row.
    if any(stride % dtype.itemsize for stride in array.strides):
        raise BufferError(f"DLPack has no strides of {array.strides} bytes")
    strides = (c_int64 * len(shape))(*(stride // dtype.itemsize for stride in array.strides))
    managed = DLManagedTensor(deleter=_delete)
    managed.tensor = DLTensor(
        data=ctypes.addressof(view) + array.offset, device_type=CPU, ndim=len(array.shape),
        code=KINDS[dtype.kind], bits=8 * dtype.itemsize, lanes=1,
        shape=ctypes.cast(shape, POINTER(c_int64)),
        strides=ctypes.cast(strides, POINTER(c_int64)))
    address = ctypes.addressof(managed)
    _held[address] = managed, shape, strides, view
    return _new(address, UNUSED, _forget)
