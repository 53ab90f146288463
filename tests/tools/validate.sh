#!/bin/bash
# SPDX-License-Identifier: MIT
#
# NPURT_VALIDATE finds nothing in programs that are right: the examples, and the tests of the
# runtime but for what they do wrong on purpose. They run on null devices.

top=$(cd "$(dirname "$0")/../.." && pwd)
O=${O:-$top/build}
. "$top/tests/tools/tap.sh"

export NPURT_NULL_DEVICE=2 NPURT_VALIDATE=1

# right PROGRAM: runs, and is told of no misuse. What it computes is not looked at: kernels of a
# null device do nothing.
right()
{
	local log

	log=$(timeout 60 "$@" 2>&1)
	[ $? -ne 124 ] || return 1
	! grep -a 'validate: ' <<<"$log"
}

for name in vector_add matmul graph pool share collective ipc; do
	check "example $name" right "$O/bin/example-$name"
done
# What tests do wrong on purpose; all others do nothing of the kind.
declare -A wrong=(
	[host_batch]="argument 'word' .* in no memory"
	[test_coll]="left over|'gone'|take away what npurt_all_reduce_async .* 'dst'"
	[test_copy]="of another context"
	[test_device]="left over"
	[test_event]="left over|never recorded|of another context"
	[test_eventfd]="'gone'"
	[test_event_share]="'victim'"
	[test_fault]="'gone'|'middle'|'second'|'victim'"
	[test_graph]="left over|refers to memory 'gone'|is of kernel 'store', which was destroyed"
	[test_hang]="'victim'"
	[test_hostfn]="'victim'"
	[test_memory]="left over"
	[test_module]="left over"
	[test_pool]="left over|of another context"
	[test_recover]="'victim'"
	[test_share]="of another context"
	[test_trace]="left over|'victim'"
)

# expected PROGRAM: is told of that, and of nothing else, and goes on as ever.
expected()
{
	local log

	log=$(NPURT_VALIDATE=warn timeout 120 "$1" 2>&1) || return 1
	! grep -a 'validate: ' <<<"$log" | grep -aEv "${wrong[$(basename "$1")]:-^$}"
}

# What is stressed in test_stress is the library alone, and validation makes it take minutes.
for source in "$top"/tests/runtime/test_*.c "$top"/tests/runtime/host_*.c; do
	name=$(basename "$source" .c)
	case $name in
	test_validate* | test_stress | host_fail_nth) ;;
	*) check "test $name" expected "$O/tests/runtime/$name" ;;
	esac
done

# Its own allocations fail, too.
check "test host_fail_nth" timeout 120 "$O/tests/runtime/host_fail_nth"
done_testing
