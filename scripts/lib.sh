# SPDX-License-Identifier: MIT
#
# What every set-up script shares: where things are, how progress is said, and when a step may be
# skipped. Sourced, never run.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
O=${O:-$TOP/build}
STAMPS=$O/stamps
DL=$O/dl
APT=$O/apt

# The distribution decides which of Debian's suites a package comes from.
CODENAME=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

SUDO=
[ "$(id -u)" -eq 0 ] || SUDO=sudo

mkdir -p "$STAMPS" "$DL"

say()
{
	printf '  %-10s %s\n' "$1" "$2"
}

die()
{
	printf 'set-up: %s\n' "$*" >&2
	exit 1
}

# step NAME KEY COMMAND...: runs COMMAND unless it already succeeded with the same KEY. Its output
# is kept in a log and shown when it fails.
step()
{
	local name=$1 key=$2 stamp=$STAMPS/$1 log=$STAMPS/$1.log start=$SECONDS

	shift 2
	if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then
		return
	fi
	say SETUP "$name"
	rm -f "$stamp"
	# Not in an "if": bash would ignore errors inside the command.
	set +e
	(set -e; "$@") >"$log" 2>&1 </dev/null
	local status=$?
	set -e
	if [ $status -ne 0 ]; then
		tail -n 30 "$log" >&2
		die "step '$name' failed (status $status); the whole log is $log"
	fi
	printf '%s' "$key" >"$stamp"
	say DONE "$name ($((SECONDS - start)) s)"
}

# A key that changes with the content of the files named.
key_of()
{
	cat "$@" | sha256sum | cut -c1-16
}
