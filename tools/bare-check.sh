#!/bin/sh
# Runs a command in a fresh copy of this repository on a Debian 12 that has nothing but a minimal
# install, git, make, ca-certificates and sudo: what a new user finds. For root (or in a container
# whose root may mount).
#
#   tools/bare-check.sh                      make demo, make check and .ci/run, each in a new system
#   tools/bare-check.sh COMMAND...           one command, as root: tools/bare-check.sh make check
#   tools/bare-check.sh --user COMMAND...    as an ordinary user who may use sudo
#   tools/bare-check.sh --keep DIR ...       leave the system in DIR (else below TMPDIR, and removed)
#
# The repository is cloned inside, from what is committed here. Debian's mirror, certificates and the
# pip settings are those of this machine. Everything happens in own mount, PID and IPC namespaces:
# nothing that the command leaves behind outlives it.
set -eu

self=$(readlink -f "$0")
repository=$(cd "$(dirname "$self")/.." && pwd)
suite=bookworm

die() {
    echo "bare-check: $*" >&2
    exit 1
}

# --- inside the namespaces: $1 the new root, $2 the user, then the command --------------------------

enter() {
    root=$1
    user=$2
    shift 2
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for device in null zero full random urandom tty; do
        : >"$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    for n in 0:stdin 1:stdout 2:stderr; do
        ln -s "/proc/self/fd/${n%%:*}" "$root/dev/${n#*:}"
    done
    # Not chroot(2): who is in one may not make user namespaces.
    mkdir -p "$root/.old"
    cd "$root"
    pivot_root . .old
    umount -l /.old
    rmdir /.old
    home=/root
    [ "$user" = root ] || home=/home/$user
    # shellcheck disable=SC2016
    exec env -i HOME="$home" USER="$user" LOGNAME="$user" TERM=dumb PATH="$BARE_PATH" \
        setpriv --reuid "$user" --regid "$user" --init-groups \
        sh -c 'cd && git clone --quiet /tmp/repository everett && cd everett && exec "$@"' sh "$@"
}

if [ "${1:-}" = --enter ]; then
    shift
    BARE_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    enter "$@"
fi

# --- outside ----------------------------------------------------------------------------------------

# What of this machine says how to reach the package mirrors.
copy_settings() { # ROOT
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    for file in /etc/pip.conf /etc/apt/apt.conf.d/*proxy*; do
        [ ! -f "$file" ] || cp -L "$file" "$1$file"
    done
    env | grep -iE '^(http|https|no)_proxy=' >"$1/etc/environment" || true
    # A mirror behind a private authority: trust what this machine trusts.
    for file in /usr/local/share/ca-certificates/*.crt; do
        [ ! -f "$file" ] || cp "$file" "$1/usr/local/share/ca-certificates/"
    done
    chroot "$1" update-ca-certificates >/dev/null 2>&1
    # pip of Debian 12 reads the system's certificates, whichever they are.
    if [ -f "$HOME/.config/pip/pip.conf" ] && [ ! -f "$1/etc/pip.conf" ]; then
        cp "$HOME/.config/pip/pip.conf" "$1/etc/pip.conf"
    fi
}

make_root() { # ROOT
    log=$1.log
    mmdebstrap --variant=minbase --include=git,make,ca-certificates,sudo "$suite" "$1" \
        ${EVERETT_DEBIAN_MIRROR:+"$EVERETT_DEBIAN_MIRROR"} >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        die "mmdebstrap failed; its whole output is in $log"
    }
    rm -f "$log"
    copy_settings "$1"
    chroot "$1" useradd --create-home --shell /bin/bash tester
    echo 'tester ALL=(ALL) NOPASSWD: ALL' >"$1/etc/sudoers.d/tester"
    git clone --quiet --bare "$repository" "$1/tmp/repository"
    chroot "$1" git config --system --add safe.directory '*'
}

check() { # NAME COMMAND...
    name=$1
    shift
    root=$place/$name
    [ ! -e "$root" ] || die "$root exists already"
    make_root "$root"
    echo "bare-check: $* (as $user, on a system of $(du -sm "$root" | cut -f1) MB)"
    started=$(date +%s)
    status=0
    unshare --mount --pid --fork --kill-child --ipc --uts "$self" --enter "$root" "$user" "$@" ||
        status=$?
    echo "bare-check: $*: exit status $status after $(($(date +%s) - started)) s"
    [ -n "$keep" ] || rm -rf --one-file-system "$root"
    [ "$status" -eq 0 ] || failed=1
}

user=root
keep=
while :; do
    case "${1:-}" in
    --user) user=tester ;;
    --keep) keep=${2:?--keep needs a folder} && shift ;;
    --*) die "unknown option $1; the first lines of $0 say what there is" ;;
    *) break ;;
    esac
    shift
done
[ "$(id -u)" -eq 0 ] || die "needs root: it makes and enters a root file system"
command -v mmdebstrap >/dev/null || die "mmdebstrap is missing; run tools/install-deps.sh"

failed=0
place=$keep
if [ -z "$keep" ]; then
    place=$(mktemp -d "${TMPDIR:-/tmp}/bare-check.XXXXXX")
    trap 'rm -rf --one-file-system "$place"' EXIT
    trap 'exit 130' INT TERM
fi
mkdir -p "$place"
chmod 755 "$place"
if [ $# -gt 0 ]; then
    check system "$@"
else
    check demo make demo
    check check make check
    check ci .ci/run
fi
exit "$failed"
