#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Logistic regression whose training step is captured once and then launched as a graph: one call
of the kernel a step, whatever is in it. A coroutine shows the loss while the NPU goes on.

usage: captured_steps.py [FOLDER OF KERNELS]
"""

import asyncio
import os
import sys
import time

import numpy as np

import npurt

KERNELS = sys.argv[1] if sys.argv[1:] else "/usr/local/share/npu/kernels"
F32 = 0  # NPU_F32
TRANS_A = 1  # NPU_GEMM_TRANS_A

ROWS, COLS, CLASSES, STEPS, SHOWN, RATE = 256, 32, 4, 100, 20, 2.0

random = np.random.default_rng(1)
x = random.standard_normal((ROWS, COLS), np.float32)
labels = (x @ random.standard_normal((COLS, CLASSES), np.float32)).argmax(axis=1)

with npurt.Device() as device, device.context() as context, context.stream() as stream:
    gemm, softmax_xent, sgd = (context.module(os.path.join(KERNELS, name + ".elf"))[name]
                               for name in ("gemm", "softmax_xent", "sgd"))
    pool = context.pool(label="scratch")
    X, L = context.array(x, stream), context.array(labels.astype(np.int32), stream)
    W = context.empty((COLS, CLASSES))
    S, G = pool.empty(stream, (ROWS, CLASSES)), pool.empty(stream, (COLS, CLASSES))
    losses, shown = context.empty(ROWS), context.empty(ROWS, placement=npurt.Placement.HOST)

    def multiply(a, b, c, m, k, flags=0):
        gemm(stream, 1, a=a, b=b, c=c, m=m, n=CLASSES, k=k, lda=COLS, ldb=CLASSES, ldc=CLASSES,
             **{"in": F32}, out=F32, flags=flags, scale=1.0)

    def step():
        multiply(X, W, S, ROWS, COLS)  # S = X W
        softmax_xent(stream, 1, logits=S, labels=L, loss=losses, grad=S, rows=ROWS, cols=CLASSES,
                     ldx=CLASSES, ldgrad=CLASSES, scale=1 / ROWS)
        multiply(X, S, G, COLS, ROWS, TRANS_A)  # G = X^T S
        sgd(stream, 1, w=W, g=G, v=None, w16=None, count=W.size, rate=RATE, momentum=0)

    def train(run):
        """Gives the weights, and the time that the host spent on starting the steps."""
        stream.fill(W.memory, 0)
        spent = time.process_time()
        for _ in range(STEPS):
            run()
        return time.process_time() - spent, W.numpy(stream)

    async def train_and_show(run):
        stream.fill(W.memory, 0)
        for n in range(1, STEPS + 1):
            run()
            if n % SHOWN == 0:
                stream.copy(shown.memory, losses.memory)
                await stream.record().happened()
                print(f"step {n}: loss {shown.numpy().mean():.4f}")

    eager, want = train(step)
    with stream.capture() as graph:
        step()
    captured = graph.instantiate()
    launched, got = train(lambda: captured.launch(stream))
    asyncio.run(train_and_show(lambda: captured.launch(stream)))

    right = float(((x @ W.numpy(stream)).argmax(axis=1) == labels).mean())
    print(f"{device.properties['name']}: {len(graph.nodes)} kernels a step; "
          f"{eager / STEPS * 1e6:.0f} us of the CPU for a step by its commands, "
          f"{launched / STEPS * 1e6:.0f} us as a graph; {right:.0%} of the rows are right")
    if device.properties["name"] != "null device":
        sys.exit(not np.array_equal(got, want) or right < 0.9)
