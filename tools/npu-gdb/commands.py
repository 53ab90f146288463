# SPDX-License-Identifier: MIT
"""gdb's commands for an NPU: modules that load themselves, cores, and local buffers."""

import hashlib
import os
import struct

import gdb

# struct npu_kernel_desc of npu/npu_module.h
DESCRIPTOR = struct.Struct("<IIQ48s")
SECTION = ".npu_kernels"

# Where the buffers of a core are, of npu/npu_tile.h
BUFFERS = {
    "smem": (0x010000, 0x10000, "scalar memory"),
    "ub": (0x100000, 0x30000, "the unified buffer"),
    "l1": (0x200000, 0x80000, "L1"),
    "l0a": (0x300000, 0x10000, "L0A"),
    "l0b": (0x340000, 0x10000, "L0B"),
    "l0c": (0x380000, 0x20000, "L0C"),
}

TYPES = {"s8": "b", "u8": "B", "s16": "h", "u16": "H", "s32": "i", "u32": "I", "s64": "q",
         "u64": "Q", "f16": "e", "f32": "f", "f64": "d", "bf16": "H"}
COLUMNS = 8


class Module:
    """A file of kernels: its image, and names and entries of what is in it."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        if data[:4] != b"\x7fELF" or data[4] != 2:
            raise gdb.GdbError(f"{path}: not a module")
        self.path = path
        self.image = self._image(data)
        self.kernels = self._kernels(data)

    @staticmethod
    def _image(data):
        """The one segment to load."""
        offset, = struct.unpack_from("<Q", data, 0x20)
        size, count = struct.unpack_from("<HH", data, 0x36)
        for n in range(count):
            kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", data, offset + n * size)
            if kind == 1:
                return data[at:at + length]
        return b""

    @staticmethod
    def _kernels(data):
        offset, = struct.unpack_from("<Q", data, 0x28)
        size, count, names = struct.unpack_from("<HHH", data, 0x3a)
        headers = [struct.unpack_from("<IIQQQQ", data, offset + n * size) for n in range(count)]
        strings = headers[names][4]
        for name, _, _, _, at, length in headers:
            start = strings + name
            if data[start:data.index(b"\0", start)].decode() == SECTION:
                found = DESCRIPTOR.iter_unpack(data[at:at + length])
                return {d[3].rstrip(b"\0").decode(): d[2] for d in found}
        return {}

    def tell(self):
        """The device finds the kernels in memory by the code that is behind their entries."""
        for entry in self.kernels.values():
            code = self.image[entry:]
            digest = hashlib.sha256(code).hexdigest()
            gdb.execute(f"monitor module {entry:x} {len(code):x} {digest} {self.path}")


def npu_attach(socket, modules):
    modules = [Module(path) for path in modules]
    # There is no executable for gdb to ask for.
    gdb.execute(f"target remote {socket}", to_string=True)
    for module in modules:
        module.tell()
    if modules:
        gdb.execute("sharedlibrary")


def number(text):
    return int(gdb.parse_and_eval(text)) & (1 << 64) - 1


def selected_thread():
    thread = gdb.selected_thread()
    if not thread:
        raise gdb.GdbError("not connected to an NPU")
    return thread


def blocks():
    """The threads that have a block, in order."""
    for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
        thread.switch()
        if number("$entry"):
            yield thread


def kernel_name(entry):
    text = gdb.execute(f"info symbol {entry:#x}", to_string=True)
    return text.split()[0] if not text.startswith("No symbol") else f"{entry:#x}"


def place():
    """Function and line of the selected thread, as far as they are known."""
    frame = gdb.newest_frame()
    line = frame.find_sal()
    if line.symtab:
        return f"{frame.name()} at {os.path.basename(line.symtab.filename)}:{line.line}"
    return f"{frame.name() or '??'} at {frame.pc():#x}"


class Npu(gdb.Command):
    """Commands for the AI cores of an NPU."""

    def __init__(self):
        super().__init__("npu", gdb.COMMAND_USER, prefix=True)


class Cores(gdb.Command):
    """npu cores: the AI cores that have a block, and where each of them is."""

    def __init__(self):
        super().__init__("npu cores", gdb.COMMAND_STATUS)

    def invoke(self, _argument, _from_tty):
        selected = selected_thread()
        print(f"  {'thread':6} {'core':4} {'block':12} {'context':7} {'queue':5} "
              f"{'kernel':24} where")
        for thread in blocks():
            block = f"{number('$block')} of {number('$blocks')}"
            print(f"{'*' if thread.num == selected.num else ' '} {thread.num:<6} "
                  f"{number('$core'):<4} {block:12} {number('$context'):<7} "
                  f"{number('$queue'):<5} {kernel_name(number('$entry')):24} {place()}")
        selected.switch()


class Core(gdb.Command):
    """npu core N: select the block on AI core N."""

    def __init__(self):
        super().__init__("npu core", gdb.COMMAND_STATUS)

    def invoke(self, argument, _from_tty):
        selected = selected_thread()
        wanted = number(argument or "$core")
        for thread in blocks():
            if number("$core") == wanted:
                gdb.execute("frame")
                return
        selected.switch()
        raise gdb.GdbError(f"core {wanted} has no block")


class Block(gdb.Command):
    """npu block N: select the AI core that has block N of a kernel."""

    def __init__(self):
        super().__init__("npu block", gdb.COMMAND_STATUS)

    def invoke(self, argument, _from_tty):
        selected = selected_thread()
        wanted = number(argument or "$block")
        for thread in blocks():
            if number("$block") == wanted:
                gdb.execute("frame")
                return
        selected.switch()
        raise gdb.GdbError(f"no core has block {wanted} now")


def values(memory, kind):
    found = [v for v, in struct.iter_unpack("<" + TYPES[kind], memory)]
    if kind == "bf16":
        return [struct.unpack("<f", struct.pack("<I", v << 16))[0] for v in found]
    return found


class Buffer(gdb.Command):
    """npu ub|l1|l0a|l0b|l0c|smem [OFFSET [COUNT [TYPE]]]: elements of a local buffer.

OFFSET is in bytes, from the beginning of the buffer, or an address in it. TYPE is s8, u8, s16, u16,
s32, u32, s64, u64, f16, bf16, f32 or f64. Without them: the first 16 elements of type f32."""

    def __init__(self, name):
        self.base, self.size, self.what = BUFFERS[name]
        super().__init__("npu " + name, gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument) + ["0", "16", "f32"][len(gdb.string_to_argv(argument)):]
        offset, count, kind = number(words[0]), number(words[1]), words[2]
        if kind not in TYPES:
            raise gdb.GdbError(f"{kind}: not a type; these are: {' '.join(TYPES)}")
        if self.base <= offset < self.base + self.size:
            offset -= self.base
        size = struct.calcsize(TYPES[kind])
        if offset + count * size > self.size:
            raise gdb.GdbError(f"{self.what} has {self.size:#x} bytes")
        memory = gdb.selected_inferior().read_memory(self.base + offset, count * size)
        found = values(bytes(memory), kind)
        for at in range(0, count, COLUMNS):
            row = " ".join(f"{v:>12.6g}" if isinstance(v, float) else f"{v:>12}"
                           for v in found[at:at + COLUMNS])
            print(f"{self.base + offset + at * size:#08x} {row}")


Npu()
Cores()
Core()
Block()
for buffer in BUFFERS:
    Buffer(buffer)
