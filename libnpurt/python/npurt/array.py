# SPDX-License-Identifier: MIT
"""Arrays on memory objects, and parts of them."""

import enum
import math

from . import _dlpack
from ._errors import Error, ErrorCode
from ._ffi import copy, lib
from ._strides import boxes, c_order, extent, merge, nests, select
from .memory import Memory, Placement

# enum npurt_dtype by numpy's names; bfloat16 is of ml_dtypes.
DTYPES = {"float32": 0, "float16": 1, "bfloat16": 2, "int32": 3, "int8": 4, "uint8": 5,
          "int16": 6}


class Reduce(enum.IntEnum):
    """enum npurt_reduce_op."""
    ADD = 0
    MIN = 1
    MAX = 2


def _numpy():
    import numpy
    return numpy


class Array:
    """
    Shape, dtype and strides (in bytes; those of C order, if none are given) for a Memory. An array
    in system memory is a numpy array too, by numpy(), numpy.asarray() or DLPack, without a copy.

    array[2:5, ..., 0] is the part that numpy would give, of the same memory: to be copied, or as
    what a kernel starts from. Its axes stay in C order, so steps are not negative.
    """

    def __init__(self, memory, shape, dtype, offset=0, strides=None):
        self.memory = memory
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.dtype = _numpy().dtype(dtype)
        self.offset = offset
        itemsize = self.dtype.itemsize
        self.strides = c_order(self.shape, itemsize) if strides is None else tuple(strides)
        if len(self.strides) != len(self.shape) or not nests(self.shape, self.strides, itemsize):
            raise Error(ErrorCode.INVALID, f"strides {self.strides} of an array of shape "
                        f"{self.shape} are not in C order, or overlap")
        size = extent(self.shape, self.strides, itemsize)
        if min(self.shape, default=0) < 0 or offset < 0 or offset + size > memory.size:
            raise Error(ErrorCode.RANGE, f"an array of {size} bytes from offset {offset} "
                        f"leaves memory of {memory.size}")

    @classmethod
    def on_new(cls, make, shape, dtype):
        """On memory of its own, which make(size) gives."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        size = math.prod(shape) * _numpy().dtype(dtype).itemsize
        return cls(make(max(size, 1)), shape, dtype)

    @classmethod
    def empty(cls, context, shape, dtype, placement=Placement.HBM, label=None, **attributes):
        return cls.on_new(lambda size: Memory(context, size, placement, label, **attributes),
                          shape, dtype)

    @classmethod
    def copy_of(cls, context, data, stream=None, placement=Placement.HBM, label=None,
                **attributes):
        source = data if isinstance(data, cls) else _numpy().asarray(data)
        array = cls.empty(context, source.shape, source.dtype, placement, label, **attributes)
        array.set(source, stream)
        return array

    @classmethod
    def wrap(cls, context, data, label=None, tag=None):
        data = _numpy().asarray(data)
        return cls(Memory.registered(context, data, label, tag), data.shape, data.dtype)

    @classmethod
    def from_dlpack(cls, context, tensor, stream=None, placement=Placement.HBM, label=None):
        return cls.copy_of(context, _numpy().from_dlpack(tensor), stream, placement, label)

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def nbytes(self):
        """Of its elements, without what may be between them."""
        return self.size * self.dtype.itemsize

    @property
    def is_contiguous(self):
        """Whether there is nothing between its elements."""
        return not self.size or not merge(self.shape, self.dtype.itemsize, self.strides)[1]

    @property
    def address(self):
        """The device's address of its first element."""
        return self.memory.address + self.offset

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        offset, shape, strides = select(index, self.shape, self.strides)
        return Array(self.memory, shape, self.dtype, self.offset + offset, strides)

    def _check_like(self, other):
        if other.shape != self.shape or other.dtype != self.dtype:
            raise Error(ErrorCode.INVALID, f"data of shape {other.shape} and {other.dtype} "
                        f"for {self.shape} and {self.dtype}")

    def _boxes(self, dimensions, *strides):
        """Of itself, and on the other side if that has other strides."""
        return boxes(dimensions, self.shape, self.dtype.itemsize, self.strides, *strides)

    def set(self, data, stream=None):
        """
        Copies from a numpy array of the same shape, or from another Array: by @stream, or at once
        by the CPU if it is in system memory and no stream is given.
        """
        if stream is None:
            source = _numpy().asarray(data, self.dtype)
            self._check_like(source)
            self.numpy()[...] = source
        elif isinstance(data, Array):
            stream.copy_arrays([(self, data)])
        else:
            self._upload(_numpy().asarray(data, self.dtype), stream)

    def _upload(self, source, stream):
        self._check_like(source)
        if not nests(source.shape, source.strides, source.itemsize):
            source = source.copy(order="C")
        row, [(rows, pitch, host_pitch)], starts = self._boxes(2, source.strides)
        for offset, host_offset in starts:
            stream._check(lib.upload_2d(
                stream.pointer, self.memory.pointer, self.offset + offset, pitch,
                source.ctypes.data + host_offset, host_pitch, row, rows))
        stream._keep(self.memory)

    def numpy(self, stream=None, out=None):
        """
        As a numpy array. With a stream it is a copy, made when all before it on the stream is
        done, to the numpy array @out if there is one. Without, and in system memory, it is the
        memory itself.
        """
        np = _numpy()
        if stream is not None:
            return self._download(np.empty(self.shape, self.dtype) if out is None else out, stream)
        if self.memory.placement != Placement.HOST:
            raise Error(ErrorCode.UNSUPPORTED, "an array in HBM is copied by a stream: "
                        "numpy(stream), or set(data, stream)")
        view = np.ndarray(self.shape, self.dtype, self.memory.buffer, self.offset, self.strides)
        if out is None:
            return view
        self._check_like(out)
        out[...] = view
        return out

    def _download(self, out, stream):
        self._check_like(out)
        if not out.flags.writeable:
            raise ValueError("the data are read-only")
        if not nests(out.shape, out.strides, out.itemsize):
            out[...] = self.numpy(stream)
            return out
        row, [(rows, pitch, host_pitch)], starts = self._boxes(2, out.strides)
        for offset, host_offset in starts:
            stream._check(lib.download_2d(
                stream.pointer, out.ctypes.data + host_offset, host_pitch, self.memory.pointer,
                self.offset + offset, pitch, row, rows))
        return out

    def fill(self, value, stream=None):
        """Makes all elements a value: by @stream, or at once as set() does."""
        if stream is None:
            self.numpy()[...] = value
            return
        pattern = int.from_bytes(_numpy().array(value, self.dtype).tobytes(), "little")
        row, [(rows, pitch)], starts = self._boxes(2)
        for offset, in starts:
            stream._check(lib.fill_2d_async(
                stream.pointer, self.memory.pointer, self.offset + offset, pitch, pattern,
                self.dtype.itemsize, row, rows))
        stream._keep(self.memory)

    def __array__(self, dtype=None, copy=None):
        """For numpy.asarray() and numpy's functions."""
        np = _numpy()
        return (np.array if copy else np.asarray)(self.numpy(), dtype)

    def __dlpack_device__(self):
        return _dlpack.CPU, 0

    def __dlpack__(self, stream=None):
        """For other libraries, without a copy; only for arrays in system memory."""
        if self.memory.placement != Placement.HOST:
            raise BufferError("DLPack: the array is not in system memory")
        return _dlpack.export(self)

    def __repr__(self):
        return f"<npurt.Array {self.shape} {self.dtype} in {self.memory.placement.name}>"


