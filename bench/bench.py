#!/usr/bin/env python3
"""Speed against native Linux, side by side on one pinned core.

Every measure runs the same binary natively and inside a universe in turn (A B A B ...), and quotes
medians and the median of the pairwise ratios. Writes build/bench.json, an array of
{"name","unit","everett","native","ratio","runs"}.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import cluster

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Bench:
    def __init__(self, build, core, runs):
        self.build, self.core, self.runs = build, core, runs
        self.results = []

    def guest(self, name):
        return os.path.join(self.build, "bench", name)

    def wall(self, command):
        start = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        elapsed = time.perf_counter() - start
        if done.returncode:
            sys.exit(f"bench: {' '.join(command)} failed:\n{done.stderr.decode()}")
        return elapsed

    def native(self, args):
        return ["taskset", "-c", str(self.core), *args]

    def inside(self, args, options=()):
        return [os.path.join(self.build, "everett"), "exec", "--core", str(self.core), *options, "--", *args]

    def pairs(self, measure_everett, measure_native, runs=None):
        everett, native = [], []
        measure_everett(), measure_native()
        for _ in range(runs or self.runs):
            everett.append(measure_everett())
            native.append(measure_native())
        return everett, native

    def report(self, name, unit, everett, native, higher_is_better=False):
        """The ratio is everett / native either way; `better` says which side of 1 is good."""
        ratio = statistics.median(e / n for e, n in zip(everett, native))
        row = {
            "name": name,
            "unit": unit,
            "everett": round(statistics.median(everett), 4),
            "native": round(statistics.median(native), 4),
            "ratio": round(ratio, 3),
            "runs": len(everett),
            "better": "higher" if higher_is_better else "lower",
        }
        self.add(row)

    def add(self, row):
        self.results.append(row)
        native = "-" if row["native"] is None else f"{row['native']:.{2}f}"
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3f}"
        print(f"{row['name']:<16} {row['everett']:>12.2f} {native:>12} {row['unit']:<22} ratio {ratio}", flush=True)

    def per_item(self, name, unit, program, small, large, items_per_round, scale):
        """Cost of one item from two run lengths, so that start-up cancels out."""

        def cost(command):
            short = self.wall(command([self.guest(program), str(small)]))
            long = self.wall(command([self.guest(program), str(large)]))
            return (long - short) / ((large - small) * items_per_round) * scale

        self.report(name, unit, *self.pairs(lambda: cost(self.inside), lambda: cost(self.native)))

    def whole(self, name, unit, args, scale, options=()):
        self.report(name, unit, *self.pairs(
            lambda: self.wall(self.inside(args, options)) * scale,
            lambda: self.wall(self.native(args)) * scale))


def digest_repeats(bench, repeats):
    """The same universe again and again, half of the times beside a CPU hog, from other directories,
    with other environments, ASLR on and off."""
    tutorial = os.path.join(ROOT, "examples", "tutorial")
    digests = []
    for i in range(repeats):
        hog = subprocess.Popen(["sh", "-c", "while :; do :; done"]) if i % 2 else None
        env = dict(os.environ, EVERETT_BENCH_PADDING="x" * (i * 97))
        out = os.path.join(bench.build, "bench", f"digest-{i}")
        command = [os.path.join(bench.build, "everett"), "run", tutorial, "--universes", "1", "--seed", "9",
                   "--virtual", "60s", "--jobs", "1", "--json", "--out", out]
        if i % 4 >= 2:
            command = ["setarch", "-R", *command]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, env=env, cwd="/" if i % 3 else ROOT, text=True)
        finally:
            if hog:
                hog.kill()
                hog.wait()
        summary = json.loads(done.stdout.splitlines()[-1])
        if summary["engine_errors"]:
            sys.exit(f"bench: digest repeat {i} had an engine error; see {out}")
        digests.append(summary["digest"])
        subprocess.run(["rm", "-rf", out], check=True)
    equal = max(digests.count(d) for d in digests)
    bench.add({"name": "digest_repeats", "unit": f"equal of {repeats}", "everett": equal, "native": None,
               "ratio": equal / repeats, "runs": repeats})


MEASURES = {}


def measure(function):
    MEASURES[function.__name__] = function
    return function


@measure
def null_call(b):
    b.per_item("null_call", "ns a call", "null_call", 100000, 3000000, 1, 1e9)


@measure
def thread_switch(b):
    b.per_item("thread_switch", "us a switch", "thread_switch", 10000, 300000, 2, 1e6)


@measure
def process_switch(b):
    b.per_item("process_switch", "us a switch", "process_switch", 5000, 100000, 2, 1e6)


@measure
def import_etcd3(b):
    b.whole("import_etcd3", "ms", ["/usr/bin/python3", "-c", "import etcd3"], 1e3)


@measure
def import_first(b):
    """The same, but each time as a command that was never run before: nothing about it is remembered."""
    serial = iter(range(10**9))

    def command():
        return ["/usr/bin/python3", "-c", f"import etcd3 # {os.getpid()} {next(serial)}"]

    b.report("import_first", "ms", *b.pairs(
        lambda: b.wall(b.inside(command())) * 1e3, lambda: b.wall(b.native(command())) * 1e3))


def build_guests(bench):
    """The small C programs, static, so that start-up is the same thing on both sides."""
    os.makedirs(os.path.join(bench.build, "bench"), exist_ok=True)
    for name in ("null_call", "thread_switch", "process_switch"):
        source = os.path.join(ROOT, "bench", "guest", name + ".c")
        subprocess.run(["cc", "-O2", "-static", "-o", bench.guest(name), source, "-lpthread"], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("names", nargs="*", help="only these measures")
    args = parser.parse_args()
    bench = Bench(os.path.abspath(args.build), args.core, args.runs)
    build_guests(bench)
    cluster.register(measure, os.path.join(ROOT, "bench"))
    for name, function in MEASURES.items():
        if not args.names or name in args.names:
            function(bench)
    if not args.names or "digest_repeats" in args.names:
        digest_repeats(bench, args.repeats)
    with open(os.path.join(bench.build, "bench.json"), "w") as f:
        json.dump(bench.results, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
