#!/bin/sh
# Which shared libraries `everett` loads, directly or through others: nothing but what is listed here.
# Each of them makes every start slower, and `everett exec` is judged by its start.
#
#   check_libraries.sh EVERETT
set -eu

[ $# -eq 1 ] || { echo "usage: check_libraries.sh EVERETT" >&2; exit 2; }

allowed="linux-vdso ld-linux-x86-64 libc libm libyaml-0 libcrypto libjansson libsqlite3 libZydis libzstd"
sanitizers="libasan libubsan libstdc++ libgcc_s"

loaded=$(ldd "$1" | awk '{ n = split($1, part, "/"); sub(/\.so.*/, "", part[n]); print part[n] }')
case "$loaded" in
    *libasan*) allowed="$allowed $sanitizers" ;;
    *libc*) ;;
    *)
        echo "check_libraries: ldd tells nothing of $1" >&2
        exit 1
        ;;
esac
status=0
for library in $loaded; do
    case " $allowed " in
        *" $library "*) ;;
        *)
            echo "check_libraries: everett loads $library. Put the verb that needs it into an" \
                "executable of its own (cli_become in src/cli/cli.h)."
            status=1
            ;;
    esac
done
exit "$status"
