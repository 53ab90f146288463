#!/bin/sh
# SPDX-License-Identifier: MIT
# The driver builds without a warning for the newest kernel whose headers Debian has.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${O:-$top/build}
work=$build/check/newest-kernel

builds_silently()
{
	rm -rf "$work"
	mkdir -p "$work"
	cp -r "$top/Kbuild" "$top/driver" "$top/include" "$top/uapi" "$work/"
	"$top/scripts/newest-kernel.sh" build "$work" >"$work/log" 2>&1 ||
		{ cat "$work/log"; return 1; }
	grep -E "warning|error" "$work/log" && return 1
	return 0
}

"$top/scripts/newest-kernel.sh" >&2
check "Linux $(cat "$build/newest/root/release"), W=1" builds_silently
done_testing
