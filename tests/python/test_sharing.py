# SPDX-License-Identifier: MIT
"""Events for others, pools, ranges, and who has the memory."""

import asyncio
import gc
import os
import select
import socket
import time
import unittest

import numpy as np

import npurt
from base import OnDevice


class Gate:
    """A stream waits for it."""

    def __init__(self, context, stream):
        self.word = context.memory(8, npurt.Placement.HOST, "gate")
        stream.wait_value(self.word, 1, timeout=60)

    def open(self):
        self.word.buffer[0] = 1


class Sharing(OnDevice):

    def test_import(self):
        """a stream of another context waits for an imported event"""
        shared = self.context.memory(4096, exportable=True)
        event, gate = self.context.event(), Gate(self.context, self.stream)
        with self.device.context() as context, context.stream() as stream:
            fds = shared.export_fd(), event.export_fd()
            theirs, done = context.import_fd(fds[0]), context.import_event(fds[1], "done")
            copy = context.memory(4096, npurt.Placement.HOST)
            self.assertEqual(done.point, 0)
            with self.assertRaises(npurt.Error) as caught:
                stream.wait_event(done)
            self.assertEqual(caught.exception.code, npurt.ErrorCode.NOT_READY)
            self.stream.fill(shared, 8)
            self.stream.record(event)
            done.wait_recorded(1, 10)
            stream.wait_event(done, 1)
            stream.copy(copy, theirs)
            self.assertFalse(done.done())
            gate.open()
            done.wait_point(1, 10)
            stream.synchronize()
            self.assertEqual((set(copy.buffer), done.point), ({8}, 1))
            with self.assertRaises(npurt.Error) as caught:
                stream.record(done)
            self.assertEqual(caught.exception.code, npurt.ErrorCode.ACCESS)
        for fd in fds:
            os.close(fd)

    def test_peer(self):
        """copies to and from memory of another NPU, or of another context of the one there is"""
        data = np.arange(3000, dtype="u4")
        with npurt.Device(npurt.device_count() - 1) as device, device.context() as context, \
                context.stream() as stream:
            theirs = context.empty(3000, "u4", exportable=True)
            ours = self.context.array(data, self.stream)
            self.stream.copy_peer(theirs.memory, ours.memory)
            self.stream.synchronize()
            np.testing.assert_array_equal(theirs.numpy(stream), data)
            theirs.fill(7, stream)
            stream.synchronize()
            self.stream.copy_peer(ours.memory, theirs.memory, 400, 4, 8)
            data[1:101] = 7
            np.testing.assert_array_equal(ours.numpy(self.stream), data)
            secret = context.empty(3000, "u4", label="secret")
            with self.assertRaisesRegex(npurt.Error, "secret"):
                self.stream.copy_peer(ours.memory, secret.memory)

    def test_process(self):
        """another process gets memory and event over a socket"""
        here, there = socket.socketpair()
        child = os.fork()
        if child == 0:
            os._exit(self.use_theirs(there))
        shared = self.context.memory(4096, exportable=True)
        event = self.context.event()
        fds = [shared.export_fd(), event.export_fd()]
        socket.send_fds(here, [b"x"], fds)
        self.stream.fill(shared, 0x42)
        self.stream.record(event)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        for fd in fds:
            os.close(fd)

    @staticmethod
    def use_theirs(there):
        fds = socket.recv_fds(there, 1, 2)[1]
        with npurt.Device() as device, device.context() as context, context.stream() as stream:
            shared, event = context.import_fd(fds[0]), context.import_event(fds[1])
            event.wait_recorded(1, 30)
            stream.wait_event(event)
            got = bytearray(4096)
            stream.download(got, shared)
        return set(got) != {0x42}

    def test_eventfd(self):
        """an event in poll()"""
        gate = Gate(self.context, self.stream)
        event, fd = self.stream.record(), os.eventfd(0, os.EFD_CLOEXEC)
        event.eventfd(fd)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        self.assertEqual(poll.poll(0), [])
        gate.open()
        self.assertEqual(poll.poll(60000), [(fd, select.POLLIN)])
        self.assertTrue(event.done())
        os.close(fd)

    def test_asyncio(self):
        """coroutines wait for events, and for each other"""
        gate, order = Gate(self.context, self.stream), []

        async def device():
            await self.stream.record().happened()
            order.append("device")

        async def host():
            await asyncio.sleep(0)
            order.append("host")
            gate.open()

        async def both():
            await asyncio.wait_for(asyncio.gather(device(), host()), 60)

        asyncio.run(both())
        self.assertEqual(order, ["host", "device"])

    def test_asyncio_spurious(self):
        """a coroutine waits on if the eventfd is signalled before the event has happened"""
        gate, arms = Gate(self.context, self.stream), []
        event = self.stream.record()
        arm = event.eventfd

        def early(fd):
            arms.append(fd)
            if len(arms) == 3:
                gate.open()
            else:
                os.eventfd_write(fd, 1)
            arm(fd)

        event.eventfd = early
        asyncio.run(asyncio.wait_for(event.happened(), 60))
        self.assertTrue(event.done())
        self.assertEqual(len(arms), 3)

    def test_asyncio_fault(self):
        """a coroutine waits for an event that comes after a fault, of a stream that goes on"""
        words = self.host(16)
        with self.context.stream(auto_flush=False,
                                 failure_mode=npurt.FailureMode.CONTINUE) as stream:

            async def fault():
                while not stream.info["faults"]:
                    await asyncio.sleep(0.001)
                for _ in range(10):
                    await asyncio.sleep(0)
                words.buffer[8] = 1

            async def both():
                await asyncio.wait_for(asyncio.gather(event.happened(), fault()), 60)

            stream.wait_value(words, 1, timeout=0.02)
            stream.flush()
            stream.wait_value(words, 1, offset=8, timeout=60)
            event = stream.record()
            stream.flush()
            asyncio.run(both())
            self.assertTrue(event.done())

    def test_no_time(self):
        """an event that has not happened has no time, and says that"""
        with self.assertRaisesRegex(npurt.Error, "1099511627776"):
            self.host(4096).prefetch(0, 1 << 40)
        start = self.stream.record()
        start.wait(60)
        gate = Gate(self.context, self.stream)
        event = self.stream.record()
        self.stream.flush()
        for ask in (lambda: event.time_ns, lambda: event.monotonic_ns,
                    lambda: event.elapsed_ns(start), lambda: start.elapsed_ns(event)):
            with self.assertRaisesRegex(npurt.Error, "has not happened") as caught:
                ask()
            self.assertEqual(caught.exception.code, npurt.ErrorCode.NOT_READY)
        gate.open()
        event.wait(60)
        self.assertEqual(event.elapsed_ns(start), event.time_ns - start.time_ns)

    def test_monotonic(self):
        """the time of an event beside time.monotonic_ns()"""
        before = time.monotonic_ns()
        event = self.stream.record()
        event.wait(60)
        after = time.monotonic_ns()
        at, error = event.monotonic_ns
        self.assertGreaterEqual(at + error, before)
        self.assertLessEqual(at - error, after)


