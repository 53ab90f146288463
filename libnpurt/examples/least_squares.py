#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Least squares by gradient descent on an NPU: kernels launched by name, arrays from and to numpy,
one synchronisation at the end.

usage: least_squares.py [FOLDER OF KERNELS]
"""

import os
import sys

import numpy as np

import npurt

KERNELS = sys.argv[1] if sys.argv[1:] else "/usr/local/share/npu/kernels"
F32 = 0  # NPU_F32
SUB = 1  # NPU_ELTWISE_SUB
TRANS_A = 1  # NPU_GEMM_TRANS_A

ROWS, COLS, STEPS, RATE = 512, 16, 200, 0.5

random = np.random.default_rng(1)
x = random.standard_normal((ROWS, COLS), np.float32)
truth = random.standard_normal((COLS, 1), np.float32)
y = x @ truth + 0.01 * random.standard_normal((ROWS, 1), np.float32)

with npurt.Device() as device, device.context() as context, context.stream() as stream:
    def kernel(name):
        return context.module(os.path.join(KERNELS, name + ".elf"))[name]

    gemm, elementwise, sgd = kernel("gemm"), kernel("elementwise"), kernel("sgd")
    X, Y = context.array(x, stream), context.array(y, stream)
    W, G = context.empty((COLS, 1)), context.empty((COLS, 1))
    E = context.empty((ROWS, 1))
    print(f"{device.properties['name']}: gemm takes {', '.join(a.name for a in gemm.arguments)}")

    def multiply(a, b, c, m, n, k, lda, flags=0, scale=1.0):
        gemm(stream, 1, a=a, b=b, c=c, m=m, n=n, k=k, lda=lda, ldb=n, ldc=n,
             **{"in": F32}, out=F32, flags=flags, scale=scale)

    start = stream.record()
    for _ in range(STEPS):
        multiply(X, W, E, ROWS, 1, COLS, COLS)  # E = X W
        elementwise(stream, 1, x=E, y=Y, out=E, count=ROWS, op=SUB, dtype=F32, alpha=0)
        multiply(X, E, G, COLS, 1, ROWS, COLS, TRANS_A)  # G = X^T E
        sgd(stream, 1, w=W, g=G, v=None, w16=None, count=COLS, rate=RATE / ROWS, momentum=0)
    end = stream.record()
    w = W.numpy(stream)

    error = float(np.abs(w - np.linalg.lstsq(x, y, rcond=None)[0]).max())
    print(f"{STEPS} steps in {end.elapsed_ns(start) / 1e6:.2f} ms of device time; "
          f"largest difference from numpy's solution {error:.2e}")
    computes = device.properties["name"] != "null device"
    sys.exit(computes and error > 1e-4)
