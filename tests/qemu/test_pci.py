#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The QEMU face of the device: configuration space, BARs, MSI-X, bus mastering, resets."""

import os
import struct
import sys

from contract import TOP, load
from machine import BUILD, HOLE, HOLE64, Function, Machine, enumerate_bus

C = load()
FAULTS = os.path.join(TOP, "docs/device-faults.md")
HBM = 128 << 20
ASQ, ACQ, MESSAGE = 0x100000, 0x101000, 0x102000
POLLS = 50000


class Npu:
    """One device in its reset state, enabled as a driver would."""

    def __init__(self, options=""):
        self.machine = Machine(options=options)
        self.pci = enumerate_bus(self.machine)
        self.msix = self.pci.capability(0x11)
        self.entries = 0

    def reg(self, name):
        return self.machine.read(HOLE + C["REG_" + name], 4)

    def set(self, name, value):
        self.machine.write(HOLE + C["REG_" + name], 4, value)

    def wait(self, what, condition):
        for _ in range(POLLS):
            if condition():
                return
            self.machine.step()
        raise AssertionError(f"no {what}")

    def boot(self):
        """Stages the image and starts it, with admin rings in the machine's memory."""
        with open(os.path.join(BUILD, "fw/npu/npu-mcu.bin"), "rb") as f:
            image = f.read()
        region = self.reg("FW_REGION_LO")
        self.machine.write_bytes(HOLE64 + region, image)
        self.machine.write_bytes(ACQ, bytes(4096))
        self.set("BOOT_IMAGE_LO", region)
        self.set("BOOT_IMAGE_HI", 0)
        self.set("BOOT_IMAGE_SIZE", len(image))
        self.set("BOOT_CMD", 1)
        self.wait("boot", lambda: self.reg("BOOT_POST") >= C["POST_FW_READY"])
        assert self.reg("BOOT_POST") == C["POST_FW_READY"], hex(self.reg("BOOT_POST"))
        for name, base in (("ASQ", ASQ), ("ACQ", ACQ)):
            self.set(name + "_BASE_LO", base)
            self.set(name + "_BASE_HI", 0)
        self.set("ADMIN_ENTRIES", 16)
        self.set("IRQ_ENABLE", C["IRQ_CAUSE_ADMIN"])
        self.entries = 0

    def submit_identify(self, major=1):
        command = struct.pack("<BBHIHH52x", C["ADMIN_IDENTIFY"], 0, 0x1234, 0, major, 0)
        self.machine.write_bytes(ASQ + 64 * (self.entries % 16), command)
        self.entries += 1
        self.set("ASQ_TAIL", self.entries)

    def completion(self):
        """(cid, status) of the newest command, None while there is none."""
        at = ACQ + 64 * ((self.entries - 1) % 16) + 56
        cid, _, status, flags = struct.unpack("<4H", self.machine.read_bytes(at, 8))
        return (cid, status) if flags & C["CQE_PHASE"] else None

    def set_vector(self, masked):
        """Vector 0 as a write of 0x5a to plain memory, where it can be seen."""
        table = HOLE + C["MSIX_TABLE_OFFSET"]
        for offset, value in ((0, MESSAGE), (4, 0), (8, 0x5A), (12, int(masked))):
            self.machine.write(table + offset, 4, value)

    def enable_msix(self):
        self.pci.write(self.msix + 2, 0x8000, 2)

    def message(self):
        return self.machine.read(MESSAGE, 4)

    def function_level_reset(self):
        control = self.pci.capability(0x10) + 8
        self.pci.write(control, self.pci.read(control, 2) | 0x8000, 2)
        assert self.pci.read(0x04, 2) & 6 == 0, "still on the bus"
        enumerate_bus(self.machine)
        self.wait("end of reset", lambda: self.reg("DEV_STATUS") == C["DEV_STATUS_ROM_READY"])


