# SPDX-License-Identifier: MIT
"""libnpurt as a guest in a process: forks, copies, its end, and what it does before it is called."""

import _ctypes
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import npurt
from base import MODULE, OnDevice
from npurt import _ffi

PATH = os.environ["NPURT_LIBRARY"]

# Functions that tell of no failure, or not of that of a device.
NO_ERROR = {"version", "strerror", "error_name", "device_count", "device_open",
            "device_open_bus_id", *_ffi.RESULTS}


class Copy:
    """A library of its own, loaded from a file of its own."""

    def __init__(self, folder, name):
        self.path = os.path.join(folder, name)
        shutil.copy(PATH, self.path)
        self.lib = _ffi.Library(self.path)
        self.pointers = [ctypes.c_void_p() for _ in range(4)]

    def open(self):
        device, context, stream, memory = self.pointers
        attr = _ffi.memory_attr(placement=npurt.Placement.HOST)
        return (self.lib.device_open(0, None, ctypes.byref(device)) or
                self.lib.context_create(device, None, ctypes.byref(context)) or
                self.lib.stream_create(context, None, ctypes.byref(stream)) or
                self.lib.memory_create(context, 4096, ctypes.byref(attr), ctypes.byref(memory)))

    def fill(self, value):
        """What is in memory afterwards."""
        stream, memory = self.pointers[2:]
        got = (ctypes.c_ubyte * 4096)()
        if (self.lib.fill_async(stream, memory, 0, value, 1, 4096) or
                self.lib.download(stream, got, memory, 0, 4096)):
            return None
        return set(got)

    def close(self):
        device, context, stream, memory = self.pointers
        return (self.lib.memory_destroy(memory) or self.lib.stream_destroy(stream) or
                self.lib.context_destroy(context) or self.lib.device_close(device))

    def unload(self):
        _ctypes.dlclose(self.lib.handle)

    @property
    def is_mapped(self):
        with open("/proc/self/maps", encoding="utf-8") as f:
            return self.path in f.read()


