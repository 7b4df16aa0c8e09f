#!/bin/sh
# A container that is a home router: router.sh behind names and numbers that suit a compose file.
#
# It stands in two networks: in the internet and in a LAN, whose hosts have it as their gateway.
# Needs NET_ADMIN, NET_RAW and net.ipv4.ip_forward=1; its default route is removed.
#
#   LAN_ADDRESS  the address that it has for the LAN's hosts; added to the network that has it
#   MODE, MAPPING, ANSWER, BLOCK_NTP      as router.sh has them
#   DELAY    ms that it adds to a round trip, half of them each way: the one-way delay between two
#            hosts that are each behind such a router                             (0)
#   JITTER   ms by which the delay of what leaves the LAN varies, up and down     (0)
#   LOSS     percent of what leaves the LAN that is lost                          (0)
#   RATE     Mbit/s each way; 0: unlimited                                        (0)
#   NEIGHBOUR  an address on the internet's network, another router's: found before it is healthy.
#            Otherwise the first packets to it wait for an ARP that is delayed, too
set -eu
here=$(dirname "$0")
ready=/run/midair-router
rm -f "$ready"

fail() {
    echo "router: $1" >&2
    exit 2
}

# With the length of its prefix. $1: interface.
address_of() {
    ip -4 -o address show dev "$1" | sed -n '1s/.* inet \([0-9./]*\).*/\1/p'
}

# The container's runtime numbers its interfaces as it likes: they are known by their networks.
find_interfaces() {
    : "${LAN_ADDRESS:?the address that the hosts of the LAN have as their gateway}"
    route=$(ip -4 -o route get "$LAN_ADDRESS" 2>/dev/null) || route=
    LAN=$(echo "$route" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    case "$LAN:$route" in
    :* | lo:* | *" via "*) fail "none of its networks has LAN_ADDRESS=$LAN_ADDRESS" ;;
    esac
    WAN=$(ip -4 -o address show scope global | awk -v lan="$LAN" '$2 != lan { print $2 }' | sort -u)
    case $WAN in
    "" | *[!a-zA-Z0-9@._-]*) fail "it wants two networks, a LAN and one more; it has: $LAN $WAN" ;;
    esac
    export LAN WAN
}

# Where the kernel's nftables lack the ip family, the older tables are taken.
choose_iptables() {
    if iptables-nft -t nat -N trial 2>/dev/null; then
        iptables-nft -t nat -X trial
        return
    fi
    legacy=$(command -v xtables-legacy-multi) || fail "iptables does not work here"
    mkdir -p /run/legacy
    for name in iptables-restore iptables-save ip6tables-restore ip6tables-save; do
        ln -sf "$legacy" "/run/legacy/$name"
    done
    PATH=/run/legacy:$PATH
}

find_neighbour() {
    [ -n "${NEIGHBOUR:-}" ] || return 0
    tries=0
    while [ $tries -lt 50 ]; do
        bash -c "echo >/dev/udp/$NEIGHBOUR/9" || fail "none of its networks has NEIGHBOUR=$NEIGHBOUR"
        sleep 0.2
        tries=$((tries + 1))
        case $(ip neigh show "$NEIGHBOUR") in *lladdr*) return 0 ;; esac
    done
    fail "there is no NEIGHBOUR=$NEIGHBOUR"
}

# $1: ms, $2: jitter in ms, $3: loss in percent. The queue holds what the delay holds back.
netem() {
    words=
    [ "$1" = 0 ] && [ "$2" = 0 ] || words=" delay ${1}ms ${2}ms"
    [ "$3" = 0 ] || words="$words loss $3%"
    [ "${RATE:-0}" = 0 ] || words="$words rate ${RATE}mbit"
    [ -z "$words" ] || echo "limit 100000$words"
}

shape() {
    half=$(awk -v delay="${DELAY:-0}" 'BEGIN { print delay / 2 }')
    NETEM_UP=$(netem "$half" "${JITTER:-0}" "${LOSS:-0}")
    NETEM_DOWN=$(netem "$half" 0 0)
    export NETEM_UP NETEM_DOWN
    [ -z "$NETEM_UP$NETEM_DOWN" ] || tc qdisc add dev lo root netem 2>/dev/null ||
        fail "this kernel cannot delay packets: on the host, modprobe sch_netem; or set DELAY=0"
    tc qdisc del dev lo root 2>/dev/null || true
}

# In the kernel's own words. $1: interface.
netem_of() {
    words=$(tc qdisc show dev "$1" | tr -s ' ' |
        sed -n -e 's/ seed [0-9]*//' -e 's/ *$//' -e 's/.* netem .* limit [0-9]* *//p')
    echo "${words:-no delay}"
}

find_interfaces
choose_iptables
find_neighbour
shape
"$here/router.sh" || fail "it cannot be set up as asked (above)"
ip -4 address replace "$LAN_ADDRESS/$(address_of "$LAN" | sed 's|.*/||')" dev "$LAN"
ip -4 route del default 2>/dev/null || true
outside=$(address_of "$WAN" | sed 's|/.*||')
echo "router: LAN $LAN_ADDRESS, outside $outside, ${MODE:-nat}, ports ${MAPPING:-preserving}," \
    "to strangers ${ANSWER:-rst}; up: $(netem_of "$WAN"); down: $(netem_of "$LAN")"
touch "$ready"

trap 'exit 0' TERM INT
sleep infinity &
wait
