"""Measures of whole clusters: puts, idling, memory."""
import os
import subprocess
import time


def register(measure, bench_root):
    script = os.path.join(bench_root, "guest", "etcd_cluster.py")

    def command(puts, idle):
        return ["/usr/bin/python3", script, str(puts), str(idle)]

    @measure
    def tutorial_puts(b):
        """Puts a wall second: one client, three nodes, everything on one core."""
        small, large = 100, 1100

        def rate(wrap):
            short, long = b.wall(wrap(command(small, 0))), b.wall(wrap(command(large, 0)))
            return (large - small) / max(long - short, 1e-9)

        b.report("tutorial_puts", "puts a wall second",
                 *b.pairs(lambda: rate(b.inside), lambda: rate(b.native), runs=5), higher_is_better=True)

    @measure
    def idle_etcd(b):
        """Virtual seconds that pass in one wall second while three nodes idle."""
        small, large = 10, 310

        def speed():
            short, long = b.wall(b.inside(command(0, small))), b.wall(b.inside(command(0, large)))
            return (large - small) / max(long - short, 1e-9)

        values = [speed() for _ in range(5)]
        b.report("idle_etcd", "virtual s a wall s", values, [1.0] * len(values))

    @measure
    def universe_rss(b):
        """Memory of three idle nodes and their client: proportional set sizes, so that what processes
        share counts once; inside, with the runner and everything the engine shares."""
        inside = peak_memory(b.inside(command(100, 30)))
        native = peak_memory(b.native(command(100, 3)))
        b.report("universe_rss", "MB", [inside / 1e6], [native / 1e6])


def children(pid, parents):
    found = [pid]
    for p in found:
        found.extend(parents.get(p, []))
    return found


def process_parents():
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                parents.setdefault(int(fields[1]), []).append(int(name))
            except OSError:
                pass
    return parents


def proportional_set(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def peak_memory(command):
    peak = 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(map(proportional_set, children(process.pid, process_parents()))))
        time.sleep(0.02)
    return peak
