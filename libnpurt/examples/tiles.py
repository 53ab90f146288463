#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
A product of matrices that stay in the memory of the program: tiles of them go to the NPU and
come back by rows, without a copy of the program's own.

usage: tiles.py [FOLDER OF KERNELS]
"""

import os
import sys

import numpy as np

import npurt

KERNELS = sys.argv[1] if sys.argv[1:] else "/usr/local/share/npu/kernels"
F32 = 0  # NPU_F32

ROWS, INNER, COLS, TILE = 200, 150, 130, 64

random = np.random.default_rng(1)
x = random.standard_normal((ROWS, INNER), np.float32)
y = random.standard_normal((INNER, COLS), np.float32)
z = np.empty((ROWS, COLS), np.float32)


def tiles(size):
    return [slice(start, min(start + TILE, size)) for start in range(0, size, TILE)]


with npurt.Device() as device, device.context() as context, context.stream() as stream:
    gemm = context.module(os.path.join(KERNELS, "gemm.elf"))["gemm"]
    X, Y, part, total = (context.empty((TILE, TILE), label=name)
                         for name in ("x", "y", "part", "total"))

    def multiply(rows, inner, cols):
        """part = a tile of x times one of y."""
        a, b = x[rows, inner], y[inner, cols]
        X[:a.shape[0], :a.shape[1]].set(a, stream)
        Y[:b.shape[0], :b.shape[1]].set(b, stream)
        gemm(stream, 1, a=X, b=Y, c=part, m=a.shape[0], n=b.shape[1], k=a.shape[1], lda=TILE,
             ldb=TILE, ldc=TILE, **{"in": F32}, out=F32, flags=0, scale=1.0)

    for rows in tiles(ROWS):
        for cols in tiles(COLS):
            out = z[rows, cols]
            total.fill(0, stream)
            for inner in tiles(INNER):
                multiply(rows, inner, cols)
                stream.reduce(total, part)
            total[:out.shape[0], :out.shape[1]].numpy(stream, out)

    computes = device.properties["name"] != "null device"
    error = float(np.abs(z - x @ y).max()) if computes else 0
    print(f"{device.properties['name']}: a product of {ROWS} x {COLS} from tiles of {TILE}; "
          f"largest difference from numpy's {error:.1e}")
    sys.exit(error > 1e-3)
