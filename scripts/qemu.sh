#!/bin/bash
# SPDX-License-Identifier: MIT
#
# QEMU's source as Debian ships it, with the NPU's folder dropped in and configured to build just
# the VM's machine. Building it is `make qemu`'s own matter.

. "$(dirname "$0")/apt.sh"

SRC=$O/qemu-src
FACE=$TOP/qemu-device/qemu
MESON=$O/sysroot/meson

source_version()
{
	papt apt-cache showsrc --only-source qemu | sed -n 's/^Version: //p' | sort -V | tail -n 1
}

fetch_source()
{
	rm -rf "$SRC" "$DL"/qemu_*
	(cd "$DL" && papt apt-get source --download-only qemu)
	dpkg-source --no-check -x "$DL"/qemu_*.dsc "$SRC"
	rm -f "$O"/qemu_*.orig.tar.*
}

# The hooks: our folder, and one line in each of the four lists that have to know of it.
hook()
{
	ln -sfn "$FACE" "$SRC/hw/misc/npu"
	ln -sfn "$FACE/npu.mak" "$SRC/configs/devices/x86_64-softmmu/npu.mak"
	append "$SRC/hw/misc/meson.build" "subdir('npu')"
	append "$SRC/hw/misc/Kconfig" "source npu/Kconfig"
	grep -q "'hw/misc/npu'" "$SRC/meson.build" ||
		sed -i "s|^    'hw/misc',\$|&\n    'hw/misc/npu',|" "$SRC/meson.build"
	grep -q "'hw/misc/npu'" "$SRC/meson.build" || die "QEMU's list of trace folders has moved"
}

# Repairs of QEMU itself, which a later version may have: tests/qemu looks for what they mend.
mend()
{
	local patch

	for patch in "$TOP"/qemu-device/patches/*.patch; do
		if patch -d "$SRC" -p1 --dry-run --reverse --force <"$patch" >/dev/null; then
			continue
		elif patch -d "$SRC" -p1 --dry-run --forward <"$patch" >/dev/null; then
			patch -d "$SRC" -p1 --forward --no-backup-if-mismatch <"$patch" >/dev/null
		else
			say QEMU "has changed: $(basename "$patch") does not apply and is left out"
		fi
	done
}

# append FILE LINE, once.
append()
{
	grep -qxF "$2" "$1" || echo "$2" >>"$1"
}

# /usr/bin/python3, as another python in PATH may lack venv; meson of the private suite, as the
# host's may be too old, and QEMU must not look for one on the network.
configure()
{
	mkdir -p "$O/qemu"
	cd "$O/qemu"
	PATH=$MESON/usr/bin:$PATH PYTHONPATH=$MESON/usr/lib/python3/dist-packages \
	"$SRC/configure" --python=/usr/bin/python3 --disable-download \
		--target-list=x86_64-softmmu --with-devices-x86_64=npu \
		--without-default-features --without-default-devices \
		--enable-system --enable-tcg --enable-kvm --enable-plugins --enable-pie \
		--enable-virtfs --enable-attr --enable-membarrier --enable-linux-io-uring \
		--enable-trace-backends=log --disable-fdt --disable-docs \
		--disable-werror --disable-debug-info --disable-install-blobs
}

# The ROMs that Debian strips from the source, in one folder for QEMU's -L.
roms()
{
	unpack "$O/sysroot/roms" seabios qemu-system-data
	mkdir -p "$O/qemu-roms"
	cp "$O/sysroot/roms"/usr/share/seabios/bios-256k.bin \
		"$O/sysroot/roms"/usr/share/qemu/{linuxboot_dma,pvh,kvmvapic}.bin "$O/qemu-roms"
}

version=$(resolved qemu source_version)
step "qemu-source" "$version" fetch_source
step "qemu-meson" "$CODENAME" unpack "$MESON" meson
step "qemu-roms" "$CODENAME" roms
key=$version-$(key_of "$0" "$FACE/Kconfig" "$FACE/npu.mak" "$TOP"/qemu-device/patches/*)
step "qemu-configure" "$key" eval 'mend; hook; configure'
