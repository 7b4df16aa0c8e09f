#!/bin/sh
# What midair needs from the system. As root, where apt is, it is installed; otherwise this
# says what is missing and how to get it, and exits with 2.
#
#   deploy/setup.sh python   print the interpreter to use; it must be able to make a venv
#   deploy/setup.sh lab      programs and kernel that the lab needs
#   deploy/setup.sh compose  what deploy/with-docker.sh needs besides where it takes the guest
set -eu

export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
updated=

say() {
    printf 'midair: %s\n' "$*" >&2
}

have() {
    command -v "$1" >/dev/null 2>&1
}

can_install() {
    [ "$(id -u)" = 0 ] && have apt-get && have dpkg
}

# give_up WHAT PACKAGE...: nothing can be installed from here, so the user is told how.
give_up() {
    say "missing: $1, from the packages: $(shift && echo "$*")"
    if have apt-get; then
        say "install with: sudo $0 $verb"
    fi
    exit 2
}

# Runs apt-get; its many lines are shown only if it fails.
apt() {
    log=$(mktemp)
    # needrestart would restart the host's services, which is none of our business.
    if ! DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -y -q \
        -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

refresh() {
    [ -n "$updated" ] || apt update || say "apt-get update failed; trying with the lists as they are"
    updated=yes
}

# install PACKAGE...
install() {
    say "installing $* with apt-get (up to a minute or two)"
    refresh
    apt install --no-install-recommends "$@"
}

find_python() {
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        # A pyenv shim exists for versions that are not switched on, hence the try. It also
        # names the real program, which goes on working when the shim points elsewhere.
        "$name" -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys.executable)' \
            2>/dev/null && return
    done
    say "Python 3.11 or newer is needed; tried: ${PYTHON:-python3, python3.11 to python3.14}"
    say "name one with PYTHON=/path/to/python3 make ..."
    exit 2
}

setup_python() {
    python=$(find_python)
    # Debian's Python comes without ensurepip, which venv needs.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        can_install || give_up "the venv module of $python" "$package"
        install "$package"
    fi
    printf '%s\n' "$python"
}

# Delay and loss come from the sch_netem module. Nothing but trying tells: it may be built in,
# loadable, or absent. The network namespace is gone when tc ends.
has_netem() {
    modprobe -q sch_netem 2>/dev/null || true
    unshare --net tc qdisc add dev lo root netem delay 1ms 2>/dev/null ||
        unshare --map-root-user --net tc qdisc add dev lo root netem delay 1ms 2>/dev/null
}

# AppArmor's profile lets the packaged chronyd read its own configuration only.
usable_chronyd() {
    have chronyd || return 1
    case $(command -v chronyd) in
    /usr/sbin/* | /sbin/*)
        ! grep -qs chronyd /sys/kernel/security/apparmor/profiles
        ;;
    esac
}

# The lab wants chrony's program, not its service. Installing the package would start a daemon
# that steers this machine's clock, now or at the next boot, and would remove the time daemon
# that the machine has (they conflict). So the package is unpacked and only the program kept.
# Undo with: rm /usr/local/sbin/chronyd
install_chronyd() {
    say "unpacking chronyd into /usr/local/sbin, without its service (some seconds)"
    refresh
    folder=$(mktemp -d)
    (cd "$folder" && apt -o APT::Sandbox::User=root download chrony && dpkg -x chrony_*.deb .)
    libraries=$(dpkg-deb --field "$folder"/chrony_*.deb Depends | tr ',' '\n' |
        sed -n 's/^ *\(lib[^ ]*\).*/\1/p')
    # shellcheck disable=SC2086  # a list of package names
    apt install --no-install-recommends $libraries
    cp "$folder/usr/sbin/chronyd" /usr/local/sbin/chronyd
    rm -rf "$folder"
}

setup_lab() {
    if [ "$(uname -s)" != Linux ]; then
        say "the lab needs Linux; here it is $(uname -s)"
        exit 2
    fi
    packages=
    have iptables || packages="$packages iptables"
    have ip && have tc || packages="$packages iproute2"
    ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || packages="$packages libfaketime"
    # For the test of ssh through midair: a client, and a server that comes without its service.
    have ssh || packages="$packages openssh-client"
    have dropbear || packages="$packages dropbear-bin"

    guest=
    have linux.uml || guest="$guest user-mode-linux"
    have modprobe || guest="$guest kmod"
    # lab/guest_ptrace.c: some processors need it. A megabyte; any compiler will do.
    have tcc || have cc || have gcc || have clang || guest="$guest tcc"
    if can_install; then
        # shellcheck disable=SC2086  # lists of package names
        [ -z "$packages" ] || install $packages
        usable_chronyd || install_chronyd
        if [ -n "$guest" ] && ! has_netem; then
            say "this kernel has no sch_netem: the lab will run in a user-mode Linux guest"
            # shellcheck disable=SC2086
            install $guest
        fi
    else
        usable_chronyd || packages="$packages chrony"
        [ -z "$guest" ] || has_netem || packages="$packages$guest"
        # shellcheck disable=SC2086
        [ -z "$packages" ] || give_up "programs for the lab" $packages
    fi
}

setup_compose() {
    setup_lab
    packages=
    have debootstrap || packages="$packages debootstrap"
    have mkfs.ext4 || packages="$packages e2fsprogs"
    # shellcheck disable=SC2086  # a list of package names
    if [ -n "$packages" ]; then
        can_install || give_up "programs for docker compose in the guest" $packages
        install $packages
    fi
}

verb=${1:-}
case $verb in
python) setup_python ;;
lab) setup_lab ;;
compose) setup_compose ;;
*)
    say "usage: deploy/setup.sh python|lab|compose"
    exit 2
    ;;
esac
