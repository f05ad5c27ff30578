#!/usr/bin/env python3
"""Three etcd nodes on loopback, one client: PUTS puts, then IDLE idle seconds.

The same program natively and inside a universe; start-up cancels out between two lengths.
"""
import os
import subprocess
import sys
import tempfile
import time

import etcd3

puts, idle = int(sys.argv[1]), float(sys.argv[2])
cluster = ",".join(f"n{i}=http://127.0.0.1:{23800 + i}" for i in range(3))


def start(i, directory):
    client, peer = f"http://127.0.0.1:{23790 + i}", f"http://127.0.0.1:{23800 + i}"
    return subprocess.Popen(
        ["etcd", "--name", f"n{i}", "--data-dir", os.path.join(directory, f"n{i}"),
         "--listen-client-urls", client, "--advertise-client-urls", client,
         "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
         "--initial-cluster", cluster, "--initial-cluster-state", "new", "--log-level", "error"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "GOMAXPROCS": "1"})


with tempfile.TemporaryDirectory() as directory:
    nodes = [start(i, directory) for i in range(3)]
    try:
        for _ in range(300):
            try:
                client = etcd3.client(port=23790, timeout=5)
                client.put("ready", "yes")
                break
            except Exception:
                time.sleep(0.2)
        else:
            sys.exit("the cluster never became healthy")
        for i in range(puts):
            client.put(f"key{i % 1000}", "v" * 16)
        time.sleep(idle)
    finally:
        for node in nodes:
            node.kill()
        for node in nodes:
            node.wait()
