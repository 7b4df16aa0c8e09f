#!/bin/bash
# Inside a guest (midair-lab guest): start Docker's engine, run a command that uses it, stop it.
#
#   engine/run.sh FOLDER BASE COMMAND...
#
#   FOLDER   where engine/fetch.sh has put the programs
#   BASE     the file that base/make.sh has made; images are built from it
# The guest's disk, an ext4 file system, keeps images between runs.
set -euo pipefail
programs=$1 base=$2
shift 2
state=/run/midair-engine
mkdir -p "$state/data"
mount -t ext4 /dev/ubda "$state/data"
echo '{}' >"$state/daemon.json" # not the one that this machine may have
# compose writes into its configuration folder.
cp -r "$programs/config" "$state/config"
export PATH=$programs/bin:$PATH DOCKER_HOST=unix://$state/socket DOCKER_CONFIG=$state/config
unset DOCKER_CONTEXT

LD_LIBRARY_PATH=$programs/lib dockerd --config-file "$state/daemon.json" \
    --data-root "$state/data" --exec-root "$state/exec" --pidfile "$state/pid" \
    --host "$DOCKER_HOST" --log-level warn >"$state/log" 2>&1 </dev/null &
daemon=$!

# shellcheck disable=SC2317  # called by the trap
stop() {
    kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null || true
    umount "$state/data" || true
}
trap stop EXIT

for ((tries = 0; ; tries++)); do
    [ -S "$state/socket" ] && docker version >/dev/null 2>&1 && break
    if ! kill -0 "$daemon" 2>/dev/null || [ "$tries" -ge 300 ]; then
        echo "midair: Docker's engine did not start:" >&2
        tail -20 "$state/log" >&2
        exit 2
    fi
    sleep 0.2
done

BASE=midair-base:$(basename "$base" .tar | tr -c 'a-zA-Z0-9\n' -)
docker image inspect "$BASE" >/dev/null 2>&1 || docker import "$base" "$BASE" >/dev/null
export BASE WHEELS=build/wheels
"$@"
