# The Python client of etcd (gRPC): puts, gets, a watch, a lock, a lease, a transaction.
# needs: etcd python3
# modules: etcd3
ETCD_LOG_LEVEL=error etcd --data-dir data >log 2>&1 &
server=$!
await etcdctl endpoint health
python3 - <<'PYTHON'
import etcd3

c = etcd3.client()
for i in range(50):
    c.put("k%d" % i, str(i * i))
print(sum(int(c.get("k%d" % i)[0]) for i in range(50)))
events, cancel = c.watch("k1")
c.put("k1", "seen")
print(next(events).value)
cancel()
with c.lock("mutex", ttl=10) as lock:
    print("locked", lock.is_acquired())
lease = c.lease(30)
c.put("leased", "x", lease)
lease.revoke()
print(c.get("leased")[0])
print(c.transaction(compare=[c.transactions.value("k2") == "4"],
                    success=[c.transactions.put("k2", "four")],
                    failure=[c.transactions.put("k2", "wrong")])[0], c.get("k2")[0])
print(len(list(c.get_prefix("k"))))
PYTHON
stop $server
