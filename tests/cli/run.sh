#!/bin/bash
# Runs and replays around a fake engine: verdicts, exit statuses, budgets, crashes, interrupts.
. "$(dirname "$0")/lib.sh"
"$everett" image load app.tar >/dev/null

run() { "$everett" run --engine "$fake" --seed 1 "$@"; }

system ok
check "all properties hold: 0" ran 0 run --universes 6 --out r1 --json ok
check "... verdict and count" json out 'd["verdict"] == "passed" and d["universes"] == 6'
check "... the run directory is named" json out 'd["run"] == "r1"'
check "... reports are there" test -s r1/report.html -a -s r1/report.json -a -s r1/junit.xml
check "the same seed gives the same universes" ran 0 run --universes 6 --jobs 1 --out r2 --json ok
for r in r1 r2; do
    for n in 0 1 2 3 4 5; do "$everett" log "$r" --universe $n; done >"$r.log"
done
check "... line by line" cmp r1.log r2.log
check "one universe has a digest" ran 0 run --universes 1 --out r3 --json ok
check "... in the summary" json out 'len(d["digest"]) == 32'
digest=$(python3 -c 'import json; print(json.loads(open("out").read().split("\n")[-2])["digest"])')
check "... the same again" ran 0 run --universes 1 --out r4 --json ok
check "... indeed" json out "d['digest'] == '$digest'"
check "two runs in one directory: 2" fails 2 "already holds a run" run --universes 1 --out r1 ok
check "text and summary" ran 0 run --universes 1 --out r5 ok
check "... in words" says out "The fake holds"
check "--quiet prints the summary only" ran 0 run --universes 1 --out r6 --quiet ok
check "a virtual budget" ran 0 run --virtual 3s --out r7 --json ok
check "... ends the run" json out 'd["virtual_seconds"] >= 3'
check "a wall budget" ran 0 run --for 1s --out r8 --json ok
check "... ends the run" json out '1 <= d["wall_seconds"] < 10'

system bad fail
check "a property fails: 1" ran 1 run --universes 2 --out f1 --json bad
check "... verdict" json out 'd["verdict"] == "failed"'
check "... property and moment" json out \
    '[p for p in d["properties"] if "The fake holds" in p["name"]][0]["moment"] is not None'
