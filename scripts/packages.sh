#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Installs the host packages that are missing, and names them.

. "$(dirname "$0")/lib.sh"

BUILD="build-essential pkg-config flex bison bc python3 python3-venv ninja-build"
QEMU="libglib2.0-dev libpixman-1-dev libattr1-dev libcap-ng-dev liburing-dev"
KERNEL="libelf-dev libssl-dev kmod cpio pahole zstd xz-utils sparse"
FIRMWARE="gcc-riscv64-unknown-elf"
RUNTIME="libdrm-dev libdw-dev libjansson-dev libopenblas-dev python3-numpy bible-kjv"
CHECKS="clang coccinelle man-db mandoc abigail-tools python3-sphinx trace-cmd linux-perf valgrind
	lm-sensors gdb-multiarch"
FETCH="apt-utils ca-certificates debian-archive-keyring dpkg-dev git"

missing()
{
	local p

	for p in $BUILD $QEMU $KERNEL $FIRMWARE $RUNTIME $CHECKS $FETCH; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
			echo "$p"
	done
}

# Another package manager may hold the lock for a moment: wait for it rather than fail.
install()
{
	local opts="-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"

	$SUDO apt-get $opts update
	$SUDO env DEBIAN_FRONTEND=noninteractive \
		apt-get $opts install -y --no-install-recommends "$@"
}

case $CODENAME in
bookworm|trixie) ;;
*) die "this needs Debian 12 (bookworm) or 13 (trixie), not '${CODENAME:-unknown}'" ;;
esac
[ "$(dpkg --print-architecture)" = amd64 ] || die "this needs an amd64 machine"

todo=$(missing)
if [ -n "$todo" ]; then
	[ -z "$SUDO" ] || command -v sudo >/dev/null ||
		die "these packages are missing; install them as root:" $todo
	say PACKAGES "$(echo $todo)"
	step "packages" "$(date +%s)" install $todo
fi
