#!/bin/sh
# SPDX-License-Identifier: MIT
# The datasheet (docs/hardware.md and its annex) and include/npu agree: registers, numbers of
# commands and codes, and where the fields of structures lie.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

sheet=$top/docs/hardware.md
annex=$top/docs/hardware-firmware.md
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

mcu_registers()
{
	sed -nE 's/^#define NPU_MCU_([A-Z0-9_]+) NPU_MCU_REG\(0x0([0-9a-f]{3})\) \/\* ([0-9]+).*/\2 \3 \1/p' \
		"$headers/npu_mcu.h" | sort >"$work/in-c"
	sed -nE 's/^\| 0x([0-9a-f]{3}) \| (32|64) \| (R|W|RW|RW1C) \| ([A-Z0-9_]+) \|.*/\1 \2 \4/p' \
		"$annex" | sort >"$work/in-doc"
	same
}

# numbers PREFIX HEADER FILE FROM TO: "NPU_PREFIX_NAME = NUMBER" as in "| NUMBER | NAME |" of a part
numbers()
{
	sed -nE "s/^\tNPU_$1_([A-Z_]+) = ([0-9]+),.*/\2 \1/p" "$headers/$2" | sort >"$work/in-c"
	sed -nE "/$4/,/$5/s/^\| ([0-9]+) \| ([A-Z_]+) \|.*/\1 \2/p" "$3" | sort >"$work/in-doc"
	same
}

page_table_bits()
{
	sed -nE 's/^#define NPU_PTE_([A-Z]+) NPU_BIT\(([0-9]+)\).*/\2 \1/p
		s/^#define NPU_PTE_([A-Z]+) NPU_MASK\(([0-9]+), ([0-9]+)\).*/\2:\3 \1/p' \
		"$headers/npu_mmu.h" | sort >"$work/in-c"
	sed -nE '/^\| bits \|/,/^$/s/^\| ([0-9:]+) \| ([A-Z]+) \|.*/\1 \2/p' "$sheet" |
		sort >"$work/in-doc"
	same
}

# The names of the codes are the header's.
post_codes()
{
	sed -nE 's/^\tNPU_POST_[A-Z_]+ = (0x[0-9a-f]{2}),.*/\1/p' "$headers/npu_fw.h" |
		sort -u >"$work/in-c"
	sed -nE '/^\| POST \|/,/^$/s/^\| (0x[0-9a-f]{2}) \|.*/\1/p' "$annex" | sort >"$work/in-doc"
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

tile_instructions()
{
	sed -nE '/^\/\* (MTE|custom)/,$s/^#define NPU_(MTE|CUBE|VEC|SYS)_([A-Z0-9_]+) ([0-4])( .*)?$/\1 \3 \2/p' \
		"$headers/npu_tile.h" | sed -E 's/^MTE/0x0b/;s/^CUBE/0x2b/;s/^VEC/0x5b/;s/^SYS/0x7b/' |
		sort >"$work/in-c"
	sed -nE 's/^\| (0x[0-9a-f]b) \| ([0-4]) \| ([A-Z0-9_]+) \|.*/\1 \2 \3/p' "$sheet" |
		sed -E 's/ (MTE|VEC)_/ /' | sort >"$work/in-doc"
	same
}

# A table headed "| byte | struct NAME |" has one structure; "| byte | NAME.MEMBER | .MEMBER |" has
# members of a union in a column each. "field: text" and "field, text" are the field.
fields_of()
{
	awk -F ' *[|] *' '
		/^[|] byte [|]/ {
			base = $3
			sub(/^struct /, "", base)
			sub(/[.].*/, "", base)
			for (i = 3; i < NF; i++) {
				name = $i
				column[i] = match(name, /[.][a-z]+$/) ? substr(name, RSTART + 1) "." : ""
				used[i] = i == 3 || column[i] != ""
			}
			next
		}
		!/^[|] [0-9]+ [|]/ { base = base && /^[|]-/ ? base : ""; next }
		base != "" {
			for (i = 3; i < NF; i++) {
				field = $i
				sub(/[^a-z0-9_].*/, "", field)
				if (used[i] && field != "")
					printf "NPU_ASSERT_OFFSET(struct %s, %s%s, %s);\n",
						base, column[i], field, $2
			}
		}' "$1"
}

fields()
{
	{
		echo '#include <npu/npu_fw.h>'
		echo '#include <npu/npu_queue.h>'
		fields_of "$1"
	} >"$work/fields.c"
	[ "$(wc -l <"$work/fields.c")" -gt "$2" ] || { echo "too few fields"; return 1; }
	gcc -std=gnu11 -fsyntax-only -I "$top/include" "$work/fields.c"
}

check "registers" registers
check "registers of the management core" mcu_registers
check "status codes" numbers ST npu_status.h "$sheet" '^## 9\. ' '^## 10\. '
check "commands" numbers CMD npu_queue.h "$sheet" '^## 5\. ' '^## 6\. '
check "admin commands" numbers ADMIN npu_fw.h "$annex" '^## 4\. ' '^## 5\. '
check "page table entries" page_table_bits
check "POST codes" post_codes
check "tile instructions" tile_instructions
check "vector operations" vector_operations
check "fields of queue structures" fields "$sheet" 60
check "fields of firmware structures" fields "$annex" 80
done_testing
