#!/bin/bash
# SPDX-License-Identifier: MIT
#
# debug-kernel.sh NAME...: builds the debug kernels of tests/configs/NAME.config from Debian's
# source, each once, under build/debug; of "clang" only what a module's build needs, with clang:
#
#   source/           the kernel's source, this tree linked in as drivers/accel/npu
#   NAME/tree/        the build
#   NAME/release, NAME/vmlinux, NAME/lib/modules/, NAME/headers
#                     what build/kernel has of the stock kernel
#
# npu.ko in it is that of the day; build-driver.sh builds newer ones.

. "$(dirname "$0")/apt.sh"

PACKAGE=linux-source-6.12
SOURCE=$O/debug/source
CONFIGS=$TOP/tests/configs

fetch_source()
{
	local deb

	deb=$(ls "$DL/${PACKAGE}"_*.deb 2>/dev/null) || deb=$(fetch_deb $PACKAGE)
	rm -rf "$O/debug"
	mkdir -p "$SOURCE"
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$PACKAGE.tar.xz" |
		xz -dc -T0 | tar -x -C "$SOURCE" --strip-components=1
	"$TOP/scripts/in-tree.sh" "$SOURCE"
}

# Every line of the fragments has to be honoured: a dependency that is missing would silently leave
# a check out. "=n" and "is not set" are one and the same.
check_config()
{
	local line name value bad=

	while read -r line; do
		name=${line%%=*}
		value=$(sed -n "s/^$name=//p" .config)
		[ "${value:-n}" = "${line#*=}" ] || bad="$bad $line(${value:-n})"
	done < <(cat "$@" | grep '^CONFIG_')
	[ -z "$bad" ] || die "not honoured:$bad"
}

build_kernel()
{
	local name=$1 dir=$O/debug/$1 tree=$O/debug/$1/tree
	local fragments="$CONFIGS/vm.config $CONFIGS/$1.config" cc=gcc

	[ "$name" != clang ] || cc=clang

	# What is there already is built upon: a change of the configuration is soon done.
	mkdir -p "$tree"
	cd "$tree"
	make -C "$SOURCE" O="$tree" CC=$cc tinyconfig
	"$SOURCE/scripts/kconfig/merge_config.sh" -m -O "$tree" .config $fragments
	make CC=$cc olddefconfig
	check_config $fragments
	if [ "$name" = clang ]; then
		make -j"${JOBS:-$(nproc)}" CC=$cc modules_prepare
		return
	fi
	nice -n 10 make -j"${JOBS:-$(nproc)}" vmlinux modules
	rm -rf "$dir/lib"
	make -s INSTALL_MOD_PATH="$dir" modules_install
	ln -sfn tree/vmlinux "$dir/vmlinux"
	ln -sfn tree "$dir/headers"
	make -s kernelrelease >"$dir/release"
}

step "debug-source" "$(resolved ksft newest $PACKAGE)-$(key_of "$TOP/scripts/in-tree.sh")" \
	fetch_source
for name; do
	step "debug-$name" "$(cat "$STAMPS/debug-source")-$(key_of "$0" "$CONFIGS/vm.config" "$CONFIGS/$name.config")" \
		build_kernel "$name"
done