moment=$(python3 -c 'import json
d = json.loads(open("out").read().split("\n")[-2])
print([p for p in d["properties"] if p["moment"]][0]["moment"])')
check "replay agrees" ran 0 "$everett" replay --engine "$fake" f1 "$moment" --past 1s
"$everett" log f1 "$moment" --past 1s >stored
check "... line by line" cmp out stored
check "... with lines past the moment" says out "after the check"
check "without --past it ends at the moment" ran 0 "$everett" replay --engine "$fake" f1 --moment "$moment"
check "... exactly" bash -c '! grep -q "after the check" out'
hash=${moment%%@*}
check "a prefix of the hash is enough" ran 0 "$everett" replay --engine "$fake" --json f1 "${hash:0:12}@${moment#*@}"
check "... and it is equal" json out 'd["equal"]'
check "a moment of another run" fails 2 "no universe" "$everett" replay f1 123456789123@1
check "a moment that is none" fails 2 "moment" "$everett" replay f1 abc@1

system never never
check "a property that was never reached is no pass: 1" ran 1 run --universes 1 --out n1 --json never
check "... by name" json out '"never_reached" in [p["status"] for p in d["properties"]]'

verify() { "$everett" exec --engine "$fake" --image app:v1 --verify 4 "$@"; }
check "repeats that are equal give the status of the first" ran 3 verify --env FAKE=ok -- /program
check "... are counted" says err "verified: 4 runs"
check "a program that differs is found: 1" fails 1 "differs from run 1" verify --env FAKE=random -- /program
check "... with both sides" says err "  run 2 "

system random random
check "a universe that is not deterministic" ran 0 run --universes 1 --out d2 --json random
hash=$(python3 -c 'import json
for l in open("out"):
    d = json.loads(l)
    if d["kind"] == "universe": print(d["input_hash"])')
check "replay finds a difference: 1" fails 1 "differs from the run" "$everett" replay --engine "$fake" d2 "$hash"
check "... and shows both lines" says err "the host's clock says"

system setup setup_failed
check "set-up failed: 3" fails 3 "exit code 3" run --out s1 --for 60s setup
check "... with its last lines" says err "cannot open the door"
check "... in JSON" ran 3 run --out s2 --json --for 60s setup
check "... verdict" json out 'd["verdict"] == "setup_failed" and d["universes"] <= 4'

system panic panic
check "an engine error is no pass" ran 1 run --universes 3 --out e1 --json panic
check "... and is counted" json out 'd["engine_errors"] == 3 and d["verdict"] == "failed"'
system abort abort
check "an engine that dies" ran 1 run --universes 2 --jobs 1 --out e2 --json abort
check "... is counted" json out 'd["engine_errors"] == 2'
system gap gap
check "records with a gap" ran 1 run --universes 1 --out e3 --json gap
check "... are an engine error" json out 'd["engine_errors"] == 1'
system killer kill_worker
check "workers that die are contained" ran 1 run --universes 8 --out e4 --json killer
check "... none is lost" json out 'd["universes"] == 8 and 0 < d["engine_errors"] < 8'

system hang hang
# begin DIR: a run whose universes never end; `pid` once they are under way.
begin() {
    "$everett" run --engine "$fake" --seed 1 --for 50s --jobs 2 --out "$1" --json hang >out 2>err &
    pid=$!
    until grep -q '"kind":"progress".*"virtual_seconds":[1-9]' out; do
        kill -0 $pid || break
    done
}
begin i1
kill -INT $pid
wait $pid
status=$?
check "SIGINT ends the run; nothing failed: 0" test "$status" = 0
check "... with its universes cut short" json out 'd["universes"] == 2 and d["wall_seconds"] < 40'
check "... with a report" test -s i1/report.json
check "... whose universes can be replayed as far as they went" ran 0 \
    "$everett" replay --engine "$fake" i1 "$(python3 -c 'import json
print([json.loads(l)["input_hash"] for l in open("out") if "\"universe\"" in l][0])')"

begin i2
check "a directory that is being written: 2" fails 2 "in use by another everett" run --universes 1 --out i2 ok
kill -KILL $pid
wait $pid 2>/dev/null
check "a killed run leaves no worker behind" timeout 10 bash -c "while pgrep -f -- '--out i[2] --json hang'; do :; done"
check "... and its directory can be read" ran 2 "$everett" log i2

# Stopped workers answer nothing, so that the run is still ending when the second signal comes.
begin i3
pkill -STOP -P $pid
kill -INT $pid
while kill -0 $pid && grep -qE '^S(ig|hd)Pnd:.*[2367abef]$' /proc/$pid/status; do :; done
kill -INT $pid
wait $pid
status=$?
check "a second SIGINT ends the run at once: 130" test "$status" = 130
check "... saying what is kept" says err "what was finished is kept in i3"
check "... leaves no worker behind" timeout 10 bash -c "while pgrep -f -- '--out i[3] --json hang'; do :; done"
check "... and a run that is marked as the one interrupted above" python3 -c 'import sqlite3
a, b = [sqlite3.connect(d + "/run.db").execute("select status from run").fetchone() for d in ("i1", "i3")]
assert a == b, (a, b)'

mkdir small
check "a full disk: 3" fails 3 "No space left on device" unshare --user --map-root-user --mount \
    sh -c 'mount -t tmpfs -o size=400k tmpfs small && exec "$@"' sh \
    "$everett" run --engine "$fake" --seed 1 --universes 2000 --out small/run ok
check "... and what had finished is reported" says out "run incomplete"
finish
