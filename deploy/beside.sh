#!/usr/bin/env bash
# Run two commands beside each other, or one after the other on a single processor:
#     deploy/beside.sh FIRST SECOND
# What FIRST prints is seen as it comes; what SECOND prints, when both have ended. Exits 0 if both do.
set -um # with -m each of them is a process group of its own

if [ "$(nproc)" -lt 2 ]; then
    code=0
    sh -c "$1" </dev/null || code=$?
    sh -c "$2" </dev/null || code=$?
    exit "$code"
fi

log=$(mktemp)
show() {
    cat "$log"
    rm -f "$log"
}
stop() {
    trap - INT TERM HUP
    kill -TERM "-$first" "-$second" 2>/dev/null
    wait
    show
    exit "$1"
}
sh -c "$1" </dev/null &
first=$!
sh -c "$2" </dev/null >"$log" 2>&1 &
second=$!
trap 'stop 130' INT
trap 'stop 143' TERM
trap 'stop 129' HUP

code=0
wait "$first" || code=$?
if kill -0 "$second" 2>/dev/null; then
    echo "midair: waiting for \`$2\`; what it has printed follows" >&2
fi
wait "$second" || code=$?
show
exit "$code"
