#!/bin/sh
# Builds the images of this example without a container engine, as any user:
# build/images/etcd{,-health-checker,-client}.tar. Needs mmdebstrap, python3 with pip, and either
# root or user namespaces (package uidmap).
#
# One Debian root file system is made and split by package into three layers: the base system, etcd,
# and Python with the libraries of the test. The images share them; only a few kilobytes are their
# own. A finished set of layers is kept in build/images/cache, by the digest of this recipe.
#
# EVERETT_DEBIAN_MIRROR names another mirror.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
images=$root/build/images
tools=$root/tools/images
suite=bookworm
python_site=/usr/local/lib/python3.11/dist-packages
etcd_packages=etcd-server,etcd-client
python_packages=python3,python3-etcd3
wheel=antithesis==0.4.0
wheel_sha256=5f1cf8b51a589cba8baec52de36e174a32d02e2ead124b6012a64e83fb642a9c
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1700000000}
export SOURCE_DATE_EPOCH

started=$(date +%s)
say() {
    printf '[%3d s] %s\n' "$(($(date +%s) - started))" "$*"
}

need() {
    command -v "$1" >/dev/null || {
        echo "build-images: $1 is missing; run tools/install-deps.sh" >&2
        exit 1
    }
}

fetch_wheel() { # DIRECTORY
    echo "$wheel --hash=sha256:$wheel_sha256" >"$1/requirements.txt"
    /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary=:all: --require-hashes -d "$1" -r "$1/requirements.txt"
    mv "$1"/antithesis-*.whl "$1/antithesis.whl"
}

# Without usr-is-merged, apt would choose usrmerge, and with it all of Perl.
# The wheel is pure Python; byte code whose source is never checked again starts fastest and does
# not depend on when it was made.
make_rootfs() { # WHEEL OUTPUT
    mmdebstrap --variant=essential --aptopt='APT::Install-Recommends "false"' \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --include="usr-is-merged,$etcd_packages,$python_packages" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook="mkdir -p \"\$1$python_site\"" \
        --customize-hook="copy-in $1 /tmp" \
        --customize-hook="chroot \"\$1\" python3 -m zipfile -e /tmp/antithesis.whl $python_site" \
        --customize-hook="chroot \"\$1\" python3 -m compileall -q \
            --invalidation-mode unchecked-hash $python_site" \
        --customize-hook="rm \"\$1/tmp/antithesis.whl\"" \
        "$suite" "$2" ${EVERETT_DEBIAN_MIRROR:+"$EVERETT_DEBIAN_MIRROR"}
}

make_layers() { # DIRECTORY
    work=$1.partial
    rm -rf "$work"
    mkdir -p "$work"
    say "fetching the Python SDK"
    fetch_wheel "$work"
    say "installing Debian $suite (about 100 packages, half a minute)"
    make_rootfs "$work/antithesis.whl" "$work/rootfs.tar" >"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        echo "build-images: mmdebstrap failed; its whole output is in $work/log" >&2
        exit 1
    }
    say "splitting it into layers"
    /usr/bin/python3 "$tools/split_layers.py" "$work/rootfs.tar" "$work/base.tar" \
        "etcd=$work/etcd.tar:$etcd_packages,/var/lib/etcd/" \
        "python=$work/python.tar:$python_packages,$python_site/"
    tar -xOf "$work/rootfs.tar" ./var/lib/dpkg/status |
        awk '/^Package:/ { p = $2 } /^Version:/ { print p, $2 }' >"$work/packages.txt"
    rm -f "$work/rootfs.tar" "$work/antithesis.whl" "$work/requirements.txt" "$work/log"
    mv "$work" "$1"
}

need mmdebstrap
need python3
mkdir -p "$images/cache"
key=$(cat "$0" "$tools/split_layers.py" | sha256sum | cut -c1-16)
layers=$images/cache/tutorial-$key
if [ ! -d "$layers" ]; then
    make_layers "$layers"
fi

mkimage() { # NAME ARGUMENTS...
    name=$1
    shift
    say "packing $name"
    /usr/bin/python3 "$tools/mkimage.py" -o "$images/$name.tar" --name "$name:v1" \
        --layer "$layers/base.tar" "$@"
}

tests=/opt/antithesis/test/v1/main
traffic=$here/client/python-generate-traffic
mkimage etcd --layer "$layers/etcd.tar" --cmd '["etcd"]'
mkimage etcd-health-checker --layer "$layers/python.tar" \
    --env PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python \
    --copy "$here/health-checker/entrypoint.py:/entrypoint.py:755" --entrypoint '["/entrypoint.py"]'
mkimage etcd-client --layer "$layers/python.tar" \
    --env PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python \
    --copy "$traffic/parallel_driver_generate_traffic.py:$tests/parallel_driver_generate_traffic.py:755" \
    --copy "$traffic/resources/helper.py:/opt/antithesis/resources/helper.py" --cmd '["bash"]'

for file in "$layers"/*.tar "$images"/etcd*.tar; do
    say "$(du -m "$file" | cut -f1) MB  ${file#"$root"/}"
done
