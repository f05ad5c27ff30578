#!/bin/sh
# Installs what Everett needs on Debian 12: to build, to test, to make the example images. Says
# nothing when nothing is missing; uses sudo when not root.
#
#   tools/install-deps.sh            install what is missing
#   tools/install-deps.sh --demo     only what building Everett and the example images takes
#   tools/install-deps.sh --programs everything, and the programs that tests run in universes; those
#                                    that are services are neither started nor enabled
#   tools/install-deps.sh --check    only name it; exit status 1 when something is missing
set -eu

build="gcc libc6-dev make meson ninja-build pkg-config libarchive-dev libjansson-dev libzydis-dev
    libzycore-dev libzstd-dev zlib1g-dev libyaml-dev libsqlite3-dev libssl-dev
    libmicrohttpd-dev libcurl4-openssl-dev libpcre2-dev libcmocka-dev"
images="mmdebstrap uidmap ca-certificates musl-tools python3 python3-pip"
tests="g++ clang clang-format-14 clang-tidy shellcheck python3-venv git file curl"
programs="busybox-static sqlite3 xz-utils redis-server nginx-light etcd-server etcd-client golang-go
    nodejs npm chromium default-jdk-headless esbuild ripgrep nats-server python3-etcd3 postgresql-15
    haproxy mosquitto mosquitto-clients memcached dnsmasq-base dnsutils mariadb-server rabbitmq-server
    zookeeper netcat-openbsd openssh-server openssh-client iproute2 procps apt-utils dpkg-dev"
# Of the programs, with the name of the service where it is another.
services="redis-server nginx-light:nginx etcd-server:etcd nats-server postgresql-15:postgresql haproxy
    mosquitto memcached mariadb-server:mariadb rabbitmq-server openssh-server:ssh"

case "${1:-}" in
"" | --check) wanted="$build $images $tests" ;;
--demo) wanted="$build $images" ;;
--programs) wanted="$build $images $tests $programs" ;;
*)
    echo "install-deps: unknown option $1; the first lines of $0 say what there is" >&2
    exit 2
    ;;
esac

# npm comes with the nodejs of some other sources, as a command without a package of its own.
is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ||
        { [ "$1" = npm ] && command -v npm >/dev/null; }
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install-deps: this is no Debian system. Needed are, by their Debian names:" >&2
    # shellcheck disable=SC2086
    echo $wanted >&2
    exit 1
fi

missing=
for package in $wanted; do
    is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "${1:-}" = --check ]; then
    echo "missing:$missing"
    exit 1
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install-deps: not root, and there is no sudo. Have someone run:" >&2
        echo "    apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    as_root="sudo"
fi

echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=
finish() {
    rm -f "$log"
    [ -z "$made_policy" ] || $as_root rm -f "$policy"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Debian starts what it installs, and again at each boot: a machine that tests need not serve. Who
# has a policy already knows better. Words are meant to split: as_root is empty or one command.
if [ "${1:-}" = --programs ] && [ ! -e "$policy" ]; then
    made_policy=1
    printf '#!/bin/sh\nexit 101 # by install-deps.sh of Everett, while it installs\n' |
        $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
# shellcheck disable=SC2086
if ! { $as_root apt-get -q update &&
    $as_root apt-get -q install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "install-deps: apt-get failed; still missing:$missing" >&2
    exit 1
fi
if command -v systemctl >/dev/null; then
    for service in $services; do
        case "$missing " in
        *" ${service%:*} "*) $as_root systemctl --quiet disable "${service#*:}" || true ;;
        esac
    done
fi
