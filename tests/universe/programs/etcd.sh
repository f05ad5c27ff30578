# One etcd node: elected, written, read, watched, asked for its health, stopped.
# needs: etcd etcdctl
# compare: native
export ETCDCTL_API=3 ETCD_LOG_LEVEL=error
etcd --data-dir data --listen-client-urls http://127.0.0.1:12379 \
    --advertise-client-urls http://127.0.0.1:12379 --listen-peer-urls http://127.0.0.1:12380 \
    --initial-advertise-peer-urls http://127.0.0.1:12380 \
    --initial-cluster default=http://127.0.0.1:12380 >log 2>&1 &
server=$!
ctl() { etcdctl --endpoints=127.0.0.1:12379 "$@"; }
for _ in $(seq 50); do ctl endpoint health >/dev/null 2>&1 && break; sleep 0.1; done
for i in 1 2 3 4 5; do ctl put "key$i" "value$i"; done
ctl get --prefix key
ctl del key2
ctl get --prefix key --keys-only | grep .
ctl txn <<'END'
value("key1") = "value1"

put key1 changed

put key1 no

END
ctl get key1 --print-value-only
kill $server
wait $server || true
ls data/member
