#!/bin/sh
# python_sdk.sh LIBRARY: the public Python SDK loads our library from the path it insists on, which a
# private mount namespace provides. Skipped (77) where the SDK cannot be had or mounts are forbidden.
set -eu
library=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

skip() {
    echo "SKIP: $*"
    exit 77
}

/usr/bin/python3 -m venv "$work/venv" >/dev/null 2>&1 || skip "no python3-venv"
timeout 60 "$work/venv/bin/pip" install -q --disable-pip-version-check 'antithesis==0.4.0' \
    >/dev/null 2>&1 || skip "the Python SDK cannot be installed"

mkdir "$work/lib"
cp "$library" "$work/lib/libvoidstar.so"
overlay="mount -t overlay overlay -o lowerdir=$work/lib:/usr/lib /usr/lib"
unshare -rm sh -c "$overlay" 2>/dev/null || skip "no private mounts here"

cat >"$work/use.py" <<'END'
from antithesis import _internal, assertions, lifecycle, random
from antithesis._internal.handlers import VoidstarHandler

assert isinstance(_internal._HANDLER, VoidstarHandler), _internal._HANDLER
assert random.get_random() != random.get_random()
assert random.random_choice(["a", "b"]) in ("a", "b")
assertions.always(True, "A property", {"k": "é"})
lifecycle.setup_complete({"ready": True})
print("1 passed, 0 failed")
END
unshare -rm sh -c "$overlay && exec \"$work/venv/bin/python\" \"$work/use.py\""