def test_identity(npu):
    """ids, revision and class"""
    assert npu.pci.read(0) == C["PCI_DEVICE_ID"] << 16 | C["PCI_VENDOR_ID"]
    assert npu.pci.read(8) == C["PCI_CLASS"] << 16 | C["PCI_REVISION"]
    assert npu.pci.read(0x3D, 1) == 0, "an interrupt pin"


def test_capabilities(npu):
    """power management, MSI-X, PCI Express endpoint with FLR, AER, serial number"""
    assert npu.pci.capability(0x01)
    assert npu.pci.read(npu.msix + 2, 2) & 0x7FF == npu.reg("NUM_VECTORS") - 1
    assert npu.pci.read(npu.msix + 4) == C["MSIX_TABLE_OFFSET"] | C["BAR_REGS"]
    assert npu.pci.read(npu.msix + 8) == C["MSIX_PBA_OFFSET"] | C["BAR_REGS"]
    express = npu.pci.capability(0x10)
    assert npu.pci.read(express + 2, 2) >> 4 & 0xF == 0, "not an endpoint"
    assert npu.pci.read(express + 4) & 1 << 28, "no FLR"
    assert npu.pci.extended_capability(0x0001), "no AER"
    serial = npu.pci.extended_capability(0x0003)
    assert npu.pci.read(serial + 4) == npu.reg("SERIAL_LO") == 77


def test_bar_sizes(npu):
    """BAR 0 of 16 MiB, BAR 2 as large as HBM, both 64 bits wide"""
    for bar, size, flags in ((0x10, C["BAR_REGS_SIZE"], 0x4), (0x18, HBM, 0xC)):
        old = npu.pci.read(bar), npu.pci.read(bar + 4)
        npu.pci.write(bar, 0xFFFFFFFF)
        npu.pci.write(bar + 4, 0xFFFFFFFF)
        value = npu.pci.read(bar) | npu.pci.read(bar + 4) << 32
        npu.pci.write(bar, old[0])
        npu.pci.write(bar + 4, old[1])
        assert value & 0xF == flags
        assert (1 << 64) - (value & ~0xF) == size


def test_registers(npu):
    """registers as after reset; a 64-bit access has both halves"""
    assert npu.reg("MAGIC") == C["MAGIC"]
    assert npu.reg("DEV_STATUS") == C["DEV_STATUS_ROM_READY"]
    assert npu.machine.read(HOLE + C["REG_HBM_SIZE_LO"], 8) == HBM


def test_no_such_register(npu):
    """an access where no register is reads 0 and is counted"""
    before = npu.reg("GUEST_ERRORS")
    assert npu.machine.read(HOLE + 0xFF0, 4) == 0
    npu.machine.write(HOLE + 0xFF0, 4, 1)
    assert npu.reg("GUEST_ERRORS") == before + 2


def test_hbm_is_memory(npu):
    """HBM takes accesses of any width up to its end, and outlives a reset"""
    last = HOLE64 + HBM - 8
    npu.machine.write(last, 8, 0x1122334455667788)
    npu.machine.write(last + 1, 1, 0xAA)
    npu.machine.write(last + 4, 2, 0xBBBB)
    npu.function_level_reset()
    assert npu.machine.read(last, 8) == 0x1122BBBB5566AA88


def test_function_level_reset(npu):
    """FLR gives registers and configuration space their reset values"""
    count = npu.reg("RESET_COUNT")
    npu.set("IRQ_ENABLE", 7)
    npu.enable_msix()
    npu.function_level_reset()
    assert npu.pci.read(npu.msix + 2, 2) & 0x8000 == 0, "MSI-X is on"
    assert npu.reg("IRQ_ENABLE") == 0
    assert npu.reg("RESET_COUNT") == count + 1


def test_boot_and_interrupt(npu):
    """the firmware boots, answers by bus mastering, and raises its vector"""
    npu.boot()
    npu.set_vector(masked=False)
    npu.enable_msix()
    npu.submit_identify()
    npu.wait("completion", npu.completion)
    assert npu.completion() == (0x1234, C["ST_OK"])
    npu.wait("message", lambda: npu.message() == 0x5A)