def region(array):
    """Memory and offset of an array that the device takes as one piece."""
    if not array.is_contiguous:
        raise Error(ErrorCode.INVALID, f"an array of shape {array.shape} with strides "
                    f"{array.strides} is not in one piece")
    return array.memory.pointer, array.offset


def element_type(array):
    """enum npurt_dtype."""
    if array.dtype.name not in DTYPES:
        raise Error(ErrorCode.INVALID, f"NPUs do not add up {array.dtype}")
    return DTYPES[array.dtype.name]


def reduction(dst, src):
    """Arguments of a reduction but for the operation."""
    dst._check_like(src)
    return *region(dst), *region(src), dst.size, element_type(dst)


def copies(dst, src):
    """The boxes of a copy from array to array, npurt_copy each."""
    dst._check_like(src)
    row, [(rows, dst_pitch, src_pitch), (slices, dst_slice, src_slice)], starts = \
        dst._boxes(3, src.strides)
    return [copy(dst=dst.memory.pointer, src=src.memory.pointer, dst_offset=dst.offset + dst_start,
                 src_offset=src.offset + src_start, row_bytes=row, rows=rows, slices=slices,
                 dst_pitch=dst_pitch, src_pitch=src_pitch, dst_slice_pitch=dst_slice,
                 src_slice_pitch=src_slice) for dst_start, src_start in starts]
