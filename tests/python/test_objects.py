# SPDX-License-Identifier: MIT
"""Devices, memory, streams, events and modules, and when they come to an end."""

import concurrent.futures
import contextlib
import ctypes
import gc
import os
import struct
import threading
import unittest
import weakref
from unittest import mock

import numpy as np

import npurt
from base import MODULE, OnDevice
from npurt.stream import KEEP_BATCH


class Devices(OnDevice):

    def test_queries(self):
        """a device tells of itself"""
        properties = self.device.properties
        self.assertGreater(properties["cores"], 0)
        self.assertGreater(self.device.memory_info["hbm_size"], 0)
        self.assertTrue(self.device.firmware["version"])
        self.assertGreater(self.device.telemetry["temperature_mc"], 0)
        self.assertGreater(self.device.time()[1], 0)
        with npurt.Device(properties["bus_id"]) as same:
            self.assertEqual(same.properties["node"], properties["node"])

    def test_no_device(self):
        """one that is not there is an error with its name"""
        with self.assertRaises(npurt.Error) as caught:
            npurt.Device(npurt.device_count())
        self.assertEqual(caught.exception.code, npurt.ErrorCode.NO_DEVICE)
        self.assertIn("NPURT_ERROR_NO_DEVICE", str(caught.exception))

    def test_fork(self):
        """a forked child cannot use the handles, and its end harms nothing"""
        child = os.fork()
        if child == 0:
            try:
                self.stream.flush()
            except npurt.Error as error:
                os._exit(0 if error.code == npurt.ErrorCode.FORKED else 1)
            os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.stream.synchronize()

    def test_log(self):
        """what the library has to say goes to a function"""
        said = {npurt.LogLevel.INFO: [], npurt.LogLevel.WARNING: []}
        for log_level, lines in said.items():
            def log(level, text, lines=lines):
                lines.append((level, text))

            with npurt.Device(log=log, log_level=log_level) as device:
                node = device.properties["node"]
        level, text = said[npurt.LogLevel.INFO][0]
        self.assertEqual(level, npurt.LogLevel.INFO)
        self.assertIn(f"opened {node}", text)
        self.assertEqual(said[npurt.LogLevel.WARNING], [])

    def test_hang(self):
        """a report of what the streams are at"""
        label = 'a "stream"'
        with self.context.stream(label=label, auto_flush=False) as lazy:
            memory = self.host(64)
            lazy.fill(memory, 1)
            seen = {each["label"]: each for each in self.device.hang_report()}
            self.assertEqual(seen[""]["activity"], "idle")
            self.assertEqual(seen[label]["batched"], 1)
            self.assertIn("1 commands were not flushed", self.device.hang_text())
            lazy.synchronize()


