# SPDX-License-Identifier: MIT
"""Graphs: captured and built, launched, updated and written out."""

import gc
import struct
import unittest
import weakref

import numpy as np

import npurt
from base import MODULE, OnDevice


def word(memory, offset=0):
    return struct.unpack_from("<Q", memory.buffer, offset)[0]


class Graphs(OnDevice):

    def test_capture(self):
        """what is captured runs when it is launched, each time"""
        memory = self.host(4096)
        with self.stream.capture() as graph:
            self.stream.fill(memory, 5)
            self.stream.write_value(memory, 7)
        self.stream.synchronize()
        self.assertEqual(word(memory), 0)
        step = graph.instantiate()
        for _ in range(2):
            memory.buffer[:] = bytes(4096)
            step.launch(self.stream)
            self.stream.synchronize()
            self.assertEqual((word(memory), memory.buffer[4095]), (7, 5))
        self.assertEqual(len(graph.nodes), 2)
        self.assertEqual((step.info["launches"], step.info["streams"]), (2, 0))

    def test_fork_and_join(self):
        """another stream joins by an event and is joined in turn"""
        a, b, other = self.host(4096), self.host(4096), self.context.stream()
        with self.stream.capture() as graph:
            self.stream.fill(a, 1)
            other.wait_event(self.stream.record())
            other.fill(b, 2)
            self.stream.wait_event(other.record())
            self.stream.copy(a, b, 2048)
        graph.instantiate().launch(self.stream)
        self.stream.synchronize()
        self.assertEqual((a.buffer[0], a.buffer[4095], b.buffer[0]), (2, 1, 2))
        other.fill(b, 3)
        other.synchronize()
        self.assertEqual(b.buffer[0], 3)

    def test_lives(self):
        """a launch in flight keeps the executable, that keeps the memory"""
        last = self.host(4096)
        scratch = self.context.memory(4096)
        with self.stream.capture() as graph:
            self.stream.fill(scratch, 9)
            self.stream.copy(last, scratch)
        step = graph.instantiate()
        step.launch(self.stream)
        del scratch, graph, step
        gc.collect()
        self.stream.synchronize()
        self.assertEqual(set(last.buffer), {9})

    def test_failed_capture(self):
        """an exception in the block ends the capture, and the stream works as before"""
        memory = self.host(4096)
        with self.assertRaises(ZeroDivisionError):
            with self.stream.capture():
                self.stream.fill(memory, 1)
                1 // 0
        self.stream.fill(memory, 2)
        self.stream.synchronize()
        self.assertEqual(memory.buffer[0], 2)
        with self.assertRaises(npurt.Error) as caught:
            with self.stream.capture():
                self.stream.synchronize()
        self.assertEqual(caught.exception.code, npurt.ErrorCode.CAPTURE)

    def test_built(self):
        """nodes come after others, a condition and a loop are the device's"""
        memory, flag = self.host(4096), self.host(4096)
        body, rounds = self.context.graph("body"), self.context.graph("rounds")
        body.fill(memory, 3, size=64)
        rounds.fill(memory, 4, size=64, offset=64)
        graph = self.context.graph("whole")
        first = graph.fill(memory, 1)
        middle = graph.conditional(flag, 1, body, after=first)
        loop = graph.loop(rounds, rounds=5, memory=flag, offset=8, after=[middle])
        graph.write(memory, 77, offset=128, after=graph.empty(after=[loop, middle]))
        step = graph.instantiate()
        for value in (0, 1):
            flag.buffer[0] = value
            step.launch(self.stream)
            self.stream.synchronize()
            self.assertEqual(memory.buffer[0], 3 if value else 1)
        self.assertEqual((memory.buffer[64], word(memory, 128), word(flag, 8)), (4, 77, 5))
        self.assertEqual([n.info["num_dependencies"] for n in graph.nodes], [0, 1, 1, 2, 1])

    def test_updates(self):
        """nodes of an executable get new parameters"""
        memory, other = self.host(4096), self.host(4096)
        graph = self.context.graph()
        fill = graph.fill(memory, 1)
        copy = graph.copy(other, memory, after=fill)
        write = graph.write(memory, 5, after=copy)
        wait = graph.wait(memory, 5, condition=npurt.Condition.EQ, after=write)
        step = graph.instantiate()
        step.update_fill(fill, 2)
        step.update_write(write, 6)
        step.update_wait(wait, 6)
        third = self.host(4096)
        step.update_copy(copy, third, memory)
        step.launch(self.stream)
        del third
        self.stream.synchronize()
        self.assertEqual((word(memory), memory.buffer[9], other.buffer[9]), (6, 2, 0))

    def test_reduce(self):
        """a sum in each launch"""
        total = self.context.array(np.zeros(100, "f4"), self.stream)
        terms = self.context.array(np.arange(100, dtype="f4"), self.stream)
        graph = self.context.graph()
        node = graph.reduce(total, terms)
        graph.reduce(total[:50], terms[50:], npurt.Reduce.MAX, after=node)
        self.assertEqual(node.info["command"], npurt.Command.REDUCE)
        step = graph.instantiate()
        step.launch(self.stream)
        step.launch(self.stream)
        want = np.arange(100) * 2
        want[:50] = np.maximum(np.arange(50, 100) + np.arange(50), np.arange(50, 100))
        np.testing.assert_array_equal(total.numpy(self.stream), want)
        step.update_reduce(node, terms, total, npurt.Reduce.MAX)
        step.launch(self.stream)
        np.testing.assert_array_equal(terms.numpy(self.stream), np.maximum(np.arange(100), want))

    def test_host_function(self):
        """functions of Python's, built and captured, are called in each launch and then let go"""
        memory, seen = self.host(8), []
        graph = self.context.graph()
        one = graph.fill(memory, 1)
        function = lambda error: seen.append((memory.buffer[0], error))
        alive = weakref.ref(function)
        graph.fill(memory, 2, after=graph.host_function(function, after=one))
        with self.stream.capture() as captured:
            self.stream.fill(memory, 3)
            self.stream.host_function(function)
        del function
        steps = [graph.instantiate(), captured.instantiate()]
        self.assertEqual([step.info["host_functions"] for step in steps], [1, 1])
        for step in steps * 2:
            step.launch(self.stream)
        del graph, captured, one, step, steps
        self.stream.synchronize()
        self.assertEqual(seen, [(1, 0), (3, 0)] * 2)
        self.assertEqual(memory.buffer[0], 3)
        gc.collect()
        self.assertIsNone(alive())

    def test_upload(self):
        """an upload that was captured gets other data"""
        array = self.context.empty(16, "uint32", npurt.Placement.HOST)
        with self.stream.capture() as graph:
            array.set(np.arange(16), self.stream)
        step = graph.instantiate()
        for first in (0, 100):
            step.update_upload(graph.nodes[0], np.arange(first, first + 16, dtype=np.uint32))
            step.launch(self.stream)
            self.stream.synchronize()
            np.testing.assert_array_equal(array.numpy(), np.arange(first, first + 16))

    def test_kernels(self):
        """a kernel as a node, with other arguments at the next launch"""
        echo = self.context.module(MODULE)["echo"]
        out = self.context.empty(100, "uint32", npurt.Placement.HOST)
        graph = self.context.graph()
        node = graph.kernel(echo, 1, {"address": out, "values": range(100)}, label="the echo")
        self.assertEqual(node.info["label"], "the echo")
        step = graph.instantiate()
        for first in (0, 50):
            step.update_kernel(node, 1, {"address": out, "values": range(first, first + 100)})
            step.launch(self.stream)
            self.stream.synchronize()
            if not self.is_null:
                np.testing.assert_array_equal(out.numpy(), np.arange(first, first + 100))

    def test_written(self):
        """a graph as DOT and as JSON"""
        memory = self.context.memory(4096, label="named")
        graph = self.context.graph("drawn")
        graph.fill(memory, 1, after=graph.empty())
        self.assertIn("digraph", graph.dot())
        self.assertIn("named", graph.dot())
        self.assertEqual(len(graph.json()["nodes"]), 2)


if __name__ == "__main__":
    unittest.main()
