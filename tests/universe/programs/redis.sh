# redis-server with redis-cli: data, publishing, a background save, a restart from the dump.
# needs: redis-server redis-cli
# compare: native
start() {
    redis-server --port 16379 --save '' --daemonize no --dir . --logfile log >/dev/null &
    server=$!
    for _ in $(seq 50); do redis-cli -p 16379 ping >/dev/null 2>&1 && break; sleep 0.1; done
}
cli() { redis-cli -p 16379 "$@"; }
start
cli set greeting hello
for i in $(seq 20); do echo "rpush list $i"; done | cli | tail -n 1
cli lrange list 0 3
cli hset h a 1 b 2
cli incrby counter 41
cli expire greeting 1000
cli eval 'return redis.call("get", KEYS[1]) .. "!"' 1 greeting
cli bgsave
for _ in $(seq 50); do
    cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && break
    sleep 0.1
done
cli info persistence | grep 'rdb_last_bgsave_status'
cli shutdown nosave || true
wait $server
start
cli get counter
cli llen list
cli shutdown nosave || true
wait $server
