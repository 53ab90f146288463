#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What `make run` shows: the VM boots, npu.ko loads, npu-smi shows the device, and a network learns
# to read handwritten digits on it. The second half runs in the guest.

cd "$(dirname "$0")/.." || exit

if [ "$1" != in-guest ]; then
	echo '  VM         booting'
	exec tools/npu-vm -- scripts/demo.sh in-guest
fi

npu-smi info || exit
npu-digits &
job=$!

# The job as npu-smi sees it while it runs.
until npu-smi info >/tmp/npu-smi.out && grep -q npu-digits /tmp/npu-smi.out; do
	kill -0 $job 2>/dev/null || break
done
cat /tmp/npu-smi.out
wait $job
