#!/bin/bash
# SPDX-License-Identifier: MIT
#
# in-tree.sh LINUX: links the driver into a kernel's source tree, as drivers/accel/npu, and hooks
# it to its neighbours' Kconfig and Makefile. To link a second time does no harm.

set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
accel=$1/drivers/accel

[ -f "$accel/Kconfig" ] || { echo "in-tree: $1 has no drivers/accel" >&2; exit 1; }
mkdir -p "$accel/npu"
for part in Kbuild Kconfig driver include uapi; do
	ln -sfn "$top/$part" "$accel/npu/$part"
done
grep -q accel/npu "$accel/Kconfig" ||
	sed -i 's|^source "drivers/accel/qaic/Kconfig"|source "drivers/accel/npu/Kconfig"\n&|' "$accel/Kconfig"
grep -q DRM_ACCEL_NPU "$accel/Makefile" ||
	sed -i 's|^obj-.*qaic/$|obj-$(CONFIG_DRM_ACCEL_NPU)\t\t+= npu/\n&|' "$accel/Makefile"
grep -q accel/npu "$accel/Kconfig" && grep -q DRM_ACCEL_NPU "$accel/Makefile"
