#!/bin/sh
# SPDX-License-Identifier: MIT
# In the VM, on a device that models time: tools tell so. timing.sh NAME, that of the product.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${NPU_BUILD:-$top/build}
smi=$build/bin/npu-smi

prints()
{
	pattern=$1
	shift
	"$@" | tee /dev/stderr | grep -qE -- "$pattern"
}

check "npu-smi tells the product" prints "Product Name +: $1$" "$smi" info -t board -i 0
check "and that its times are modelled" prints "Timing +: $1$" "$smi" info -t board -i 0
done_testing
