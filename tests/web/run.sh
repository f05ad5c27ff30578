#!/bin/sh
# The report's browser tests: run.sh MAKE_SYNTHETIC. Needs node, npm and Chromium; without them they
# are skipped.
set -eu
for name in chromium chromium-browser google-chrome; do
    CHROMIUM=${CHROMIUM:-$(command -v "$name" || true)}
done
export CHROMIUM
for program in node npm "${CHROMIUM:-chromium}"; do
    command -v "$program" >/dev/null || {
        echo "SKIP report in a browser: not installed: $program"
        exit 77
    }
done
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
