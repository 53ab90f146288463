#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM, last in a suite: nothing that was allocated since boot has been lost.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

file=/sys/kernel/debug/kmemleak

# An object is only reported when it is five seconds old and two scans have missed it.
nothing_lost()
{
	sleep 6
	echo scan >"$file"
	echo scan >"$file"
	leaks=$(cat "$file")
	echo "$leaks"
	[ -z "$leaks" ]
}

if ! echo scan=off 2>/dev/null >"$file"; then
	echo "1..0 # SKIP this kernel has no kmemleak"
	exit 4
fi
check "no memory is lost" nothing_lost
done_testing
