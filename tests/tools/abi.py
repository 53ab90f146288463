#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
A program that was linked with an earlier version of libnpurt runs with the library that was
built: nothing that version had is gone or different. What may happen: new functions, new
enumerators, and structures that grow at their end, as each tells its size.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BUILD = os.environ.get("O") or os.path.join(TOP, "build")
LIBRARY = os.path.join(BUILD, "lib/libnpurt.so.1")
BASELINES = sorted(glob.glob(os.path.join(TOP, "libnpurt/abi/npurt-*.abi")))

# How libnpurt/abi was made, and how what is compared with it is.
DUMP = ["abidw", "--exported-interfaces-only", "--drop-private-types", "--no-comp-dir-path",
        "--no-corpus-path", "--no-show-locs", "--no-elf-needed",
        "--headers-dir", os.path.join(TOP, "libnpurt/include/npurt")]

INCOMPATIBLE = 8  # abidiff's exit status
USAGE_ERROR = 3

ALLOWED = [re.compile(pattern) for pattern in (
    r"(Functions|Variables) changes summary: 0 Removed, .*",
    r"\d+ functions? with some indirect sub-type changes?:",
    r"\[C\] 'function .*' has some (indirect )?sub-type changes:",
    r"parameter \d+ of type '.*' (has sub-type changes|changed):",
    r"in (pointed to|referenced|unqualified underlying) type '.*'( at \S+)?:",
    r"(underlying type|enum type|entity changed from)? ?'(struct|enum) npurt_\w+'.* changed:",
    r"type size hasn't changed",
    r"\d+ data member insertions?:",
    r"\d+ enumerator insertions?:",
    r"'npurt_\w+::NPURT_\w+' value '-?\d+'",
    r"1 enumerator change:",
    r"'npurt_error::NPURT_ERROR_LAST' from value '-\d+' to '-\d+'",
    r".*(as being reported|were reported earlier|as reported earlier).*",
)]
SIZE = re.compile(r"type size changed from (\d+) to \d+ \(in bits\)")
INSERTED = re.compile(r"'.*', at offset (\d+) \(in bits\).*")


def objections(baseline, dump):
    """Lines of abidiff's report that tell of more than growth."""
    done = subprocess.run(["abidiff", "--no-added-syms", baseline, dump], text=True,
                          capture_output=True, check=False)
    if done.returncode & (INCOMPATIBLE | USAGE_ERROR):
        return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    bad, old_size = [], None
    for line in filter(None, map(str.strip, done.stdout.splitlines())):
        size, inserted = SIZE.fullmatch(line), INSERTED.fullmatch(line)
        if size:
            old_size = int(size[1])
        elif inserted:
            if old_size is None or int(inserted[1]) < old_size:
                bad.append(line)
        elif not any(pattern.fullmatch(line) for pattern in ALLOWED):
            bad.append(line)
    return bad


def without_function(root, name="npurt_launch"):
    """A function goes."""
    symbols = root.find("elf-function-symbols")
    symbols.remove(next(s for s in symbols if s.get("name") == name))


def without_new_function(root):
    """A function of the last version goes."""
    without_function(root, "npurt_graph_launch")


def member(root, structure, name):
    """The declaration of a member, and the member."""
    found = next(c for c in root.iter("class-decl")
                 if c.get("name") == structure and c.get("size-in-bits"))
    return next((v, m) for m in found.iter("data-member") for v in m.iter("var-decl")
                if v.get("name") == name)


def moved_member(root):
    """A member of a structure moves."""
    member(root, "npurt_launch_attr", "tag")[1].set("layout-offset-in-bits", "64")


def moved_new_member(root):
    """A member of a structure of the last version moves."""
    member(root, "npurt_graph_loop", "rounds")[1].set("layout-offset-in-bits", "128")


def other_type(root):
    """A member gets another type."""
    core_mask = member(root, "npurt_stream_attr", "core_mask")[0]
    member(root, "npurt_stream_attr", "priority")[0].set("type-id", core_mask.get("type-id"))


def other_value(root):
    """An enumerator gets another value."""
    found = next(e for e in root.iter("enumerator") if e.get("name") == "NPURT_LOG_ERROR")
    found.set("value", "77")


def refused(dump, folder, change):
    tree = ET.parse(dump)
    change(tree.getroot())
    path = os.path.join(folder, "changed.abi")
    tree.write(path)
    return bool(objections(BASELINES[-1], path))


def main():
    results = []
    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, "now.abi")
        with open(dump, "w", encoding="utf-8") as f:
            subprocess.run([*DUMP, LIBRARY], stdout=f, check=True)
        for baseline in BASELINES:
            bad = objections(baseline, dump)
            version = re.search(r"npurt-(.*)\.abi", baseline)[1]
            results.append((f"nothing of version {version} is gone or different", not bad, bad))
        for change in (without_function, without_new_function, moved_member, moved_new_member,
                       other_type, other_value):
            results.append((f"seen if it happens: {change.__doc__}",
                            refused(dump, folder, change), []))
    for number, (name, ok, lines) in enumerate(results, 1):
        print(f"{'' if ok else 'not '}ok {number} - {name}")
        for line in lines:
            print("#", line)
    print(f"1..{len(results)}")
    return not all(ok for _, ok, _ in results)


if __name__ == "__main__":
    sys.exit(main())
