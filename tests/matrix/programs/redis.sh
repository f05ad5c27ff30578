# Redis: data, a background save, a rewritten append-only file, a replica, a restart.
# needs: redis-server redis-cli redis-benchmark
serve() {
    mkdir -p "dir$1"
    redis-server --port "$1" --dir "dir$1" --appendonly yes --save '' --logfile log \
        --repl-diskless-sync no --repl-diskless-sync-delay 0 "${@:2}" >/dev/null &
    last=$!
    await redis-cli -p "$1" ping
}
cli() { redis-cli -p "$@"; }
no_work() { cli 6379 info persistence | tr -d '\r' | grep -c 'in_progress:1' | grep -qx 0; }
serve 6379 && main=$last
cli 6379 set greeting hello
for i in $(seq 200); do echo "rpush list $i"; done | cli 6379 | tail -n 1
cli 6379 eval 'return redis.call("get", KEYS[1]) .. "!"' 1 greeting
redis-benchmark -p 6379 -q -n 500 -c 5 -t set,get,lpush >/dev/null && echo measured
cli 6379 bgsave
await no_work
cli 6379 bgrewriteaof
await no_work
cli 6379 info persistence | tr -d '\r' | grep -E 'last_(bgsave|bgrewrite)_status'
ls dir6379 dir6379/appendonlydir
serve 6380 --replicaof 127.0.0.1 6379 && replica=$last
await cli 6380 get greeting
replicated() { [ "$(cli 6380 get "$1")" = "$2" ]; }
await replicated greeting hello
cli 6379 set after sync
await replicated after sync
cli 6380 set refused x || true
cli 6379 client kill type replica
cli 6379 set again yes
await replicated again yes
cli 6379 shutdown save || true
wait $main
serve 6379 && main=$last
cli 6379 llen list
cli 6379 get after
cli 6379 shutdown nosave || true
cli 6380 shutdown nosave || true
wait $main $replica
