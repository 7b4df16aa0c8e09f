#!/bin/sh
# One of the two peers: runs midair as nobody, captures what passes its interface meanwhile, and
# ends so that both peers' exit codes are true whoever looks at them:
#
#   peer a   ends only after b, or when it is told to: its exit code is midair's
#   peer b   waits for a's end, draws both captures, and ends: its exit code is midair's; 1 if
#            that is 0, but a failed or the captures show no crossing (where packets are
#            lost: nor a SYN that met a host which was itself calling)
#
#   peer/entrypoint.sh a|b MIDAIR-ARGUMENT...
#
#   SAY        what it says to the other one
#   LOSS       percent of packets that the routers lose                              (0)
#   CLOCK      by how many seconds its wall clock is wrong; + is fast                (0)
# /captures is a folder that both share: SIDE.pcap, SIDE.exit.
# Starts as root with NET_RAW and NET_ADMIN, which capturing takes.
set -eu
side=$1 captures=/captures
shift
case $side in
a | b) ;;
*)
    echo "peer: '$side' is neither a nor b" >&2
    exit 2
    ;;
esac
# b, which starts later, finds nothing of an earlier run; nor does a of b.
rm -f "$captures/$side.exit" "$captures/$side.pcap" "$captures/b.exit"

told=
child=
# shellcheck disable=SC2317  # called by the trap
ask_to_end() {
    told=yes
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
}
trap ask_to_end TERM INT

# What wait returns when a signal came first is not the child's.
wait_for_child() {
    while true; do
        code=0
        wait "$child" || code=$?
        kill -0 "$child" 2>/dev/null || break
    done
    child=
}

run_midair() {
    printf '%s\n' "${SAY:-}" >/tmp/say
    case ${CLOCK:-0} in
    0) ;;
    *)
        # libfaketime wants the sign in any case.
        set -- env LD_PRELOAD="$(echo /usr/lib/*/faketime/libfaketime.so.1)" \
            FAKETIME="$(printf '%+.6f' "$CLOCK")s" "$@"
        ;;
    esac
    midair-lab capture "$captures/$side.pcap" -- \
        setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=-all --no-new-privs \
        "$@" </tmp/say &
    child=$!
    wait_for_child
}

# Waits for a file, at most so many seconds, and not longer than anybody wants us.
wait_for_file() {
    left=$2
    while [ ! -e "$1" ] && [ -z "$told" ] && [ "$left" -gt 0 ]; do
        sleep 1 &
        wait $! || true
        left=$((left - 1))
    done
    [ -e "$1" ]
}

finish_a() {
    # b is to be the first that ends, or it would be stopped half-way.
    wait_for_file "$captures/b.exit" 120 || true
    [ -n "$told" ] || { sleep 5 & wait $! || true; }
}

finish_b() {
    wait_for_file "$captures/a.exit" 60 || { [ "$code" != 0 ] || code=1; }
    echo "peer a: exit $(cat "$captures/a.exit" 2>/dev/null || echo 'not yet'), peer b: exit $code"
    if [ "$code$(cat "$captures/a.exit" 2>/dev/null)" = 00 ]; then
        case ${LOSS:-0} in
        0) set -- ;;
        *) set -- --lossy ;;
        esac
        COLUMNS=80 midair-lab diagram "$@" --quote "I love you, too." --quote "I love you." \
            "$captures/a.pcap" "$captures/b.pcap" || code=1
    elif [ "$code" = 0 ]; then
        code=1
    fi
}

run_midair midair "$@"
own=$code
[ "$side" = a ] || finish_b
echo "$own" >"$captures/$side.exit"
[ "$side" = b ] || finish_a
exit "$code"
