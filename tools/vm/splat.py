# SPDX-License-Identifier: MIT
"""Finds in a kernel log what says that the kernel is not well."""

import re

SPLAT = re.compile(
    r"BUG:|WARNING: (CPU|possible|suspicious|inconsistent|bad unlock|held lock|Nested lock)|"
    r"WARNING: \S+:\d+ at |Oops|"
    r"KASAN|UBSAN:|KFENCE|general protection fault|kernel panic|Kernel panic|"
    r"INFO: (task .* blocked|possible|trying to register|rcu.*(stall|self-detected))|"
    r"rcu:.*(stall|self-detected)|soft lockup|hard LOCKUP|refcount_t:|Call Trace:|"
    r"kmemleak: \d+ new|list_(add|del) corruption|DMAR:.*fault|sleeping function called|"
    r"unregister_netdevice|object already free|page allocation failure"
)
EXPECTED = re.compile(r"FAULT_INJECTION: forcing")
LINES_AFTER = 40

RACE = "BUG: KCSAN:"
RACE_END = re.compile(r"\] =+$")
IN_MODULE = re.compile(r"\+0x[0-9a-f]+/0x[0-9a-f]+ \[\w+\]")


def without_own_races(lines):
    """Without what KCSAN says of races in which no module, and so no driver, has a part."""
    kept, race = [], None
    for line in lines:
        if race is None and RACE not in line:
            kept.append(line)
            continue
        race = (race or []) + [line]
        if RACE_END.search(line):
            if any(map(IN_MODULE.search, race)):
                kept += race
            race = None
    return kept + (race or [])


def first(log):
    """The first splat in the log and the lines after it, or None."""
    lines = without_own_races(log.splitlines())
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
