#!/bin/sh
# SPDX-License-Identifier: MIT
# The driver's documents are made without a warning, and nothing of the uAPI is missing in them.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/tools/tap.sh"

build=${O:-$top/build}
html=$build/check/docs

sphinx()
{
	rm -rf "$html"
	O=$build sphinx-build -q -W --keep-going -b html "$top/docs/accel" "$html"
}

# Names of the kind $1 (struct or enum) that the uAPI declares and the page does not.
missing()
{
	sed -nE "s/^$1 (drm_npu_[a-z_]+) \{$/\1/p" "$top/uapi/drm/npu_accel.h" >"$html/declared"
	[ -s "$html/declared" ] || { echo "# no $1 found in the header"; return 1; }
	while read -r name; do
		grep -q "id=\"c.$name\"" "$html/npu/uapi.html" || echo "# $name"
	done <"$html/declared" | grep . && return 1
	return 0
}

kernel_doc()
{
	perl "$build/ksft/scripts/kernel-doc" -none -Wall -Werror "$top"/uapi/drm/*.h "$top"/driver/*.[ch]
}

check "kernel-doc" kernel_doc
check "sphinx" sphinx
check "structures" missing struct
check "enumerations" missing enum
done_testing
