#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Debian's stock 6.12 kernel, unpacked under build/kernel and not installed:
#
#   release           its version
#   vmlinux           the image as QEMU boots it fastest: an ELF file, not compressed
#   vmlinuz, config   the image as Debian ships it, and its configuration
#   headers/          what Kbuild needs to build npu.ko
#   lib/modules/      the modules that the guest needs

. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/image.sh"

KERNEL=$O/kernel
ROOT=$O/sysroot/linux

# The newest release of which all the parts are there.
newest_release()
{
	local r

	for r in $(papt apt-cache pkgnames linux-headers-6.12. |
		   sed -nE 's/^linux-headers-(6\.12\.[0-9]+\+[a-z0-9.]+)-amd64$/\1/p' | sort -Vr); do
		if [ -n "$(image_of "$r")" ] && [ -n "$(newest "linux-headers-$r-common")" ]; then
			echo "$r"
			return
		fi
	done
}

image_of()
{
	local p

	for p in "linux-image-$1-amd64" "linux-image-$1-amd64-unsigned"; do
		if [ -n "$(newest "$p")" ]; then
			echo "$p"
			return
		fi
	done
}

fetch_kernel()
{
	rm -rf "$ROOT" "$KERNEL"
	unpack "$ROOT" "$(image_of "$release")" "linux-headers-$release-amd64" \
		"linux-headers-$release-common" "linux-kbuild-$release"
	mkdir -p "$KERNEL"
	cp "$ROOT/boot/vmlinuz-$release-amd64" "$KERNEL/vmlinuz"
	cp "$ROOT/boot/config-$release-amd64" "$KERNEL/config"
	relocate_headers
	unpack_image "$KERNEL/vmlinuz" "$KERNEL/vmlinux"
	# Debian 13's package has them in /usr/lib.
	gather_modules "$(ls -d "$ROOT"/{usr/,}lib/modules/"$release-amd64" 2>/dev/null)" "$KERNEL"
	echo "$release-amd64" >"$KERNEL/release"
}

# The headers name one absolute path, and the compiler that the kernel was built with.
relocate_headers()
{
	local headers=$ROOT/usr/src/linux-headers-$release-amd64 gcc

	sed -i "s|^include /usr/src/|include $ROOT/usr/src/|" "$headers/Makefile"
	ln -sfn "$headers" "$KERNEL/headers"
	gcc=$(grep -m 1 -oE 'gcc-[0-9]+' "$headers/.kernelvariables")
	[ -z "$gcc" ] || command -v "$gcc" >/dev/null ||
		$SUDO apt-get install -y --no-install-recommends "$gcc"
}

release=$(resolved kernel newest_release)
[ -n "$release" ] || die "no 6.12 kernel in the lists under $APT"
step "kernel" "$release-$(key_of "$0" "$TOP/scripts/image.sh")" fetch_kernel
