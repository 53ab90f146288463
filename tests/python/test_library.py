# SPDX-License-Identifier: MIT
"""What the package says of libnpurt against what libnpurt is."""

import ctypes
import glob
import os
import re
import subprocess
import sys
import unittest

import npurt
from npurt import _errors, _ffi, array

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


HEADER = re.sub(r"/\*.*?\*/", "", read("libnpurt/include/npurt/npurt.h"), flags=re.S)

# What there is no use for in Python, and why.
NOT_CALLED = {
    "hang_report": "hang_report() reads npurt_hang_write_json(), which tells the same",
    "kernel_pack": "Kernel.pack() takes Python's types",
    "launch_named": "a Kernel is called with arguments by name",
    "memcpy": "copy() and synchronize()",
    "memcpy_2d": "copy_box() and synchronize()",
    "memcpy_2d_async": "copy_box() of one slice",
    "memory_context": "Memory takes its Context with it",
    "stream_synchronize": "synchronize() is npurt_stream_wait(), with a time-out or without",
}
NOT_DECLARED = {
    "arg_value": "of npurt_kernel_pack()",
    "graph_exec_attr": "it has no fields, and NULL stands for it",
    "hang": "of npurt_hang_report()",
}

# The enumerations of npurt.h.
ENUMS = {
    "advice": npurt.Advice, "command": npurt.Command, "condition": npurt.Condition,
    "error": npurt.ErrorCode, "failure_mode": npurt.FailureMode, "log_level": npurt.LogLevel,
    "placement": npurt.Placement, "priority": npurt.Priority, "reduce_op": npurt.Reduce,
    "scope": npurt.Scope, "stream_state": npurt.StreamState}
NOT_ENUMS = {
    "activity": "hang_report() has them as words",
    "arg_type": "Argument has formats of the module struct",
    "value_kind": "of npurt_kernel_pack()",
    "dtype": "array.DTYPES, by numpy's names",
}


class Library(unittest.TestCase):

    def test_functions(self):
        """each function of the library has its arguments declared, and no other name has"""
        exported = set(re.findall(r"\bnpurt_(\w+);", read("libnpurt/libnpurt.map")))
        self.assertEqual(set(_ffi.FUNCTIONS), exported)

    def test_reach(self):
        """the package calls each function of the library, but for those of a list"""
        package = "".join(read(path) for path in glob.glob("libnpurt/python/npurt/*.py",
                                                           root_dir=TOP))
        called = set(re.findall(r"\blib\.(\w+)", package))
        self.assertEqual(set(_ffi.FUNCTIONS) - called, set(NOT_CALLED))

    def test_enums(self):
        """each enumeration of the header is one of Python's, with the same names and values"""
        found = dict(re.findall(r"^enum npurt_(\w+) \{(.*?)^\}", HEADER, re.M | re.S))
        self.assertEqual(set(found), {*ENUMS, *NOT_ENUMS})
        for enum, python in ENUMS.items():
            values = {int(value): name for name, value in
                      re.findall(r"NPURT_(\w+) = (-?\d+)", found[enum])}
            if enum == "error":
                self.assertEqual(values.pop(0), "SUCCESS")
            self.assertEqual({value.value for value in python}, set(values), enum)
            for value in python:
                self.assertEqual(values[value][-len(value.name):], value.name)
        dtypes = re.findall(r"= (\d+)", found["dtype"])
        self.assertEqual(sorted(array.DTYPES.values()), [int(d) for d in dtypes])

    def test_argument_counts(self):
        """each has as many arguments as in the header"""
        for name, arguments in _ffi.FUNCTIONS.items():
            found = re.search(rf"\bnpurt_{name}\(([^)]*)\);", HEADER)
            self.assertIsNotNone(found, name)
            listed = [] if found[1].strip() == "void" else found[1].split(",")
            self.assertEqual(len(arguments), len(listed), name)

    def test_structures(self):
        """each structure of the header has the C compiler's offsets, and its size"""
        names = {structure.__name__ for structure in _ffi.STRUCTURES}
        self.assertEqual({*names, *NOT_DECLARED},
                         set(re.findall(r"^typedef struct npurt_(\w+) \{", HEADER, re.M)))
        lines = ["#include <stddef.h>", "#include <npurt/npurt.h>"]
        for structure in _ffi.STRUCTURES:
            name = "npurt_" + structure.__name__
            lines.append(f'_Static_assert(sizeof({name}) == {ctypes.sizeof(structure)}, "size");')
            for field, *_ in structure._fields_:
                offset = getattr(structure, field).offset
                lines.append(f'_Static_assert(offsetof({name}, {field}) == {offset}, "offset");')
        done = subprocess.run(
            ["gcc", "-fsyntax-only", "-I", os.path.join(TOP, "libnpurt/include"), "-xc", "-"],
            input="\n".join(lines), text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_errors(self):
        """each error code has its name"""
        for code in _errors.ErrorCode:
            self.assertEqual(_ffi.lib.error_name(code).decode(), "NPURT_ERROR_" + code.name)

    def test_null_device(self):
        """NPURT_NULL_DEVICE says how many null devices there are"""
        program = "import npurt; print(npurt.device_count())"
        path = os.path.join(TOP, "libnpurt/python")
        for value, want in (("1", "1\n"), ("3", "3\n"), ("64", "64\n"), ("65", ""), ("x", "")):
            env = dict(os.environ, NPURT_NULL_DEVICE=value, PYTHONPATH=path)
            done = subprocess.run([sys.executable, "-c", program], env=env, text=True,
                                  capture_output=True, check=False)
            self.assertEqual(done.stdout, want, done.stderr)
            if not want:
                self.assertIn("NPURT_ERROR_INVALID", done.stderr)
