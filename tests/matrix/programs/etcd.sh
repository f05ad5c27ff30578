# Three etcd nodes: elected, written through each, one killed, compacted, defragmented, saved.
# needs: etcd etcdctl
export ETCDCTL_API=3 ETCD_LOG_LEVEL=error
cluster=a=http://127.0.0.11:2380,b=http://127.0.0.12:2380,c=http://127.0.0.13:2380
member() {
    etcd --name "$1" --data-dir "$1" --listen-client-urls "http://$2:2379" \
        --advertise-client-urls "http://$2:2379" --listen-peer-urls "http://$2:2380" \
        --initial-advertise-peer-urls "http://$2:2380" --initial-cluster "$cluster" >"$1.log" 2>&1 &
}
member a 127.0.0.11 && first=$!
member b 127.0.0.12 && second=$!
member c 127.0.0.13 && third=$!
ctl() { etcdctl --endpoints="$1" "${@:2}"; }
all=127.0.0.11:2379,127.0.0.12:2379,127.0.0.13:2379
await ctl $all endpoint health
for i in 1 2 3; do ctl "127.0.0.1$i:2379" put "key$i" "value$i"; done
ctl 127.0.0.13:2379 get --prefix key
ctl $all member list | cut -d, -f2- | sort
ctl 127.0.0.12:2379 lease grant 100 | sed 's/lease [0-9a-f]*/lease/'
ctl $all compact 3
ctl $all defrag
ctl 127.0.0.11:2379 snapshot save copy.db 2>/dev/null
etcdctl snapshot status copy.db -w json | sed 's/.*\("totalKey":[0-9]*\).*/\1/'
kill -9 $third
wait $third || true
await ctl 127.0.0.11:2379 put after one
ctl 127.0.0.12:2379 get after --print-value-only
member c 127.0.0.13 && third=$!
await ctl 127.0.0.13:2379 endpoint health
ctl 127.0.0.13:2379 get after --print-value-only
for server in $first $second $third; do stop $server; done
ls a/member
