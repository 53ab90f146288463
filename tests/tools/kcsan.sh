#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM, first in a suite: KCSAN does not report what is the kernel's own and meant to be.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

# The fast clock reads what is being written, and takes the other copy then; 6.12 does not say so.
known="ktime_get_mono_fast_ns"
# Who sleeps looks at its timer while that goes off, and sleeps or does not.
known="$known hrtimer_wakeup schedule_hrtimeout_range_clock"
# Who disables an interrupt looks, until it has ended, at what its handling writes.
known="$known __synchronize_hardirq"

leave_out()
{
	echo "!$1" >/sys/kernel/debug/kcsan
}

for name in $known; do
	check "races of $name are not reported" leave_out "$name"
done
done_testing
