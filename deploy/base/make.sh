#!/bin/bash
# Make the base of all images where no image registry is at hand, and print its file: a minimal
# Debian of this machine's own release, with what the images need, as `docker import` takes it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
file=$("$here/../cache.sh" base "${BASH_SOURCE[0]}").tar
[ ! -e "$file" ] || { echo "$file"; exit; }

packages=python3,python3-venv,python3-pip,iptables,iproute2,chrony,libfaketime
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$("$here/../mirror.sh")

printf 'midair: making a base image of %s with debootstrap (about a minute)\n' "$suite" >&2
new=$(mktemp -d "$file.XXXXXX")
trap 'rm -rf --one-file-system "$new"' EXIT
debootstrap --variant=minbase --include="$packages" "$suite" "$new/root" "$mirror" \
    >"$new/log" 2>&1 </dev/null || { tail -20 "$new/log" >&2; exit 2; }
# What no container reads: a third of it all, and every file costs time when it is unpacked.
(cd "$new/root" && rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* usr/share/doc/* \
    usr/share/man/* usr/share/locale/* usr/share/info/*)
find "$new/root" -name __pycache__ -type d -prune -exec rm -rf {} +
tar -C "$new/root" --one-file-system -cf "$new/base.tar" --exclude=./dev/* --exclude=./proc/* .
mv "$new/base.tar" "$file"
echo "$file"
