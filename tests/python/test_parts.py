# SPDX-License-Identifier: MIT
"""Parts of arrays: in and out, from one to another, filled and reduced."""

import unittest

import numpy as np

import npurt
from base import MODULE, OnDevice

# Of an array of shape (4, 5, 6, 7): with and without gaps in each of the axes, and nothing.
PARTS = (np.s_[...], np.s_[1:3], np.s_[2], np.s_[:, 1:4], np.s_[..., 2:6], np.s_[:, :, :, 3],
         np.s_[1:4, 2, ::2], np.s_[::3, 1:5:2, 3:, ::3], np.s_[-1, ..., -2:], np.s_[2, 3, 4, 5],
         np.s_[:, 3:3], np.s_[1:3, 3:3, ::2, 1:3], np.s_[:, 1:5:2, 1:3, 2:6])


class Parts(OnDevice):

    def both(self, dtype="float32", **attributes):
        """Numbers, and an array of the same."""
        data = (np.arange(4 * 5 * 6 * 7) % 251).reshape(4, 5, 6, 7).astype(dtype)
        return data, self.context.array(data, self.stream, **attributes)

    def test_shapes(self):
        """an index selects what numpy's does, in place and by copies out"""
        data, array = self.both()
        _, host = self.both(placement=npurt.Placement.HOST)
        self.stream.synchronize()
        for part in PARTS:
            np.testing.assert_array_equal(array[part].numpy(self.stream), data[part])
            np.testing.assert_array_equal(host[part].numpy(), data[part])
            self.assertEqual(array[part].is_contiguous, data[part].flags.c_contiguous)
        self.assertEqual(array[1][2:, 3].address, array.address + data[1, 2, 3, 0:].ctypes.data
                         - data.ctypes.data)
        self.assertEqual([row.shape for row in array], [(5, 6, 7)] * 4)

    def test_empty(self):
        """a part without elements may begin anywhere, in an array that has none, too"""
        for shape, parts in (((2, 3), (np.s_[2:], np.s_[2:, 1:], np.s_[2:, 2], np.s_[9:, 9:],
                                       np.s_[1, 3:], np.s_[2::2, 1:])),
                             ((0, 3), (np.s_[...], np.s_[:, 1:], np.s_[:, 2], np.s_[5:, 3:])),
                             ((3, 0), (np.s_[2], np.s_[1:], np.s_[2:, 4:]))):
            data = np.zeros(shape, "f4")
            for placement in npurt.Placement:
                array = self.context.array(data, self.stream, placement)
                for part in parts:
                    got, want = array[part], data[part]
                    self.assertEqual(got.shape, want.shape)
                    np.testing.assert_array_equal(got.numpy(self.stream), want)
                    self.assertEqual(got[..., :].shape, want.shape)
                    got.set(want, self.stream)
                    got.fill(1, self.stream)
        self.stream.synchronize()
        with self.assertRaises(IndexError):
            self.context.empty((0, 3))[0]

    def test_wrong_index(self):
        """an index that numpy would not take, or that steps back, is refused"""
        array = self.context.empty((4, 5))
        for index in (4, -5, (0, 0, 0), (..., 0, ...)):
            with self.assertRaises(IndexError):
                array[index]
        with self.assertRaises(TypeError):
            array["x"]
        with self.assertRaisesRegex(npurt.Error, "not in C order"):
            array[::-1]

    def test_pitch(self):
        """rows with a pitch, of memory that is there already"""
        memory = self.host(64)
        memory.buffer[:] = bytes(range(64))
        rows = npurt.Array(memory, (3, 4), "uint8", 2, strides=(16, 1))
        np.testing.assert_array_equal(
            rows.numpy(self.stream), np.arange(64, dtype="u1").reshape(4, 16)[:3, 2:6])
        for strides in ((3, 1), (16, 0), (16,)):
            with self.assertRaisesRegex(npurt.Error, "strides"):
                npurt.Array(memory, (3, 4), "uint8", 0, strides)
        with self.assertRaisesRegex(npurt.Error, "leaves memory"):
            npurt.Array(memory, (5, 4), "uint8", 0, (16, 1))

    def test_upload(self):
        """a part gets what a numpy array has, whatever the strides of that; nothing else does"""
        random = np.random.default_rng(1)
        for part in PARTS:
            data, array = self.both("int16")
            shape = data[part].shape
            for source in (random.integers(0, 99, shape, "i2"),
                           random.integers(0, 99, (*shape, 3), "i2")[..., 1],
                           random.integers(0, 99, shape[::-1], "i2").T,
                           np.flip(random.integers(0, 99, shape, "i2")),
                           np.broadcast_to(np.int16(5), shape)):
                array[part].set(source, self.stream)
                data[part] = source
                np.testing.assert_array_equal(array.numpy(self.stream), data)

    def test_download(self):
        """a part goes to a numpy array that is there, with strides, transposed, backwards"""
        data, array = self.both()
        for part in PARTS:
            shape = data[part].shape
            for out in (np.zeros(shape, "f4"), np.zeros((*shape, 3), "f4")[..., 1],
                        np.zeros(shape[::-1], "f4").T,
                        np.zeros(shape, "f4")[(..., *[np.s_[::-1]] * len(shape))]):
                self.assertIs(array[part].numpy(self.stream, out), out)
                np.testing.assert_array_equal(out, data[part])
        calls = []
        with self.device.trace(lambda record: calls.append(record["name"]), npurt.TraceKind.CALL):
            array.numpy(self.stream, np.zeros((7, 6, 5, 4), "f4").T)
        self.assertEqual(calls.count("npurt_download_2d"), 1)
        out = np.zeros((4, 5, 6, 7), "f4")
        out.flags.writeable = False
        with self.assertRaisesRegex(ValueError, "read-only"):
            array.numpy(self.stream, out)
        with self.assertRaisesRegex(npurt.Error, "shape"):
            array[0].numpy(self.stream, np.zeros((5, 6), "f4"))
        with self.assertRaisesRegex(npurt.Error, "float64"):
            array[0].numpy(self.stream, np.zeros((5, 6, 7)))

    def test_copy(self):
        """from part to part, each of its own array"""
        data, array = self.both()
        for part in PARTS:
            want, target = np.zeros((2, 4, 5, 6, 7), "f4"), self.context.empty((2, 4, 5, 6, 7))
            target[(1, *part) if isinstance(part, tuple) else (1, part)].set(
                array[part], self.stream)
            want[1][part] = data[part]
            np.testing.assert_array_equal(target.numpy(self.stream), want)
        with self.assertRaisesRegex(npurt.Error, "shape"):
            array[0].set(array[1, :4], self.stream)
        with self.assertRaisesRegex(npurt.Error, "float64"):
            self.context.empty(7, "float64").set(array[0, 0, 0], self.stream)

    def test_batch(self):
        """many copies by one call, all or none of them"""
        data, array = self.both()
        parts = [self.context.empty((5, 3, 7)) for _ in range(4)]
        self.stream.copy_arrays((part, array[i, :, 1:6:2]) for i, part in enumerate(parts))
        for i, part in enumerate(parts):
            np.testing.assert_array_equal(part.numpy(self.stream), data[i, :, 1:6:2])
        self.stream.copy_arrays([])
        with self.assertRaisesRegex(npurt.Error, r"copies\[1\]: .*overlap"):
            self.stream.copy_arrays([(array[0], array[1]), (array[2, :, :5], array[2, :, 1:])])
        np.testing.assert_array_equal(array.numpy(self.stream), data)

    def test_box(self):
        """a box of bytes from memory to memory, with pitches"""
        src, dst = self.host(4096), self.host(4096)
        src.buffer[:] = bytes(i * 7 % 256 for i in range(4096))
        self.stream.copy_box(dst, src, 3, 4, 5, dst_offset=1, src_offset=2, dst_pitch=10,
                             src_pitch=11, dst_slice_pitch=100, src_slice_pitch=120)
        self.stream.synchronize()
        want = bytearray(4096)
        for s in range(5):
            for r in range(4):
                to, at = 1 + 100 * s + 10 * r, 2 + 120 * s + 11 * r
                want[to:to + 3] = src.buffer[at:at + 3]
        self.assertEqual(bytes(dst.buffer), want)
        with self.assertRaises(npurt.Error) as caught:
            self.stream.copy_box(dst, src, 100, 42, dst_pitch=100, src_pitch=100)
        self.assertEqual(caught.exception.code, npurt.ErrorCode.RANGE)

    def test_fill(self):
        """a part is filled with a value of its type"""
        for dtype, value in (("float32", 1.5), ("int16", -3), ("uint8", 200), ("int64", -1 << 40)):
            for part in PARTS:
                data, array = self.both(dtype)
                array[part].fill(value, self.stream)
                data[part] = value
                np.testing.assert_array_equal(array.numpy(self.stream), data)
        host = self.context.empty(4, placement=npurt.Placement.HOST)
        host[1:3].fill(2)
        self.assertEqual(list(host.numpy()), [0, 2, 2, 0])
        with self.assertRaisesRegex(npurt.Error, "16 bytes"):
            self.context.empty(3, "complex128").fill(1, self.stream)

    def test_reduce(self):
        """sums, minima and maxima of two arrays"""
        data, array = self.both("int32")
        for op, numpys in ((npurt.Reduce.ADD, np.add), (npurt.Reduce.MIN, np.minimum),
                           (npurt.Reduce.MAX, np.maximum)):
            target = self.context.array(np.full(data.shape, 77, "i4"), self.stream)
            self.stream.reduce(target, array, op)
            np.testing.assert_array_equal(target.numpy(self.stream), numpys(data, 77))
        target = self.context.array(np.float16([1, 2, 3, 4]), self.stream)
        self.stream.reduce(target[:2], target[2:])
        self.assertEqual(list(target.numpy(self.stream)), [4, 6, 3, 4])
        for wrong, reason in (((array[:, 0], array[:, 1]), "not in one piece"),
                              ((array[0], array[:3]), "shape"),
                              ((self.context.empty(3, "f8"),) * 2, "do not add up float64")):
            with self.assertRaisesRegex(npurt.Error, reason):
                self.stream.reduce(*wrong)

    def test_array(self):
        """an array of arrays: the device copies; numpy's functions take those in system memory"""
        data, array = self.both()
        copy = self.context.array(array[:, 2], self.stream, tag="copies")
        np.testing.assert_array_equal(copy.numpy(self.stream), data[:, 2])
        host = self.context.array(copy, self.stream, npurt.Placement.HOST)
        self.stream.synchronize()
        self.assertEqual(np.sum(host), data[:, 2].sum())
        np.asarray(host)[0] = 0
        self.assertEqual(host.numpy()[0].sum(), 0)
        host.set(data[:, 1])
        np.testing.assert_array_equal(np.from_dlpack(host[:, 1:3, ::2]), data[:, 1, 1:3, ::2])
        with self.assertRaises(npurt.Error) as caught:
            np.sum(array)
        self.assertEqual(caught.exception.code, npurt.ErrorCode.UNSUPPORTED)

    def test_kernel(self):
        """a kernel starts from a part"""
        words = self.context.empty((2, 8), "uint32", npurt.Placement.HOST)
        self.context.module(MODULE)["stamp"](self.stream, 3, words=words[1, 2:], base=7)
        self.stream.synchronize()
        if not self.is_null:
            np.testing.assert_array_equal(words.numpy(), [[0] * 8, [0, 0, 7, 8, 9, 0, 0, 0]])

    def test_captured(self):
        """copies of parts in a graph"""
        data, array = self.both()
        target = self.context.empty((4, 5, 7))
        with self.stream.capture() as graph:
            self.assertTrue(self.stream.capturing)
            target.set(array[:, :, 3], self.stream)
            target[0].fill(9, self.stream)
            self.stream.reduce(target[1:2], target[2:3])
            target[3, 1:3].set(data[2, 1:3, 0], self.stream)
        self.assertFalse(self.stream.capturing)
        self.assertFalse(target.numpy(self.stream).any())
        graph.instantiate().launch(self.stream)
        want = data[:, :, 3].copy()
        want[0], want[1], want[3, 1:3] = 9, want[1] + want[2], data[2, 1:3, 0]
        np.testing.assert_array_equal(target.numpy(self.stream), want)


if __name__ == "__main__":
    unittest.main()
