# SPDX-License-Identifier: MIT
"""The numbers of the hardware contract, read from include/npu so that they are said once."""

import glob
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
_NUMBER = r"(0x[0-9a-fA-F]+|\d+)"
_BIT = re.compile(r"^#define (NPU_\w+) NPU_BIT\((\d+)\)", re.M)
_DEFINE = re.compile(rf"^#define (NPU_\w+) {_NUMBER}\b", re.M)
_ENUM = re.compile(rf"^\s+(NPU_\w+) = {_NUMBER},", re.M)


def load():
    """Every plain number, bit and enumerator by name, without its NPU_."""
    names = {}
    for path in sorted(glob.glob(os.path.join(TOP, "include/npu/*.h"))):
        with open(path) as f:
            text = f.read()
        for pattern in (_DEFINE, _ENUM):
            names.update({k[4:]: int(v, 0) for k, v in pattern.findall(text)})
        names.update({k[4:]: 1 << int(v) for k, v in _BIT.findall(text)})
    return names
