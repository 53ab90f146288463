#!/bin/bash
# SPDX-License-Identifier: MIT
#
# build-driver.sh KDIR: builds npu.ko against the kernel build tree KDIR. An external module's
# objects go beside its sources, so the sources are a shadow tree of links in build/driver.

. "$(dirname "$0")/lib.sh"

kdir=$1
shadow=$O/driver

mkdir -p "$shadow/driver"
ln -sfn "$TOP/Kbuild" "$shadow/Kbuild"
ln -sfn "$TOP/include" "$shadow/include"
ln -sfn "$TOP/uapi" "$shadow/uapi"
ln -sf "$TOP"/driver/*.[ch] "$shadow/driver"
find "$shadow/driver" -xtype l -delete

# O means something else to Kbuild.
make -s -C "$kdir" M="$shadow" O= modules

# modprobe npu works in the guest too.
updates=$O/kernel/lib/modules/$(cat "$O/kernel/release")/updates
if ! cmp -s "$shadow/npu.ko" "$updates/npu.ko"; then
	mkdir -p "$updates"
	cp "$shadow/npu.ko" "$updates/npu.ko"
	depmod -b "$O/kernel" "$(cat "$O/kernel/release")"
fi
