#!/bin/sh
# check_exports.sh LIBRARY LIST: the library exports exactly the listed names, is called
# libvoidstar.so, and needs nothing: no other library, no undefined symbol, no thread-local storage.
set -eu
library=$1
list=$2
failed=0

fail() {
    echo "FAIL: $*"
    failed=1
}

exported=$(nm -D --defined-only "$library" | awk '{ print $3 }' | LC_ALL=C sort)
[ "$exported" = "$(LC_ALL=C sort "$list")" ] || fail "exports differ from $list: $exported"
[ -z "$(nm -D --undefined-only "$library")" ] || fail "undefined symbols"
dynamic=$(readelf -d "$library")
case $dynamic in *NEEDED*) fail "needs another library" ;; esac
case $dynamic in *"soname: [libvoidstar.so]"*) ;; *) fail "wrong SONAME" ;; esac
case $(readelf -lW "$library") in *TLS*) fail "has thread-local storage" ;; esac
exit $failed