class Library(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_nothing_before_main(self):
        """there is no constructor, no destructor, and nothing for the end of the program"""
        dump = subprocess.run(["readelf", "-SW", PATH], capture_output=True, text=True,
                              check=True).stdout
        for section in ("init_array", "fini_array"):
            size = int(re.search(rf"\.{section} +\S+ +\S+ +\S+ +(\S+)", dump)[1], 16)
            # The one of the compiler's own start files.
            self.assertEqual(size, ctypes.sizeof(ctypes.c_void_p), section)
        symbols = subprocess.run(["nm", "-D", "--undefined-only", PATH], capture_output=True,
                                 text=True, check=True).stdout
        self.assertNotRegex(symbols, r"\b(atexit|__cxa_atexit|on_exit|pthread_atfork)\b")

    def test_thread_state(self):
        """of a thread's own there is the call that it is in, and no more"""
        dump = subprocess.run(["readelf", "-sW", PATH], capture_output=True, text=True,
                              check=True).stdout
        found = {line.split()[-1] for line in dump.splitlines() if re.search(r"\bTLS\b", line)}
        self.assertEqual(found, {"current", "delivering"})

    def test_unload(self):
        """dlclose() takes all of it away, threads too, and it can come back"""
        threads = len(os.listdir("/proc/self/task"))
        for turn in (1, 2):
            copy = Copy(self.folder.name, "libnpurt-unload.so")
            self.assertEqual(copy.open(), 0)
            self.assertEqual(copy.fill(turn), {turn})
            self.assertEqual(copy.close(), 0)
            self.assertEqual(len(os.listdir("/proc/self/task")), threads)
            self.assertTrue(copy.is_mapped)
            copy.unload()
            self.assertFalse(copy.is_mapped)

    def test_unload_busy(self):
        """dlclose() with everything open, and a host function that is being called"""
        program = (
            "import os, sys, tempfile, threading, test_process\n"
            "from npurt import _ffi\n"
            "copy = test_process.Copy(sys.argv[1], 'libnpurt-busy.so')\n"
            "assert not copy.open()\n"
            "entered, go = threading.Event(), threading.Event()\n"
            "def call(data, error): entered.set(); go.wait()\n"
            "call = _ffi.host_fn(call)\n"
            "assert not copy.lib.stream_host_function(copy.pointers[2], call, None)\n"
            "assert not copy.lib.stream_flush(copy.pointers[2])\n"
            "entered.wait()\n"
            "copy.unload()\n"
            "go.set()\n"
            "assert copy.is_mapped, 'the thread has lost its code'\n"
            "print('alive', flush=True)\n"
            "os._exit(0)\n")
        folders = [os.path.dirname(os.path.dirname(_ffi.__file__)), os.path.dirname(__file__)]
        done = subprocess.run([sys.executable, "-c", program, self.folder.name], text=True,
                              capture_output=True, timeout=60, check=False,
                              env=dict(os.environ, PYTHONPATH=os.pathsep.join(folders)))
        self.assertEqual((done.returncode, done.stdout), (0, "alive\n"), done.stderr)

    def test_two_users(self):
        """two copies in one process know nothing of each other"""
        a, b = Copy(self.folder.name, "libnpurt-a.so"), Copy(self.folder.name, "libnpurt-b.so")
        self.assertEqual((a.open(), b.open()), (0, 0))
        for value in range(1, 20):
            self.assertEqual((a.fill(value), b.fill(value + 100)), ({value}, {value + 100}))
        self.assertEqual(a.close(), 0)
        a.unload()
        self.assertEqual(b.fill(7), {7})
        self.assertEqual(b.close(), 0)
        b.unload()

    def test_end(self):
        """a program may end with everything open and work in flight"""
        program = ("import ctypes, npurt; from npurt import _ffi\n"
                   "d, c, s, m = (ctypes.c_void_p() for _ in range(4)); lib = _ffi.lib\n"
                   "assert not lib.device_open(0, None, ctypes.byref(d))\n"
                   "assert not lib.context_create(d, None, ctypes.byref(c))\n"
                   "assert not lib.stream_create(c, None, ctypes.byref(s))\n"
                   "assert not lib.memory_create(c, 1 << 20, None, ctypes.byref(m))\n"
                   "for _ in range(100): assert not lib.fill_async(s, m, 0, 1, 1, 1 << 20)\n")
        path = os.path.join(os.path.dirname(os.path.dirname(_ffi.__file__)))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              env=dict(os.environ, PYTHONPATH=path), check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


    def test_nothing_closed(self):
        """at the end of a program that closes nothing all is destroyed in its order"""
        program = ("import npurt\n"
                   "device = npurt.Device()\n"
                   "context = device.context()\n"
                   "stream, memory = context.stream(), context.memory(4096)\n"
                   "def run(): stream.fill(memory, 1)\n"
                   "run()\n")
        path = os.path.dirname(os.path.dirname(_ffi.__file__))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              env=dict(os.environ, PYTHONPATH=path, NPURT_VALIDATE="1",
                                       NPURT_LOG="error"), check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_late(self):
        """at the end, too, of what only a host function had"""
        program = ("import npurt\n"
                   "device = npurt.Device()\n"
                   "context = device.context()\n"
                   "stream = context.stream()\n"
                   "pointer = stream.pointer\n"
                   "stream.host_function(lambda error, memory=context.memory(4096): None)\n"
                   "del context, device\n"
                   "npurt.lib.stream_synchronize(pointer)\n")
        path = os.path.dirname(os.path.dirname(_ffi.__file__))
        with tempfile.TemporaryDirectory() as folder:
            trace = os.path.join(folder, "trace.json")
            subprocess.run([sys.executable, "-c", program], check=True,
                           env=dict(os.environ, PYTHONPATH=path, NPURT_TRACE=trace))
            with open(trace, encoding="utf-8") as f:
                calls = re.findall(r"npurt_\w+_(?:destroy|close)", f.read())
        self.assertEqual(calls, ["npurt_memory_destroy", "npurt_stream_destroy",
                                 "npurt_context_destroy", "npurt_device_close"])


class Forked(OnDevice):
    """In the child each function that takes a handle of the parent's says that it did."""

    def setUp(self):
        super().setUp()
        context = self.context
        self.memory = context.memory(4096, exportable=True)
        self.event, self.pool = context.event(), context.pool()
        self.range, self.module = context.reserve(4096), context.module(MODULE)
        self.kernel = self.module["store"]
        self.graph = context.graph()
        self.node = self.graph.fill(self.memory, 1)
        self.step = self.graph.instantiate()
        self.comm, = npurt.Communicator.create([context])
        self.trace = ctypes.c_void_p()
        attr = _ffi.trace_attr(kinds=1, fn=_ffi.trace_fn(lambda *_: None))
        self.attr = attr
        self.assertEqual(_ffi.lib.trace_subscribe(self.device.pointer, ctypes.byref(attr),
                                                  ctypes.byref(self.trace)), 0)

    def tearDown(self):
        _ffi.lib.trace_unsubscribe(self.trace)
        for owner in (self.comm, self.step, self.graph, self.range, self.pool, self.event, self.module,
                      self.memory):
            owner.close()
        super().tearDown()

    def handles(self, name):
        """What a function wants, by its name and the order of its handles."""
        kernel = self.kernel.pointer
        graph, node, step = self.graph.pointer, self.node.pointer, self.step.pointer
        by_prefix = (
            ("graph_exec_update_", (step, node)), ("graph_exec", (step,)),
            ("graph_launch", (step, self.stream.pointer)), ("graph_node_get", (node,)),
            ("graph_add_kernel", (graph, kernel)), ("graph_add_child", (graph, graph)),
            ("graph_create", (self.context.pointer,)), ("graph", (graph,)),
            ("device", (self.device.pointer,)), ("hang", (self.device.pointer,)),
            ("trace_subscribe", (self.device.pointer,)), ("trace", (self.trace,)),
            ("memory_create", (self.context.pointer,)), ("range_reserve", (self.context.pointer,)),
            ("pool_create", (self.context.pointer,)), ("event_create", (self.context.pointer,)),
            ("memory_register", (self.context.pointer,)),
            ("memory_import", (self.context.pointer,)), ("event_import", (self.context.pointer,)),
            ("stream_create", (self.context.pointer,)), ("module_load", (self.context.pointer,)),
            ("context_create", (self.device.pointer,)), ("context", (self.context.pointer,)),
            ("memory_free_async", (self.memory.pointer, self.stream.pointer)),
            ("memory", (self.memory.pointer,)), ("range", (self.range.pointer,)),
            ("pool_alloc", (self.pool.pointer, self.stream.pointer)),
            ("pool", (self.pool.pointer,)),
            ("stream_wait_event", (self.stream.pointer, self.event.pointer)),
            ("event_record", (self.event.pointer, self.stream.pointer)),
            ("event_elapsed", (self.event.pointer, self.event.pointer)),
            ("event", (self.event.pointer,)), ("module", (self.module.pointer,)),
            ("communicator", (self.comm.pointer,)),
            (("all_", "reduce_scatter", "broadcast", "send", "receive"),
             (self.comm.pointer, self.stream.pointer)),
            ("kernel", (kernel,)), ("launch", (self.stream.pointer, kernel)),
            ("", (self.stream.pointer,)))
        found = next(h for prefix, h in by_prefix if name.startswith(prefix))
        return iter([*found, *[self.memory.pointer] * 4])

    def arguments(self, name, types):
        handles, kept = self.handles(name), ctypes.create_string_buffer(4096)
        for number, kind in enumerate(types):
            if name == "communicator_create" and not number:
                yield ctypes.byref(self.context.pointer)
                continue
            # A host pointer and a handle look alike: the former comes after a handle or a number.
            if kind is ctypes.c_void_p and not (number and name in self.HOST_POINTERS):
                yield next(handles)
            elif kind in (ctypes.c_void_p, ctypes.c_char_p):
                yield ctypes.addressof(kept) if kind is ctypes.c_void_p else b"store"
            elif hasattr(kind, "contents"):
                target = kind._type_
                yield None if name.endswith(("_add_kernel", "instantiate")) and \
                    target is _ffi.launch_attr else ctypes.byref(target())
            elif isinstance(kind, type) and issubclass(kind, ctypes._CFuncPtr):
                yield kind(lambda *_: 0)
            else:
                yield 1

    HOST_POINTERS = {"memory_register", "module_load_data"}

    def call_all(self, write):
        """Writes which functions did not say so, and which one the child did not survive."""
        for name, types in _ffi.FUNCTIONS.items():
            if name in NO_ERROR:
                continue
            os.write(write, f"{name} ends the child".encode())
            signal.alarm(20)
            code = getattr(_ffi.lib, name)(*self.arguments(name, types))
            forked = code == npurt.ErrorCode.FORKED
            os.write(write, b"\n" if forked else f"\n{name} gives {code}\n".encode())

    def test_each(self):
        """each function refuses a handle from before a fork, and the parent goes on"""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.call_all(write)
                os._exit(0)
            finally:
                os._exit(1)
        os.close(write)
        with os.fdopen(read) as f:
            lines = f.read().split("\n")
        wrong = [line for line in lines if " gives " in line] + [line for line in lines[-1:] if line]
        self.assertEqual(wrong, [])
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.step.launch(self.stream)
        self.assertEqual(self.context.empty(1, "uint8").numpy(self.stream)[0], 0)

    def test_anew(self):
        """the child opens the device for itself"""
        child = os.fork()
        if child == 0:
            with npurt.Device() as device, device.context() as context, \
                    context.stream() as stream:
                memory = context.memory(64, npurt.Placement.HOST)
                stream.fill(memory, 3)
                stream.synchronize()
                os._exit(set(memory.buffer) != {3})
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.stream.synchronize()


if __name__ == "__main__":
    unittest.main()
