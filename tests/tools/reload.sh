#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM: the driver comes and goes COUNT times, and nothing is left behind or lost.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

count=${1:-50}
build=${NPU_BUILD:-$top/build}
device=$(basename "$(readlink /sys/class/accel/accel0/device)")
driver=/sys/bus/pci/drivers/npu

rebind()
{
	for i in $(seq "$count"); do
		echo "$device" >"$driver/unbind" || return 1
		[ ! -e /sys/class/accel/accel0 ] || { echo "round $i: node is left"; return 1; }
		echo "$device" >"$driver/bind" || return 1
		[ -e /dev/accel/accel0 ] || { echo "round $i: no node"; return 1; }
	done
}

reload()
{
	for i in $(seq "$1"); do
		rmmod npu || return 1
		insmod "$build/driver/npu.ko" || return 1
		[ -e /dev/accel/accel0 ] || { echo "round $i: no node"; return 1; }
	done
}

works()
{
	chmod 666 /dev/accel/*
	"$build/bin/npu-smi" info && "$build/kselftest/submit"
}

interrupts()
{
	grep -c npu /proc/interrupts
}

vectors=$(interrupts)
same_vectors()
{
	echo "before $vectors, after $(interrupts)"
	[ "$(interrupts)" -eq "$vectors" ]
}

check "works before" works
check "unbind and bind $count times" rebind
check "works after it" works
check "unload and load 10 times" reload 10
check "works after it" works
check "as many interrupt vectors as at first" same_vectors
done_testing
