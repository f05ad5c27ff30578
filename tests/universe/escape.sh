#!/usr/bin/env bash
# Guests that jump into the engine with calls of their own: each must end its universe, as an engine
# error that says so, and reach nothing of the host. Usage: escape.sh EVERETT ESCAPE
set -u
everett=$(realpath "$1") escape=$(realpath "$2")
home=$(mktemp -d) && trap 'rm -rf "$home"' EXIT
export EVERETT_HOME=$home
rm -rf /tmp/everett-escaped
tests=0 failures=0
while read -r name; do
    tests=$((tests + 1))
    said=$(timeout 60 "$everett" exec --virtual 60s -- "$escape" "$name" 2>&1)
    status=$?
    if [ "$status" -ne 3 ] || ! grep -q "engine error" <<<"$said" || grep -q "^escaped" <<<"$said" ||
        [ -e /tmp/everett-escaped ]; then
        failures=$((failures + 1))
        printf 'not ok %s - %s: status %s: %s\n' "$tests" "$name" "$status" "$said"
        rm -rf /tmp/everett-escaped
    else
        printf 'ok %s - %s ends its universe\n' "$tests" "$name"
    fi
done < <("$escape" list)
echo "1..$tests"
[ "$tests" -gt 20 ] && [ "$failures" -eq 0 ]
