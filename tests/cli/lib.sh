# Shared by the tests of the command line: TAP on standard output, everything in one directory that
# goes away with the test, an image store of its own, and a small image to name in compose files.
set -u
everett=$(realpath "$1")
fake=$(realpath "$2")
source_root=$(realpath "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export EVERETT_HOME=$work/home
export NO_COLOR=1
cd "$work" || exit 1
tests=0
failures=0

# check NAME COMMAND...: one TAP line.
check() {
    tests=$((tests + 1))
    name=$1
    shift
    if "$@" >"$work/check.log" 2>&1; then
        echo "ok $tests - $name"
    else
        echo "not ok $tests - $name"
        sed 's/^/# /' "$work/check.log"
        test -f "$work/err" && sed 's/^/# stderr: /' "$work/err"
        failures=$((failures + 1))
    fi
}

# ran STATUS COMMAND...: runs it with output in out and err, true when the exit status is STATUS.
ran() {
    want=$1
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    test "$got" = "$want" || { echo "exit status $got, expected $want: $*"; cat "$work/out"; false; }
}

says() { grep -qF -- "$2" "$work/$1" || { echo "no \"$2\" in $1:"; cat "$work/$1"; false; }; }

# Runs and says: exit status, text on standard error, command.
fails() {
    want_status=$1
    want_text=$2
    shift 2
    ran "$want_status" "$@" && says err "$want_text"
}

# json FILE EXPRESSION: python on the last line of a file, as d.
json() {
    python3 -c 'import json, sys
d = json.loads(open(sys.argv[1]).read().strip().split("\n")[-1])
sys.exit(0 if eval(sys.argv[2]) else "false: %s\n%s" % (sys.argv[2], json.dumps(d, indent=1)))' "$@"
}

make_image() { # NAME:TAG [mkimage options]
    python3 "$source_root/tools/images/mkimage.py" -o "$work/image.tar" --name "$@" >/dev/null
}

# A program that looks like one, and a test command that does.
printf '\177ELF and so on' >"$work/program"
printf '#!/program\n' >"$work/command"
make_image app:v1 --copy "$work/program:/program:755" \
    --copy "$work/command:/opt/antithesis/test/v1/main/parallel_driver_go:755" \
    --entrypoint '["/program"]'
cp image.tar app.tar

# system DIR [MODE]: a compose directory of one container.
system() {
    mkdir -p "$1"
    printf 'services:\n  one:\n    image: app:v1\n    environment:\n      FAKE: "%s"\n' "${2:-}" \
        >"$1/docker-compose.yaml"
}

finish() {
    echo "1..$tests"
    test "$failures" = 0
}