class Pools(OnDevice):

    def test_order(self):
        """memory that was freed in order is the next one's"""
        last = self.host(4096)
        with self.context.pool(label="scratch", tag="work") as pool:
            for i in range(100):
                scratch = pool.memory(self.stream, 4096)
                self.stream.fill(scratch, i)
                self.stream.copy(last, scratch)
                scratch.free(self.stream)
            self.stream.synchronize()
            self.assertEqual(set(last.buffer), {99})
            info = pool.info
            self.assertEqual(info["reused_in_order"] + info["reused_idle"], 99)
            self.assertEqual((info["allocations"], info["grown"]), (0, 1))
            with self.assertRaises(npurt.Error):
                scratch.address
            pool.trim()
            self.assertEqual(pool.info["reserved_bytes"], 0)

    def test_dropped(self):
        """what is not freed goes back when its commands are done"""
        with self.context.pool() as pool:
            array = pool.empty(self.stream, (8, 8))
            array.set([[1] * 8] * 8, self.stream)
            self.assertEqual(array.numpy(self.stream).sum(), 64)
            del array
            self.stream.synchronize()
            self.assertEqual(pool.info["allocations"], 0)

    def test_refused(self):
        """an error of the pool's memory is told, as of any other"""
        with self.context.pool() as pool:
            scratch = pool.memory(self.stream, 4096, label="scratch")
            with self.assertRaisesRegex(npurt.Error, "scratch"):
                scratch.export_fd()
            with self.assertRaisesRegex(npurt.Error, "scratch"):
                scratch.prefetch(8192, 1)

    def test_report(self):
        """who has the memory, by tag"""
        memory = self.context.memory(1 << 20, tag="weights")
        wrapped = self.context.wrap(np.zeros(1000, "u4"), tag="inputs")
        biases = self.context.empty(1 << 18, tag="weights")
        found = {h["tag"]: h for h in self.context.memory_report()}
        self.assertEqual((found["weights"]["objects"], found["weights"]["hbm_bytes"]), (2, 2 << 20))
        self.assertGreaterEqual(found["inputs"]["foreign_bytes"], 4000)
        for each in memory, wrapped.memory, biases.memory:
            each.close()


class Ranges(OnDevice):

    def test_parts(self):
        """two memory objects side by side in one range"""
        a, b, whole = self.context.memory(4096), self.context.memory(4096), self.host(8192)
        with self.context.reserve(8192, label="both") as both:
            both.map(0, a)
            both.map(4096, b)
            self.stream.fill(both.memory, 6)
            self.stream.copy(whole, both.memory)
            self.stream.synchronize()
            self.assertEqual(set(whole.buffer), {6})
            both.map(0, b, readonly=True)
            both.unmap(4096, 4096)
            self.assertEqual(both.address, both.memory.address)
        self.stream.fill(a, 7)
        self.stream.synchronize()

    def test_refused(self):
        """an error of the range's memory is told, as of any other"""
        with self.context.reserve(8192, label="both") as both:
            with self.assertRaisesRegex(npurt.Error, "both"):
                both.memory.export_fd()
            with self.assertRaisesRegex(npurt.Error, "both"):
                both.memory.buffer

    def test_memory_keeps(self):
        """the memory of a range keeps it"""
        memory, whole = self.context.reserve(4096, sparse=True).memory, self.host(4096)
        whole.buffer[:] = b"\xff" * 4096
        gc.collect()
        self.stream.copy(whole, memory)
        self.stream.synchronize()
        self.assertEqual(set(whole.buffer), {0})

    def test_sparse(self):
        """a sparse range reads as zero where nothing is mapped"""
        whole = self.host(8192)
        whole.buffer[:] = b"\xff" * 8192
        with self.context.reserve(8192, sparse=True) as sparse:
            self.stream.copy(whole, sparse.memory)
            self.stream.synchronize()
        self.assertEqual(set(whole.buffer), {0})


if __name__ == "__main__":
    unittest.main()
