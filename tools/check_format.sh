#!/bin/sh
# Checks with clang-format the folders that are laid out as .clang-format says. A folder, once in the
# list, stays in it.
set -eu

cd "$(dirname "$0")/.."
folders="src/compose src/explorer src/kernel/ipc src/kernel/net src/kernel/signal src/kernel/time include bench
    examples tests/guest tests/cli tests/fuzz tests/sdk"

formatter=$(command -v clang-format-14 || command -v clang-format) || {
    echo "check_format: clang-format is not installed" >&2
    exit 1
}
# shellcheck disable=SC2086
find $folders -name '*.[ch]' | sort | xargs "$formatter" --dry-run -Werror
echo "check_format: $folders"
