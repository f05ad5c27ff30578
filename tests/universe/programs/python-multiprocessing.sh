# Pools, queues, locks and shared memory between Python processes.
# needs: python3
# compare: native
cat > program.py <<'END'
import multiprocessing as mp
from multiprocessing import shared_memory

def square(n):
    return n * n

def add(counter, lock, q):
    for _ in range(200):
        with lock:
            counter.value += 1
    q.put("ready")

if __name__ == "__main__":
    with mp.Pool(4) as pool:
        print(sum(pool.map(square, range(1000), chunksize=20)))
    counter, lock, q = mp.Value("i", 0, lock=False), mp.Lock(), mp.Queue()
    ps = [mp.Process(target=add, args=(counter, lock, q)) for _ in range(4)]
    [p.start() for p in ps]
    print([q.get() for _ in ps])
    [p.join() for p in ps]
    print(counter.value, [p.exitcode for p in ps])
    shm = shared_memory.SharedMemory(create=True, size=64)
    shm.buf[0] = 42
    other = shared_memory.SharedMemory(name=shm.name)
    print(other.buf[0])
    other.close()
    shm.close()
    shm.unlink()
    ctx = mp.get_context("spawn")
    p = ctx.Process(target=square, args=(3,))
    p.start()
    p.join()
    print(p.exitcode)
END
python3 program.py
