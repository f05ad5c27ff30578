#!/usr/bin/env python3
"""A universe is a pure function of its inputs: the same programs with the same seed, run again and
again while everything else changes, must give equal digests and outputs.

    determinism.py [--everett build/everett] [--repeat 8] [NAME...]

What changes between runs: a processor hog beside every second run, working directory, size of the
environment, address space randomisation (setarch -R), niceness, open descriptors, stack limit,
umask. And other seeds must give other random bytes. The last line is "N passed, N failed".
"""
import argparse
import contextlib
import os
import subprocess
import sys

import programs
from everett_exec import inside, missing

# Programs of programs/ that use many processes, threads or sockets; fast ones.
CHOSEN = ["bash", "python-threads", "python-subprocess", "python-asyncio", "go-http", "sqlite",
          "node-http", "redis", "spins"]
RANDOM = ("import os, ctypes; libc = ctypes.CDLL(None); libc.getauxval.restype = ctypes.c_ulong; "
          "print(ctypes.string_at(libc.getauxval(25), 16).hex(), os.urandom(8).hex(), "
          "os.getpid(), hash('text'))")
LIMIT_S = 300


@contextlib.contextmanager
def hog(busy):
    """Keeps one processor busy for the time of a run."""
    child = None
    if busy:
        child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        if child:
            child.kill()
            child.wait()


def surroundings(n):
    """The n-th set of things that must not matter: (prefix, environment, cwd, hog)."""
    env = dict(os.environ)
    if n % 3 == 1:
        env["PADDING"] = "x" * (1000 * n)
    if n % 3 == 2:
        for key in ("LANG", "TERM", "OLDPWD", "SHLVL"):
            env.pop(key, None)
    prefix = []
    if n % 2 == 1 and not missing(["setarch"]):
        prefix += ["setarch", "-R"]
    if n % 4 >= 2 and not missing(["nice"]):
        prefix += ["nice", "-n", str(5 * (n % 3 + 1))]
    if n % 5 == 4:
        prefix = ["/bin/bash", "-c", "umask 077; ulimit -s 16384; exec 7</dev/null 9>/dev/null; "
                  'exec "$@"', "bash"] + prefix
    return prefix, env, ["/", "/tmp", "/usr"][n % 3], n % 2 == 1


def repeat(options, name, command, settings):
    """Runs with one seed; the faults found."""
    seen, faults = {}, []
    for n in range(options.repeat):
        prefix, env, cwd, busy = surroundings(n)
        with hog(busy):
            r = inside(options.everett, options.home, ["--cwd", "/tmp", "--seed", "7", *settings],
                       command, LIMIT_S, env, cwd, prefix)
        if r.status != 0 or not r.digest:
            faults.append("run %d (%s): status %s\n%s" % (n, " ".join(prefix), r.status,
                                                         r.last_words()))
        key = (r.digest, r.output, r.summary.get("calls"))
        seen.setdefault(key, []).append(n)
    if len(seen) > 1:
        faults.append("; ".join("runs %s: digest %s, %s calls" % (runs, key[0], key[2])
                                for key, runs in seen.items()))
    return faults


def other_seeds(options):
    """Different seeds must show in everything random; the faults found."""
    outputs = []
    for seed in range(1, 5):
        r = inside(options.everett, options.home, ["--cwd", "/tmp", "--seed", str(seed)],
                   ["python3", "-c", RANDOM], LIMIT_S)
        if r.status != 0:
            return ["seed %d: status %s\n%s" % (seed, r.status, r.last_words())]
        outputs.append(r.output.split())
    faults = []
    for column, what in enumerate(("AT_RANDOM", "urandom")):
        if len({o[column] for o in outputs}) != len(outputs):
            faults.append("%s repeats over seeds: %s" % (what, [o[column] for o in outputs]))
    if len({o[2] for o in outputs}) != 1:
        faults.append("process ids depend on the seed: %s" % [o[2] for o in outputs])
    return faults


def judge(options, name, faults):
    print("%-4s %s" % ("FAIL" if faults else "ok", name), flush=True)
    for fault in faults:
        print("  " + fault, flush=True)
    options.passed += not faults
    options.failed += bool(faults)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--everett", default=os.path.join(programs.ROOT, "build", "everett"))
    parser.add_argument("--repeat", type=int, default=8)
    parser.add_argument("name", nargs="*", default=CHOSEN)
    options = parser.parse_args()
    programs.prepare(options)
    options.passed = options.failed = 0
    for name in options.name:
        program = programs.Program(name)
        lacking = missing(program.needs)
        if lacking:
            print("SKIP %s: not installed: %s" % (name, " ".join(lacking)), flush=True)
            continue
        faults = programs.build(program, options)
        if faults:
            judge(options, name, faults)
            continue
        command, settings = programs.command(program, options)
        judge(options, name, repeat(options, name, command, settings))
        judge(options, name + " with preemptions",
              repeat(options, name, command, [*settings, "--preempt", "30"]))
    judge(options, "different seeds", other_seeds(options))
    print("%d passed, %d failed" % (options.passed, options.failed))
    return 1 if options.failed else 0


if __name__ == "__main__":
    sys.exit(main())
