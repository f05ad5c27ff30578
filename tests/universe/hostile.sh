#!/usr/bin/env bash
# Random hostile system calls: the guest may die of them, the engine never. A deadlock (status 3 with
# its own message) is the guest's doing; anything that says "engine error" is ours.
set -u
everett=$(realpath "$1") fuzz=$(realpath "$2")
home=$(mktemp -d) && trap 'rm -rf "$home"' EXIT
export EVERETT_HOME=$home
failures=0
for seed in $(seq 1 "${SEEDS:-30}"); do
    said=$("$everett" exec --virtual 600s -- "$fuzz" "$seed" 20000 2>&1)
    if grep -q "engine error" <<<"$said"; then
        printf 'not ok - seed %s: %s\n  replay: everett exec -- call_fuzz %s 20000\n' "$seed" "$said" "$seed"
        failures=$((failures + 1))
    fi
done
[ "$failures" -eq 0 ] && echo "ok - ${SEEDS:-30} seeds of hostile calls"
exit $((failures > 0))
