#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
In the guest, with two NPUs: one processor reads a register of one while another processor maps and
unmaps the memory of the other. Each access has to arrive where it should.
"""

import ctypes
import glob
import mmap
import os
import struct

COMMAND = 4
COMMAND_MEMORY = 2
ROUNDS = 3000
NPU_CLASS = 0x120000


def npus():
    """The folders of the NPUs in sysfs."""
    found = []
    for device in sorted(glob.glob("/sys/bus/pci/devices/*")):
        with open(device + "/class") as f:
            if int(f.read(), 16) == NPU_CLASS:
                found.append(device)
    return found


def decode(config, on):
    """Whether the device answers in the address space of memory."""
    command, = struct.unpack("<H", os.pread(config, 2, COMMAND))
    command = command | COMMAND_MEMORY if on else command & ~COMMAND_MEMORY
    os.pwrite(config, struct.pack("<H", command), COMMAND)


def read_until_eof(device, pipe):
    """Ends with 1 if the register ever reads as something else than at first."""
    os.sched_setaffinity(0, {1})
    os.set_blocking(pipe, False)
    fd = os.open(device + "/resource0", os.O_RDWR)
    register = ctypes.c_uint32.from_buffer(mmap.mmap(fd, mmap.PAGESIZE))
    identity = register.value
    while True:
        for _ in range(1000):
            if register.value != identity:
                os._exit(1)
        try:
            if not os.read(pipe, 1):
                os._exit(0)
        except BlockingIOError:
            pass


def main():
    read, mapped = npus()
    configs = [os.open(device + "/config", os.O_RDWR) for device in (read, mapped)]
    decode(configs[0], True)
    theirs, ours = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        read_until_eof(read, theirs)
    os.sched_setaffinity(0, {0})
    for _ in range(ROUNDS):
        decode(configs[1], False)
        decode(configs[1], True)
    os.close(ours)
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


main()
