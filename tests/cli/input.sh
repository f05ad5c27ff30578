#!/bin/bash
# Bad input: compose files, images, fault files, test commands. Each is told by name and place.
. "$(dirname "$0")/lib.sh"

run() { "$everett" run --engine "$fake" --universes 1 --jobs 1 "$@"; }

mkdir yaml && printf 'services:\n  one: [\n' >yaml/docker-compose.yaml
check "malformed YAML has file and line" fails 2 "docker-compose.yaml:" run yaml
check "validate says the same" fails 2 "docker-compose.yaml:" "$everett" validate yaml
mkdir key && printf 'services:\n  one:\n    imaeg: app:v1\n' >key/docker-compose.yaml
check "an unknown key" fails 2 "imaeg" run key
check "... with a caret" says err "^"
mkdir missing && printf 'services:\n  a:\n    image: x:1\n  b:\n    image: y:2\n' \
    >missing/docker-compose.yaml
check "every missing image is listed" fails 2 "x:1" run missing
check "... the second too" says err "y:2"
check "... with what to type" says err "everett image load"
check "... and no run is left behind" test ! -e runs
head -c 3000 app.tar >cut.tar
check "a truncated archive is refused" fails 2 "cut.tar" "$everett" image load cut.tar
check "an archive that is none" ran 2 "$everett" image load yaml/docker-compose.yaml
check "an archive that is not there" ran 3 "$everett" image load nothing.tar
check "a good archive is taken" ran 0 "$everett" image load app.tar
check "... and listed" ran 0 "$everett" image ls
check "... by name" says out "app:v1"
check "image ls --json" ran 0 "$everett" image ls --json
check "inspect" ran 0 "$everett" image inspect app:v1
check "inspect of nothing" fails 2 "no image" "$everett" image inspect nope:v9
check "rm of nothing" fails 2 "no image" "$everett" image rm nope:v9

system ok
check "a good directory is valid" ran 0 "$everett" validate ok
check "... in JSON" ran 0 "$everett" validate --json ok
check "... which says so" json out 'd["valid"] and d["commands"][0]["template"] == "main"'
check "a template that is nowhere" fails 2 'no image holds a template `tset`' run --template tset ok
check "... and those that are" says err "main"

printf 'partition: {every: 10s, for: [2s, 1s]}\n' >faults.yaml
check "a fault file with crossed bounds" fails 2 "faults.yaml:1:" run --faults faults.yaml ok
printf 'partitoin: off\n' >faults.yaml
check "an unknown fault" fails 2 'did you mean `partition`' run --faults faults.yaml ok
check "a fault file that is not there" fails 2 "nofile" run --faults nofile ok

printf '#!/bin/nosuch\n' >script
printf '#!/usr/bin/env nosuch\n' >env_script
printf 'just text\n' >text
make_image bad:v1 --copy "$work/program:/program:755" --copy "$work/program:/usr/bin/env:755" \
    --copy "$work/program:/opt/antithesis/test/v1/main/parallel_driver_bits:644" \
    --copy "$work/script:/opt/antithesis/test/v1/main/anytime_script:755" \
    --copy "$work/env_script:/opt/antithesis/test/v1/main/anytime_env:755" \
    --copy "$work/text:/opt/antithesis/test/v1/main/first_text:755" \
    --copy "$work/program:/opt/antithesis/test/v1/main/driver_x:755" \
    --copy "$work/program:/opt/antithesis/test/v1/stray:755" \
    --copy "$work/program:/opt/antithesis/test/v1/lonely/finally_x:755" \
    --entrypoint '["/program"]'
"$everett" image load image.tar >/dev/null
mkdir bad && printf 'services:\n  one:\n    image: bad:v1\n' >bad/docker-compose.yaml
check "bad test commands make it invalid" ran 2 "$everett" validate bad
check "... no run bit" says err "parallel_driver_bits: not executable"
check "... interpreter missing" says err "interpreter /bin/nosuch is not in image"
check "... env finds nothing" says err "finds no nosuch"
check "... neither script nor program" says err "first_text: neither a script"
check "... name that is no command's" says err "driver_x: not a test command"
check "... stray file" says err "stray: commands lie in a template"
check "... template without driver" says err "template lonely has no driver"
make_image empty:v1 --copy "$work/program:/program:755" --entrypoint '["/program"]'
"$everett" image load image.tar >/dev/null
mkdir none && printf 'services:\n  one:\n    image: empty:v1\n' >none/docker-compose.yaml
check "no template is worth a warning" ran 0 "$everett" validate none
check "... which is given" says err "no image holds test commands"
mkdir argv && printf 'services:\n  one:\n    image: app:v1\n    entrypoint: []\n' \
    >argv/docker-compose.yaml
check "nothing to run" fails 2 "what to run" run argv
mkdir hook && cat >hook/docker-compose.yaml <<'END'
services:
  one:
    image: app:v1
    post_start:
      - command: ["/program"]
END
check "what universes lack is refused by name" fails 2 "post_start" run hook
finish
