#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""gdb, by npu-gdb, on the AI cores and the management core of an NPU in a VM."""

import os
import re
import subprocess
import sys
import tempfile
import time

TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
TOP = os.path.dirname(TESTS)
BUILD = os.environ.get("O") or os.path.join(TOP, "build")
SOURCE = os.path.join(TESTS, "tools/gdb_kernels.c")
FIRMWARE = os.path.join(BUILD, "firmware/mcu/npu-mcu.elf")

# Longer than the driver waits for a heartbeat, for the firmware's answer, and for the job below.
PATIENCE = 12
LIMIT = 60
points = failures = 0


def ok(good, name, detail=""):
    global points, failures
    points += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {points} - {name}", flush=True)
    if not good:
        print("\n".join("# " + line for line in str(detail).splitlines()), flush=True)


def line_of(mark):
    with open(SOURCE) as f:
        return next(n for n, line in enumerate(f, 1) if f"/* {mark} */" in line)


def test_document():
    """Each line of a source that docs/debugging.md shows is at its number in that file."""
    with open(os.path.join(TOP, "docs/debugging.md"), encoding="utf-8") as f:
        shown = re.findall(r"(\S+\.c):(\d+)\n    (\d+)\t(.*)", f.read())
    wrong = []
    for path, stop, number, line in shown:
        with open(os.path.join(TOP, path), encoding="utf-8") as f:
            there = f.read().splitlines()[int(number) - 1]
        if stop != number or there != line:
            wrong.append(f"{path}:{number} is: {there}")
    ok(len(shown) > 1 and not wrong, "docs/debugging.md shows lines as they are",
       "\n".join(wrong) or f"{len(shown)} lines are shown")


