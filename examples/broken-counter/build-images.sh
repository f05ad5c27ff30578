#!/bin/sh
# Builds the images of this example without a container engine, as any user:
# build/images/broken-counter{,-client}.tar. Needs musl-gcc, make and python3.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
images=$root/build/images
out=$root/build/broken-counter
mkimage="$root/tools/images/mkimage.py"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1700000000}
export SOURCE_DATE_EPOCH

mkdir -p "$images"
make -s -C "$here" OUT="$out"

/usr/bin/python3 "$mkimage" -o "$images/broken-counter.tar" --name broken-counter:v1 \
    --copy "$out/counter:/counter:755" --mkdir /tmp:1777 --entrypoint '["/counter"]'

tests=/opt/antithesis/test/v1/main
/usr/bin/python3 "$mkimage" -o "$images/broken-counter-client.tar" --name broken-counter-client:v1 \
    --copy "$out/wait_ready:/wait_ready:755" \
    --copy "$out/parallel_driver_add:$tests/parallel_driver_add:755" \
    --copy "$out/eventually_nothing_lost:$tests/eventually_nothing_lost:755" \
    --mkdir /tmp:1777 --mkdir /ledger --entrypoint '["/wait_ready"]'

du -k "$images"/broken-counter*.tar | awk '{ print $1 " kB  " $2 }'
