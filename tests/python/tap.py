#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the unit tests of this folder, or the modules that are named, and prints TAP."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


class TapResult(unittest.TestResult):
    """A line for each test, with the traceback of one that failed."""

    points = 0

    def _point(self, test, ok, directive="", detail=""):
        self.points += 1
        name = f"{type(test).__module__}: {test.shortDescription() or test}"
        print(f"{'' if ok else 'not '}ok {self.points} - {name.replace('#', '')}{directive}")
        for line in detail.splitlines():
            print("#", line)
        sys.stdout.flush()

    def addSuccess(self, test):
        super().addSuccess(test)
        self._point(test, True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._point(test, True, f" # SKIP {reason}")

    def addError(self, test, err):
        super().addError(test, err)
        self._point(test, False, detail=self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._point(test, False, detail=self.failures[-1][1])


def main():
    build = os.environ.get("O", os.path.join(TOP, "build"))
    os.environ.setdefault("NPURT_LIBRARY", os.path.join(build, "lib/libnpurt.so.1"))
    os.environ.setdefault("NPU_MODULES", os.path.join(build, "tests/runtime/modules"))
    os.environ.setdefault("NPU_KERNELS", os.path.join(build, "kernels"))
    sys.path[:0] = [HERE, os.path.join(TOP, "libnpurt/python")]
    loader = unittest.TestLoader()
    if sys.argv[1:]:
        tests = loader.loadTestsFromNames(sys.argv[1:])
    else:
        tests = loader.discover(HERE)
    result = TapResult()
    tests.run(result)
    print(f"1..{result.points}")
    return not result.wasSuccessful()


if __name__ == "__main__":
    sys.exit(main())
