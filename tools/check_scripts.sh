#!/bin/sh
# Every shell script of the project under shellcheck, and a syntax check of every Python file. Parts that
# other scripts source have no "#!" line and are followed from there.
set -eu

cd "$(dirname "$0")/.."
git ls-files -z --cached --others --exclude-standard >/dev/null 2>&1 || {
    echo "check_scripts: not a git checkout: skipped"
    exit 77
}
scripts=$(git ls-files --cached --others --exclude-standard | while read -r file; do
    [ -f "$file" ] || continue
    case $file in
    tests/universe/programs/*.sh | tests/matrix/*.sh) ;; # checked below, as what runs them does it
    *) head -c 64 "$file" 2>/dev/null | head -n 1 | grep -aqE '^#!.*[/ ](ba|da)?sh( |$)' && echo "$file" ;;
    esac
done || true)
# shellcheck disable=SC2086
shellcheck -x -P SCRIPTDIR -e SC2016 $scripts
shellcheck -s bash -e SC2016,SC2164 tests/universe/programs/*.sh
shellcheck -s bash -S warning -e SC2164 tests/matrix/*.sh tests/matrix/programs/*.sh
python=$(git ls-files --cached --others --exclude-standard '*.py')
# shellcheck disable=SC2086
python3 - $python <<'END'
import ast
import sys

for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as f:
        ast.parse(f.read(), name)
END
echo "check_scripts: $(echo "$scripts" | wc -w) shell scripts, $(echo "$python" | wc -w) Python files"
