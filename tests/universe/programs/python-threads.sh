# Threads, locks, queues, timers and pools of Python.
# needs: python3
# compare: native
python3 - <<'END'
import concurrent.futures, queue, threading, time

q, results, lock = queue.Queue(maxsize=4), [], threading.Lock()

def worker():
    while (item := q.get()) is not None:
        with lock:
            results.append(item * item)
        q.task_done()

threads = [threading.Thread(target=worker) for _ in range(6)]
for t in threads:
    t.start()
for i in range(500):
    q.put(i)
q.join()
for _ in threads:
    q.put(None)
for t in threads:
    t.join()
print(len(results), sum(results))
fired = threading.Event()
threading.Timer(0.2, fired.set).start()
before = time.monotonic()
print(fired.wait(5), 0.15 < time.monotonic() - before < 4)
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(lambda n: n % 7, range(1000))))
barrier = threading.Barrier(3)
waits = [threading.Thread(target=barrier.wait) for _ in range(2)]
[t.start() for t in waits]
barrier.wait()
[t.join() for t in waits]
print("done")
END
