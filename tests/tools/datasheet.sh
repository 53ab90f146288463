#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/hardware.md and include/npu agree: register offsets, status codes, vector operations.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

sheet=$top/docs/hardware.md
headers=$top/include/npu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

same()
{
	[ -s "$work/in-c" ] || { echo "found nothing in the headers"; return 1; }
	diff -u --label headers --label datasheet "$work/in-c" "$work/in-doc"
}

registers()
{
	sed -nE 's/^#define NPU_REG_([A-Z0-9_]+) 0x([0-9a-f]{4})\b.*/\2 \1/p' \
		"$headers/npu_regs.h" | sort >"$work/in-c"
	sed -nE 's/^\| 0x([0-9a-f]{4}) \| ([A-Z0-9_]+) \|.*/\1 \2/p' "$sheet" | sort >"$work/in-doc"
	same
}

statuses()
{
	sed -nE 's/^\tNPU_ST_([A-Z_]+) = ([0-9]+),.*/\2 \1/p' "$headers/npu_status.h" |
		sort >"$work/in-c"
	sed -nE '/^## 9\. /,/^## 10\. /s/^\| ([0-9]+) \| ([A-Z_]+) \|.*/\1 \2/p' "$sheet" |
		sort >"$work/in-doc"
	same
}

vector_operations()
{
	sed -nE 's/^\tNPU_(V[A-Z_]+) = (0x[0-9a-f]{2}),.*/\2 \1/p' "$headers/npu_tile.h" |
		sort >"$work/in-c"
	grep -oE '\bV[A-Z_]+ \| 0x[0-9a-f]{2}\b' "$sheet" |
		sed -E 's/(.*) \| (.*)/\2 \1/' | sort >"$work/in-doc"
	same
}

check "registers" registers
check "status codes" statuses
check "vector operations" vector_operations
done_testing
