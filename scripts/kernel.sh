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

KERNEL=$O/kernel
ROOT=$O/sysroot/linux

# What the guest's root, the driver and the bench stand on. Their own dependencies are found.
MODULES="9p 9pnet_virtio overlay virtio-rng nvme
	 drm drm_exec drm_gpuvm gpu-sched ttm drm_ttm_helper drm_buddy drm_shmem_helper"

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
	unpack_image
	gather_modules
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

# Reads COUNT bytes at OFFSET of vmlinuz as a little-endian number.
field()
{
	od -An -t "u$2" -j "$1" -N "$2" "$KERNEL/vmlinuz" | tr -d ' '
}

# The boot protocol's header says where the compressed ELF image is (payload_offset and
# payload_length count from the end of the set-up sectors). Unpacking it here spares TCG the work.
unpack_image()
{
	local start=$((($(field $((0x1f1)) 1) + 1) * 512 + $(field $((0x248)) 4)))
	local length=$(field $((0x24c)) 4)

	# The last four bytes are the size once unpacked, not part of the stream.
	dd if="$KERNEL/vmlinuz" iflag=skip_bytes,count_bytes bs=1M \
		skip=$start count=$((length - 4)) | zstd -qdc >"$KERNEL/vmlinux"
}

gather_modules()
{
	local tree out=$KERNEL/lib/modules/$release-amd64 todo=$MODULES name file

	# Debian 13's package has them in /usr/lib.
	tree=$(ls -d "$ROOT"/{usr/,}lib/modules/"$release-amd64" 2>/dev/null) || true
	find "$tree/kernel" -name '*.ko*' >"$O/stamps/modules.list"
	mkdir -p "$out/kernel"
	cp "$tree"/modules.{builtin,builtin.modinfo,order} "$out"
	while [ -n "${todo// /}" ]; do
		set -- $todo
		name=$1
		shift
		todo="$*"
		[ ! -e "$out/kernel/$name.ko" ] || continue
		# A file may spell its module's name with dashes or underscores.
		file=$(grep -m 1 -E "/${name//[-_]/[-_]}\.ko(\.xz)?$" "$O/stamps/modules.list")
		[ -n "$file" ] || die "the kernel has no module $name"
		case $file in
		*.xz) xz -dc "$file" >"$out/kernel/$name.ko" ;;
		*) cp "$file" "$out/kernel/$name.ko" ;;
		esac
		todo="$todo $(modinfo -F depends "$out/kernel/$name.ko" | tr ',' ' ')"
	done
	depmod -b "$KERNEL" "$release-amd64"
}

release=$(resolved kernel newest_release)
[ -n "$release" ] || die "no 6.12 kernel in the lists under $APT"
step "kernel" "$release-$(key_of "$0")" fetch_kernel
