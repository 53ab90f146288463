# SPDX-License-Identifier: MIT
"""$NPURT_TRACE's file, and subscribers in Python."""

import collections
import gc
import json
import os
import subprocess
import sys
import tempfile
import weakref

import npurt
from base import OnDevice

# What a traced process does; with an argument it ends without closing anything.
PROGRAM = """
import os, sys, npurt
sys.path[:0] = [os.environ["NPU_TESTS"]]
from base import MODULE
device = npurt.Device()
context = device.context()
streams = [context.stream(label=f'row "{i}"') for i in range(2)]
memories = [context.memory(4096, npurt.Placement.HOST, label="words") for stream in streams]
for i in range(50):
    streams[i % 2].fill(memories[i % 2], i)
module = context.module(MODULE)
module["stamp"].launch(streams[0], 3, {"words": memories[0].address, "base": 7}, label="stamps")
for stream in streams:
    stream.synchronize()
if sys.argv[1:]:
    os._exit(0)
"""


class File(OnDevice):

    def trace(self, *arguments, name="trace.json"):
        """The events of the program's file."""
        with tempfile.TemporaryDirectory() as folder:
            env = dict(os.environ, NPURT_TRACE=os.path.join(folder, name),
                       NPU_TESTS=os.path.dirname(__file__), PYTHONPATH=os.pathsep.join(sys.path))
            subprocess.run([sys.executable, "-c", PROGRAM, *arguments], env=env, check=True)
            files = os.listdir(folder)
            self.assertEqual(len(files), 1)
            with open(os.path.join(folder, files[0]), encoding="utf-8") as f:
                return json.load(f)["traceEvents"]

    def test_file(self):
        """has every call and task, in order, each task in the row of its stream"""
        events = self.trace(name="%p.json")
        slices = [e for e in events if e["ph"] == "X"]
        calls = {e["args"]["call"]: e for e in slices if e["cat"] == "call"}
        tasks = [e for e in slices if e["cat"] != "call"]
        count = collections.Counter(e["name"] for e in slices)
        self.assertEqual(count["npurt_fill_async"], 50)
        self.assertEqual(count["fill"], 50)
        self.assertEqual(count["npurt_launch"], 1)
        self.assertEqual(count["npurt_device_open"], 1)
        self.assertEqual(count["npurt_device_close"], 1)
        self.assertTrue(all(e["dur"] >= 0 for e in slices))
        kernel, = [e for e in tasks if e["cat"] == "kernel"]
        self.assertEqual((kernel["name"], kernel["args"]["command"]), ("stamps", "stamp"))
        self.assertEqual((kernel["args"]["blocks"], kernel["args"]["args_bytes"]), (3, 16))
        self.assertTrue(all(e["args"]["bytes"] == 4096 for e in tasks if e["name"] == "fill"))
        rows = collections.defaultdict(list)
        for e in slices:
            rows[e["pid"], e["tid"]].append((round(e["ts"] * 1000), round(e["dur"] * 1000)))
        for row in rows.values():
            row.sort()
            # Times are in us with three digits, which a float rounds.
            self.assertTrue(all(a[0] + a[1] <= b[0] + 64 for a, b in zip(row, row[1:])))
        for task in tasks:
            self.assertIn(task["args"]["call"], calls)
        names = [e["args"]["name"] for e in events if e.get("name") == "thread_name"]
        self.assertEqual(len(names), 2)
        self.assertTrue(all(name.startswith("stream ") and '"' in name for name in names))

    def test_flow(self):
        """has an arrow from each call to its tasks"""
        events = self.trace()
        slices = [e for e in events if e["ph"] == "X"]
        ends = {e["id"]: e for e in events if e["ph"] == "f"}
        starts = [e for e in events if e["ph"] == "s"]
        self.assertEqual(len(starts), 51)

        def at(arrow):
            return [e for e in slices if all(e[key] == arrow[key] for key in ("pid", "tid", "ts"))]

        for start in starts:
            call, = [e for e in at(start) if e["cat"] == "call"]
            self.assertIn(call["name"], ("npurt_fill_async", "npurt_launch"))
            task = at(ends[start["id"]])
            self.assertTrue(any(e["args"]["call"] == call["args"]["call"] for e in task))

    def test_end(self):
        """is JSON even if the process ends in the midst of its work"""
        events = self.trace("end")
        self.assertTrue(any(e.get("name") == "process_name" for e in events))


class Subscribers(OnDevice):

    def test_subscribe(self):
        """a function of Python's gets what it asked for"""
        tasks, calls = [], []
        memory = self.host(4096, label="subject")
        with self.device.trace(tasks.append, npurt.TraceKind.COPY), \
                self.device.trace(calls.append, npurt.TraceKind.CALL):
            self.stream.fill(memory, 1)
            self.stream.synchronize()
        self.stream.fill(memory, 2)
        self.stream.synchronize()
        task, = tasks
        self.assertEqual((task["label"], task["bytes"]), ("subject", 4096))
        self.assertLessEqual(task["begin_ns"], task["end_ns"])
        call, = [c for c in calls if c["name"] == "npurt_fill_async"]
        self.assertEqual(call["call"], task["call"])

    def test_close_in_callback(self):
        """a trace cannot be closed in its own function, and goes on"""
        codes = []

        def close(record):
            try:
                trace.close()
            except npurt.Error as error:
                codes.append(error.code)

        trace = self.device.trace(close, npurt.TraceKind.CALL)
        for _ in range(3):
            self.context.event()
        gc.collect()
        self.assertGreaterEqual(len(codes), 3)
        self.assertEqual(set(codes), {npurt.ErrorCode.BUSY})
        trace.close()
        count = len(codes)
        self.context.event()
        self.assertEqual(len(codes), count)
        trace.close()

    def test_dropped_in_callback(self):
        """a trace that its own function was the last to refer to ends after the call"""
        traces, seen = [], []

        def drop(record):
            if traces:
                seen.append(record["name"])
                traces.clear()
                gc.collect()

        traces.append(self.device.trace(drop, npurt.TraceKind.CALL))
        ended = weakref.ref(traces[0]._handle)
        for _ in range(3):
            self.context.event()
        self.assertEqual(seen, ["npurt_event_create"])
        self.assertIsNone(ended())
