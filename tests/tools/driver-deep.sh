#!/bin/sh
# SPDX-License-Identifier: MIT
# What takes longer than driver-static.sh: clang, on a kernel configured for it, and the rules of
# coccinelle that come with the kernel.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${O:-$top/build}
source=$build/debug/source
clang=$build/debug/clang/tree
work=$build/check/driver-deep

# A tree of links, so that objects stay out of the sources.
mirror()
{
	rm -rf "$work"
	mkdir -p "$work/driver/tests"
	ln -s "$top/Kbuild" "$top/include" "$top/uapi" "$work/"
	ln -s "$top"/driver/*.[ch] "$work/driver/"
	ln -s "$top"/driver/tests/*.[ch] "$work/driver/tests/"
}

clang_builds_silently()
{
	mirror
	# Of the kernel only the headers were made: its symbols are not known.
	make -s -C "$clang" M="$work" O= CC=clang W=1 KBUILD_MODPOST_WARN=1 modules \
		>"$work/log" 2>&1 || { cat "$work/log"; return 1; }
	grep -E "warning:|error:" "$work/log" && return 1
	return 0
}

# rule FILE: what one of the kernel's rules has to say of the driver.
rule()
{
	spatch -D report --no-show-diff --very-quiet --cocci-file "$1" --no-includes \
		--include-headers --dir "$top/driver" >"$work/log" 2>&1 ||
		{ cat "$work/log"; return 1; }
	# Some errors leave the status as it is; what is found names a file and a line.
	grep -E "^$top/driver/|rror" "$work/log" && return 1
	return 0
}

check "clang W=1" clang_builds_silently
for file in "$source"/scripts/coccinelle/*/*.cocci; do
	grep -q "^virtual report" "$file" || continue
	# They want the compiler of OCaml: one is about another driver, the other for what sparse finds.
	case $file in
	*/check_bq27xxx_data.cocci|*/badzero.cocci) continue ;;
	esac
	check "coccinelle $(basename "$file")" rule "$file"
done
done_testing
