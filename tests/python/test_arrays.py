# SPDX-License-Identifier: MIT
"""Arrays: numpy and DLPack, in and out."""

import gc
import os
import weakref

import numpy as np

import npurt
from base import OnDevice
from npurt import _dlpack


class Arrays(OnDevice):

    def test_round_trip(self):
        """numpy to HBM and back, of several types and shapes"""
        for shape in (1, 1000, (3, 5), (2, 3, 4), ()):
            for dtype in ("float32", "float16", "int32", "uint8", "int64"):
                data = (np.random.default_rng(1).random(shape) * 100).astype(dtype)
                array = self.context.array(data, self.stream)
                self.assertEqual((array.shape, array.dtype), (np.shape(data), data.dtype))
                np.testing.assert_array_equal(array.numpy(self.stream), data)

    def test_not_contiguous(self):
        """data with strides are copied in order"""
        data = np.arange(12).reshape(3, 4).T[::2]
        np.testing.assert_array_equal(
            self.context.array(data, self.stream).numpy(self.stream), data)

    def test_in_place(self):
        """an array in system memory is a numpy array, without a copy"""
        array = self.context.empty((4, 8), "int32", npurt.Placement.HOST)
        view = array.numpy()
        view[2, 3] = 5
        self.assertEqual(array.numpy()[2, 3], 5)
        self.stream.fill(array.memory, 7, 4)
        self.stream.synchronize()
        self.assertTrue((view == 7).all())

    def test_wrap(self):
        """the device reads and writes a numpy array where it is"""
        data = np.zeros(5000, "u4")
        array = self.context.wrap(data)
        hbm = self.context.array(np.arange(5000, dtype="u4"), self.stream)
        self.stream.copy(array.memory, hbm.memory)
        self.stream.synchronize()
        np.testing.assert_array_equal(data, np.arange(5000))
        with self.assertRaises(ValueError):
            self.context.wrap(np.zeros((4, 4)).T)

    def test_share(self):
        """memory by file descriptor, in another context"""
        memory = self.context.memory(4096, npurt.Placement.HOST, exportable=True)
        fd = memory.export_fd()
        with self.device.context() as other, other.stream() as stream:
            same = other.import_fd(fd, npurt.Placement.HOST)
            os.close(fd)
            stream.fill(same, 0x77)
            stream.synchronize()
        self.assertEqual(set(memory.buffer), {0x77})

    def test_hbm_by_stream(self):
        """an array in HBM wants a stream"""
        with self.assertRaises(npurt.Error) as caught:
            self.context.empty(4).numpy()
        self.assertEqual(caught.exception.code, npurt.ErrorCode.UNSUPPORTED)

    def test_shape(self):
        """data of another shape, and arrays that leave their memory, are refused"""
        array = self.context.empty((2, 3))
        with self.assertRaises(npurt.Error):
            array.set(np.zeros((3, 2)), self.stream)
        with self.assertRaises(npurt.Error):
            npurt.Array(array.memory, 1000, "float32", 4096)

    def test_buffers(self):
        """upload and download take any buffer"""
        memory = self.context.memory(16)
        self.stream.upload(memory, b"0123456789abcdef")
        out = bytearray(8)
        self.stream.download(out, memory, 4)
        self.assertEqual(out, b"456789ab")
        with self.assertRaises(ValueError):
            self.stream.download(b"constant", memory)

    def test_view_keeps_memory(self):
        """the memory lives as long as a view of it, and no longer"""
        array = self.context.empty(1000, "float32", npurt.Placement.HOST)
        handle = weakref.ref(array.memory._handle)
        view = array.numpy()[10:20]
        del array
        gc.collect()
        self.assertIsNotNone(handle())
        view[:] = 1
        del view
        gc.collect()
        self.assertIsNone(handle())


class DLPack(OnDevice):

    def test_export(self):
        """numpy takes an array in system memory without a copy"""
        array = self.context.array(np.arange(6, dtype="f4").reshape(2, 3),
                                   placement=npurt.Placement.HOST)
        self.assertEqual(array.__dlpack_device__(), (1, 0))
        other = np.from_dlpack(array)
        array.numpy()[1, 2] = 50
        self.assertEqual(other[1, 2], 50)
        self.assertEqual(other.dtype, np.float32)
        del array
        gc.collect()
        self.assertEqual(other[1, 2], 50)
        del other
        gc.collect()
        self.assertEqual(_dlpack._held, {})

    def test_not_taken(self):
        """a capsule that nobody takes lets go of the memory"""
        capsule = self.context.empty(3, placement=npurt.Placement.HOST).__dlpack__()
        self.assertEqual(len(_dlpack._held), 1)
        del capsule
        gc.collect()
        self.assertEqual(_dlpack._held, {})

    def test_import(self):
        """from_dlpack copies another library's tensor"""
        data = np.arange(10, dtype="i8")
        array = self.context.from_dlpack(data, self.stream)
        np.testing.assert_array_equal(array.numpy(self.stream), data)
        again = self.context.from_dlpack(
            self.context.array(data, placement=npurt.Placement.HOST), self.stream)
        np.testing.assert_array_equal(again.numpy(self.stream), data)

    def test_refused(self):
        """HBM and types that DLPack lacks are refused"""
        with self.assertRaises(BufferError):
            self.context.empty(3).__dlpack__()
        with self.assertRaises(BufferError):
            self.context.empty(3, "M8[s]", npurt.Placement.HOST).__dlpack__()
