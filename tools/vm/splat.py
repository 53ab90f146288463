# SPDX-License-Identifier: MIT
"""Finds in a kernel log what says that the kernel is not well."""

import re

SPLAT = re.compile(
    r"BUG:|WARNING: (CPU|possible|suspicious|inconsistent|bad unlock|held lock|Nested lock)|Oops|"
    r"KASAN|UBSAN:|KCSAN|KFENCE|general protection fault|kernel panic|Kernel panic|"
    r"INFO: (task .* blocked|possible|trying to register|rcu.*(stall|self-detected))|"
    r"rcu:.*(stall|self-detected)|soft lockup|hard LOCKUP|refcount_t:|Call Trace:|"
    r"kmemleak: \d+ new|list_(add|del) corruption|DMAR:.*fault|sleeping function called|"
    r"unregister_netdevice|object already free|page allocation failure"
)
EXPECTED = re.compile(r"FAULT_INJECTION: forcing")
LINES_AFTER = 40


def first(log):
    """The first splat in the log and the lines after it, or None."""
    lines = log.splitlines()
    expected = False
    for n, line in enumerate(lines):
        if EXPECTED.search(line):
            # Fault injection shows where it struck: that trace is no news.
            expected = True
        elif SPLAT.search(line):
            if expected and "Call Trace:" in line:
                expected = False
                continue
            return "\n".join(lines[n : n + LINES_AFTER])
    return None
