#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The newest kernel of Debian's backports, and npu.ko for it:
#
#   build/newest/root     its headers, and the compilers and tools that they want, as a root to
#                         chroot to: the host's own may be too old. No package's script is run.
#   build/newest/release, vmlinux, lib/modules/
#                         what build/kernel has of the stock kernel
#
#   newest-kernel.sh                  make all this
#   newest-kernel.sh build [ARG]...   build npu.ko anew, ARGs are for make, and write what is said

. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/image.sh"

NEWEST=$O/newest
APT=$NEWEST/apt
ROOT=$NEWEST/root
PACKAGES="base-files coreutils bash dash sed grep findutils gawk make gcc clang libc6-dev libelf1t64
	linux-headers-amd64"

sources()
{
	local main

	main=$(mirror_of "$CODENAME")
	[ -n "$main" ] || die "the host's apt configuration names no mirror for $CODENAME"
	echo "deb [signed-by=$KEYRING] $main trixie main"
	echo "deb [signed-by=$KEYRING] $main trixie-backports main"
}

configure_newest()
{
	configure_apt
	# Nothing is installed as far as this configuration knows, so that all is fetched.
	cat >>"$APT/apt.conf" <<-EOF
		Dir::State::status "/dev/null";
		APT::Get::AllowUnauthenticated "false";
		APT::Default-Release "trixie-backports";
	EOF
}

fetch_root()
{
	local deb

	$SUDO rm -rf "$ROOT"
	mkdir -p "$ROOT"
	papt apt-get install -y --download-only $PACKAGES
	# The links from /bin to /usr/bin come first.
	dpkg-deb -x "$APT"/cache/archives/base-files_*.deb "$ROOT"
	for deb in "$APT"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$ROOT"
	done
	rm -f "$APT"/cache/archives/*.deb
	ln -sf gawk "$ROOT/usr/bin/awk"
	install -m 755 "$TOP/scripts/clang-like-gcc" "$ROOT/usr/bin"
	$SUDO mknod -m 666 "$ROOT/dev/null" c 1 3
	ls "$ROOT/usr/src" | sed -n 's/^linux-headers-\(.*-amd64\)$/\1/p' >"$NEWEST/release"
}

fetch_image()
{
	local release image=$NEWEST/image tree

	release=$(cat "$NEWEST/release")
	tree=$image/usr/lib/modules/$release
	rm -rf "$image" "$NEWEST/lib"
	unpack "$image" linux-{base,binary,modules}-"$release"
	unpack_image "$tree/vmlinuz" "$NEWEST/vmlinux"
	gather_modules "$tree" "$NEWEST"
	rm -rf "$image"
}

build_driver()
{
	local release updates

	release=$(cat "$NEWEST/release")
	updates=$NEWEST/lib/modules/$release/updates
	mkdir -p "$ROOT/npu" "$updates"
	cp -rpu "$TOP/Kbuild" "$TOP/driver" "$TOP/include" "$TOP/uapi" "$ROOT/npu"
	# objtool reads /proc, which is mounted where nobody else sees it.
	$SUDO unshare -m sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$ROOT" \
		/usr/bin/env -i PATH=/usr/bin:/bin LC_ALL=C \
		make -s -C "/usr/src/linux-headers-$release" M=/npu W=1 "$@" modules
	cp "$ROOT/npu/npu.ko" "$updates"
	depmod -b "$NEWEST" "$release"
}

if [ "${1:-}" = build ]; then
	shift
	rm -rf "$ROOT/npu"
	build_driver "$@"
	exit
fi
# The same script has the three steps: what it does to the root is worth a new one.
key=$(key_of "$0" "$TOP/scripts/image.sh" "$TOP/scripts/clang-like-gcc")
step "newest-apt" "$CODENAME-$key" configure_newest
key=$(resolved newest newest linux-headers-amd64)-$key
step "newest-root" "$key" fetch_root
step "newest-image" "$key" fetch_image
build_driver