class MemoryObjects(OnDevice):

    def test_buffer(self):
        """the bytes of system memory can be read and written in place"""
        memory = self.host(4096, label="bytes")
        memory.buffer[7] = 9
        self.stream.fill(memory, 0x5a, offset=8)
        self.stream.synchronize()
        self.assertEqual(bytes(memory.buffer[6:10]), b"\0\x09\x5a\x5a")

    def test_copies(self):
        """copies by the device, in two steps through HBM"""
        first, hbm, last = self.host(4096), self.context.memory(4096), self.host(4096)
        first.buffer[:] = bytes(range(256)) * 16
        self.stream.copy(hbm, first)
        self.stream.copy(last, hbm, 4000, dst_offset=96)
        self.stream.synchronize()
        self.assertEqual(bytes(last.buffer), bytes(96) + bytes(first.buffer)[:4000])

    def test_range(self):
        """the library's words are in the exception"""
        memory = self.context.memory(4096, label="small one")
        with self.assertRaises(npurt.Error) as caught:
            self.stream.fill(memory, 0, size=4097)
        self.assertEqual(caught.exception.code, npurt.ErrorCode.RANGE)
        self.assertIn("'small one'", str(caught.exception))

    def test_out_of_memory(self):
        """no room is a MemoryError"""
        with self.assertRaises(MemoryError) as caught:
            self.context.memory(1 << 45)
        self.assertEqual(caught.exception.code, npurt.ErrorCode.DEVICE_MEMORY)
        self.assertEqual(caught.exception.scope, npurt.Scope.CALL)

    def test_advice(self):
        """contents may be dropped while nobody wants them, and then it says so"""
        array = self.context.array(np.full(1000, 5, "u1"), self.stream)
        self.stream.synchronize()
        self.assertTrue(array.memory.advise(npurt.Advice.EVICT_FIRST))
        array.memory.advise(npurt.Advice.DONTNEED)
        kept = array.memory.advise(npurt.Advice.WILLNEED)
        self.assertEqual(set(array.numpy(self.stream)), {5 if kept else 0})
        with self.assertRaises(npurt.Error) as caught:
            array.memory.advise(99)
        self.assertEqual(caught.exception.code, npurt.ErrorCode.INVALID)
        with self.assertRaises(npurt.Error) as caught:
            self.context.memory(64, priority=npurt.Priority.REALTIME)
        self.assertIn("priority", str(caught.exception))
        self.context.memory(64, priority=npurt.Priority.LOW, tag="cache")

    def test_prefetch(self):
        """a hint changes nothing, and does not reach out of the memory"""
        array = self.context.array(np.arange(5000, dtype="u4"), self.stream)
        array.memory.prefetch()
        array.memory.prefetch(4096, 100)
        np.testing.assert_array_equal(array.numpy(self.stream), np.arange(5000))
        with self.assertRaises(npurt.Error) as caught:
            array.memory.prefetch(20000, 1)
        self.assertEqual(caught.exception.code, npurt.ErrorCode.RANGE)

    def test_dropped_in_flight(self):
        """memory that nobody refers to lives until the commands that use it are done"""
        last = self.host(4096)
        for i in range(500):
            scratch = self.context.memory(4096)
            self.stream.fill(scratch, i & 0xff)
            self.stream.copy(last, scratch)
            del scratch
        self.stream.synchronize()
        self.assertEqual(set(last.buffer), {499 & 0xff})
        used = self.device.memory_info["hbm_used"]
        del last
        gc.collect()
        self.assertLessEqual(self.device.memory_info["hbm_used"], used)

    def test_order_of_ends(self):
        """everything can be closed in any order, and a view outlives it all"""
        memory = self.host(4096)
        view = np.frombuffer(memory.buffer, np.uint8)
        self.stream.fill(memory, 3)
        self.stream.synchronize()
        self.device.close()
        self.context.close()
        memory.close()
        self.stream.close()
        self.assertEqual(view.sum(), 3 * 4096)
        with self.assertRaises(npurt.Error):
            memory.buffer
        memory.close()


    def test_cycle(self):
        """objects in a cycle of Python's are destroyed in their order"""
        cycle = {"context": self.device.context()}
        cycle["memory"] = cycle["context"].memory(4096)
        cycle["graph"] = cycle["context"].graph()
        cycle["graph"].host_function(lambda error, cycle=cycle: cycle)
        cycle["graph"].fill(cycle["memory"], 1)
        cycle["step"] = cycle["graph"].instantiate()
        kept, cycle = [cycle], None
        ends = self.ends(kept)
        self.assertEqual(len(ends), 4)
        self.assertEqual(ends[-1], "npurt_context_destroy")

    def test_cycle_in_flight(self):
        """a stream with work is destroyed before the memory that the work uses"""
        cycle = {"context": self.device.context()}
        cycle["memory"] = cycle["context"].memory(4096)
        cycle["stream"] = cycle["context"].stream()
        cycle["cycle"] = cycle
        cycle["stream"].wait_value(cycle["memory"], 1)
        cycle["stream"].flush()
        kept, cycle = [cycle], None
        self.assertEqual(self.ends(kept), ["npurt_stream_destroy", "npurt_memory_destroy",
                                            "npurt_context_destroy"])

    def ends(self, kept):
        """What is destroyed when a list, which has the last reference to it, is cleared."""
        names = []
        with self.device.trace(lambda record: names.append(record["name"]), npurt.TraceKind.CALL):
            kept.clear()
            gc.collect()
        return [name for name in names if name.endswith("_destroy")]


