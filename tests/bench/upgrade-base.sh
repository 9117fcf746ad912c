#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# upgrade-base.sh - a Debian 11 that is about to become Debian 12
#
# Makes build/upgrade/base.tar, unless it is there and up to date: the file tree of
# a machine with its tools, whose apt knows Debian 12 and has downloaded all that
# the upgrade takes, so that it needs no network.  250 MiB; as root.

set -euo pipefail
cd "$(dirname "$0")/../.."

mirror=${BOW_DEBIAN_MIRROR:-http://deb.debian.org}
packages=bash-completion,bc,bzip2,curl,dbus,dc,dnsutils,file,gdisk,git,gnupg,htop
packages+=,less,lsof,man-db,mc,mtr-tiny,ncdu,openssh-client,parted,perl,psmisc
packages+=,python3,rsync,screen,sqlite3,strace,tcpdump,tmux,tree,unzip,vim,wget
packages+=,xz-utils,zip

# download_upgrade ROOT
#   The customize hook of mmdebstrap.
download_upgrade()
{
	# mmdebstrap has turned recommendations off; the machine will not have.
	local apt=(chroot "$1" apt-get -q -y -o APT::Install-Recommends=true)

	"${apt[@]}" clean
	cat >"$1/etc/apt/sources.list" <<-EOF
	deb $mirror/debian bookworm main
	deb $mirror/debian-security bookworm-security main
	EOF
	"${apt[@]}" update
	"${apt[@]}" --download-only full-upgrade
	# No service is started: there is no init.
	printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
	chmod 755 "$1/usr/sbin/policy-rc.d"
}

if [ "${1-}" = --download-upgrade ]; then
	download_upgrade "$2"
	exit
fi

out=build/upgrade
mkdir -p "$out"
key=$(echo "$mirror" | cat - tests/bench/upgrade-base.sh | sha256sum)
if [ -e "$out/base.tar" ] && [ "$(cat "$out/base.key")" = "$key" ]; then
	exit
fi
rm -f "$out/base.key"
# The directories that an installer would merge into /usr are made before dpkg
# unpacks anything.
# shellcheck disable=SC2016  # expanded by mmdebstrap
mmdebstrap --mode=root --variant=important --include="$packages" \
	--skip=cleanup/apt \
	--setup-hook='for d in bin sbin lib lib64; do
		mkdir -p "$1/usr/$d" && ln -s "usr/$d" "$1/$d"; done' \
	--customize-hook='tests/bench/upgrade-base.sh --download-upgrade "$1"' \
	bullseye "$out/base.tar" "deb $mirror/debian bullseye main" \
	"deb $mirror/debian-security bullseye-security main"
echo "$key" >"$out/base.key"
