#!/usr/bin/env -S python3 -u

# Waits until all three nodes answer, then tells the platform that testing may start.

import time

import etcd3

# Antithesis SDK
from antithesis.lifecycle import (
    setup_complete,
)

NODES = ["etcd0", "etcd1", "etcd2"]


def is_healthy(node):
    # A get is linearizable: it is answered only by a node that is part of a quorum.
    try:
        client = etcd3.client(host=node, port=2379, timeout=5)
        client.get("setting-up")
        client.close()
        print(f"Health checker: {node} is healthy")
        return True
    except Exception as e:
        print(f"Health checker: {node} is not healthy yet: {e!r}")
        return False


if __name__ == "__main__":
    while not all([is_healthy(node) for node in NODES]):
        time.sleep(1)

    print("Health checker: the cluster is healthy")
    setup_complete({"Message": "ETCD cluster is healthy"})

    while True:
        time.sleep(3600)