class Vm:
    """A machine with an NPU that launches the kernels it is told to."""

    def __init__(self, folder):
        self.module = os.path.join(folder, "gdb_kernels.elf")
        self.sockets = os.path.join(folder, "sockets")
        subprocess.run([f"{TOP}/tools/npu-cc", "-g", "-Og", "-o", self.module, SOURCE], check=True)
        env = dict(os.environ, NPURT_LIBRARY=f"{BUILD}/lib/libnpurt.so.1", NPURT_LOG="none",
                   PYTHONPATH=f"{TOP}/libnpurt/python")
        self.dmesg = os.path.join(folder, "dmesg")
        self.process = subprocess.Popen(
            [f"{TOP}/tools/npu-vm", "--gdb", self.sockets, "--timeout", "600", "--dmesg",
             self.dmesg, "--", f"{TESTS}/tools/gdb_guest.py", self.module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.answer()

    def launch(self, kernel):
        self.process.stdin.write(kernel + "\n")
        self.process.stdin.flush()

    def answer(self):
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        return self.process.wait(LIMIT)


class Gdb:
    """A gdb that takes commands, one after the other, or all at once and ends."""

    def __init__(self, vm, *options, modules=()):
        socket = os.path.join(vm.sockets, "npu0.mcu" if "--mcu" in options else "npu0")
        self.process = subprocess.Popen(
            [f"{TOP}/tools/npu-gdb/npu-gdb", *options, "--socket", socket, *modules, "--", "-nx",
             "-ex", "set pagination off", "-ex", "set confirm off", "-ex", "set width 0"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True)
        self.count = 0
        self.do("echo")

    def start(self, command):
        """Has it begin something; the answer is for done()."""
        self.count += 1
        self.process.stdin.write(f"{command}\necho \\n=={self.count}==\\n\n")
        self.process.stdin.flush()

    def done(self):
        text = ""
        for line in self.process.stdout:
            if line.strip() == f"=={self.count}==":
                return text
            text += line.replace("(gdb) ", "")
        return text + "gdb has ended"

    def do(self, command):
        self.start(command)
        return self.done()

    def interrupt(self):
        self.process.send_signal(2)

    def end(self):
        self.process.stdin.write("detach\nquit\n")
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait(LIMIT)

    def kill(self):
        self.process.kill()
        self.process.wait()


def has(text, pattern):
    return re.search(pattern, text, re.S)


def test_kernel(vm):
    gdb = Gdb(vm, modules=[vm.module])
    before, loop, after = line_of("before"), line_of("loop"), line_of("after")
    text = gdb.do(f"break gdb_kernels.c:{before} if block == 1")
    ok(has(text, "pending"), "a breakpoint in a module that is not there yet", text)
    gdb.start("continue")
    vm.launch("sum")
    text = gdb.done()
    ok(has(text, rf"hit Breakpoint 1.*sum \(.*block=1, .*gdb_kernels\.c:{before}"),
       "it is hit in the second block", text)
    text = gdb.do("backtrace")
    ok(has(text, rf"#0 +sum .*gdb_kernels\.c:{before}"), "backtrace with the source line", text)
    text = gdb.do("print args->more")
    ok(has(text, r"= 100\n"), "an argument of the launch", text)
    text = gdb.do("npu ub 0 4 u32")
    ok(has(text, r"0x100000 +16 +17 +18 +19\n"), "the unified buffer, as copied there", text)
    text = gdb.do("step") + gdb.do("backtrace")
    ok(has(text, rf"#0 +more_of \(block=1, more=100\).*#1 .* in sum \(.*:{before}"),
       "a step into a function", text)
    text = gdb.do("finish") + gdb.do("tbreak " + str(loop)) + gdb.do("continue")
    ok(has(text, rf"Value returned is .* = 101.*gdb_kernels\.c:{loop}"), "and out of it", text)
    text = gdb.do("print more") + gdb.do("print row[15]")
    ok(has(text, r"= 101\n.*= 31\n"), "local variables, and memory behind them", text)
    text = gdb.do("next") + gdb.do("next") + gdb.do("print row[0]")
    ok(has(text, r"= 117\n"), "a step over a line", text)
    text = gdb.do("npu cores")
    ok(has(text, rf"\* \d+ +\d+ +1 of 4 .* sum .*gdb_kernels\.c:{loop}"), "npu cores", text)
    text = gdb.do("thread 20") + gdb.do("npu ub") + gdb.do("npu block 1") + gdb.do("print $block")
    ok(has(text, r"Cannot access memory.*= 1\n"), "a core that is idle, and back", text)
    text = gdb.do("delete") + gdb.do(f"advance {after}")
    ok(has(text, rf"gdb_kernels\.c:{after}"), "the end of the loop", text)
    text = gdb.do("npu ub 0 4 u32")
    ok(has(text, r"0x100000 +117 +118 +119 +120\n"), "what it has computed", text)
    gdb.start("continue")
    ok(vm.answer() == "sum right", "the program ends with the right result")
    return gdb


def test_again(vm, gdb):
    """The same debugger, and another process at the same addresses."""
    gdb.interrupt()
    text = gdb.done()
    ok(has(text, "SIGINT"), "an idle device is interrupted", text)
    gdb.do("tbreak more_of")
    gdb.start("continue")
    vm.launch("sum")
    text = gdb.done()
    ok(has(text, r"more_of \(block="), "a second process stops", text)
    gdb.start("continue")
    ok(vm.answer() == "sum right", "and ends")
    gdb.interrupt()
    gdb.done()


def test_watch(vm, gdb):
    """A row of UB, of one of the cores, and what a copy writes to global memory."""
    gdb.do(f"tbreak gdb_kernels.c:{line_of('before')} if block == 2")
    gdb.start("continue")
    vm.launch("sum")
    gdb.done()
    thread = has(gdb.do("print $_thread"), r"= (\d+)")[1]
    address = has(gdb.do("print args->data + 2 * 64 + 60"), r"= (\d+)")[1]
    text = gdb.do(f"watch -l *(unsigned int *)0x100008 thread {thread}")
    ok(has(text, "Hardware watchpoint"), "a watchpoint of hardware", text)
    text = gdb.do("continue") + gdb.do("print $block") + gdb.do("info line *$pc")
    ok(has(text, r"New value = 136\n.*= 2\n.*Line "
           f"({line_of('loop') - 1}|{line_of('loop')}) "),
       "a store to a row of the unified buffer", text)
    gdb.do("delete")
    text = gdb.do(f"rwatch *(unsigned int *)0x10003c thread {thread}") + gdb.do("continue")
    ok(has(text, r"Hardware read watchpoint.*Value = 47\n"), "a load from it", text)
    gdb.do("delete")
    text = gdb.do(f"watch *(unsigned int *){address}") + gdb.do("continue")
    ok(has(text, r"Old value = 47\nNew value = 149\n"),
       "a tile instruction that writes global memory", text)
    text = gdb.do("print $block") + gdb.do("delete")
    ok(has(text, r"= 2\n"), "by the block that does", text)
    gdb.start("continue")
    ok(vm.answer() == "sum right", "the program ends with the right result")
    gdb.interrupt()
    gdb.done()


def test_crash(vm, gdb):
    gdb.start("continue")
    vm.launch("crash")
    text = gdb.done()
    ok(has(text, rf"SIGSEGV.*crash \(.*gdb_kernels\.c:{line_of('crash')}"),
       "a kernel that crashes stops at its line", text)
    text = gdb.do("print nowhere") + gdb.do("info threads")
    ok(has(text, "0x7000000000.*error 7 by scalar at 0x7000000000"), "the address", text)
    gdb.start("continue")
    text = vm.answer()
    ok(has(text, r"crash error: .*write to an address.*gdb_kernels\.c"), "the program hears of it", text)
    gdb.interrupt()
    gdb.done()


def test_patience(vm, gdb):
    """Nothing that the driver waits for is late while cores are held."""
    gdb.start("continue")
    vm.launch("hang")
    text = gdb.done()
    ok(has(text, "SIGXCPU.*hang"), "a kernel whose time is up stops first", text)
    gdb.end()
    text = vm.answer()
    ok(has(text, "hang error: .*time-out"), "and ends so when the debugger leaves", text)

    gdb = Gdb(vm, modules=[vm.module])
    gdb.do(f"tbreak gdb_kernels.c:{line_of('hang')}")
    gdb.start("continue")
    vm.launch("hang")
    text = gdb.done()
    ok(has(text, "hang \\("), "once more, to hold it", text)
    mcu = Gdb(vm, "--mcu", modules=[FIRMWARE])
    time.sleep(PATIENCE)
    text = gdb.do("print *flag = args->more")
    ok(has(text, "= 5"), "memory of the program is written", text)
    mcu.end()
    gdb.start("continue")
    text = vm.answer()
    ok(text == "hang ended with 5", f"after {PATIENCE} s it goes on and ends well", text)
    gdb.interrupt()
    gdb.done()
    gdb.end()


def test_firmware(vm):
    gdb = Gdb(vm, "--mcu", modules=[FIRMWARE])
    text = gdb.do("tbreak heartbeat_tick") + gdb.do("continue") + gdb.do("backtrace")
    ok(has(text, r"#0 +heartbeat_tick .*heartbeat\.c:\d+.*main"), "the firmware's heartbeat", text)
    text = gdb.do("info registers mtvec mcause") + gdb.do("x/i $pc")
    ok(has(text, r"mtvec +0x8000.*mcause.*heartbeat_tick"), "CSRs and code", text)
    text = gdb.do("x/1xw 0x80000000") + gdb.do("print $pc") + gdb.do("stepi") + gdb.do("print $pc")
    ok(len(set(re.findall(r"= .*(0x\w+)", text))) == 2, "a step", text)
    text = gdb.do("watch sample.samples") + gdb.do("continue") + gdb.do("backtrace 1")
    values = [int(value) for value in re.findall(r"(?:Old|New) value = (\d+)", text)]
    ok(len(values) == 2 and values[1] == values[0] + 1 and has(text, r"telemetry\.c:\d+"),
       "a watchpoint on a variable of the firmware's", text)
    gdb.do("delete")
    gdb.do("tbreak admin.c:admin_poll")
    gdb.end()


def test_dies(vm):
    gdb = Gdb(vm, modules=[vm.module])
    gdb.do("break more_of")
    gdb.start("continue")
    vm.launch("sum")
    gdb.done()
    gdb.kill()
    ok(vm.answer() == "sum right", "a debugger that is killed leaves the device working")
    vm.launch("sum")
    ok(vm.answer() == "sum right", "without its breakpoints")


def main():
    test_document()
    with tempfile.TemporaryDirectory() as folder:
        vm = Vm(folder)
        gdb = test_kernel(vm)
        test_again(vm, gdb)
        test_watch(vm, gdb)
        test_crash(vm, gdb)
        test_patience(vm, gdb)
        test_firmware(vm)
        test_dies(vm)
        status = vm.end()
        with open(vm.dmesg) as f:
            log = f.read()
        ok(status == 0 and "reset" not in log, "no reset of the device", log)
    print(f"1..{points}")
    return failures != 0


sys.exit(main())
