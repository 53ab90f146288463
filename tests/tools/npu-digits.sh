#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM: the main job learns, agrees with the CPU and does the same each time.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${NPU_BUILD:-$top/build}
digits=$build/bin/npu-digits
report=$(mktemp)
again=$(mktemp)
trap 'rm -f "$report" "$again"' EXIT

# Does the JSON report in a file satisfy a Python expression on r?
holds()
{
	tee /dev/stderr <"$1" | python3 -c "import json, sys; r = json.load(sys.stdin); sys.exit(not ($2))"
}

trains()
{
	"$digits" --json "$@" >"$report"
}

learned()
{
	holds "$report" "r['agree'] and r['accuracy'] >= 0.95 and r['loss'][-1] < r['loss'][0] / 4"
}

timed()
{
	holds "$report" "0 < r['device_seconds'] <= r['seconds']"
}

same_losses()
{
	"$digits" --json --epochs 2 --seed 7 >"$report" &&
		"$digits" --json --epochs 2 --seed 7 >"$again" &&
		[ "$(python3 -c "import json; print(json.load(open('$report'))['loss'])")" = \
		  "$(python3 -c "import json; print(json.load(open('$again'))['loss'])")" ]
}

# All steps of an epoch as one launch: the same work, so the same bits.
same_as_graph()
{
	"$digits" --json --epochs 3 "$@" >"$report" &&
		"$digits" --json --epochs 3 --graph "$@" >"$again" &&
		[ "$(python3 -c "import json; print(json.load(open('$report'))['loss'])")" = \
		  "$(python3 -c "import json; print(json.load(open('$again'))['loss'])")" ]
}

strict_trains()
{
	for type in '' --fp16; do
		NPURT_STRICT=1 "$digits" --json --epochs 1 $type >"$report" || return 1
	done
}

refuses()
{
	"$digits" "$@"
	[ $? -eq 2 ]
}

check 'fp32: NPU and CPU agree' trains
check 'fp32: at least 95 % of the held-out images are read' learned
check 'fp32: the device was busy, and for no longer than it took in all' timed
check 'fp16: NPU and CPU agree' trains --fp16
check 'fp16: at least 95 % of the held-out images are read' learned
check 'a last mini-batch of one image' trains --epochs 1 --batch 1437
check 'a seed gives the same losses each time' same_losses
check 'a graph of an epoch gives the same losses' same_as_graph
check 'in fp16, too' same_as_graph --fp16
check 'strict mode finds nothing' strict_trains
check 'a device that is not there is an error' refuses --device 99
check 'a directory without kernels is an error' refuses --kernels /nowhere
done_testing
