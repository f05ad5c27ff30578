#!/bin/sh
# The browser tests. Needs node, npm and Chromium (CHROMIUM names it); SHOTS=DIR keeps screenshots.
#   run.sh report MAKE_SYNTHETIC
#   run.sh service EVERETT MAKE_SYNTHETIC MAKE_LARGE
set -eu
name=$1
MAKE_SYNTHETIC=$(realpath "$2")
if [ "$name" = service ]; then
    EVERETT=$(realpath "$2")
    MAKE_SYNTHETIC=$(realpath "$3")
    MAKE_LARGE=$(realpath "$4")
    export EVERETT MAKE_LARGE
fi
export MAKE_SYNTHETIC
cd "$(dirname "$0")"
stamp=node_modules/.installed
exec 9>.lock
flock 9 # two tests at once would install over each other
if ! [ -e "$stamp" ] || ! cmp -s package-lock.json "$stamp"; then
    npm ci --silent --no-audit --no-fund
    cp package-lock.json "$stamp"
fi
flock -u 9
exec 9>&-
RUNS=$(mktemp -d)
export RUNS
trap 'rm -rf "$RUNS"' EXIT
if [ "$name" = report ]; then
    "$MAKE_SYNTHETIC" "$RUNS"
fi
node --test "$name.test.mjs"
