#!/bin/sh
# SPDX-License-Identifier: MIT
# The driver builds without a warning of gcc at W=1 and of sparse, and checkpatch has no word, of its
# headers for others neither.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${O:-$top/build}
headers=$build/kernel/headers
work=$build/check/driver-static

# A tree of links, so that objects stay out of the sources.
mirror()
{
	rm -rf "$work"
	mkdir -p "$work"
	ln -s "$top/include" "$top/uapi" "$work/"
	mkdir -p "$work/driver/tests"
	ln -s "$top"/driver/*.[ch] "$work/driver/"
	ln -s "$top"/driver/tests/*.[ch] "$work/driver/tests/"
	ln -s "$top/Kbuild" "$work/Kbuild"
}

# Build, with what is given, and be silent.
builds_silently()
{
	mirror
	make -s -C "$headers" M="$work" "$@" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
	# The stock kernel was built by a compiler of its own version; that is no word on the driver.
	grep -E "warning|error" "$work/log" | grep -vE "compiler differs" && return 1
	return 0
}

# checkpatch FILE [OPTION]...
checkpatch()
{
	file=$1
	shift
	# It leaves a file where it runs.
	cd "$work" && perl "$build/ksft/scripts/checkpatch.pl" --no-tree --strict --terse \
		--show-types --max-line-length=100 "$@" --file "$file"
}

# What is for user space and firmware, too, has neither BIT() nor u32 nor static_assert(), and the
# masks that the macros of fields take are constants.
contract="BIT_MACRO,PREFER_KERNEL_TYPES,CAMELCASE,MACRO_ARG_REUSE"

# Kbuild looks for features: a version says little of a kernel that a distribution has patched.
no_version_compared()
{
	! grep -nE "LINUX_VERSION|KERNEL_VERSION|linux/version.h|PATCHLEVEL|SUBLEVEL" "$top/Kbuild" \
		"$top"/driver/*.[ch] "$top"/driver/tests/*.[ch]
}

check "gcc W=1, stack frames of 1 KiB" builds_silently W=1 KCFLAGS=-Wframe-larger-than=1024 modules
check "sparse" builds_silently C=2 CF=-D__CHECK_ENDIAN__ modules
check "no version is compared" no_version_compared
for file in "$top"/driver/*.[ch] "$top"/driver/tests/*.[ch]; do
	check "checkpatch $(basename "$file")" checkpatch "$file"
done
for file in "$top"/uapi/drm/*.h; do
	check "checkpatch $(basename "$file")" checkpatch "$file" --ignore BIT_MACRO
done
for file in "$top"/include/npu/*.h; do
	check "checkpatch $(basename "$file")" checkpatch "$file" --ignore "$contract"
done
done_testing
