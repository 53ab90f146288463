#!/bin/sh
# SPDX-License-Identifier: MIT
# A training gives the same bits whatever the device has of threads and cores: in a VM each.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Losses of some steps, and a digest of all parameters and moments behind them.
training()
{
	"$top/tools/npu-vm" $1 -- sh -c "npu-gpt train --text /usr/share/common-licenses/GPL-3 \
		--dim 48 --layers 2 --heads 3 --context 40 --batch 5 --steps 12 --every 1 \
		--save /tmp/model >/tmp/log; [ \$? -le 1 ] &&
		sed -n 's/^\(step.*loss [0-9.]*\) .*/\1/p' /tmp/log && md5sum </tmp/model" \
		</dev/null >"$2" 2>"$dir/errors" || cat "$dir/errors"
}

same()
{
	training "$1" "$dir/other"
	cmp "$dir/first" "$dir/other"
}

begins()
{
	training '--npu-opt workers=1' "$dir/first"
	[ "$(grep -c '^step' "$dir/first")" = 12 ]
}

check 'a training on one worker' begins
check 'the same bits on two workers' same '--npu-opt workers=2'
check 'the same bits on five' same '--npu-opt workers=5'
check 'the same bits on a device of seven cores' same '--npu-opt cores=7'
check 'the same bits in the thread of the doorbell' same '--npu-opt sync=on'
done_testing