class Threads(OnDevice):
    """What one thread puts on a stream while another one is in a call with it."""

    def setUp(self):
        super().setUp()
        self.words = self.host(24)
        self.lazy = self.context.stream(auto_flush=False)

    def tearDown(self):
        self.words.buffer[0] = self.words.buffer[8] = 1
        self.lazy.close()
        super().tearDown()

    def use(self):
        """Work behind a gate, the second word; gives what keeps the memory that only it uses."""
        scratch = self.context.memory(4096)
        self.lazy.write_value(self.words, 1, offset=16)
        self.lazy.wait_value(self.words, 1, offset=8, timeout=60)
        self.lazy.fill(scratch, 7)
        self.lazy.flush()
        return weakref.ref(scratch._handle)

    def pass_gate(self, kept):
        self.assertIsNotNone(kept())
        self.words.buffer[8] = 1
        self.lazy.synchronize()
        self.assertIsNone(kept())

    def test_synchronize(self):
        """a wait lets go of what was there when it began, and of no more"""
        self.lazy.wait_value(self.words, 1, timeout=60)
        with concurrent.futures.ThreadPoolExecutor(1) as waiter:
            waited = waiter.submit(self.lazy.synchronize)
            while self.lazy.info["batched"]:
                pass
            kept = self.use()
            self.words.buffer[0] = 1
            waited.result()
        self.pass_gate(kept)

    @contextlib.contextmanager
    def beside(self, name):
        """When that function of the library returns another thread uses memory, once."""
        function, kept = getattr(npurt.lib, name), []

        def call(*arguments):
            setattr(npurt.lib, name, function)
            code = function(*arguments)
            with concurrent.futures.ThreadPoolExecutor(1) as other:
                kept.append(other.submit(self.use).result())
            return code

        with mock.patch.object(npurt.lib, name, call):
            yield kept

    def test_done(self):
        """done() lets go of what was done when it asked"""
        self.lazy.fill(self.words, 0)
        self.lazy.synchronize()
        with self.beside("stream_query") as kept:
            self.assertTrue(self.lazy.done())
        self.assertFalse(self.lazy.done())
        self.pass_gate(*kept)

    def test_reset(self):
        """reset() lets go of what it ends"""
        self.lazy.fill(self.words, 0)
        self.lazy.abort()
        with self.beside("stream_reset") as kept:
            self.lazy.reset()
        self.pass_gate(*kept)

    def test_batches(self):
        """what is kept until an event was on the stream before it"""
        with self.beside("event_record") as kept:
            while not kept:
                self.lazy.fill(self.words, 0, size=8)
        while not self.words.buffer[16]:
            pass
        # What has an event that has happened goes, the next time.
        for _ in range(KEEP_BATCH):
            self.lazy.fill(self.words, 0, size=8)
        self.pass_gate(*kept)

    def test_not_done(self):
        """a wait that is too long, and an answer of no, let go of nothing"""
        kept = self.use()
        self.assertFalse(self.lazy.done())
        with self.assertRaises(npurt.TimedOut):
            self.lazy.synchronize(0)
        self.lazy.reset()
        self.pass_gate(kept)


