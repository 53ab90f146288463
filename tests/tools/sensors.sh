#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM: hwmon and sysfs attributes: names, units, and that they say what the ioctls say.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${NPU_BUILD:-$top/build}
smi=$build/bin/npu-smi
device=$(readlink -f /sys/class/accel/accel0/device)
hwmon=$(echo "$device"/hwmon/hwmon*)

# value KEY: of npu-smi's summary
value()
{
	"$smi" info --json | python3 -c "import json, sys; print(json.load(sys.stdin)['npus'][0]['$1'])"
}

# is FILE TEXT
is()
{
	echo "$1: $(cat "$1")"
	[ "$(cat "$1")" = "$2" ]
}

# between FILE LOW HIGH
between()
{
	number=$(cat "$1") || return 1
	echo "$1: $number"
	[ "$number" -ge "$2" ] && [ "$number" -le "$3" ]
}

# alarm FILE LIMIT: set if, and only if, the temperature is above the limit
alarm()
{
	temperature=$(cat "$hwmon/temp1_input")
	[ "$(cat "$hwmon/$1")" -eq "$((temperature > $(cat "$hwmon/$2")))" ]
}

# Power in microwatts is npu-smi's in watts: both are of samples half a second apart at most.
power_agrees()
{
	watts=$(value power_w)
	microwatts=$(cat "$hwmon/power1_input")
	echo "$watts W, $microwatts uW"
	python3 -c "assert abs($watts * 1e6 - $microwatts) < 0.5 * $microwatts"
}

memory_agrees()
{
	used=$(cat "$device/npu_memory_utilization")
	echo "sysfs $used, ioctl $(value hbm_used_bytes)"
	[ "$used" -eq "$(value hbm_used_bytes)" ] &&
		[ "$used" -lt "$(cat "$device/npu_memory_total")" ] &&
		[ "$(cat "$device/npu_memory_total")" -lt "$(value hbm_total_bytes)" ]
}

# busy_gets COMPARISON PERCENT
busy_gets()
{
	timeout 100 sh -c "until [ \$(cat '$device/npu_busy_percent') $1 $2 ]; do sleep 0.1; done"
	status=$?
	echo "$(cat "$device/npu_busy_percent") %, shall be $1 $2"
	return $status
}

# All cores run a kernel that does not end, until its process is killed.
busy_follows()
{
	NPURT_LIBRARY=$build/lib/libnpurt.so.1 PYTHONPATH=$top/libnpurt/python python3 - \
		"$build/tests/runtime/modules/rt_kernels.elf" <<-'END' &
	import signal, sys, npurt
	device = npurt.Device()
	context = device.context()
	stream = context.stream(timeout_ms=300000)
	context.module(sys.argv[1])["spin"](stream, device.properties["cores"])
	stream.flush()
	signal.pause()
	END
	pid=$!
	busy_gets -gt 50
	got_busy=$?
	kill "$pid"
	wait "$pid"
	[ "$got_busy" -eq 0 ] && busy_gets -lt 50
}

# What is allocated shows, and no more when it is gone.
memory_follows()
{
	before=$(cat "$device/npu_memory_utilization")
	"$build/bin/example-hold-memory" 64 >/tmp/hold.out &
	pid=$!
	while ! grep -q ready /tmp/hold.out && kill -0 "$pid"; do
		:
	done
	during=$(cat "$device/npu_memory_utilization")
	kill "$pid"
	wait "$pid"
	after=$(cat "$device/npu_memory_utilization")
	echo "before $before, during $during, after $after"
	[ "$during" -ge $((before + 67108864)) ] && [ "$after" -lt "$during" ]
}

sensors_shows()
{
	sensors 'npu-*' | tee /dev/stderr | grep -qE "$1"
}

# A file that was open when the driver let go tells so; one opened later is not there.
gone()
{
	exec 3<"$device/npu_busy_percent" 4<"$hwmon/temp1_input"
	echo "${device##*/}" >/sys/bus/pci/drivers/npu/unbind
	cat <&3 && return 1
	cat <&4 && return 1
	exec 3<&- 4<&-
	[ ! -e "$device/npu_busy_percent" ] && [ ! -e "$hwmon" ] || return 1
	echo "${device##*/}" >/sys/bus/pci/drivers/npu/bind
	[ -e "$device/npu_busy_percent" ] && cat "$device"/hwmon/hwmon*/temp1_input
}

cd / || exit 1
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
check "there is one hwmon device" test -d "$hwmon"
check "its name" is "$hwmon/name" npu
check "temperature label" is "$hwmon/temp1_label" die
check "temperature in millidegrees" between "$hwmon/temp1_input" 10000 110000
check "temperature limit" is "$hwmon/temp1_max" 95000
check "critical temperature" is "$hwmon/temp1_crit" 105000
check "alarm" alarm temp1_max_alarm temp1_max
check "critical alarm" alarm temp1_crit_alarm temp1_crit
check "power label" is "$hwmon/power1_label" board
check "power in microwatts" power_agrees
check "voltage label" is "$hwmon/in0_label" core
check "voltage in millivolts" between "$hwmon/in0_input" 500 1500
check "AI core clock label" is "$hwmon/freq1_label" aicore
check "AI core clock in Hz" between "$hwmon/freq1_input" 100000000 10000000000
check "HBM clock label" is "$hwmon/freq2_label" hbm
check "HBM clock in Hz" between "$hwmon/freq2_input" 100000000 10000000000
check "busy in percent" between "$device/npu_busy_percent" 0 100
check "busy while a kernel runs, and not after it" busy_follows
check "memory agrees with the ioctl" memory_agrees
check "memory follows allocations" memory_follows
check "sensors shows the temperature" sensors_shows '^die: +\+[0-9.]+.C'
check "sensors shows the power" sensors_shows '^board: +[0-9.]+ W'
check "sensors shows the voltage" sensors_shows '^core: +([0-9.]+ V|[0-9.]+ mV)'
check "debugfs shows registers" grep -qE "^[A-Z_]+ 0x[0-9a-f]{8}$" \
	"/sys/kernel/debug/accel/${device##*/}/registers"
check "debugfs is root's" sh -c '! setpriv --reuid 65534 --regid 65534 --clear-groups ls /sys/kernel/debug/accel'
check "any user may read them" setpriv --reuid 65534 --regid 65534 --clear-groups \
	cat "$hwmon/temp1_input" "$device/npu_busy_percent"
check "an unbound device has none" gone
done_testing
