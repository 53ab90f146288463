#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A private apt configuration under build/apt: the suites that the kernel, QEMU's source and meson
# come from, with lists and caches of their own. /etc/apt is read for the mirror and for how to
# reach it (proxies, certificates), and is left alone.
#
#   apt.sh            make the configuration and fetch its lists
#   . apt.sh          the functions below

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# mirror_of SUITE: the URI that the host's own configuration has for it.
mirror_of()
{
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Identifier: Packages' |
		awk -v s="$1" '$1 == s { print $2; exit }'
}

# The one place that knows which suite has what.
sources()
{
	local main security

	main=$(mirror_of "$CODENAME")
	if [ -z "$main" ]; then
		# A machine that was never updated: apt does not know its own suites yet.
		$SUDO apt-get update >&2
		main=$(mirror_of "$CODENAME")
	fi
	[ -n "$main" ] || die "the host's apt configuration names no mirror for $CODENAME"
	security=$(mirror_of "$CODENAME-security")

	case $CODENAME in
	bookworm)
		echo "deb [signed-by=$KEYRING] $main bookworm main"
		echo "deb [signed-by=$KEYRING] $main bookworm-backports main"
		;;
	trixie)
		echo "deb [signed-by=$KEYRING] $main trixie main"
		if [ -n "$security" ]; then
			echo "deb [signed-by=$KEYRING] $security trixie-security main"
		fi
		;;
	esac
	echo "deb-src [signed-by=$KEYRING] $main trixie main"
}

configure_apt()
{
	rm -rf "$APT/resolved"
	mkdir -p "$APT/lists/partial" "$APT/cache/archives/partial" "$APT/empty" "$APT/resolved"
	sources >"$APT/sources.list"
	cat >"$APT/apt.conf" <<-EOF
		Dir::State::lists "$APT/lists";
		Dir::Cache "$APT/cache";
		Dir::Etc::sourcelist "$APT/sources.list";
		Dir::Etc::sourceparts "$APT/empty";
		Dir::Etc::preferences "$APT/empty/preferences";
		Dir::Etc::preferencesparts "$APT/empty";
		APT::Sandbox::User "$(id -un)";
		APT::Install-Recommends "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
	EOF
	papt apt-get update --error-on=any
}

# papt COMMAND...: an apt command under the private configuration.
papt()
{
	APT_CONFIG=$APT/apt.conf "$@"
}

# newest PACKAGE [SUITE]: its version there.
newest()
{
	papt apt-cache madison "$1" |
		awk -F ' *[|] *' '$3 !~ /Sources/ { print $2; exit }'
}

# resolved NAME COMMAND...: what COMMAND printed when it was first asked of these lists.
resolved()
{
	local file=$APT/resolved/$1

	shift
	if [ ! -s "$file" ]; then
		"$@" >"$file.new"
		mv "$file.new" "$file"
	fi
	cat "$file"
}

# fetch_deb PACKAGE: fetches its newest version and prints where the file is.
fetch_deb()
{
	local p=$1 version

	version=$(newest "$p")
	[ -n "$version" ] || die "the lists under $APT have no package $p"
	rm -f "$DL/${p}"_*.deb
	(cd "$DL" && papt apt-get download "$p=$version") >&2
	echo "$DL/${p}"_*.deb
}

# unpack DIR PACKAGE...: unpacks packages there without installing them.
unpack()
{
	local dir=$1 p deb

	shift
	mkdir -p "$dir"
	for p in "$@"; do
		deb=$(fetch_deb "$p")
		dpkg-deb -x "$deb" "$dir"
	done
}

if [ "$0" = "${BASH_SOURCE[0]}" ]; then
	step "apt" "$CODENAME-$(key_of "$0")" configure_apt
fi
