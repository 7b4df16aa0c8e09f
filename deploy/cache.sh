#!/bin/sh
# Where things lie that are made once and serve every checkout:  deploy/cache.sh NAME FILE...
#
# Prints CACHE/NAME-KEY, where KEY is made of the files, the release and the processor, so that a
# changed recipe makes it anew. MIDAIR_CACHE names another folder; it can be removed at any time.
set -eu
name=$1
shift
cache=${MIDAIR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/midair}
mkdir -p "$cache"
release=$(. /etc/os-release && echo "$ID-${VERSION_CODENAME:-$VERSION_ID}")
key=$({ cat "$@" && echo "$release" && uname -m; } | sha256sum | cut -c 1-12)
echo "$cache/$name-$release-$key"
