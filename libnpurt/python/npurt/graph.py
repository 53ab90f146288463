# SPDX-License-Identifier: MIT
"""Graphs: commands that are put together once, by hand or by capture, and launched as one."""

import ctypes
import enum
import json

from . import _hostfn
from ._errors import Error, ErrorCode, check_context, check_stream
from ._ffi import graph_attr, graph_conditional, graph_exec_info, graph_loop, graph_node_info, \
    lib, write_fn
from ._handle import Handle, Owner, callback, encode, values
from ._launch import launch_attributes
from .array import Reduce, reduction
from .memory import host_bytes


class Condition(enum.IntEnum):
    """enum npurt_condition, of a 64-bit word in memory and a value."""
    GE = 0
    EQ = 1
    NE = 2


class Capture:
    """What commands of streams that are captured use: the graph keeps it."""

    def __init__(self, active=True):
        self.active = active
        self.kept = []

    def end(self):
        """Gives what they use, which streams and events that were a part let go of."""
        kept, self.kept = self.kept, []
        self.active = False
        return kept


Capture.NONE = Capture(active=False)


def milliseconds(seconds):
    return 0 if seconds is None else max(1, int(seconds * 1e3))


def pack_arguments(kernel, args, keep):
    """The bytes of a kernel's arguments, and the handles of what they need."""
    if isinstance(args, dict):
        keep = [*keep, *(v for v in args.values() if hasattr(v, "address"))]
        args = kernel.pack(args)
    data = b"" if args is None else bytes(args)
    return data, [kernel.module._handle, *(getattr(k, "memory", k)._handle for k in keep)]


class GraphNode:
    """A node of a graph, which it keeps."""

    def __init__(self, graph, pointer, kernel=None):
        self.graph = graph
        self.kernel = kernel
        self._pointer = pointer

    @property
    def pointer(self):
        return self._pointer if self.graph.pointer else None

    @property
    def info(self):
        """struct npurt_graph_node_info as a dictionary."""
        found = graph_node_info()
        self.graph._check(lib.graph_node_get_info(self.pointer, ctypes.byref(found)))
        return values(found)

    def __repr__(self):
        info = self.info
        return f"<npurt.GraphNode {info['index']} {info['label']}>"


class Graph(Owner):
    """
    Nodes, each of which starts when those that it comes @after have ended. The graph keeps
    memory, modules and other graphs that its nodes use.
    """

    def __init__(self, context, label=None):
        attr = graph_attr(label=encode(label))
        pointer = ctypes.c_void_p()
        check_context(lib.graph_create(context.pointer, ctypes.byref(attr),
                                       ctypes.byref(pointer)), context.pointer)
        self._take(context._handle, pointer, [])

    def _take(self, context_handle, pointer, kept):
        self._handle = Handle(pointer, lib.graph_destroy, context_handle)
        self._handle.kept = kept

    def _check(self, code):
        check_context(code, self._handle.parent.pointer)

    def _add(self, function, after, *args, keep=(), kernel=None):
        after = [after] if isinstance(after, GraphNode) else list(after)
        deps = (ctypes.c_void_p * len(after))(*(node.pointer for node in after))
        pointer = ctypes.c_void_p()
        self._check(function(self.pointer, deps, len(after), *args, ctypes.byref(pointer)))
        self._handle.kept += keep
        return GraphNode(self, pointer, kernel)

    def kernel(self, kernel, blocks, args=None, after=(), keep=(), timeout_us=0, max_cores=0,
               tag=0, label=None, strict=False):
        """A launch; see Stream.launch() and Kernel.launch() for what is taken."""
        attr = launch_attributes(timeout_us, max_cores, tag, label, strict)
        data, handles = pack_arguments(kernel, args, keep)
        return self._add(lib.graph_add_kernel, after, kernel.pointer, blocks, data or None,
                         len(data), ctypes.byref(attr), keep=handles, kernel=kernel)

    def copy(self, dst, src, size=None, dst_offset=0, src_offset=0, after=()):
        size = src.size - src_offset if size is None else size
        return self._add(lib.graph_add_copy, after, dst.pointer, dst_offset, src.pointer,
                         src_offset, size, keep=[dst._handle, src._handle])

    def fill(self, dst, pattern, pattern_bytes=1, size=None, offset=0, after=()):
        size = dst.size - offset if size is None else size
        return self._add(lib.graph_add_fill, after, dst.pointer, offset, pattern, pattern_bytes,
                         size, keep=[dst._handle])

    def reduce(self, dst, src, op=Reduce.ADD, after=()):
        """As Stream.reduce(), of arrays."""
        return self._add(lib.graph_add_reduce, after, *reduction(dst, src), op,
                         keep=[dst.memory._handle, src.memory._handle])

    def host_function(self, function, after=()):
        """As Stream.host_function(), in each launch; not in bodies of conditions and loops."""
        host = _hostfn.HostFunction(function)
        return self._add(lib.graph_add_host_function, after, _hostfn.call, host.number,
                         keep=[host])

    def write(self, memory, value, offset=0, size=8, after=()):
        """Writes a number of 4 or 8 bytes."""
        return self._add(lib.graph_add_write, after, memory.pointer, offset, value, size,
                         keep=[memory._handle])

    def wait(self, memory, value, offset=0, condition=Condition.GE, timeout=None, after=()):
        """Waits until a 64-bit word is as wanted, at most so many seconds."""
        return self._add(lib.graph_add_wait, after, memory.pointer, offset, value, condition,
                         milliseconds(timeout), keep=[memory._handle])

    def empty(self, after=()):
        """A node that does nothing, for others to come after."""
        return self._add(lib.graph_add_empty, after)

    def child(self, graph, after=()):
        """Another graph as a node."""
        return self._add(lib.graph_add_child, after, graph.pointer, keep=[graph._handle])

    def conditional(self, memory, value, body, otherwise=None, offset=0, condition=Condition.GE,
                    after=()):
        """The graph @body, or @otherwise, as a 64-bit word is when the device gets there."""
        keep = [g._handle for g in (memory, body, otherwise) if g is not None]
        args = graph_conditional(
            memory=memory.pointer, offset=offset, value=value, condition=condition,
            body=body.pointer, otherwise=otherwise.pointer if otherwise else None)
        return self._add(lib.graph_add_conditional, after, ctypes.byref(args), keep=keep)

    def loop(self, body, rounds=0, memory=None, value=0, offset=0, condition=Condition.NE,
             timeout=None, after=()):
        """The graph @body so many times, or, with 0, while a 64-bit word is as said."""
        keep = [g._handle for g in (memory, body) if g is not None]
        args = graph_loop(
            rounds=rounds, memory=memory.pointer if memory else None, offset=offset, value=value,
            condition=condition, timeout_ms=milliseconds(timeout), body=body.pointer)
        return self._add(lib.graph_add_loop, after, ctypes.byref(args), keep=keep)

    @property
    def nodes(self):
        """Its nodes in the order in which they were added."""
        found = []
        for i in range(lib.graph_node_count(self.pointer)):
            pointer = ctypes.c_void_p()
            self._check(lib.graph_get_node(self.pointer, i, ctypes.byref(pointer)))
            found.append(GraphNode(self, pointer))
        return found

    def _write(self, function):
        pieces = []

        def write(text, size, _):
            pieces.append(ctypes.string_at(text, size))
            return 0

        self._check(function(self.pointer, callback(write_fn, write), None))
        return b"".join(pieces).decode()

    def dot(self):
        """As text for Graphviz."""
        return self._write(lib.graph_write_dot)

    def json(self):
        """As dictionaries and lists."""
        return json.loads(self._write(lib.graph_write_json))

    def instantiate(self):
        """An executable of the graph as it is now."""
        return GraphExec(self)


