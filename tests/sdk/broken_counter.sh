#!/bin/sh
# broken_counter.sh DIRECTORY: builds the example's programs there, then runs them natively.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
make -s -C "$here/../../examples/broken-counter" OUT="$1"
exec /usr/bin/python3 "$here/broken_counter.py" "$1"
