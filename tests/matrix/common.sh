# Sourced before every program of this folder. `await CMD` tries a command every tenth of a second
# until it succeeds, and gives up after a minute; `stop PID` ends a server and waits for it.
await() {
    local until=$((SECONDS + 60))
    while [ $SECONDS -lt $until ]; do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    echo "waited a minute for: $*"
    tail -n 5 log* 2>/dev/null || true
    return 1
}

stop() {
    kill "$1"
    wait "$1" || true
}

# In the background after a failure, servers would keep the script's output open.
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
