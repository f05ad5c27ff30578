#!/usr/bin/python3
"""broken_counter.py DIRECTORY: the programs of examples/broken-counter run natively. Without faults
every promise is kept; when the leader is killed right after an answer, one is soon broken."""
import json
import os
import socket
import subprocess
import sys
import tempfile

KEPT = "Acknowledged additions are kept"


def free_ports(count):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Cluster:
    def __init__(self, programs, directory):
        self.programs, self.directory = programs, directory
        self.names = [f"127.0.0.1:{port}" for port in free_ports(3)]
        self.replicas = {}
        self.sdk = os.path.join(directory, "sdk.jsonl")
        self.environment = {
            "COUNTER_REPLICAS": " ".join(self.names), "COUNTER_INDEX": "1",
            "COUNTER_LEDGER": os.path.join(directory, "ledger"),
            "ANTITHESIS_SDK_LOCAL_OUTPUT": self.sdk}

    def start(self, replica):
        self.replicas[replica] = subprocess.Popen(
            [f"{self.programs}/counter", str(replica)] + self.names, stdout=subprocess.DEVNULL)

    def kill(self, replica):
        process = self.replicas.pop(replica)
        process.kill()
        process.wait()

    def run(self, program):
        subprocess.run([f"{self.programs}/{program}"], check=True, env=self.environment,
                       stdout=subprocess.DEVNULL)

    def wait_ready(self):
        """The client container's program never ends; it is done when it has said it is ready."""
        process = subprocess.Popen([f"{self.programs}/wait_ready"], env=self.environment,
                                   stdout=subprocess.PIPE, text=True)
        ready = any("client: ready" in line for line in process.stdout)
        process.kill()
        process.wait()
        return ready

    def verdicts(self):
        with open(self.sdk, encoding="utf-8") as file:
            rows = [json.loads(line).get("antithesis_assert") for line in file]
        return [r for r in rows if r and r["hit"] and r["message"] == KEPT]


def check_without_faults(cluster):
    assert cluster.wait_ready(), "the replicas never agreed"
    for _ in range(5):
        cluster.run("parallel_driver_add")
    cluster.run("eventually_nothing_lost")
    verdicts = cluster.verdicts()
    assert [v["condition"] for v in verdicts] == [True], verdicts
    assert verdicts[0]["details"]["right"] > 0, "nothing was promised"
    return verdicts[0]["details"]["term"] % 3


def check_with_kills(cluster, leader):
    """An announcement may slip between answer and kill, so this may take a few rounds."""
    for _ in range(10):
        cluster.run("parallel_driver_add")
        cluster.kill(leader)
        cluster.start(leader)
        cluster.run("eventually_nothing_lost")
        last = cluster.verdicts()[-1]
        if not last["condition"]:
            return
        leader = last["details"]["term"] % 3
    sys.exit("FAIL: no addition was lost in 10 rounds")


def main():
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(os.path.abspath(sys.argv[1]), directory)
        try:
            for replica in range(3):
                cluster.start(replica)
            leader = check_without_faults(cluster)
            check_with_kills(cluster, leader)
        finally:
            for replica in list(cluster.replicas):
                cluster.kill(replica)


if __name__ == "__main__":
    main()