class Streams(OnDevice):

    def test_values(self):
        """a stream waits for a value that another one writes"""
        words, other = self.host(16), self.context.stream()
        self.stream.wait_value(words, 5, condition=npurt.Condition.EQ, timeout=20)
        self.stream.write_value(words, 6, offset=8)
        self.stream.flush()
        self.assertFalse(self.stream.done())
        other.write_value(words, 5)
        other.synchronize()
        self.stream.synchronize()
        self.assertEqual(words.buffer[8], 6)

    def test_recover(self):
        """a context tells what has failed, and works again"""
        words = self.host(8)
        self.assertEqual(self.context.status["error"], 0)
        self.stream.abort()
        status = self.context.status
        self.assertEqual((status["error"], status["failed_streams"]),
                         (npurt.ErrorCode.CANCELED, 1))
        self.assertIn("aborted", status["message"])
        self.assertEqual(self.context.recover(), [])
        self.stream.fill(words, 7, 8)
        self.stream.synchronize()
        self.assertEqual(words.buffer[0], 7)

    def test_host_function(self):
        """a function of Python's is called in order, with the error of what came before"""
        words, seen = self.host(8), []
        self.stream.fill(words, 7, 8)
        self.stream.host_function(lambda error: seen.append((words.buffer[0], error)))
        self.stream.fill(words, 8, 8)
        self.stream.synchronize()
        self.assertEqual(seen, [(7, 0)])
        self.assertEqual(words.buffer[0], 8)
        self.stream.wait_value(words, 99, condition=npurt.Condition.EQ, timeout=60)
        self.stream.host_function(seen.append)
        self.stream.abort()
        self.stream.close()
        self.assertEqual(seen[1:], [npurt.ErrorCode.CANCELED])

    def test_last_in_host_function(self):
        """a stream that a host function was the last to refer to is destroyed all the same"""
        def fail():
            raise ValueError("of a host function")

        for end in (lambda: None, fail):
            go, raised = threading.Event(), []
            self.start_host_function(go, end)
            # Host functions of a device are called one after the other.
            self.stream.host_function(lambda error: None)
            self.stream.flush()
            self.assertEqual(self.context.status["streams"], 2)
            with mock.patch("sys.unraisablehook", lambda found: raised.append(found.exc_type)):
                go.set()
                self.stream.synchronize()
            self.assertEqual(self.context.status["streams"], 1)
            self.assertEqual(raised, [ValueError] if end is fail else [])

    def start_host_function(self, go, end):
        stream = self.context.stream()

        def wait(error, stream=stream):
            go.wait(60)
            end()

        stream.host_function(wait)
        stream.flush()

    def test_abort(self):
        """an aborted stream says so, and works again after a reset"""
        words = self.host(16)
        with self.context.stream(depth=3, label="shallow") as stream:
            for _ in range(3):
                stream.wait_value(words, 1, timeout=60)
            self.assertEqual(stream.info["depth_used"], 3)
            with self.assertRaises(npurt.Error) as caught:
                stream.fill(words, 1)
            self.assertEqual(caught.exception.code, npurt.ErrorCode.LIMIT)
            stream.abort()
            with self.assertRaises(npurt.StreamError) as caught:
                stream.synchronize()
            self.assertEqual(caught.exception.code, npurt.ErrorCode.CANCELED)
            self.assertIn("shallow", caught.exception.fault.message.decode())
            stream.reset()
            stream.fill(words, 1)
            stream.synchronize()
        self.assertEqual(words.buffer[15], 1)

    def test_events(self):
        """events order streams, and have times"""
        other = self.context.stream(label="other")
        memory = self.host(8)
        self.stream.fill(memory, 1, 8)
        start = self.stream.record()
        other.wait_event(start)
        other.fill(memory, 2, 8)
        end = other.record()
        end.wait(10)
        self.assertTrue(start.done())
        self.assertGreaterEqual(end.elapsed_ns(start), 0)
        self.assertEqual(end.time_ns - start.time_ns, end.elapsed_ns(start))
        self.assertEqual(memory.buffer[0], 2)

    def test_done(self):
        """done() turns true without a wait"""
        memory = self.host(4096)
        self.stream.fill(memory, 1)
        while not self.stream.done():
            pass
        self.assertEqual(memory.buffer[4095], 1)

    def test_fault(self):
        """a stream that fails raises with the fault, each time"""
        lazy = self.context.stream(auto_flush=False, label="doomed")
        victim = self.context.memory(4096, label="victim")
        npurt.lib.fill_async(lazy.pointer, victim.pointer, 0, 0, 1, 4096)
        victim.close()
        for _ in range(2):
            with self.assertRaises(npurt.StreamError) as caught:
                lazy.synchronize()
        self.assertEqual(caught.exception.code, npurt.ErrorCode.STREAM_FAULT)
        self.assertIn("victim", str(caught.exception))
        self.assertEqual(caught.exception.fault.sequence, 1)
        self.assertIn(b"victim", lazy.fault.message)
        self.assertEqual(caught.exception.scope, npurt.Scope.STREAM)
        self.assertEqual(lazy.fault.command, npurt.Command.FILL)
        self.assertIsNone(self.stream.fault)

    def test_attributes(self):
        """what the library refuses is an exception"""
        with self.assertRaises(npurt.Error) as caught:
            self.context.stream(priority=7)
        self.assertIn("priority is 7", str(caught.exception))


class StoreArgs(ctypes.Structure):
    _fields_ = [("address", ctypes.c_uint64)]


