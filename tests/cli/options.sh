#!/bin/bash
# Options, usage errors and exit statuses that need no universe.
. "$(dirname "$0")/lib.sh"

check "no verb is a usage error" fails 2 "usage: everett VERB" "$everett"
check "--help exits with 0" ran 0 "$everett" --help
check "--version exits with 0" ran 0 "$everett" --version
check "an unknown verb is named" fails 2 'no verb `rum`' "$everett" rum
for verb in run replay log validate image; do
    check "$verb --help exits with 0" ran 0 "$everett" $verb --help
    check "$verb refuses unknown options" fails 2 'unknown option `--nope`' "$everett" $verb --nope
    check "$verb wants an operand" ran 2 "$everett" $verb
done
system ok
check "a duration needs a unit it knows" fails 2 "is not a duration" "$everett" run --for 10x ok
check "a number is a number" fails 2 "is not a number" "$everett" run --jobs many ok
check "no jobs" fails 2 "--jobs" "$everett" run --jobs 0 ok
check "a budget of nothing" fails 2 "budget of nothing" "$everett" run --universes 0 ok
check "an option without its value" fails 2 "needs a value" "$everett" run ok --seed
check "one directory at a time" fails 2 "one directory" "$everett" run ok ok
check "a directory that is not there" ran 2 "$everett" run --universes 1 nowhere
check "no run directory" fails 2 "holds no run" "$everett" log ok
check "replay wants a moment" fails 2 "which moment" "$everett" replay ok
check "replay of something that is no run" fails 2 "holds no run" "$everett" replay ok 12@3
finish
