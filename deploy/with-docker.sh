#!/bin/bash
# Run a command that says `docker compose`, where packets can be delayed:
#
#   deploy/with-docker.sh docker compose up --build --exit-code-from peer-b --abort-on-container-exit
#
# Where this kernel has netem, that is here, with the Docker that is installed. Elsewhere it is a
# user-mode Linux guest with an engine of its own, and images are built from a base and wheels made
# here, since the guest has no network outside; nothing is installed on this machine but the guest
# and debootstrap. Wants .venv (make dev).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

SECONDS=0
say() {
    printf 'midair: %s\n' "$*" >&2
}

needs_guest() {
    .venv/bin/python -c 'import sys
from lab.requirements import Place, choose_place
sys.exit(choose_place(netem=True) is not Place.GUEST)'
}

if ! needs_guest; then
    if ! docker compose version >/dev/null 2>&1; then
        say "missing: docker with its compose plugin (docker compose, version 2.20 or newer)"
        say "install docker.io and docker-compose-v2 (Ubuntu), docker.io and docker-compose" \
            "(Debian 13), or see https://docs.docker.com/engine/install/"
        exit 2
    fi
    exec "$@"
fi

deploy/setup.sh compose
engine=$(deploy/engine/fetch.sh)
base=$(deploy/base/make.sh)
python=$(tar -tf "$base" | sed -n 's|^\./usr/bin/python\(3\.[0-9]*\)$|\1|p')
deploy/wheels.sh build/wheels "$python"

# Images that were built stay on the disk, so that the next time takes less; sparse, so small.
disk=build/engine.ext4
if [ ! -e "$disk" ]; then
    truncate -s 8G "$disk.new"
    mkfs.ext4 -q -F "$disk.new"
    mv "$disk.new" "$disk"
fi
say "engine, base image and wheels: ready after $SECONDS s; starting the guest"
exec .venv/bin/midair-lab guest --disk "$disk" -- "$PWD/deploy/engine/run.sh" "$engine" "$base" "$@"
