#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM: npu-smi's views, their layout, and that their figures are true.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${NPU_BUILD:-$top/build}
smi=$build/bin/npu-smi
bus_id=$(basename "$(readlink /sys/class/accel/accel0/device)")

status_is()
{
	want=$1
	shift
	"$@"
	got=$?
	echo "exit status $got"
	[ "$got" -eq "$want" ]
}

prints()
{
	pattern=$1
	shift
	"$@" | tee /dev/stderr | grep -qE -- "$pattern"
}

# Every line of the table is 98 columns wide.
table_is_straight()
{
	"$smi" info | tee /dev/stderr | awk 'length != 98 { bad = 1 } END { exit bad }'
}

json()
{
	"$smi" "$@" --json | python3 -c 'import json, sys; json.load(sys.stdin)'
}

# Prints the value at a path of the JSON summary.
value()
{
	"$smi" info --json | python3 -c "import json, sys; print(json.load(sys.stdin)$1)"
}

# A program that holds 64 MiB of HBM shows with its memory while it runs.
lists_process()
{
	"$build/bin/example-hold-memory" 64 >/tmp/hold.out &
	pid=$!
	# It says so when the memory is there.
	while ! grep -q ready /tmp/hold.out && kill -0 "$pid"; do
		:
	done
	"$smi" info | tee /dev/stderr |
		grep -qE "^\| 0 +0 +\| $pid +\| example-hold-me +\| (6[4-9]|7[0-9]) +\|$"
	found=$?
	used=$(value '["npus"][0]["hbm_used_bytes"]')
	kill "$pid"
	wait "$pid"
	echo "hbm_used_bytes $used"
	[ "$found" -eq 0 ] && [ "$used" -ge 67108864 ]
}

forgets_process()
{
	prints "No running processes found in NPU 0" "$smi" info
}

several_at_once()
{
	pids=
	for i in 1 2 3 4 5 6 7 8; do
		"$smi" info >/dev/null &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || return 1
	done
}

check "info is a straight table" table_is_straight
check "info shows the device" prints "^\| 0 .*\| OK " "$smi" info
check "info shows its address" prints "$bus_id" "$smi" info
check "info -l" prints "Total Count +: 1" "$smi" info -l
check "info -m" prints "^.0 +[0-9]+ +1 +- +Mcu$" "$smi" info -m
check "info -t common" prints "Aicore Count +: [1-9]" "$smi" info -t common -i 0
check "info -t usages" prints "HBM Capacity\(MB\) +: 4096" "$smi" info -t usages -i 0
check "info -t memory" prints "HBM Used\(MB\) +: [0-9]" "$smi" info -t memory -i 0
check "info -t board" prints "Firmware Version +: [0-9a-z]" "$smi" info -t board -i 0
check "time is not modelled" prints "Timing +: none" "$smi" info -t board -i 0
check "-v" prints "npu-smi version: [0-9]" "$smi" -v
check "-h" prints "Usage: npu-smi" "$smi" -h
for view in "" -l -m "-t common -i 0" "-t usages -i 0" "-t memory -i 0" "-t board -i 0"; do
	check "info $view --json is JSON" json info $view
done
# Three lines of as many columns as the head has.
perf_columns()
{
	"$smi" perf -n 3 -d 10 | tee /dev/stderr |
		awk -F '\t' 'NR == 1 { n = NF } NF != n { bad = 1 } END { exit bad || NR != 4 || n < 10 }'
}

perf_json()
{
	"$smi" perf -n 3 -d 10 --json | python3 -c '
import json, sys
lines = [json.loads(line) for line in sys.stdin]
assert len(lines) == 3 and lines[0]["time_s"] < lines[1]["time_s"] < lines[2]["time_s"]
assert all(line["power_w"] > 0 for line in lines)'
}

hang_json()
{
	"$smi" hang --json | python3 -c '
import json, sys
npu, = json.load(sys.stdin)["npus"]
assert npu["bus_id"] and all(q["activity"] and q["pid"] > 0 for q in npu["queues"])'
}

mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
check "hang has a table" prints "^Queue +PID +Process +Activity" "$smi" hang
check "hang --json has the queues" hang_json
check "hang needs a right" status_is 1 setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$smi" hang
check "hang of no such NPU is 3" status_is 3 "$smi" hang -i 7
check "perf has columns" perf_columns
check "perf --json has objects" perf_json
check "perf needs a right" status_is 1 setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$smi" perf -n 1
check "perf of no such NPU is 3" status_is 3 "$smi" perf -i 7
check "perf with a bad period is 2" status_is 2 "$smi" perf -d 0
check "no such NPU is 3" status_is 3 "$smi" info -t common -i 7
check "bad usage is 2" status_is 2 "$smi" info -t nonsense
check "lists a process with its memory" lists_process
check "forgets it at its end" forgets_process
check "eight at once" several_at_once
check "as a user without privileges" setpriv --reuid 65534 --regid 65534 --clear-groups "$smi" info
done_testing
