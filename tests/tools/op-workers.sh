#!/bin/sh
# SPDX-License-Identifier: MIT
# Operators give the same bits whatever the device has of threads and cores. Their tests tell, for
# each point, a digest of what they read; in a VM for each device.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

programs=${NPU_BUILD:-$top/build}/tests/op/vm
# Not what is left there of tests that are gone.
all=$(cd "$top/tests/op" && for test in test_*.c; do echo "$programs/${test%.c}"; done)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# tell PROPERTY FILE PROGRAM...: into FILE a line for each point, of its program, digest and name;
# into FILE.blocks what test_blocks tells of the blocks of each kernel
tell()
{
	property=$1
	file=$2
	shift 2
	"$top/tools/npu-vm" --npu-opt "$property" -- sh -c 'for program; do
			echo "program ${program##*/}"
			OP_DIGEST=1 "$program" || echo "Bail out! status $?"
		done' sh "$@" </dev/null >"$dir/log" 2>"$dir/errors" || {
		cat "$dir/errors"
		return 1
	}
	awk '/^program/ { program = $2 }
		/^(not )?ok/ { point = $0 }
		/^Bail/ { print program, "not ok", $0 }
		/^# digest/ { print program, $3, point }' "$dir/log" >"$file"
	sed -n 's/^# \([0-9]*\) blocks of \(.*\)/\2 \1/p' "$dir/log" >"$file.blocks"
}

begins()
{
	tell workers=1 "$dir/first" $all || return
	for program in $all; do
		grep -q "^${program##*/} " "$dir/first" || echo "${program##*/} has no point"
	done >"$dir/others"
	! grep . "$dir/others" && ! grep ' not ok ' "$dir/first"
}

# same PROPERTY PROGRAM...: shows the points that differ
same()
{
	property=$1
	shift
	tell "$property" "$dir/other" "$@" && ! grep -vxFf "$dir/first" "$dir/other"
}

# Each kernel had fewer blocks on the device before than on the first one: it matters how many.
fewer_blocks()
{
	grep -o 'op_[a-z0-9_]*' "$top/libnpuop/src/kernels.h" | while read -r kernel; do
		cat "$dir/first.blocks" "$dir/other.blocks" | awk -v kernel="$kernel" '
			$1 == kernel { blocks[++n] = $2 }
			END { exit !(n == 2 && blocks[2] < blocks[1]) }' || echo "$kernel"
	done >"$dir/others"
	! grep . "$dir/others"
}

# Each operator of the header is in test_blocks, whose tensors are large enough for many blocks.
all_there()
{
	sed -n 's/^int npuop_\([a-z0-9_]*\)(npuop \*ops,.*/\1/p' \
		"$top/libnpuop/include/npuop/npuop.h" >"$dir/operators"
	while read -r operator; do
		grep -qE "(npuop_|OPERATOR\()$operator\>" "$top/tests/op/test_blocks.c" ||
			echo "$operator"
	done <"$dir/operators" >"$dir/others"
	[ -s "$dir/operators" ] && ! grep . "$dir/others"
}

check 'all operators are there' all_there
check 'operators on one worker' begins
check 'the same bits on a device of seven cores' same cores=7 $all
check 'of fewer blocks of each kernel' fewer_blocks
check 'the same bits of many blocks on two workers' same workers=2 "$programs/test_blocks"
check 'the same bits on five' same workers=5 "$programs/test_blocks"
check 'the same bits in the thread of the doorbell' same sync=on "$programs/test_blocks"
done_testing
