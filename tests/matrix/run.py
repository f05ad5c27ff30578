#!/usr/bin/env python3
"""The programs that must run in a universe as they do natively: `make matrix`.

    run.py [--everett build/everett] [--repeats 3] [--seed 1] [--json FILE] [--docs FILE] [NAME...]

A program is a script in programs/: what it is stands in its first line, what it needs in the lines
behind it (`needs: COMMAND...`, `modules: PYTHON-MODULE...`, `files: PATH...`, `fetch: npm PACKAGE
COMMAND` for what Debian does not have). It runs once natively, in network and process namespaces of
its own, and REPEATS times in universes with one seed: it must succeed everywhere, print the same
natively and inside, and the universes must have equal digests. images.py adds a row for each kind of
image. A program that is not installed is red. Exit status 1 when anything is red.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "universe"))
from everett_exec import Result, inside, missing, run  # noqa: E402
import images  # noqa: E402

SCRIPTS = os.path.join(HERE, "programs")
LIMIT_S = 300
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A directory that everybody may enter, for servers change users; and not one in /tmp, for there other
# programs of the host make the universe's input differ from run to run.
START = ('set -eu; mkdir -m 755 "$2"; cd "$2"; mkdir -m 1777 .tmp; export HOME="$2" TMPDIR="$2/.tmp"; '
         'exec /bin/bash -euc \'. "$0"; . "$1"\' "$0" "$1"')
INSIDE = "/matrix"
NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
AS_ROOT = ["--map-auto", "--map-root-user"]


class Program:
    def __init__(self, name):
        self.name = name
        self.path = os.path.join(SCRIPTS, name + ".sh")
        self.needs, self.modules, self.files, self.fetch = [], [], [], None
        with open(self.path, encoding="utf-8") as f:
            lines = [line[2:].rstrip() for line in f if line.startswith("# ")]
        self.what = lines[0]
        for line in lines[1:]:
            match = re.match(r"(needs|modules|files|fetch): (.*)", line)
            if match:
                setattr(self, match.group(1), match.group(2).split())

    def lacking(self, options):
        """What is not installed, by name."""
        os.environ["PATH"] = options.path
        absent = missing(self.needs) + [f for f in self.files if not os.path.exists(f)]
        for module in self.modules:
            if run(["python3", "-c", "import " + module], LIMIT_S).status != 0:
                absent.append("the Python module " + module)
        return absent


def fetch(program, options):
    """Gets a package that Debian does not have, once; the faults found."""
    _, package, command = program.fetch
    target = os.path.join(options.out, "bin", command)
    if os.path.exists(target):
        return []
    os.makedirs(os.path.dirname(target), exist_ok=True)
    script = ('cd "$(mktemp -d)" && archive=$(npm pack --silent "$0") && tar xzf "$archive" && '
              'install -m 755 "package/$1" "$2"')
    made = run(["/bin/bash", "-euc", script, package, command, target], LIMIT_S,
               dict(os.environ, PATH=options.caller_path))
    return ["fetching %s: status %s\n%s" % (package, made.status, made.last_words())] \
        if made.status else []


def environment(options):
    return {"PATH": options.path, "LANG": "C.UTF-8", "TERM": "dumb"}


def words(program, directory):
    return ["/bin/bash", "-c", START, os.path.join(HERE, "common.sh"), program.path, directory]


def namespaces():
    """The words before a native command, or none where the host allows no namespaces."""
    for prefix in NAMESPACES, NAMESPACES + AS_ROOT:
        if subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return [*prefix, "/bin/sh", "-c", 'ip link set lo up && exec "$0" "$@"']
    return []


def run_native(program, options):
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        command = words(program, os.path.join(scratch, "work"))
        return run([*options.namespaces, *command], LIMIT_S, environment(options), scratch)


def run_inside(program, options):
    settings = ["--cwd", "/", "--seed", str(options.seed), "--virtual", "3600s"]
    for name, value in environment(options).items():
        settings += ["--env", "%s=%s" % (name, value)]
    return inside(options.everett, options.home, settings, words(program, INSIDE), LIMIT_S)


def difference(native, within):
    """The first lines in which two outputs differ."""
    a, b = native.splitlines(), within.splitlines()
    for n in range(max(len(a), len(b))):
        one = a[n] if n < len(a) else "the end"
        two = b[n] if n < len(b) else "the end"
        if one != two:
            return "line %d is %r natively and %r inside" % (n + 1, one, two)
    return "the outputs differ in their last line end"


def judge(native, runs):
    """The faults found, as texts, the shortest first word of what is wrong in each."""
    faults = []
    if native.status != 0:
        faults.append("natively: status %s\n%s" % (native.status, native.last_words()))
    if runs[0].status != 0:
        faults.append("inside: status %s\n%s" % (runs[0].status, runs[0].last_words()))
    if native.status == 0 and native.output != runs[0].output:
        faults.append(difference(native.output, runs[0].output))
    for r in runs[1:]:
        if not r.digest or r.digest != runs[0].digest or r.output != runs[0].output:
            faults.append("digests %s and %s" % (runs[0].digest, r.digest))
            break
    return faults


def row(name, what, native, runs, faults):
    """One element of the JSON array."""
    digests = {r.digest for r in runs}
    return {"program": name, "what": what, "passed": not faults, "repeats": len(runs),
            "digests_equal": len(digests) == 1 and None not in digests,
            "unknown_calls": runs[0].summary.get("unknown_calls", []) if runs else [],
            "calls": runs[0].summary.get("calls", 0) if runs else 0,
            "virtual_seconds": runs[0].summary.get("virtual_seconds", 0) if runs else 0,
            "native_seconds": round(native.seconds, 2),
            "seconds": round(min(r.seconds for r in runs), 2) if runs else 0, "reason": faults}


def try_program(name, options):
    program = Program(name)
    faults = fetch(program, options) if program.fetch else []
    absent = program.lacking(options)
    if absent:
        faults.append("not installed: %s (tools/install-deps.sh --programs)" % " ".join(absent))
    if faults:
        return row(name, program.what, Result(None, "", "", 0), [], faults)
    native = run_native(program, options)
    runs = [run_inside(program, options) for _ in range(options.repeats)]
    return row(name, program.what, native, runs, judge(native, runs))


def try_image(name, options):
    what, native, runs, faults = images.run_image(name, options)
    return row(name, what, native, runs, faults or judge(native, runs))


def show(r):
    print("%-4s %-14s native %5.1f s, inside %5.1f s, %7d calls, %6.1f virtual s%s" % (
        "ok" if r["passed"] else "RED", r["program"], r["native_seconds"], r["seconds"], r["calls"],
        r["virtual_seconds"],
        ", refused: " + ", ".join(r["unknown_calls"]) if r["unknown_calls"] else ""))
    for fault in r["reason"]:
        print("     " + fault)
    sys.stdout.flush()


def document(rows, path):
    """The table for readers; it holds nothing that differs from machine to machine."""
    with open(path, "w", encoding="utf-8") as f:
        f.write("# What runs\n\nGenerated by `make matrix` from its result; do not edit. Every row is a "
                "script in `tests/matrix` that\nran natively and in universes, with the same visible "
                "result and equal digests.\n\n%d of %d run.\n\n" % (sum(r["passed"] for r in rows),
                                                                   len(rows)))
        f.write("| program | what it does there | runs | refused calls it asked for |\n|---|---|---|---|\n")
        for r in rows:
            verdict = "yes" if r["passed"] else "no: " + r["reason"][0].split("\n")[0]
            f.write("| %s | %s | %s | %s |\n" % (r["program"], r["what"].replace("|", "\\|"), verdict,
                                                ", ".join(r["unknown_calls"]) or "none"))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--everett", default=os.path.join(ROOT, "build", "everett"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json")
    parser.add_argument("--docs")
    parser.add_argument("name", nargs="*")
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error("--repeats: at least 2, to compare digests")
    options.known = sorted(f[:-3] for f in os.listdir(SCRIPTS) if f.endswith(".sh"))
    wrong = [n for n in options.name if n not in options.known + images.NAMES]
    if wrong:
        parser.error("no program %s; there are: %s" % (wrong[0],
                                                       " ".join(options.known + images.NAMES)))
    return options


def main():
    options = arguments()
    options.everett = os.path.abspath(options.everett)
    base = os.path.join(os.path.dirname(options.everett), "tests")
    options.home, options.out = os.path.join(base, "home"), os.path.join(base, "matrix")
    for directory in options.home, options.out:
        os.makedirs(directory, exist_ok=True)
    options.caller_path = os.environ["PATH"]
    options.path = os.path.join(options.out, "bin") + ":" + PATH
    options.namespaces = namespaces()
    rows = []
    for name in options.name or options.known + images.NAMES:
        if name in images.NAMES:
            rows.append(try_image(name, options))
        else:
            rows.append(try_program(name, options))
        show(rows[-1])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(rows, f, indent=1)
    if options.docs:
        document(rows, options.docs)
    red = sum(not r["passed"] for r in rows)
    print("%d passed, %d failed" % (len(rows) - red, red))
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
