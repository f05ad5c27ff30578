#!/bin/sh
# Installs what Everett needs on Debian 12: to build, to test, to make the example images. Says
# nothing when nothing is missing; uses sudo when not root.
#
#   tools/install-deps.sh            install what is missing
#   tools/install-deps.sh --check    only name it; exit status 1 when something is missing
#   tools/install-deps.sh --programs also the programs that tests/universe runs in universes, where
#                                    they are missing; Debian starts some of them as services, so
#                                    this is for machines that only test
set -eu

build="gcc libc6-dev make meson ninja-build pkg-config libarchive-dev libjansson-dev libzydis-dev
    libzycore-dev libzstd-dev zlib1g-dev libyaml-dev libsqlite3-dev libssl-dev
    libmicrohttpd-dev libcurl4-openssl-dev"
tests="libcmocka-dev musl-tools g++ clang clang-format-14 clang-tidy shellcheck python3 python3-venv
    python3-pip git file"
images="mmdebstrap uidmap ca-certificates"
programs="busybox-static sqlite3 curl xz-utils redis-server nginx-light etcd-server etcd-client golang-go
    nodejs default-jdk-headless"

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install-deps: this is no Debian system. Needed are, by their Debian names:" >&2
    # shellcheck disable=SC2086
    echo $build $tests $images >&2
    exit 1
fi

missing=
[ "${1:-}" = --programs ] || programs=
for package in $build $tests $images $programs; do
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
trap 'rm -f "$log"' EXIT
# Words are meant to split: as_root is empty or one command, missing a list of names.
# shellcheck disable=SC2086
if ! { $as_root apt-get -q update &&
    $as_root apt-get -q install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "install-deps: apt-get failed; still missing:$missing" >&2
    exit 1
fi
