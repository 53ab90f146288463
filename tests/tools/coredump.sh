#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM: dumps of failures, what npu-coredump makes of them, and what user space hears of a
# device that is given up.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${NPU_BUILD:-$top/build}
dump=$build/bin/npu-coredump
work=$(mktemp -d)
accel=/sys/class/accel/accel0
slot=$(basename "$(readlink $accel/device)")
trap 'rm -rf "$work"' EXIT

status_is()
{
	want=$1
	shift
	"$@"
	got=$?
	echo "exit status $got"
	[ "$got" -eq "$want" ]
}

# fail_as TEST: run a test of the fault suite, and keep the report of the dump that it leaves
fail_as()
{
	"$dump" --drop >/dev/null 2>&1
	"$build/kselftest/fault" -t "$1" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
	"$dump" >"$work/report" || return 1
	cat "$work/report"
}

reports()
{
	grep -qE -- "$1" "$work/report" || { cat "$work/report"; return 1; }
}

# The dump has the registers that debugfs shows: of those that stay as they are also the values.
registers_as_now()
{
	mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
	cat "/sys/kernel/debug/accel/$slot/registers" >"$work/now" || return 1
	sed -n '/^Registers$/,/^$/p' "$work/report" | tee "$work/registers"
	while read -r name value; do
		case $name in
		HW_VERSION|FEATURES|FW_ABI|ADMIN_ENTRIES|BOOT_POST|DEV_STATUS|IRQ_ENABLE)
			value=$(printf '0x%x' "$value") ;;
		*) value=0x[0-9a-f]+ ;;
		esac
		grep -qE "^  $name +$value\$" "$work/registers" || { echo "not $name"; return 1; }
	done <"$work/now"
	grep -qE '^  TIMESTAMP_LO +0x[1-9a-f]' "$work/registers"
}

same_as_json()
{
	"$dump" --json >"$work/a.json" && "$dump" --json "$work/a.json" >"$work/b.json" &&
		"$dump" - <"$work/b.json" | cmp - "$work/report"
}

# A kernel that writes to where nothing is mapped, in a module that knows its lines. The dump of a
# run of the same code by hand tells where; the first instruction that writes is in line 5.
source_line()
{
	cat >"$work/k.c" <<-'END'
	#include <npu_kernel.h>
	static __attribute__((noinline)) void write_there(volatile unsigned long *p)
	{
		/* line 4 */
		*p = 1;
	}
	struct args { unsigned long p; };
	NPU_KERNEL(bad, struct args)
	{
		write_there((void *)args->p);
	}
	END
	"$top/tools/npu-cc" -g -o "$work/k.elf" "$work/k.c" || return 1
	offset=$(riscv64-unknown-elf-nm "$work/k.elf" | awk '/ write_there/ { print "0x" $1 }')
	[ -n "$offset" ] || return 1
	pc=$(sed -nE 's/^  pc +(0x[0-9a-f]+).*/\1/p' "$work/report")
	"$dump" --kernel "$work/k.elf" --base $((pc - offset)) "$work/a.json" >"$work/lines" ||
		return 1
	cat "$work/lines"
	grep -q 'write_there at .*k\.c:[345]' "$work/lines"
}

not_a_dump()
{
	echo "$1" | status_is 1 "$dump" -
}

check "a kernel that writes where nothing is" fail_as kernel_address_outside_the_context
check "the report names the process" reports '^Queue .* of fault\['
check "the fault and the address" reports 'fault +MMU_WRITE by scalar'
check "what is at the address" reports 'address +0x9990000000, write, not mapped'
check "where the kernel was" reports 'pc +0x240100000, in buffer .*\+0x100000'
check "the command" reports '> +0 +KERNEL +entry 0x240100000 args 0x9990000000 blocks 1'
check "its code" reports '> 0x240100000  23300500 73000000'
check "the walk of the tables" reports 'level 3 .* (0x[0-9a-f]+ valid|empty)'
check "who else was there" reports 'fault +task stopped .* guilty'
check "the registers" registers_as_now
check "the log of the firmware" reports 'queue .* stopped: status 7'
check "JSON is the whole of it" same_as_json
check "source line of the kernel" source_line
check "the kernel keeps one until it is dropped" "$dump" --drop
check "then there is none" status_is 1 "$dump"
check "a copy by SDMA" fail_as second_command_of_three
check "the command of three that failed" reports '> +1 +COPY .* from 0xdead00000000 .* tag 0x7a67'
check "an endless kernel" fail_as endless_kernel_times_out
check "where it was" reports 'fault +TIMEOUT by scalar'
check "no JSON" not_a_dump 'nonsense'
check "JSON of others" not_a_dump '{"format": "other"}'
check "a version to come" not_a_dump '{"format": "npu-coredump", "version": 99}'

# Neither reset helps a firmware that does not boot: the device is given up, which udev would hear.
wedge()
{
	"$dump" --drop >/dev/null 2>&1
	# Asleep it would fail as well, but nobody would hear of it before somebody wakes it.
	echo on >"/sys/bus/pci/devices/$slot/power/control"
	npu-inject fault npu0 boot-fail 1000 || return 1
	timeout 100 python3 - <<-'END'
	import socket, subprocess
	NETLINK_KOBJECT_UEVENT = 15
	s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)
	s.bind((0, 1))
	subprocess.run(["npu-inject", "fault", "npu0", "fw-crash", "1"], check=True)
	while True:
	    event = s.recv(1 << 16).split(b"\0")
	    if b"WEDGED=rebind,bus-reset" in event:
	        print(event)
	        assert b"SUBSYSTEM=accel" in event and b"DEVNAME=accel/accel0" in event
	        break
	END
}

wedged_refuses()
{
	"$build/kselftest/queue" -t create_destroy >"$work/log" 2>&1
	cat "$work/log"
	grep -q -- "(-5)" "$work/log"
}

rebind()
{
	npu-inject fault npu0 boot-fail 0 || return 1
	echo "$slot" >/sys/bus/pci/drivers/npu/unbind
	echo "$slot" >/sys/bus/pci/drivers/npu/bind
	echo auto >"/sys/bus/pci/devices/$slot/power/control"
	"$build/kselftest/fault" -t second_command_of_three
}

check "firmware that crashes and does not boot again" wedge
"$dump" >"$work/report" 2>&1
check "leaves a dump" reports 'firmware has crashed'
check "with its log" reports 'Log of the firmware'
check "a device that is given up refuses" wedged_refuses
check "and works when it is bound again" rebind
done_testing
