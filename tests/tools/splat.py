#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What tools/vm/splat.py finds in kernel logs, and what it leaves alone."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tools", "vm"))

import splat  # noqa: E402  the folder is not a package

FRAME = "[  1.3]  {}+0x20/0x50{}"
END = "[  1.9] =================================================================="


def race(*frames):
    return "\n".join([
        "[  1.1] " + "=" * 66, "[  1.2] BUG: KCSAN: data-race in this / that", *frames,
        "[  1.6] npu 0000:01:00.0: [drm] device has been reset",
        "[  1.7] Workqueue: npu-release npu_queue_release_work [npu]", END, "[  2.0] npu: works"])


CASES = [
    ("a quiet log has none", "[  1.0] npu: works", None),
    ("a warning is one", "[  1.0] WARNING: CPU: 0 PID: 1 at mm/slab.c:1 kfree+0x1/0x2", "WARNING"),
    ("a race of a module is one",
     race(FRAME.format("do_idle", ""), FRAME.format("npu_ring_tell", " [npu]")), "BUG: KCSAN"),
    ("a race of the kernel's own is none",
     race(FRAME.format("do_idle", ""), FRAME.format("tick_nohz_handler", "")), None),
    ("what comes after it is one",
     race(FRAME.format("do_idle", "")) + "\n[  3.0] Oops: 0000", "Oops"),
    ("half a report is one", race(FRAME.format("do_idle", "")).partition(END)[0], "BUG: KCSAN"),
]

failed = 0
for number, (what, log, want) in enumerate(CASES, 1):
    found = splat.first(log)
    good = want in found if want and found else found == want
    failed += not good
    print(f"{'' if good else 'not '}ok {number} - {what}")
    if not good:
        print(f"# found {found!r}")
print(f"1..{len(CASES)}")
sys.exit(failed != 0)
