#!/bin/sh
# What the kernel library takes from outside: nothing but what is listed here. No libc, no host call.
#
#   check_symbols.sh LIBKERNEL.A
set -eu

[ $# -eq 1 ] || { echo "usage: check_symbols.sh LIBKERNEL.A" >&2; exit 2; }

# Implemented by src/entry (its assertions, the vDSO's bytes) and src/director (what containers and the
# SDK ask of it); compilers add the table of offsets and, from libgcc, a population count.
allowed="assert_failed vdso_image vdso_image_len guestcall sdk_file_written
    _GLOBAL_OFFSET_TABLE_ __popcountdi2"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
nm -u "$1" | awk '$1 == "U" { print $2 }' | sort -u >"$scratch/wanted"
nm --defined-only "$1" | awk 'NF == 3 { print $3 }' | sort -u >"$scratch/defined"
[ -s "$scratch/defined" ] || { echo "check_symbols: $1 defines nothing" >&2; exit 1; }
# shellcheck disable=SC2086
printf '%s\n' $allowed | sort -u >"$scratch/allowed"
comm -23 "$scratch/wanted" "$scratch/defined" >"$scratch/outside"
comm -23 "$scratch/outside" "$scratch/allowed" >"$scratch/foreign"
if [ -s "$scratch/foreign" ]; then
    echo "check_symbols: the kernel takes these from outside:"
    while read -r symbol; do
        echo "    $symbol, wanted by $(nm -A -u "$1" | awk -v s="$symbol" '$NF == s { print $1 }' |
            sed 's/.*[:(]\([^:()]*\.o\).*/\1/' | sort -u | tr '\n' ' ')"
    done <"$scratch/foreign"
    exit 1
fi
echo "check_symbols: $(wc -l <"$scratch/outside") names from outside, all allowed"
