#!/bin/sh
# The report's browser tests: run.sh MAKE_SYNTHETIC. Needs node, npm and Chromium (CHROMIUM names it).
set -eu
make_synthetic=$(realpath "$1")
cd "$(dirname "$0")"
stamp=node_modules/.installed
if ! [ -e "$stamp" ] || ! cmp -s package-lock.json "$stamp"; then
    npm ci --silent --no-audit --no-fund
    cp package-lock.json "$stamp"
fi
RUNS=$(mktemp -d)
export RUNS
trap 'rm -rf "$RUNS"' EXIT
"$make_synthetic" "$RUNS"
node --test report.test.mjs