def test_masked_vector(npu):
    """a masked vector is pending, and is signalled once it is unmasked"""
    pending = HOLE + C["MSIX_PBA_OFFSET"]
    npu.boot()
    npu.set_vector(masked=True)
    npu.enable_msix()
    npu.submit_identify()
    npu.wait("pending bit", lambda: npu.machine.read(pending, 8) & 1)
    assert npu.message() == 0
    npu.set_vector(masked=False)
    assert npu.message() == 0x5A
    assert npu.machine.read(pending, 8) & 1 == 0


def test_bus_master_off(npu):
    """without bus mastering nothing reaches memory, and a reset brings the device back"""
    npu.boot()
    npu.pci.write(0x04, 2, 2)
    npu.submit_identify()
    for _ in range(200):
        npu.machine.step()
    npu.pci.write(0x04, 6, 2)
    assert npu.machine.read_bytes(ACQ, 4096) == bytes(4096)
    npu.function_level_reset()
    npu.boot()
    npu.submit_identify()
    npu.wait("completion", npu.completion)


def test_rings_in_registers(npu):
    """rings that lie where a device's registers are: refused by the bus, survived by the VM"""
    npu.boot()
    npu.set("ASQ_BASE_LO", HOLE)
    npu.submit_identify()
    for _ in range(200):
        npu.machine.step()
    assert npu.reg("MAGIC") == C["MAGIC"]


def struck(npu, fault):
    return npu.machine.get("injected-" + fault), npu.machine.get("inject-" + fault)


def test_inject_properties(npu):
    """each fault has a property that arms it and one that counts; what is not a number is refused"""
    names = {p["name"] for p in npu.machine.qmp("qom-list", path="/machine/peripheral/npu")}
    faults = {n[7:] for n in names if n.startswith("inject-")} - {"removal"}
    assert faults == {n[9:] for n in names if n.startswith("injected-")}
    with open(FAULTS) as f:
        documented = {line.split("|")[1].strip() for line in f if line.startswith("| ")}
    assert faults <= documented, faults - documented
    for fault in sorted(faults - {"hbm-poison"}):
        npu.machine.set("inject-" + fault, "3@99")
        assert struck(npu, fault) == (0, "3"), fault
        npu.machine.set("inject-" + fault, "0")
        assert struck(npu, fault) == (0, "0"), fault
    for bad in ("", "x", "1@", "1@x", "1 2"):
        try:
            npu.machine.set("inject-irq-lost", bad)
        except RuntimeError:
            continue
        raise AssertionError(f"takes {bad!r}")


def test_inject_lost_interrupt(npu):
    """a message is lost, the next one is sent"""
    npu.boot()
    npu.set_vector(masked=False)
    npu.enable_msix()
    npu.machine.set("inject-irq-lost", "1@0")
    npu.submit_identify()
    npu.wait("completion", npu.completion)
    npu.wait("loss", lambda: struck(npu, "irq-lost") == (1, "0"))
    assert npu.message() == 0
    npu.submit_identify()
    npu.wait("message", lambda: npu.message() == 0x5A)


def test_inject_firmware(npu):
    """the firmware crashes on command; a reset brings the device back"""
    npu.boot()
    npu.machine.set("inject-fw-crash", "1")
    npu.wait("crash", lambda: npu.reg("DEV_STATUS") == C["DEV_STATUS_FW_DEAD"])
    assert struck(npu, "fw-crash") == (1, "0")
    npu.function_level_reset()
    npu.boot()
    npu.submit_identify()
    npu.wait("completion", npu.completion)


def test_inject_stuck_reset(npu):
    """a reset does not end, a function level reset does"""
    npu.machine.set("inject-reset-stuck", "1")
    npu.set("DEV_CTRL", C["DEV_CTRL_RESET"])
    npu.wait("loss", lambda: struck(npu, "reset-stuck") == (1, "0"))
    for _ in range(20):
        npu.machine.step()
    assert npu.reg("DEV_STATUS") & C["DEV_STATUS_RESETTING"]
    npu.function_level_reset()


