#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The headers of the newest kernel that Debian has, and the compiler and tools that they want,
# unpacked as a root to chroot to: build/newest/root. The host's own may be too old for them. No
# package's script is run.
#
#   newest-kernel.sh              make it
#   newest-kernel.sh build DIR    build the module in DIR, which is copied, and write what is said

. "$(dirname "$0")/apt.sh"

APT=$O/newest/apt
ROOT=$O/newest/root
PACKAGES="base-files coreutils bash dash sed grep findutils gawk make gcc libc6-dev libelf1t64
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

fetch_newest()
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
	ls "$ROOT/usr/src" | sed -n 's/^linux-headers-\(.*-amd64\)$/\1/p' >"$ROOT/release"
}

build()
{
	local release

	release=$(cat "$ROOT/release")
	rm -rf "$ROOT/npu"
	cp -rL "$1" "$ROOT/npu"
	[ -c "$ROOT/dev/null" ] || $SUDO mknod -m 666 "$ROOT/dev/null" c 1 3
	# objtool reads /proc, which is mounted where nobody else sees it.
	$SUDO unshare -m sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$ROOT" \
		/usr/bin/env -i PATH=/usr/bin:/bin LC_ALL=C \
		make -s -C "/usr/src/linux-headers-$release" M=/npu W=1 modules
}

if [ "${1:-}" = build ]; then
	build "$2"
	exit
fi
step "newest-apt" "$CODENAME-$(key_of "$0")" configure_newest
step "newest" "$(resolved newest newest linux-headers-amd64)-$(key_of "$0")" fetch_newest
