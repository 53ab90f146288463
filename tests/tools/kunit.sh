#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM, on a debug kernel: the driver's KUnit suites, as TAP without levels.

results=/sys/kernel/debug/kunit

if ! modprobe npu_kunit; then
	echo "not ok 1 - npu_kunit loads"
	echo "1..1"
	exit 1
fi
cat "$results"/npu_*/results | awk '
	/^ *# Subtest: / { suite = $NF }
	/^    (not )?ok / {
		n++
		bad = /^    not ok/
		failed += bad
		sub(/^ *(not )?ok [0-9]+ /, "")
		print (bad ? "not ok " : "ok ") n " - " suite ": " $0
		next
	}
	{ print "# " $0 }
	END {
		print "1.." n + 0
		exit failed || !n
	}'
