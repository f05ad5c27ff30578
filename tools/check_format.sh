#!/bin/sh
# Checks with clang-format that all C code is laid out as .clang-format says.
set -eu

cd "$(dirname "$0")/.."
folders="src sdk include bench examples tests"

formatter=$(command -v clang-format-14 || command -v clang-format) || {
    echo "check_format: clang-format is not installed" >&2
    exit 1
}
# shellcheck disable=SC2086
find $folders -name node_modules -prune -o -name '*.[ch]' -print | sort |
    xargs "$formatter" --dry-run -Werror
echo "check_format: $folders"
