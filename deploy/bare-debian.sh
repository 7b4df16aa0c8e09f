#!/bin/bash
# Prove that a fresh Debian with nothing but python3, git and make is enough:
#
#   deploy/bare-debian.sh [TARGET...]     default: demo test
#
# Makes a minimal Debian with debootstrap in a temporary folder, clones this repository (its last
# commit) into it, and runs `make TARGET` there for each target. Wants root, debootstrap, about
# 3 GB of disk and a minute before the first target starts. Packages and wheels come from where this
# machine gets them: its apt and pip settings are copied along. SUITE and MIRROR override what is
# found.
#
# All mounts are made in a mount namespace, and all processes run in a PID namespace, of their own:
# both are gone when this ends, however it ends, and the folder that is removed afterwards never
# had anything mounted in it as seen from outside.
set -euo pipefail

suite=${SUITE:-bookworm}
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
    printf 'bare-debian: %s\n' "$*" >&2
}

# The mirror that this machine itself uses for the suite.
find_mirror() {
    # shellcheck disable=SC2016  # apt-get's own variables
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk -v suite="$suite" '$2 == suite { print $1; exit }'
}

# What apt and pip need to reach their registries from inside. $1: the new root.
copy_settings() {
    local root=$1 file
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    rm -f "$root/etc/apt/sources.list"
    for file in sources.list sources.list.d auth.conf auth.conf.d trusted.gpg.d keyrings; do
        [ ! -e "/etc/apt/$file" ] || cp -rL "/etc/apt/$file" "$root/etc/apt/"
    done
    # Of apt's other settings only how to fetch: the rest names programs that are not inside.
    grep -lrs '^Acquire::' /etc/apt/apt.conf.d | xargs -r cp -t "$root/etc/apt/apt.conf.d/"
    for file in /etc/pip.conf ~/.config/pip ~/.pip; do
        [ ! -e "$file" ] || { mkdir -p "$root$(dirname "$file")" && cp -rL "$file" "$root$file"; }
    done
    # Under a name of its own, as installing ca-certificates would replace the usual one.
    file=${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}
    [ ! -e "$file" ] || cp -L "$file" "$root/etc/host-ca.crt"
}

# Folders of wheels that pip's settings name are seen inside at the same place; of an index
# (.../simple) the folder above it, since its links point there. $1: the new root.
mount_wheels() {
    local root=$1 folder
    python3 -m pip config list 2>/dev/null | grep -v '\.cert=' |
        grep -oE "(file://)?/[^ '\",]+" | sed -e 's|^file://||' -e 's|/simple/*$||' | sort -u |
        while read -r folder; do
            [ -d "$folder" ] || continue
            mkdir -p "$root$folder"
            mount --bind -o ro "$folder" "$root$folder"
        done
}

# The environment inside: what pip and proxies are told here, and nothing else of ours.
inner_environment() {
    printf '%s\0' PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LANG=C.UTF-8 "TERM=${TERM:-dumb}"
    env -0 | grep -zE '^(PIP_[A-Z_]+|CI|NO_COLOR|(https?|no|ftp|all)_proxy|(HTTPS?|NO|ALL)_PROXY)=' |
        grep -zv '^PIP_CERT=' || true
    [ ! -e "$1/etc/host-ca.crt" ] ||
        printf '%s\0' PIP_CERT=/etc/host-ca.crt SSL_CERT_FILE=/etc/host-ca.crt
}

# Runs in namespaces of its own. $1: an empty folder; then the targets.
inside() {
    local root=$1 mirror target environment
    shift
    mirror=${MIRROR:-$(find_mirror)}
    [ -n "$mirror" ] || { say "no apt source here has $suite: give MIRROR=http://..."; exit 2; }
    say "debootstrap of $suite with python3, git and make (about a minute)"
    debootstrap --variant=minbase --include=python3,git,make "$suite" "$root" "$mirror" \
        >"$root.log" 2>&1 || { tail -20 "$root.log" >&2; exit 2; }
    copy_settings "$root"
    mount --bind "$root" "$root" # pivot_root wants a mount
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount_wheels "$root"
    git clone --quiet --no-hardlinks "$repository" "$root/root/midair"
    mapfile -d '' -t environment < <(inner_environment "$root")
    # No chroot: within one the kernel gives nobody a user namespace.
    mkdir "$root/outside"
    cd "$root"
    pivot_root . outside
    umount -l outside
    hash -r
    for target in "$@"; do
        say "make $target"
        SECONDS=0
        env -i "${environment[@]}" make -C /root/midair --no-print-directory "$target" \
            </dev/null || { say "make $target: FAILED after $SECONDS s"; exit 1; }
        say "make $target: done in $SECONDS s"
    done
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi

[ "$(id -u)" = 0 ] || { say "this needs root"; exit 2; }
for program in debootstrap unshare git; do
    command -v "$program" >/dev/null || { say "missing: $program"; exit 2; }
done
[ $# -gt 0 ] || set -- demo test

folder=$(mktemp -d "${TMPDIR:-/var/tmp}/midair-bare-XXXXXX")
mkdir "$folder/root"
child=

# shellcheck disable=SC2317  # called by the traps
clean_up() {
    # unshare takes its namespaces' first process along, and with it all others.
    [ -z "$child" ] || { kill -KILL "$child" && wait "$child"; } 2>/dev/null || true
    # The last of them may still be closing its files.
    for _ in 1 2 3 4 5; do
        rm -rf --one-file-system "$folder" 2>/dev/null && break
        sleep 1
    done
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# In the background: bash runs traps at once only while it waits.
unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    "${BASH_SOURCE[0]}" --inside "$folder/root" "$@" &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"
