#!/bin/bash
# Init of the user-mode guest that lab/guest.py boots. The guest's root is the host's own file
# system, read and write: whatever a run may change (/run, /dev, temporary files) is put on file
# systems of the guest's own, and nothing is installed or created on the host's.
#
# Serial lines, see lab/guest.py: ttyS1 = stdout, ttyS2 = stderr, ttyS3 = control. On the control
# line the guest says "booted" and at the end "exit N"; all else there is a complaint.

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/net
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd

for line in 1 2 3; do stty -F "/dev/ttyS$line" raw -echo; done
# A line that nobody holds open forgets its size.
exec 3>/dev/ttyS3 4>/dev/ttyS1 5>/dev/ttyS2 2>&3

dir=$(sed -n 's/.*\bmidair_guest=\([^ ]*\).*/\1/p' /proc/cmdline)
. "$dir/settings" # rows, columns, out_tty, err_tty: written by lab/guest.py

# Modules of the guest's kernel lie outside /lib/modules: give modprobe, and the kernel when it
# loads one by itself, a root in which they are where modprobe expects them.
mkdir -p /run/uml/lib
ln -s /usr/lib/uml/modules /run/uml/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/uml "$@"\n' >/run/uml/modprobe
chmod 755 /run/uml/modprobe
echo /run/uml/modprobe >/proc/sys/kernel/modprobe
[ -d /lib/modules ] && mount --bind /usr/lib/uml/modules /lib/modules
/run/uml/modprobe -q -a veth sch_netem bridge br_netfilter overlay ip_tables iptable_nat \
    iptable_filter iptable_mangle ip6_tables ip6table_filter nf_nat nf_conntrack xt_MASQUERADE \
    xt_conntrack xt_nat xt_tcpudp xt_statistic xt_addrtype xt_comment xt_mark ipt_REJECT \
    ip6t_REJECT tun ipv6

# The guest's nftables knows no ip family: iptables has to be the legacy one.
if [ -e /usr/sbin/xtables-nft-multi ] && [ -e /usr/sbin/xtables-legacy-multi ]; then
    mount --bind /usr/sbin/xtables-legacy-multi /usr/sbin/xtables-nft-multi
fi

ip link set lo up
hostname midair-guest
mkdir -m 1777 /run/tmp
mapfile -d '' -t environment <"$dir/environment"
mapfile -d '' -t argv <"$dir/argv"
mapfile -d '' -t cwd <"$dir/cwd"

# Where the caller's stream is a terminal the command gets one; otherwise a pipe, so that it does
# not think it has one.
pumps=()
out=/dev/ttyS1 err=/dev/ttyS2
for stream in out err; do
    tty_wanted=${stream}_tty
    if [ "${!tty_wanted}" = 1 ]; then
        stty -F "${!stream}" rows "$rows" columns "$columns"
    else
        mkfifo "/run/$stream"
        cat "/run/$stream" >"${!stream}" &
        pumps+=($!)
        printf -v "$stream" '/run/%s' "$stream"
    fi
done

echo booted >&3
(cd "${cwd[0]}" && exec env -i "${environment[@]}" "${argv[@]}" </dev/null >"$out" 2>"$err" \
    3>&- 4>&- 5>&-)
code=$?

# A grandchild that lives on may hold a pipe open for ever: two seconds, then the rest is lost.
if [ ${#pumps[@]} -gt 0 ]; then
    (sleep 2; kill "${pumps[@]}" 2>/dev/null) 3>&- &
    wait "${pumps[@]}"
fi
# stty waits until a line's output has left (TCSADRAIN).
for line in 1 2; do stty -F "/dev/ttyS$line" raw -echo; done
sync
echo "exit $code" >&3
stty -F /dev/ttyS3 raw
halt -f
