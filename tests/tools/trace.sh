#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM: trace-cmd and perf trace show the life of jobs.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${NPU_BUILD:-$top/build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null

# shows FILE: jobs at each step of their life; that none is missing is what kselftest/trace tells
shows()
{
	for event in npu_job_queue npu_job_run npu_job_done; do
		grep -E "$event.*ring" "$1" | tail -n 1 | grep . || return 1
	done
}

trace_cmd()
{
	trace-cmd record -q -e npu -o "$work/trace.dat" "$build/kselftest/isolation" &&
		trace-cmd report -i "$work/trace.dat" >"$work/report" &&
		shows "$work/report" &&
		grep -qE 'npu_job_run:.* fence=[0-9]+:[0-9]+, ring=npu-queue-[0-9]+, count=' "$work/report"
}

perf_trace()
{
	perf trace -a --no-syscalls -e 'npu:npu_job_*' -o "$work/perf" "$build/kselftest/isolation" &&
		shows "$work/perf"
}

check "trace-cmd shows jobs" trace_cmd
check "perf shows jobs" perf_trace
check "events have a format" grep -q fence_seqno /sys/kernel/tracing/events/npu/npu_job_queue/format
done_testing
