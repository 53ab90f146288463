#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Makes a bare Debian 12 or 13 ready: packages, QEMU's source, the kernel. Each step is skipped when
# it was done before.

cd "$(dirname "$0")"
. ./lib.sh

# One set-up at a time.
exec 9>"$O/.lock"
flock 9

for part in packages apt qemu kernel ksft; do
	./$part.sh || exit
done
