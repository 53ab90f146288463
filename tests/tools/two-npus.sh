#!/bin/sh
# SPDX-License-Identifier: MIT
# In a VM with two NPUs: each works, alone and while the other does.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${NPU_BUILD:-$top/build}

counts_two()
{
	"$build/bin/npu-smi" info -l | tee /dev/stderr | grep -q "Total Count *: 2"
}

side_by_side()
{
	NPU_TEST_NODE=/dev/accel/accel0 "$build/kselftest/submit" >/tmp/first &
	pid=$!
	NPU_TEST_NODE=/dev/accel/accel1 "$build/kselftest/submit" || return 1
	wait "$pid"
}

check "npu-smi lists both" counts_two
for suite in dev_query submit isolation; do
	check "$suite on the second NPU" env NPU_TEST_NODE=/dev/accel/accel1 "$build/kselftest/$suite"
done
check "both at once" side_by_side
check "buffers of both" "$build/kselftest/peer"
check "the runtime's copies from one to the other" "$build/tests/runtime/vm/vm_peer"
check "events of one for the other" "$build/tests/runtime/vm/test_event_share"
check "an all-reduce of the two" "$build/bin/example-collective" 1000000
check "a buffer of an NPU that is unbound" "$build/kselftest/unbind"
done_testing
