#!/bin/sh
# SPDX-License-Identifier: MIT
# The driver as drivers/accel/npu of a kernel tree: that of the debug kernel, which was configured
# with the driver's own Kconfig.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${O:-$top/build}
tree=$build/debug/debug/tree
work=$build/check/in-tree

mkdir -p "$work"

# Make, with what is given, and be silent.
makes_silently()
{
	make -s -C "$tree" "$@" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
	grep -E "warning|error" "$work/log" && return 1
	return 0
}

selected()
{
	for option in DRM_ACCEL_NPU DRM_ACCEL_NPU_KUNIT_TEST DRM_BUDDY DRM_EXEC DRM_GPUVM DRM_SCHED \
		DRM_TTM; do
		grep -qE "^CONFIG_$option=[ym]" "$tree/.config" || { echo "no $option"; return 1; }
	done
}

is_of_the_tree()
{
	modinfo -F intree "$tree/drivers/accel/npu/npu.ko" | grep -qx Y
}

check "Kconfig selects what the driver needs" selected
check "objects, W=1" makes_silently W=1 drivers/accel/npu/
check "modules" makes_silently modules
check "npu.ko is of the tree" is_of_the_tree
done_testing
