#!/bin/bash
# SPDX-License-Identifier: MIT
#
# build-driver.sh KDIR [NAME]: builds npu.ko against the kernel build tree KDIR, for the stock kernel
# or the debug kernel NAME. An external module's objects go beside its sources, so the sources are a
# shadow tree of links.

. "$(dirname "$0")/lib.sh"

kdir=$1
kernel=$O/kernel
shadow=$O/driver
if [ -n "${2:-}" ]; then
	kernel=$O/debug/$2
	shadow=$kernel/driver
fi
release=$(cat "$kernel/release")
updates=$kernel/lib/modules/$release/updates

mkdir -p "$shadow/driver/tests" "$updates"
ln -sfn "$TOP/Kbuild" "$shadow/Kbuild"
ln -sfn "$TOP/include" "$shadow/include"
ln -sfn "$TOP/uapi" "$shadow/uapi"
ln -sf "$TOP"/driver/*.[ch] "$shadow/driver"
ln -sf "$TOP"/driver/tests/*.[ch] "$shadow/driver/tests"
find "$shadow/driver" -xtype l -delete

# O means something else to Kbuild.
make -s -C "$kdir" M="$shadow" O= modules

# modprobe npu works in the guest too.
changed=
for module in "$shadow"/*.ko; do
	if ! cmp -s "$module" "$updates/${module##*/}"; then
		cp "$module" "$updates"
		changed=yes
	fi
done
[ -z "$changed" ] || depmod -b "$kernel" "$release"
