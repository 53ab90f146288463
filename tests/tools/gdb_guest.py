#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""In the VM, for gdb.py: launches the kernel that a line of standard input names, and tells."""

import sys

import numpy as np

import npurt

BLOCKS, COUNT, MORE = 4, 16, 100


def run_sum(context, module):
    with context.stream() as stream:
        data = np.arange(BLOCKS * COUNT, dtype=np.uint32).reshape(BLOCKS, COUNT)
        memory = context.array(data, stream)
        module["sum"](stream, BLOCKS, data=memory, more=MORE)
        want = data + np.arange(BLOCKS, dtype=np.uint32)[:, None] + MORE
        return "right" if (memory.numpy(stream) == want).all() else "wrong"


def run_crash(context, module):
    with context.stream() as stream:
        module["crash"](stream, 1, data=0x7000000000, more=1)
        stream.synchronize()
        return "no error"


def run_hang(context, module):
    with context.stream(timeout_ms=300) as stream:
        memory = context.array(np.zeros(2, np.uint64), stream)
        module["hang"](stream, 1, data=memory, more=5)
        stream.synchronize()
        return f"ended with {memory.numpy(stream)[0]}"


def run(kernel):
    try:
        with npurt.Device() as device, device.context() as context:
            return kernel(context, context.module(sys.argv[1]))
    except npurt.Error as e:
        return f"error: {e}".replace("\n", " ")


KERNELS = {"sum": run_sum, "crash": run_crash, "hang": run_hang}

print("ready", flush=True)
for line in sys.stdin:
    print(f"{line.strip()} {run(KERNELS[line.strip()])}", flush=True)