class GraphExec(Owner):
    """What is launched, by one call of the kernel. Updates are for launches that follow."""

    def __init__(self, graph):
        pointer = ctypes.c_void_p()
        graph._check(lib.graph_instantiate(graph.pointer, None, ctypes.byref(pointer)))
        self._handle = Handle(pointer, lib.graph_exec_destroy, graph._handle.parent)
        self._handle.kept = [graph._handle]
        self._handle.updated = {}
        self._retired = []

    def _check(self, code):
        check_context(code, self._handle.parent.pointer)

    def _update(self, node, handles):
        """Launches in flight may still use what the node had before."""
        self._retired += self._handle.updated.get(node.pointer.value, [])
        self._handle.updated[node.pointer.value] = handles

    def update_kernel(self, node, blocks, args=None, keep=(), kernel=None):
        """@kernel: of a node that was captured, if the arguments are a dictionary."""
        kernel = kernel or node.kernel
        if kernel is None:
            if isinstance(args, dict):
                raise Error(ErrorCode.INVALID, "whose arguments are they? the kernel is missing")
            data = b"" if args is None else bytes(args)
            handles = [getattr(k, "memory", k)._handle for k in keep]
        else:
            data, handles = pack_arguments(kernel, args, keep)
        self._check(lib.graph_exec_update_kernel(self.pointer, node.pointer, blocks, data or None,
                                                 len(data)))
        self._update(node, handles)

    def update_copy(self, node, dst, src, size=None, dst_offset=0, src_offset=0):
        size = src.size - src_offset if size is None else size
        self._check(lib.graph_exec_update_copy(self.pointer, node.pointer, dst.pointer,
                                               dst_offset, src.pointer, src_offset, size))
        self._update(node, [dst._handle, src._handle])

    def update_reduce(self, node, dst, src, op=Reduce.ADD):
        """Other arrays, or another operation, as of Graph.reduce()."""
        self._check(lib.graph_exec_update_reduce(self.pointer, node.pointer, *reduction(dst, src),
                                                 op))
        self._update(node, [dst.memory._handle, src.memory._handle])

    def update_fill(self, node, pattern):
        self._check(lib.graph_exec_update_fill(self.pointer, node.pointer, pattern))

    def update_write(self, node, value):
        self._check(lib.graph_exec_update_write(self.pointer, node.pointer, value))

    def update_wait(self, node, value):
        self._check(lib.graph_exec_update_wait(self.pointer, node.pointer, value))

    def update_upload(self, node, data):
        """Other data for an upload that was captured, as many bytes."""
        address, size, kept = host_bytes(data, writable=False)
        self._check(lib.graph_exec_update_upload(self.pointer, node.pointer, address, size))
        del kept

    def launch(self, stream):
        """Starts it on a stream; one in flight on another stream ends first."""
        check_stream(lib.graph_launch(self.pointer, stream.pointer), stream.pointer)
        stream._keep_handles([self._handle, *self._retired])
        self._retired = []

    @property
    def info(self):
        """struct npurt_graph_exec_info as a dictionary."""
        found = graph_exec_info()
        self._check(lib.graph_exec_get_info(self.pointer, ctypes.byref(found)))
        return values(found)
