# Containers, composer and faults with real programs: order of start, health, restarts, orphans, what
# survives a kill, the states of the composer, and equal histories from equal seeds.
# shellcheck shell=bash source=tests/cli/lib.sh
set -- "$(realpath "$1")" "$2" "$(realpath "$3")" "$(realpath "$4")" # lib.sh goes elsewhere
. "$(dirname "$0")/../../cli/lib.sh"
actor=$4
here=$source_root/tests/universe/director
tests_dir=/opt/antithesis/test/v1/main

make_image actor:v1 --copy "$actor:/actor:755" --mkdir /tmp:1777 --entrypoint '["/actor"]'
"$everett" image load "$work/image.tar" >/dev/null
commands=
for name in first_a parallel_driver_b serial_driver_c singleton_driver_d anytime_e eventually_f finally_g; do
    commands="$commands --copy $actor:$tests_dir/$name:755"
done
# shellcheck disable=SC2086
make_image actor-tests:v1 --copy "$actor:/actor:755" --mkdir /tmp:1777 --entrypoint '["/actor"]' $commands
"$everett" image load "$work/image.tar" >/dev/null
mkdir system && cp "$here/docker-compose.yaml" system/

run() { # DIR SEED [options]
    dir=$1
    seed=$2
    shift 2
    "$everett" run system --out "$dir" --seed "$seed" --jobs 1 --length 40s --json "$@" >"$work/json" 2>"$work/err"
}

# Log of one universe: "SECONDS NODE TEXT".
log_of() { "$everett" log "$1" --universe "$2" | sed -E 's/^ +([0-9.]+) +([^ ]+) +[^ ] /\1 \2 /' >"$work/log"; }
at() { grep -m1 -E -- "$1" "$work/log" | cut -d' ' -f1; }
# Every later argument is a pattern; their first lines are in that order in time.
in_order() {
    last=-1
    for pattern in "$@"; do
        t=$(at "$pattern")
        test -n "$t" || { echo "no line like $pattern"; cat "$work/log"; return 1; }
        python3 -c 'import sys; sys.exit(float(sys.argv[1]) > float(sys.argv[2]))' "$last" "$t" ||
            { echo "$pattern at $t, before $last"; return 1; }
        last=$t
    done
}
lines() { # COUNT PATTERN
    n=$(grep -c -E -- "$2" "$work/log")
    test "$n" = "$1" || { echo "$n lines like $2, expected $1"; cat "$work/log"; return 1; }
}

run calm 3 --universes 1 --faults none
log_of calm 0
check "depends_on holds containers back" in_order '^[0-9.]+ job job starts' 'job exits with code 0' \
    'db db starts' 'db: health_status: healthy' 'client client starts' 'env_setup'
check "a failing container is restarted" lines 2 'flaky: restart'
check "and keeps its writable layer, not its tmpfs" lines 1 'flaky life 3$'
check "with init, orphans are reaped" lines 1 'with-init orphan: gone$'
check "without, they are PID 1's children" lines 1 'without-init orphan: there, mine$'
check "capabilities are those of the compose file" in_order 'all-rights CapEff: 000001ffffffffff$' \
    ' rights CapEff: 00000000a80435fa$'
check "and bound what programs can get" lines 1 ' rights CapBnd: 00000000a80435fa$'
check "no-new-privileges holds" lines 1 ' rights NoNewPrivs: 1$'
check "a part of a volume can be mounted" lines 1 'the part of the volume is there$'
check "what health checks print is kept" in_order 'db health check: not yet$' 'db health check: it is up$'
check "commands run in their states" in_order 'found main/first_a' 'main/first_a starts' \
    'main/first_a ends with exit code 0' 'main/(parallel|serial|singleton)_driver_. starts'
check "no fault without faults" lines 0 ' universe .*(partition|clogged|killed|paused|stopped)'

cat >kills.yaml <<'EOF'
partition: off
clog: off
pause: off
kill: {every: 2s, for: [100ms, 1s]}
EOF
run kills 4 --universes 8 --faults kills.yaml
kills_are_survived() {
    deaths=0
    for u in 0 1 2 3 4 5 6 7; do
        log_of kills "$u"
        starts=$(grep -c 'stoppable stoppable starts' "$work/log")
        lives=$(grep -c -E 'stoppable life [0-9]+$' "$work/log")
        last=$(grep -E 'stoppable life' "$work/log" | tail -1)
        test "$starts" = "$lives" || { echo "universe $u: $starts starts, $lives lives"; return 1; }
        case $last in *"life $lives") ;; *) echo "universe $u: $last is not life $lives"; return 1 ;; esac
        deaths=$((deaths + starts - 1))
    done
    test "$deaths" -gt 5 || { echo "only $deaths deaths"; return 1; }
}
check "killed containers come back with what they wrote" kills_are_survived
check "a stop signal is handled" sh -c "for u in 0 1 2 3 4 5 6 7; do
    '$everett' log kills --universe \$u; done | grep -q 'stopping'"

digests() { python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1] + "/run.db").execute(
    "select number, seed, digest0, digest1, calls from universe order by number").fetchall())' "$1"; }
same_histories() {
    run again "$1" --universes 6 # failing properties are no matter here
    digests again >"$work/a"
    run once-more "$1" --universes 6
    digests once-more >"$work/b"
    test -s "$work/a" && cmp "$work/a" "$work/b"
}
check "equal seeds give equal histories under all faults" same_histories 11

printf 'services:\n  broken: {image: "actor:v1", command: [fail]}\n  fine: {image: "actor:v1", command: [parent]}\n' \
    >system/docker-compose.yaml
run broken 1 --universes 1
log_of broken 0
check "a container that fails during set-up is named" lines 1 "'broken' exited with code 3 before set-up was complete"

finish
