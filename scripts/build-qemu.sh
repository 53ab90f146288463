#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds QEMU in the tree that set-up configured. ninja sees a changed libnpucore.a and links again.

. "$(dirname "$0")/lib.sh"

export PYTHONPATH=$O/sysroot/meson/usr/lib/python3/dist-packages
export NINJA_STATUS="  QEMU       [%f/%t] "
ninja -C "$O/qemu" -j"${JOBS:-$(nproc)}" qemu-system-x86_64 |
	sed -u -e '/Entering directory/d' -e '/no work to do/d'
