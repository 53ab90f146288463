#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What the guest executes for a submit, a wait, a step of a training: counted, not timed, so the same
on every machine. The limits are the project's aims.
"""

import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def count():
    """The part "instructions" of npu-bench: the figures by name."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as f:
        subprocess.run([os.path.join(TOP, "tools/npu-bench"), "-o", f.name, "instructions"],
                       check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        return {name: entry["value"] for name, entry in json.load(f).items()}


def main():
    n = count()
    launch_and_flush = n["insn_submit"] + n["insn_steps_stream"] / 16
    aims = [
        (n["insn_roundtrip"], 15000, "a round trip of an empty job"),
        (n["insn_batch"], 300, "a job in a batch of 256, with its wait"),
        (n["insn_steps_graph"], n["insn_step_stream"] / 10,
         "a step as a graph is at most a tenth of the step flushed for itself"),
        (n["insn_step_epoch"], n["insn_steps_stream"] / 10,
         "a step in a graph of an epoch is at most a tenth of the step in a batch of as many"),
        (n["insn_call"], launch_and_flush / 100,
         "what each call does, trace off, is at most 1 % of a launch and its flush"),
    ]
    failed = 0
    for number, (value, limit, text) in enumerate(aims, 1):
        good = value <= limit
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {text}: {value:.1f} of {limit:.1f}")
    print(f"1..{len(aims)}")
    return failed != 0


sys.exit(main())
