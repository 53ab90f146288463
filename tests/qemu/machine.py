# SPDX-License-Identifier: MIT
"""QEMU without a processor, driven by the qtest protocol: the test is the CPU."""

import json
import os
import socket
import subprocess

BUILD = os.environ.get("O") or os.path.join(
    os.path.dirname(os.path.realpath(__file__)), "../../build")
PCIEXBAR = 0xB0000000
HOLE = 0xC0000000
HOLE64 = 0x1000000000
ANSWER_SECONDS = 60


class Machine:
    """A q35 with one NPU at 01:00.0, behind a root port at 00:03.0."""

    def __init__(self, hbm="128M", options=""):
        ours, theirs = socket.socketpair()
        monitor, qmp = socket.socketpair()
        self.qemu = subprocess.Popen(
            [os.path.join(BUILD, "qemu/qemu-system-x86_64"), "-L", os.path.join(BUILD, "qemu-roms"),
             "-M", "q35,sata=off", "-accel", "qtest", "-m", "64M", "-nodefaults",
             "-display", "none", "-chardev", f"socket,id=qtest,fd={theirs.fileno()}",
             "-qtest", "chardev:qtest", "-qtest-log", "none",
             "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
             "-chardev", f"socket,id=qmp,fd={qmp.fileno()}", "-mon", "chardev=qmp,mode=control",
             "-object", f"memory-backend-ram,id=hbm,size={hbm},reserve=off",
             "-device", "pcie-root-port,id=rp,bus=pcie.0,addr=3,chassis=1,slot=1",
             "-device", f"npu,id=npu,bus=rp,hbm=hbm{options}"],
            pass_fds=[theirs.fileno(), qmp.fileno()])
        theirs.close()
        qmp.close()
        for sock in (ours, monitor):
            sock.settimeout(ANSWER_SECONDS)
        # A file for both directions forgets at a write what it has read ahead: an event after an answer.
        self.qtest, self.qtest_answers = ours, ours.makefile("r")
        self.monitor, self.monitor_answers = monitor, monitor.makefile("r")
        self.monitor_answers.readline()
        self.events = []
        self.qmp("qmp_capabilities")

    def close(self):
        """Ends QEMU; false if it had ended by itself."""
        alive = self.qemu.poll() is None
        self.qemu.kill()
        self.qemu.wait()
        return alive

    def command(self, *words):
        line = " ".join(w if isinstance(w, str) else hex(w) for w in words) + "\n"
        self.qtest.sendall(line.encode())
        answer = self.qtest_answers.readline().split()
        while answer and answer[0] == "IRQ":
            answer = self.qtest_answers.readline().split()
        if not answer or answer[0] != "OK":
            raise RuntimeError(f"{words}: {answer}")
        return int(answer[1], 0) if len(answer) > 1 and len(answer[1]) <= 18 else answer[1:]

    def qmp(self, command, **arguments):
        """What the command returns; events that come meanwhile are kept."""
        line = json.dumps({"execute": command, "arguments": arguments}) + "\n"
        self.monitor.sendall(line.encode())
        while True:
            answer = json.loads(self.monitor_answers.readline())
            if "event" in answer:
                self.events.append(answer["event"])
            elif "error" in answer:
                raise RuntimeError(answer["error"]["desc"])
            else:
                return answer["return"]

    def set(self, name, value):
        """A property of the NPU."""
        self.qmp("qom-set", path="/machine/peripheral/npu", property=name, value=value)

    def get(self, name):
        return self.qmp("qom-get", path="/machine/peripheral/npu", property=name)

    def read(self, address, size):
        return self.command("read" + {1: "b", 2: "w", 4: "l", 8: "q"}[size], address)

    def write(self, address, size, value):
        self.command("write" + {1: "b", 2: "w", 4: "l", 8: "q"}[size], address, value)

    def read_bytes(self, address, size):
        self.qtest.sendall(f"read {address:#x} {size:#x}\n".encode())
        return bytes.fromhex(self.qtest_answers.readline().split()[1][2:])

    def write_bytes(self, address, data):
        for at in range(0, len(data), 4096):
            piece = data[at:at + 4096]
            self.command("write", address + at, len(piece), "0x" + piece.hex())

    def step(self, ns=1000000):
        """Lets guest time pass: it does not by itself."""
        self.command("clock_step", str(ns))


class Function:
    """A PCI function, by memory-mapped configuration space."""

    def __init__(self, machine, bus, device):
        self.machine = machine
        self.base = PCIEXBAR + (bus << 20) + (device << 15)

    def read(self, offset, size=4):
        return self.machine.read(self.base + offset, size)

    def write(self, offset, value, size=4):
        self.machine.write(self.base + offset, size, value)

    def capability(self, wanted):
        """Offset of a capability, 0 if the function has none such."""
        at = self.read(0x34, 1)
        while at and self.read(at, 1) != wanted:
            at = self.read(at + 1, 1)
        return at

    def extended_capability(self, wanted):
        at = 0x100
        while at and self.read(at) & 0xFFFF != wanted:
            at = self.read(at) >> 20
        return at


def enumerate_bus(machine):
    """What firmware would do; the NPU's function, with BAR 0 at HOLE and BAR 2 at HOLE64."""
    machine.command("outl", 0xCF8, 0x80000060)
    machine.command("outl", 0xCFC, PCIEXBAR | 1)
    port, npu = Function(machine, 0, 3), Function(machine, 1, 0)
    port.write(0x18, 0x00010100)
    port.write(0x20, (HOLE >> 16) | 0xCFF00000)
    port.write(0x24, ((HOLE64 >> 16) & 0xFFF0) | 0xFFF00000)
    port.write(0x28, HOLE64 >> 32)
    port.write(0x2C, (HOLE64 >> 32) + 3)
    port.write(0x04, 6, 2)
    npu.write(0x10, HOLE)
    npu.write(0x14, 0)
    npu.write(0x18, HOLE64 & 0xFFFFFFFF)
    npu.write(0x1C, HOLE64 >> 32)
    npu.write(0x04, 6, 2)
    return npu