def test_inject_dead_registers(npu):
    """registers read as all ones, as often as was asked for"""
    npu.machine.set("inject-regs-dead", "2")
    assert [npu.reg("MAGIC") for _ in range(3)] == [0xFFFFFFFF, 0xFFFFFFFF, C["MAGIC"]]


def test_inject_bus_error(npu):
    """the bus refuses a read of the admin ring: no answer; the next command has one"""
    npu.boot()
    npu.machine.set("inject-dma-error", "1")
    npu.submit_identify()
    npu.wait("loss", lambda: struck(npu, "dma-error") == (1, "0"))


def deleted(npu):
    npu.machine.qmp("query-status")
    return "DEVICE_DELETED" in npu.machine.events


def test_removal(npu):
    """a device that falls off the bus reads as all ones and goes once the slot is off"""
    port = Function(npu.machine, 0, 3)
    slot = port.capability(0x10) + 0x18
    npu.boot()
    npu.machine.write(HOLE64, 8, 0x1234)
    npu.machine.set("inject-removal", True)
    assert npu.pci.read(0) == 0xFFFFFFFF
    assert npu.reg("MAGIC") == 0xFFFFFFFF
    assert npu.machine.read(HOLE64, 8) == 0xFFFFFFFFFFFFFFFF
    assert port.read(slot + 2, 2) & 0x48 == 0x08, "the slot has not noticed"
    for _ in range(3):
        npu.machine.step(1000000000)
    assert not deleted(npu)
    port.write(slot, port.read(slot, 2) | 0x0700, 2)
    npu.wait("deletion", lambda: deleted(npu))
    npu.machine.qmp("device_add", driver="npu", id="npu", bus="rp", hbm="hbm")
    assert port.read(slot + 2, 2) & 0x48 == 0x48, "no new device in the slot"


def test_aer(npu):
    """errors are reported by AER, as the device's registers say"""
    aer = npu.pci.extended_capability(0x0001)
    port = Function(npu.machine, 0, 3)
    root = port.extended_capability(0x0001)
    # Reporting, and SERR#, of the function and of the bridge on the way.
    for function in (npu.pci, port):
        control = function.capability(0x10) + 8
        function.write(control, function.read(control, 2) | 7, 2)
        function.write(0x04, 0x106, 2)
    port.write(0x3E, 2, 2)
    for error, bit, kind in (("COMP_TIME", 1 << 14, 0x20), ("DLP", 1 << 4, 0x40)):
        port.write(root + 0x30, 0xFFFFFFFF)
        answer = npu.machine.qmp("human-monitor-command",
                                 **{"command-line": f"pcie_aer_inject_error npu {error}"})
        assert answer.startswith("OK"), answer
        assert npu.pci.read(aer + 4) & bit
        assert port.read(root + 0x30) & 0x60 == kind, hex(port.read(root + 0x30))


TESTS = [f for name, f in sorted(globals().items()) if name.startswith("test_")]
MODES = {"threads": ",serial=77,workers=2", "sync": ",serial=77,sync=on"}


def run(test, options):
    """None if the test passes, else why not."""
    npu = Npu(options)
    why = None
    try:
        test(npu)
    except (AssertionError, RuntimeError, OSError, IndexError) as e:
        frame = e.__traceback__
        while frame.tb_next:
            frame = frame.tb_next
        why = f"line {frame.tb_lineno}: {e or type(e).__name__}"
    if not npu.machine.close():
        why = f"QEMU ended; {why}"
    return why


def main():
    failures = 0
    print(f"1..{len(TESTS) * len(MODES)}")
    number = 0
    for mode, options in MODES.items():
        for test in TESTS:
            number += 1
            why = run(test, options)
            print(f"{'not ok' if why else 'ok'} {number} - {mode}: {test.__doc__}", flush=True)
            if why:
                failures += 1
                print(f"# {why}")
    sys.exit(failures != 0)


main()
