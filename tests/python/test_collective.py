# SPDX-License-Identifier: MIT
"""Collectives of three ranks, on as many NPUs as there are."""

import unittest

import numpy as np

import npurt

RANKS = 3


class Collectives(unittest.TestCase):

    def setUp(self):
        count = npurt.device_count()
        self.devices = [npurt.Device(i % count) for i in range(RANKS)]
        self.contexts = [device.context() for device in self.devices]
        self.streams = [context.stream() for context in self.contexts]
        self.comms = npurt.Communicator.create(self.contexts, label="three")

    def tearDown(self):
        for objects in (self.comms, self.streams, self.contexts, self.devices):
            for each in objects:
                each.close()

    def ranks(self):
        return zip(self.comms, self.streams, self.contexts)

    def arrays(self, *shape):
        """Of each rank, with other numbers."""
        return [context.array(np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + r,
                              stream)
                for r, (_, stream, context) in enumerate(self.ranks())]

    def test_all_reduce(self):
        """each rank gets the sum of all"""
        arrays = self.arrays(1000)
        for (comm, stream, _), array in zip(self.ranks(), arrays):
            comm.all_reduce(stream, array)
        for stream, array in zip(self.streams, arrays):
            np.testing.assert_array_equal(array.numpy(stream), np.arange(1000) * 3 + 3)

    def test_parts(self):
        """parts of sums, of all, for all"""
        arrays = self.arrays(RANKS, 4)
        host = [np.arange(12).reshape(3, 4) + r for r in range(RANKS)]
        sums = [context.empty(4) for context in self.contexts]
        every = [context.empty((RANKS, 4)) for context in self.contexts]
        for r, (comm, stream, _) in enumerate(self.ranks()):
            comm.reduce_scatter(stream, sums[r], arrays[r])
            comm.all_to_all(stream, arrays[r])
            comm.all_gather(stream, every[r], sums[r])
        for r, stream in enumerate(self.streams):
            np.testing.assert_array_equal(arrays[r].numpy(stream), [h[r] for h in host])
            np.testing.assert_array_equal(every[r].numpy(stream), sum(host))

    def test_transfers(self):
        """an array from one rank to another, and to all"""
        arrays = self.arrays(100)
        self.comms[2].send(self.streams[2], arrays[2], 0)
        self.comms[0].receive(self.streams[0], arrays[0], 2)
        for comm, stream, array in zip(self.comms, self.streams, arrays):
            comm.broadcast(stream, array, 0)
        np.testing.assert_array_equal(arrays[1].numpy(self.streams[1]), np.arange(100) + 2)
        self.assertTrue(self.comms[1].done())

    def test_abort(self):
        """an abort is an exception with the rank, of all that have not ended"""
        array = self.arrays(10)[0]
        self.comms[0].all_reduce(self.streams[0], array)
        self.assertFalse(self.comms[0].done())
        self.comms[1].abort()
        with self.assertRaisesRegex(npurt.StreamError, "three: rank 1 aborted it") as caught:
            self.streams[0].synchronize()
        self.assertEqual(caught.exception.code, npurt.ErrorCode.COLLECTIVE)
        self.assertIsNotNone(caught.exception.fault)


if __name__ == "__main__":
    unittest.main()
