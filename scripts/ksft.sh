#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What is in no kernel package but the source: kselftest's headers and makefiles, checkpatch,
# kernel-doc and its Sphinx extension. They are unpacked in build/ksft, in the places that the
# kernel tree has them.

. "$(dirname "$0")/apt.sh"

SOURCE=linux-source-6.12

fetch_ksft()
{
	local deb selftests=$SOURCE/tools/testing/selftests

	deb=$(fetch_deb $SOURCE)
	rm -rf "$O/ksft"
	mkdir -p "$O/ksft"
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$SOURCE.tar.xz" |
		tar -xJ -C "$O/ksft" --strip-components=1 --wildcards --no-wildcards-match-slash \
			"$selftests/*.h" "$selftests/*.mk" "$selftests/*.sh" \
			"$selftests/Makefile" "$selftests/kselftest" \
			"$SOURCE/tools/scripts" "$SOURCE/tools/include" \
			"$SOURCE/scripts/*.include" "$SOURCE/scripts/Makefile.*" \
			"$SOURCE/scripts/checkpatch.pl" "$SOURCE/scripts/spelling.txt" \
			"$SOURCE/scripts/const_structs.checkpatch" "$SOURCE/scripts/kernel-doc" \
			"$SOURCE/Documentation/sphinx/*.py"
}

step "kselftest" "$(resolved ksft newest $SOURCE)-$(key_of "$0")" fetch_ksft
