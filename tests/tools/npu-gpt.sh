#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM: a small transformer learns on the NPU as it does on the CPU, goes on from a checkpoint
# as if it had not been interrupted, and writes.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${NPU_BUILD:-$top/build}
gpt=$build/bin/npu-gpt
text=/usr/share/common-licenses/GPL-3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
small="--text $text --dim 32 --layers 2 --heads 2 --context 64 --batch 8 --steps 40 --every 1"

# The losses of each step, a line each.
losses()
{
	sed -n 's/^step *\([0-9]*\) of [0-9]* *loss \([0-9.]*\) .*/\1 \2/p' "$1"
}

whole()
{
	"$gpt" train $small --save "$dir/whole" >"$dir/whole.log"
	# Two minutes of training do not beat n-grams.
	[ $? -le 1 ] && [ "$(losses "$dir/whole.log" | wc -l)" = 40 ]
}

learns()
{
	losses "$dir/whole.log" | awk 'NR == 1 { first = $2 } { last = $2 }
		END { exit !(first > 5 && last < 3.5) }'
}

like_cpu()
{
	"$gpt" train $small --cpu --stop 10 >"$dir/cpu.log" || return
	losses "$dir/cpu.log" >"$dir/cpu"
	losses "$dir/whole.log" | head -10 | paste -d ' ' - "$dir/cpu" |
		awk '{ d = $2 - $4; if (d < 0) d = -d; if (d > 0.002) bad = 1 } END { exit bad || NR != 10 }'
}

goes_on()
{
	"$gpt" train $small --stop 17 --save "$dir/half" >"$dir/first.log" &&
		"$gpt" train $small --load "$dir/half" --save "$dir/rest" >"$dir/second.log"
	[ $? -le 1 ] || return
	losses "$dir/first.log" >"$dir/both"
	losses "$dir/second.log" >>"$dir/both"
	losses "$dir/whole.log" | cmp - "$dir/both" && cmp "$dir/whole" "$dir/rest"
}

# All kernels of a step, with nothing found.
strict()
{
	NPURT_STRICT=1 "$gpt" train $small --stop 3 >"$dir/strict.log" 2>"$dir/errors" || return
	losses "$dir/strict.log" >"$dir/strict"
	losses "$dir/whole.log" | head -3 | cmp - "$dir/strict" && [ ! -s "$dir/errors" ]
}

# Any reader of safetensors: eight bytes of length, a JSON header, offsets that fill the file.
is_safetensors()
{
	python3 - "$dir/whole" <<-EOF
	import json, struct, sys
	data = open(sys.argv[1], "rb").read()
	n = struct.unpack("<Q", data[:8])[0]
	header = json.loads(data[8:8 + n])
	assert header.pop("__metadata__")["format"]
	ends = sorted(t["data_offsets"] for t in header.values())
	assert ends[0][0] == 0 and ends[-1][1] == len(data) - 8 - n
	assert all(a[1] == b[0] for a, b in zip(ends, ends[1:]))
	assert header["embedding.weight"]["shape"] == [256, 32]
	EOF
}

writes()
{
	"$gpt" generate --load "$dir/whole" --bytes 100 "$@" >"$dir/out" 2>"$dir/speed" &&
		grep -q '^prefill: [1-9][0-9]* bytes, [1-9][0-9]* bytes/s; ' "$dir/speed" &&
		grep -q 'decode: [1-9][0-9]* bytes of [1-9] sequences, [1-9][0-9]* bytes/s$' "$dir/speed"
}

# More than the context holds, of two prompts of different length.
two_sequences()
{
	writes --prompt 'You may' --prompt 'The GNU General Public' &&
		grep -q '^You may' "$dir/out" && grep -q '^The GNU General Public' "$dir/out"
}

same_twice()
{
	writes --seed 5 && cp "$dir/out" "$dir/again" && writes --seed 5 &&
		cmp "$dir/out" "$dir/again" && writes --seed 6 && ! cmp -s "$dir/out" "$dir/again"
}

# The likeliest bytes, while the losses of both are the same.
as_cpu_writes()
{
	writes --temperature 0 --bytes 20 --prompt License && cp "$dir/out" "$dir/again" &&
		writes --cpu --bytes 20 --prompt License && cmp "$dir/out" "$dir/again"
}

refuses()
{
	"$gpt" "$@" >/dev/null 2>"$dir/errors"
	[ $? -eq 2 ] && [ -s "$dir/errors" ]
}

truncated()
{
	head -c 5000 "$dir/whole" >"$dir/cut"
	refuses generate --load "$dir/cut" && grep -q 'cut: ' "$dir/errors"
}

check 'a training runs to its end' whole
check 'the loss falls' learns
check 'each of the first steps has the loss of the CPU' like_cpu
check 'strict mode finds nothing, and gives the same losses' strict
check 'a checkpoint goes on with equal losses, to an equal checkpoint' goes_on
check 'a checkpoint is a safetensors file' is_safetensors
check 'two sequences beyond the context' two_sequences
check 'a seed gives the same text, another seed another one' same_twice
check 'the likeliest bytes are those of the CPU' as_cpu_writes
check 'a checkpoint that is cut off is an error that names it' truncated
check 'a shape that cannot be is an error' refuses train --text "$text" --dim 30 --heads 4
check 'a text that is too short is an error' refuses train --text /etc/debian_version
check 'a device that is not there is an error' refuses train $small --device 99
done_testing