class Modules(OnDevice):

    def test_kernels(self):
        """kernels by name, from a file and from bytes"""
        module = self.context.module(MODULE)
        self.assertIn("store", list(module))
        self.assertEqual(len(list(module)), len(module))
        with open(MODULE, "rb") as f:
            self.assertEqual(list(self.context.module(f.read())), list(module))
        with self.assertRaises(npurt.Error) as caught:
            module["no such"]
        self.assertIn("'no such'", str(caught.exception))

    def test_launch(self):
        """a launch with a ctypes structure"""
        word = self.host(4096)
        kernel = self.context.module(MODULE)["store"]
        kernel.launch(self.stream, 1, StoreArgs(word.address), keep=[word], label="the store")
        self.stream.synchronize()
        if not self.is_null:
            self.assertEqual(word.buffer[0], 1)

    def test_site(self):
        """a kernel that fails is told with the line of the program that launched it"""
        store, word = self.context.module(MODULE)["store"], self.host(4096)
        graph = self.context.graph()
        for launch in (
                lambda args: store(self.stream, 1, **args),
                lambda args: store.launch(self.stream, 1, args),
                lambda args: graph.kernel(store, 1, args) and
                graph.instantiate().launch(self.stream)):
            launch({"address": word.address + 4096 + 8})
            if self.is_null:
                self.stream.synchronize()
                continue
            with self.assertRaises(npurt.StreamError) as caught:
                self.stream.synchronize()
            line = launch.__code__.co_firstlineno
            self.assertIn(f"test_objects.py:{line}", caught.exception.fault.site.decode())
            self.assertIn(f"test_objects.py:{line}", str(caught.exception))
            self.stream.reset()

    def assert_found(self, context, launch):
        """Strict mode finds that the kernel's pipes meet without a flag."""
        with context.stream() as stream:
            launch(stream)
            if self.is_null:
                stream.synchronize()
                return
            with self.assertRaisesRegex(npurt.StreamError, "without a flag from MTE2 to V"):
                stream.synchronize()

    def test_strict(self):
        """a launch, a node and a context in strict mode"""
        path, wrong = MODULE.replace("rt_kernels", "rt_strict"), 1
        memory = self.context.memory(4096)
        args = {"in": memory, "out": memory.address + 2048, "what": wrong}
        kernel, graph = self.context.module(path)["strict"], self.context.graph()
        kernel.launch(self.stream, 1, args)
        self.stream.synchronize()
        graph.kernel(kernel, 1, args, strict=True)
        self.assert_found(self.context, lambda s: kernel.launch(s, 1, args, strict=True))
        self.assert_found(self.context, graph.instantiate().launch)

    def test_strict_context(self):
        """a context in strict mode, whose new memory is not zero"""
        with self.device.context(strict=True) as context:
            memory = context.memory(4096, npurt.Placement.HOST)
            words = np.frombuffer(memory.buffer, "uint64")
            self.assertTrue(words[0] and (words == words[0]).all())
            words[:] = 0
            args = struct.pack("<QQII", memory.address, memory.address + 2048, 1, 0)
            kernel = context.module(MODULE.replace("rt_kernels", "rt_strict"))["strict"]
            self.assert_found(context, lambda s: kernel.launch(s, 1, args, keep=[memory]))
            del words, memory, kernel

    def test_print(self):
        """what kernels print comes to a function"""
        module = self.context.module(MODULE.replace("rt_kernels", "print_kernels"))
        heard = []
        self.context.on_print(heard.append)
        module["talk"].launch(self.stream, 3, struct.pack("<dfiQ", 1.5, 0.25, -7, 0xab))
        self.stream.synchronize()
        if not self.is_null:
            self.assertEqual({(h["kernel"], h["block"], h["text"]) for h in heard},
                             {("talk", i, "x is 1.5, 0.25, -7, 0xab, " + parity)
                              for i, parity in enumerate(("even", "odd", "even"))})
        self.context.on_print(None)

    def test_arguments(self):
        """a kernel tells its arguments, and is launched with them by name"""
        module = self.context.module(MODULE)
        echo, out = module["echo"], self.context.empty(100, "uint32", npurt.Placement.HOST)
        address, values = echo.arguments
        self.assertEqual((address.name, address.offset, address.size), ("address", 0, 8))
        self.assertTrue(address.is_address and address.writes and not address.reads)
        self.assertEqual((values.name, values.offset, values.count), ("values", 8, 100))
        self.assertFalse(values.is_address)
        echo(self.stream, 1, address=out, values=range(100))
        self.stream.synchronize()
        if not self.is_null:
            np.testing.assert_array_equal(out.numpy(), np.arange(100))
        self.assertEqual(echo.pack({"address": 5, "values": range(100)}),
                         struct.pack("<Q100I", 5, *range(100)))

    def test_wrong_arguments(self):
        """names that are missing or unknown are told, padding may be left out"""
        stamp = self.context.module(MODULE)["stamp"]
        with self.assertRaisesRegex(TypeError, "takes no bases; there is no base, words"):
            stamp(self.stream, 1, bases=3)
        self.assertEqual(stamp.pack({"words": None, "base": 7}), struct.pack("<QII", 0, 7, 0))

    def test_occupancy(self):
        """how a launch fills the cores"""
        kernel = self.context.module(MODULE)["stamp"]
        found = kernel.occupancy(5, max_cores=2)
        self.assertEqual((found["cores"], found["rounds"], found["idle_cores"]), (2, 3, 1))

    def test_wrong_size(self):
        """arguments of a wrong size are refused by the kernel's name"""
        kernel = self.context.module(MODULE)["store"]
        with self.assertRaises(npurt.Error) as caught:
            kernel.launch(self.stream, 1, b"12345")
        self.assertIn("'store'", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
