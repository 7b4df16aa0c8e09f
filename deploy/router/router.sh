#!/bin/sh
# A home router in one script: NAT or firewall, with a chosen temper. Used by the lab and by compose.
#
#   router.sh            apply the configuration below; run it again to change it
#   router.sh counters   print what was dropped or refused so far: "NAME PACKETS", one a line
#
# It replaces the filter and nat tables of the network namespace it runs in: give it one of its own.
# Needs iptables and ip6tables (legacy or nft), and tc where netem is asked for.
#
# Configured by environment variables only:
#   WAN, LAN     names of the two interfaces                                   (wan, lan)
#   MODE         nat       IPv4 is translated and filtered, IPv6 filtered      (default)
#                firewall  nothing translated, both filtered
#                none      a plain router
#   MAPPING      how nat allocates ports for TCP (RFC 4787 section 4, RFC 5382):
#                preserving  keeps the port while it is free; endpoint-independent      (default)
#                remapped    20000-20999, chosen by the inner port; endpoint-independent
#                sequential  the next of 20000-20255 for each flow; address- and port-dependent
#                random      a random port for each flow; address- and port-dependent
#   ANSWER       to an unsolicited SYN: rst (default) | drop | icmp (port unreachable) |
#                admin (administratively prohibited)
#   BLOCK_NTP    1 drops forwarded UDP to port 123                             (0)
#   WAN_ADDRESS  the IPv4 address to translate to; the interface's first when unset
#   NETEM_UP     netem parameters for what leaves through WAN, "delay 20ms loss 1%"; "none" removes
#   NETEM_DOWN   the same for what leaves through LAN; unset: left as it is
#
# Of nat: only TCP follows MAPPING (and UDP, except for sequential); all else is masqueraded. The
# WAN address answers pings.

set -eu

WAN=${WAN:-wan} LAN=${LAN:-lan} MODE=${MODE:-nat} MAPPING=${MAPPING:-preserving}
ANSWER=${ANSWER:-rst} BLOCK_NTP=${BLOCK_NTP:-0}

fail() {
    echo "router.sh: $1" >&2
    exit 2
}

counters() {
    for family in 4 6; do
        save=iptables-save
        [ "$family" = 6 ] && save=ip6tables-save
        $save -c -t filter |
            sed -n "s/^\[\([0-9]*\):.*--comment \"\{0,1\}midair:\([a-z]*\).*/\2$family \1/p"
    done | awk '{ sum[$1] += $2 } END { for (name in sum) print name, sum[name] }' | sort
}

# What becomes of a TCP segment nobody asked for, as an iptables target. $1: 4 or 6.
answer_target() {
    case $ANSWER$1 in
    rst?) echo "REJECT --reject-with tcp-reset" ;;
    drop?) echo "DROP" ;;
    icmp4) echo "REJECT --reject-with icmp-port-unreachable" ;;
    icmp6) echo "REJECT --reject-with icmp6-port-unreachable" ;;
    admin4) echo "REJECT --reject-with icmp-admin-prohibited" ;;
    admin6) echo "REJECT --reject-with icmp6-adm-prohibited" ;;
    *) fail "ANSWER=$ANSWER is none of rst, drop, icmp, admin" ;;
    esac
}

# The filter table. $1: 4 or 6.
filter_rules() {
    icmp=icmp
    [ "$1" = 6 ] && icmp=ipv6-icmp
    echo "*filter"
    echo ":INPUT ACCEPT"
    echo ":FORWARD ACCEPT"
    echo ":OUTPUT ACCEPT"
    [ "$BLOCK_NTP" = 1 ] &&
        echo "-A FORWARD -p udp --dport 123 -m comment --comment midair:ntp -j DROP"
    if [ "$MODE" != none ]; then
        for chain in INPUT FORWARD; do
            # INVALID segments would pass untranslated, in both directions.
            echo "-A $chain -m conntrack --ctstate INVALID" \
                "-m comment --comment midair:invalid -j DROP"
        done
        for chain in INPUT FORWARD; do
            echo "-A $chain -i $WAN -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
            # RFC 4890: neighbour discovery and echo must pass.
            echo "-A $chain -i $WAN -p $icmp -j ACCEPT"
            echo "-A $chain -i $WAN -p tcp -m comment --comment midair:unsolicited" \
                "-j $(answer_target "$1")"
            echo "-A $chain -i $WAN -m comment --comment midair:other -j DROP"
        done
    fi
    echo "COMMIT"
}

