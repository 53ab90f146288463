# SPDX-License-Identifier: GPL-2.0-only
"""Sphinx as the kernel's own documentation uses it, with the kernel's kernel-doc extension."""

import os
import sys

top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
kernel = os.path.join(os.environ.get("O") or os.path.join(top, "build"), "ksft")
sys.path.insert(0, os.path.join(kernel, "Documentation/sphinx"))

project = "accel/npu"
copyright = "the open NPU stack"
master_doc = "npu/index"
extensions = ["kerneldoc"]
kerneldoc_bin = os.path.join(kernel, "scripts/kernel-doc")
kerneldoc_srctree = top
kerneldoc_verbosity = 1
html_theme = "alabaster"
html_show_copyright = False
# The kernel has no prototypes of what is in other files.
nitpicky = False
