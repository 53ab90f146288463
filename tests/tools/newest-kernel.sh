#!/bin/sh
# SPDX-License-Identifier: MIT
# The driver builds without a warning for the newest kernel of Debian's backports.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${O:-$top/build}
work=$build/check/newest-kernel

# Build, with what is given, and be silent.
builds_silently()
{
	mkdir -p "$work"
	"$top/scripts/newest-kernel.sh" build "$@" >"$work/log" 2>&1 ||
		{ cat "$work/log"; return 1; }
	grep -E "warning|error" "$work/log" && return 1
	return 0
}

"$top/scripts/newest-kernel.sh" >&2
release=$(cat "$build/newest/release")
check "Linux $release, clang W=1" builds_silently CC=clang-like-gcc
# What it leaves behind is what the VM runs.
check "Linux $release, gcc W=1" builds_silently
done_testing
