#!/bin/sh
# SPDX-License-Identifier: MIT
# npu-vm passes on what its command does, and tells time-outs, splats and usage errors apart.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

vm=$top/tools/npu-vm

status_is()
{
	want=$1
	shift
	"$@" </dev/null
	got=$?
	echo "exit status $got"
	[ "$got" -eq "$want" ]
}

output_is()
{
	want=$1
	shift
	got=$("$@" </dev/null 2>/dev/null)
	echo "got: $got"
	[ "$got" = "$want" ]
}

check "passes the exit status on" status_is 42 "$vm" --no-driver -- sh -c 'exit 42'
check "no such command is 127" status_is 127 "$vm" --no-driver -- no-such-command
check "a signal is 128 and its number" status_is 137 "$vm" --no-driver -- sh -c 'kill -9 $$'
check "time-out is 124" status_is 124 "$vm" --no-driver --timeout 20 -- sleep 600
check "usage error is 125" status_is 125 "$vm" --npus many
check "a product that is not modelled is 125" status_is 125 "$vm" --timing 950
check "a splat is 126" status_is 126 "$vm" --no-driver -- sh -c 'echo c >/proc/sysrq-trigger'
check "standard output is the command's alone" output_is "two words" \
	"$vm" --no-driver -- echo "two words"
check "runs in the caller's folder" output_is "$PWD" "$vm" --no-driver -- pwd
check "arguments arrive as they are" output_is 'a  b$c' "$vm" --no-driver -- printf '%s' 'a  b$c'
check "loads the driver" output_is npu "$vm" -- sh -c \
	'basename "$(readlink /sys/class/accel/accel0/device/driver)"'
check "no access is lost while another processor maps memory" status_is 0 \
	"$vm" --no-driver --npus 2 --hbm 1G --timeout 200 -- "$top/tests/qemu/remap.py"
check "the guest asks the host" output_is 1 "$vm" --no-driver -- npu-inject get npu0 serial
check "and is told if that fails" status_is 1 "$vm" --no-driver -- npu-inject get npu0 nothing
done_testing
