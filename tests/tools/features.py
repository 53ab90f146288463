#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""docs/runtime-features.md: each feature has a test, and each test that it names is there."""

import os
import re
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
TABLE = os.path.join(os.path.dirname(TESTS), "docs/runtime-features.md")
COLUMNS = 7


def rows():
    """The cells of each row that is a feature."""
    with open(TABLE, encoding="utf-8") as f:
        lines = [line.strip() for line in f if line.startswith("|")]
    for line in lines[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not cells[0].startswith("**"):
            yield cells


def problem(cells):
    """What is wrong with a row, or None."""
    if len(cells) != COLUMNS or not all(re.fullmatch("[YPN?]", cell) for cell in cells[1:6]):
        return "the row is not well formed"
    for test in cells[6].split(", "):
        path, _, name = test.partition(":")
        try:
            with open(os.path.join(TESTS, path), encoding="utf-8") as f:
                text = f.read()
        except OSError:
            return f"there is no tests/{path}"
        if not name or not re.search(rf"\b{re.escape(name)}\b", text):
            return f"there is no {name} in tests/{path}"
    return None


def main():
    found = list(rows())
    failed = not found
    for number, cells in enumerate(found, 1):
        wrong = problem(cells)
        failed |= wrong is not None
        print(f"{'not ' if wrong else ''}ok {number} - {cells[0].replace('#', '')}")
        if wrong:
            print("#", wrong)
    print(f"1..{len(found)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
