#!/usr/bin/env python3
"""Programs that must run under `everett exec`, with equal digests twice.

    programs.py [--everett build/everett] [--seed 1] [--more 2] [NAME...]

A program is a script in programs/ whose first comment lines say what it is, what it needs, whether
its output must equal that of a native run, how to build what it runs, and which package of npm it
runs (unpacked as $OUT/npm/NAME/package). Programs that cannot be had are skipped, loudly. After the
two runs with one seed come MORE with the seeds behind it, every other one with extra preemptions:
other schedules must not fail either. The last line is "N passed, N failed"; passed and failed count
programs.
"""
import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile

from everett_exec import inside, missing, run

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "programs")
ROOT = os.path.dirname(os.path.dirname(HERE))
LIMIT_S = 300
START = 'cd "$(mktemp -d)" && exec /bin/bash -eu "$0"'


class Program:
    def __init__(self, name):
        self.name = name
        self.path = os.path.join(SCRIPTS, name + ".sh")
        self.needs, self.build, self.npm, self.compare = [], None, None, True
        with open(self.path, encoding="utf-8") as f:
            for line in f:
                match = re.match(r"# (needs|build|npm|compare): (.*)", line)
                if not match:
                    if not line.startswith("#"):
                        break
                    continue
                key, value = match.groups()
                if key == "needs":
                    self.needs = value.split()
                elif key == "build":
                    self.build = value
                elif key == "npm":
                    self.npm = value.split()
                else:
                    self.compare = {"native": True, "none": False}[value]


def environment(options):
    return {"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8", "TERM": "dumb",
            "OUT": options.out, "SOURCES": SCRIPTS}


def build(program, options):
    """Makes what the script runs, natively; the faults found."""
    if not program.build:
        return []
    env = dict(os.environ, OUT=options.out, SOURCES=SCRIPTS, GOTOOLCHAIN="local", GOFLAGS="",
               GOCACHE=os.path.join(options.out, "go-cache"))
    made = run(["/bin/bash", "-euc", program.build], LIMIT_S, env, options.out)
    return ["its build: status %s\n%s" % (made.status, made.last_words())] if made.status else []


def fetch(program, options):
    """Unpacks the npm package that the script runs; the reason why it cannot be had, or None."""
    if not program.npm:
        return None
    name, sha256 = program.npm
    folder = os.path.join(options.out, "npm")
    archive = os.path.join(folder, sha256 + ".tgz")
    if not os.path.exists(archive):
        with tempfile.TemporaryDirectory() as scratch:
            done = run(["npm", "pack", "--loglevel=error", name], LIMIT_S, cwd=scratch)
            packed = [os.path.join(scratch, f) for f in os.listdir(scratch) if f.endswith(".tgz")]
            if done.status != 0 or not packed:
                return "npm pack %s: status %s: %s" % (
                    name, done.status, " ".join(done.errors.split())[-200:])
            with open(packed[0], "rb") as f:
                found = hashlib.sha256(f.read()).hexdigest()
            if found != sha256:
                raise SystemExit("%s has SHA-256 %s instead of %s" % (name, found, sha256))
            os.makedirs(folder, exist_ok=True)
            shutil.move(packed[0], archive)
    shutil.unpack_archive(archive, os.path.join(folder, program.name), "gztar")
    return None


def command(program, options):
    """What to run inside, and the settings of `everett exec` that it needs."""
    settings = ["--virtual", "3600s"]
    for name, value in environment(options).items():
        settings += ["--env", "%s=%s" % (name, value)]
    return ["/bin/bash", "-c", START, program.path], settings


def run_inside(program, options, seed, *more):
    words, settings = command(program, options)
    return inside(options.everett, options.home,
                  ["--cwd", "/tmp", "--seed", str(seed), *more, *settings], words, LIMIT_S)


def other_schedules(program, options, expected):
    """Faults of runs with other seeds; `expected` is the output, or None."""
    for n in range(1, options.more + 1):
        more = ["--preempt", "50"] if n % 2 == 0 else []
        r = run_inside(program, options, options.seed + n, *more)
        how = " ".join(["--seed", str(options.seed + n), *more])
        if r.status != 0:
            yield "%s: status %s\n%s" % (how, r.status, r.last_words())
        elif expected is not None and r.output != expected:
            yield "%s: another output:\n    | %s" % (how, r.output.strip().replace("\n", "\n    | "))


def prepare(options):
    """Makes paths absolute, and the directories beside the executable where tests keep things."""
    options.everett = os.path.abspath(options.everett)
    base = os.path.join(os.path.dirname(options.everett), "tests")
    options.home, options.out = os.path.join(base, "home"), os.path.join(base, "programs")
    os.makedirs(options.home, exist_ok=True)
    os.makedirs(options.out, exist_ok=True)


def judge(program, options):
    """The faults found, as texts; and numbers to print."""
    native = run(["/bin/bash", "-c", START, program.path], LIMIT_S, environment(options), "/tmp")
    first = run_inside(program, options, options.seed)
    second = run_inside(program, options, options.seed)
    faults = []
    if native.status != 0:
        faults.append("natively: status %s\n%s" % (native.status, native.last_words()))
    if first.status != 0:
        faults.append("inside: status %s\n%s" % (first.status, first.last_words()))
    if program.compare and native.status == 0 and native.output != first.output:
        faults.append("output differs; native, then inside:\n%s\n    ---\n%s" % (
            "    | " + native.output.strip().replace("\n", "\n    | "),
            "    | " + first.output.strip().replace("\n", "\n    | ")))
    if not first.digest or first.digest != second.digest:
        faults.append("digests %s and %s" % (first.digest, second.digest))
    if first.output != second.output:
        faults.append("two runs with one seed print different things")
    if not faults:
        faults += other_schedules(program, options, native.output if program.compare else None)
    numbers = "native %.1f s, inside %.1f s, %s calls, %.3f virtual s" % (
        native.seconds, second.seconds, first.summary.get("calls"),
        first.summary.get("virtual_seconds", 0))
    lacking = first.summary.get("unknown_calls", [])
    return faults, numbers + (", lacking: " + ", ".join(lacking) if lacking else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--everett", default=os.path.join(ROOT, "build", "everett"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--more", type=int, default=2)
    parser.add_argument("name", nargs="*")
    options = parser.parse_args()
    prepare(options)
    known = sorted(f[:-3] for f in os.listdir(SCRIPTS) if f.endswith(".sh"))
    wrong = [n for n in options.name if n not in known]
    if wrong:
        parser.error("no program %s; there are: %s" % (wrong[0], " ".join(known)))
    passed = failed = 0
    for name in options.name or known:
        program = Program(name)
        lacking = missing(program.needs)
        why = "not installed: " + " ".join(lacking) if lacking else fetch(program, options)
        if why:
            print("SKIP %-22s %s" % (name, why), flush=True)
            continue
        faults, numbers = build(program, options), ""
        if not faults:
            faults, numbers = judge(program, options)
        print("%-4s %-22s %s" % ("FAIL" if faults else "ok", name, numbers), flush=True)
        for fault in faults:
            print("  " + fault, flush=True)
        passed += not faults
        failed += bool(faults)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
