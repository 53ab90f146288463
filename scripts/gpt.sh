#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What `make gpt` does: a transformer learns the King James Bible on the NPU, leaves off in the
# middle, goes on from its checkpoint, and writes. The second half runs in the guest.

cd "$(dirname "$0")/.." || exit

O=${O:-$PWD/build}
dir=$O/gpt
text=$dir/kjv.txt
model=$dir/gpt.safetensors
STEPS=${STEPS:-1500}

if [ "$1" != in-guest ]; then
	mkdir -p "$dir"
	# A verse a line, without the columns of a terminal.
	[ -s "$text" ] || bible -f -l10000 'gen1:1-rev22:21' >"$text" </dev/null || exit
	echo '  VM         booting'
	exec tools/npu-vm --share "$dir" -- env STEPS="$STEPS" scripts/gpt.sh in-guest
fi

npu-gpt train --text "$text" --steps "$STEPS" --stop "$((STEPS / 2))" --save "$model" &&
	echo "saved $(basename "$model"), and on from there" &&
	npu-gpt train --text "$text" --steps "$STEPS" --load "$model" --save "$model" &&
	npu-gpt generate --load "$model" --prompt 'In the beginning' \
		--prompt 'And Jesus said unto' --prompt 'The LORD is' --prompt 'Blessed are'
