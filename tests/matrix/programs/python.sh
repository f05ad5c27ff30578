# Python's own library: threads, processes, shared memory, asyncio, maps, signals, TLS, pty.
# needs: python3
cat >main.py <<'PYTHON'
import asyncio
import ctypes
import hashlib
import mmap
import multiprocessing as mp
import os
import pty
import select
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import shared_memory


def square(n):
    return n * n


async def echo():
    async def serve(reader, writer):
        writer.write(await reader.read(5))
        await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    print(await reader.read())
    server.close()
    child = await asyncio.create_subprocess_exec("sleep", "0.1")
    print(await child.wait())
    await asyncio.gather(*[asyncio.sleep(0.05) for _ in range(5)])


def main():
    with ThreadPoolExecutor(4) as pool:
        print(list(pool.map(square, range(8))))
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(square, range(5))))
    for method in "fork", "spawn", "forkserver":
        q = mp.get_context(method).Queue()
        p = mp.get_context(method).Process(target=q.put, args=(method,))
        p.start()
        print(q.get())
        p.join()
    shared = shared_memory.SharedMemory(create=True, size=100)
    shared.buf[0] = 42
    again = shared_memory.SharedMemory(shared.name)
    print(again.buf[0])
    again.close()
    shared.close()
    shared.unlink()
    asyncio.run(echo())
    with tempfile.TemporaryFile() as t:
        t.write(b"x" * 4096)
        t.flush()
        with mmap.mmap(t.fileno(), 0) as m:
            m[0] = 65
            m.flush()
        t.seek(0)
        print(t.read(2))
    print(subprocess.run("echo out; echo err >&2; exit 3", shell=True, capture_output=True))
    signal.signal(signal.SIGALRM, lambda *a: print("alarm"))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(0.2)
    a, b = socket.socketpair()
    socket.send_fds(a, [b"fd"], [os.open("/dev/null", os.O_RDONLY)])
    print(socket.recv_fds(b, 10, 1)[0])
    pid, master = pty.fork()
    if pid == 0:
        os.execlp("sh", "sh", "-c", "tty | sed s,[0-9]*$,,; stty size")
    os.set_blocking(master, True)
    text = b""
    while True:
        try:
            got = os.read(master, 100)
        except OSError:
            break
        text += got
    print(text, os.waitpid(pid, 0)[1])
    e = select.epoll()
    e.register(a.fileno(), select.EPOLLIN | select.EPOLLET)
    b.send(b"x")
    print(e.poll(1) == [(a.fileno(), select.EPOLLIN)])
    print(hashlib.sha256(b"x").hexdigest()[:16], uuid.uuid4().version, ssl.create_default_context().protocol)
    print(ctypes.CDLL(None).abs(-3), sqlite3.connect(":memory:").execute("select 1+1").fetchone())
    os.memfd_create("x")
    print(len(os.sched_getaffinity(0)) > 0, threading.active_count())


if __name__ == "__main__":
    main()
PYTHON
python3 main.py
