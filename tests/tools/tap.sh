# SPDX-License-Identifier: MIT
# TAP for shell scripts: source it, call check for each test, end with done_testing.

tests=0
failures=0

# check NAME COMMAND...: the test passes if the command does; its output shows if not.
check()
{
	name=$1
	shift
	tests=$((tests + 1))
	if output=$("$@" 2>&1); then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		echo "# $*"
		printf '%s\n' "$output" | sed 's/^/# /'
		failures=$((failures + 1))
	fi
}

done_testing()
{
	echo "1..$tests"
	[ "$failures" -eq 0 ]
	exit
}