# The nat table (IPv4 only).
nat_rules() {
    echo "*nat"
    echo ":PREROUTING ACCEPT"
    echo ":POSTROUTING ACCEPT"
    if [ "$MODE" = nat ]; then
        case $MAPPING in
        preserving) ;;
        remapped)
            for protocol in tcp udp; do
                echo "-A POSTROUTING -o $WAN -p $protocol" \
                    "-j SNAT --to-source $WAN_ADDRESS:20000-20999"
            done
            ;;
        sequential)
            # Rule i sees only flows the rules before it let pass and takes the first of every
            # 256 - i: so the flows take the rules, and ports, in turn.
            i=0
            while [ $i -lt 256 ]; do
                echo "-A POSTROUTING -o $WAN -p tcp -m statistic --mode nth" \
                    "--every $((256 - i)) --packet 0" \
                    "-j SNAT --to-source $WAN_ADDRESS:$((20000 + i))"
                i=$((i + 1))
            done
            ;;
        random) echo "-A POSTROUTING -o $WAN -j MASQUERADE --random-fully" ;;
        *) fail "MAPPING=$MAPPING is none of preserving, remapped, sequential, random" ;;
        esac
        echo "-A POSTROUTING -o $WAN -j MASQUERADE"
    fi
    echo "COMMIT"
}

forward() {
    # Read-only in some containers, where the runtime has set it already.
    { echo 1 >"$1"; } 2>/dev/null || true
    read -r value <"$1" || true # such a file ends without a newline for those who read bytewise
    [ "$value" = 1 ]
}

# $1: interface; $2: netem parameters, split into words on purpose.
shape() {
    tc qdisc del dev "$1" root 2>/dev/null || true
    # shellcheck disable=SC2086
    [ "$2" = none ] || tc qdisc add dev "$1" root netem $2
}

apply() {
    v4=/proc/sys/net/ipv4/ip_forward v6=/proc/sys/net/ipv6/conf/all/forwarding
    case $MODE in nat | firewall | none) ;; *) fail "MODE=$MODE is none of nat, firewall, none" ;; esac
    answer_target 4 >/dev/null
    if [ "$MODE$MAPPING" = natremapped ] || [ "$MODE$MAPPING" = natsequential ]; then
        : "${WAN_ADDRESS:=$(ip -4 -o address show dev "$WAN" |
            sed -n '1s/.* inet \([0-9.]*\).*/\1/p')}"
        [ -n "$WAN_ADDRESS" ] || fail "$WAN has no IPv4 address"
    fi
    rules=$(nat_rules && filter_rules 4)
    echo "$rules" | iptables-restore
    filter_rules 6 | ip6tables-restore
    forward "$v4" || fail "forwarding is off and $v4 is read-only"
    # Absent where IPv6 is off; and what has no IPv6 address need not forward it.
    [ ! -e "$v6" ] || forward "$v6" || [ -z "$(ip -6 -o address show scope global)" ] ||
        fail "forwarding is off and $v6 is read-only"
    [ -z "${NETEM_UP:-}" ] || shape "$WAN" "$NETEM_UP"
    [ -z "${NETEM_DOWN:-}" ] || shape "$LAN" "$NETEM_DOWN"
}

case ${1:-apply} in
apply) apply ;;
counters) counters ;;
*) fail "usage: router.sh [apply | counters], configured by environment variables" ;;
esac
