#!/bin/bash
# Fetch Docker's engine and compose as programs in a folder, and print the folder.
#
# Nothing is installed and nothing started: the packages are unpacked into the cache, as root or
# not. The engine is this release's own; compose (version 2) comes from it where it has that, and
# otherwise from Debian's trixie, which the same mirror has.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$("$here/../cache.sh" engine "${BASH_SOURCE[0]}")
[ ! -d "$folder" ] || { echo "$folder"; exit; }

say() {
    printf 'midair: %s\n' "$*" >&2
}

# What a program prints is shown only if it fails.
quietly() {
    "$@" >"$new/log" 2>&1 </dev/null || { cat "$new/log" >&2; say "failed: $*"; exit 2; }
}

apt() {
    apt-get -q -o APT::Sandbox::User=root -o DPkg::Lock::Timeout=300 "$@"
}

candidate() {
    apt-cache policy "$1" | sed -n 's/^ *Candidate: //p'
}

# unpack PACKAGE...: fetched with apt's options, if any, from the array `options`.
unpack() {
    (cd "$new" && quietly apt "${options[@]}" download "$@")
    local deb
    for deb in "$new"/*.deb; do
        dpkg -x "$deb" "$new/root"
        rm "$deb"
    done
}

# apt's options for another release of Debian, with lists of its own.
options_for() {
    mkdir -p "$new/lists/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "$("$here/../mirror.sh") $1 main" >"$new/other.list"
    options=(-o "Dir::Etc::SourceList=$new/other.list" -o Dir::Etc::SourceParts=-
        -o "Dir::State::Lists=$new/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
    quietly apt "${options[@]}" update
}

# Libraries of the engine's programs that this machine lacks are unpacked beside them.
missing_libraries() {
    local package
    apt-cache depends docker.io runc containerd | sed -n 's/^ *Depends: \(lib[^ ]*\)/\1/p' | sort -u |
        while read -r package; do
            dpkg -s "$package" >/dev/null 2>&1 || echo "$package"
        done
}

say "fetching Docker's engine and compose, as programs in $folder (some seconds)"
new=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$new"' EXIT
options=()
[ -n "$(candidate docker.io)" ] || quietly apt update
mapfile -t libraries < <(missing_libraries)
unpack docker.io containerd runc "${libraries[@]}"
# From Debian 13 on the command is a package of its own.
[ -x "$new/root/usr/bin/docker" ] || unpack docker-cli
if [ -n "$(candidate docker-compose-v2)" ]; then
    unpack docker-compose-v2
else
    case $(candidate docker-compose) in
    2* | 3*) ;;
    *) options_for trixie ;;
    esac
    unpack docker-compose
fi

mkdir -p "$new/config/cli-plugins" "$new/bin" "$new/lib"
find "$new/root" -type f -path '*/cli-plugins/docker-compose' -exec cp {} "$new/config/cli-plugins/" \;
for program in dockerd docker docker-proxy containerd containerd-shim-runc-v2 runc; do
    find "$new/root/usr" -name "$program" -path '*bin/*' -exec cp {} "$new/bin/" \;
done
find "$new/root" -name 'lib*.so.*' -exec cp -P {} "$new/lib/" \;
rm -rf "$new/root" "$new/lists" "$new/log" "$new/other.list"
for program in dockerd docker docker-proxy containerd containerd-shim-runc-v2 runc \
    ../config/cli-plugins/docker-compose; do
    [ -x "$new/bin/$program" ] || { say "the packages have no $program"; exit 2; }
    ! LD_LIBRARY_PATH="$new/lib" ldd "$new/bin/$program" 2>/dev/null | grep 'not found' >&2 ||
        { say "$program lacks libraries (above)"; exit 2; }
done
chmod 755 "$new"
# Somebody else may have been as quick.
mv -T "$new" "$folder" 2>/dev/null || [ -d "$folder" ]
echo "$folder"
