#!/usr/bin/env python3
"""Runs guest tests natively and inside a universe and compares, test by test: Linux is the oracle.

    run.py --everett build/everett PROGRAM...

Each program runs natively once, inside twice with the same seed (the digests must be equal), and
inside once more with another seed and extra preemptions (the results must not change). A test is
*same*, *different*, or *refused*: different, and Everett named a call or option that it lacks.
Differences that are known stand in expected.txt, each with its reason; a row there that no longer
differs is an error too. The last line is "N passed, N failed".
"""
import argparse
import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LINE = re.compile(r"^(ok|not ok) (?:\d+ - )?(\S+)(.*)$")
NATIVE_LIMIT_S = 300
INSIDE_LIMIT_S = 180


class Outcome:
    """What one run of a program reported."""

    def __init__(self, text, status, errors, summary):
        self.tests = {}  # name -> (kind, rest of the line), in order
        self.status = status
        self.errors = errors.strip()
        self.summary = summary
        self.planned = 0
        for line in text.splitlines():
            match = LINE.match(line)
            if match:
                word, name, rest = match.groups()
                kind = "skip" if word == "ok" and "# SKIP" in rest else word
                self.tests[name] = (kind, rest.strip())
            elif line.startswith("1.."):
                self.planned = int(line[3:])

    def kind(self, name):
        return self.tests.get(name, ("missing", ""))[0]

    def trouble(self):
        """Why the run as a whole does not count, or None."""
        if len(self.tests) != self.planned or not self.planned:
            last = self.errors.splitlines()[-1] if self.errors else "no message"
            return "%d of %d tests reported, exit status %s: %s" % (
                len(self.tests), self.planned, self.status, last)
        return None


def execute(command, limit, env):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=limit, env=env)
        out, err, status = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        out, err, status = late.stdout or b"", late.stderr or b"", "none after %d s" % limit
    return out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), status


def run_native(program, names):
    out, err, status = execute([program] + names, NATIVE_LIMIT_S, dict(os.environ))
    return Outcome(out, status, err, {})


def run_inside(options, program, names, *more):
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "summary.json")
        command = [options.everett, "exec", "--cwd", "/tmp", "--summary", path, *more]
        env = dict(os.environ, EVERETT_HOME=options.home)
        out, err, status = execute(command + ["--", program] + names, INSIDE_LIMIT_S, env)
        summary = {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                summary = json.load(f)
        return Outcome(out, status, err, summary)


def read_expected():
    """Rows of (program pattern, test, reason)."""
    rows = []
    with open(os.path.join(HERE, "expected.txt"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            words = line.split("#", 1)[0].split(None, 2)
            if not words:
                continue
            if len(words) < 3:
                sys.exit("expected.txt:%d: needs PROGRAM TEST REASON" % number)
            rows.append(tuple(words))
    return rows


class Card:
    """Counts, and says at once what differs."""

    def __init__(self, expected):
        self.expected = expected
        self.used = set()
        self.passed = self.failed = 0
        self.counts = {"same": 0, "different": 0, "refused": 0, "known": 0}

    def check(self, good, text):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("    FAIL " + text, flush=True)

    def known(self, program, test):
        for row in self.expected:
            if fnmatch.fnmatch(program, row[0]) and test == row[1]:
                return row
        return None

    def test(self, program, name, native, inside, refused):
        row = self.known(program, name)
        if row:
            self.used.add(row)
        if native[0] == "not ok":
            self.check(False, "%s fails natively: %s" % (name, native[1]))
            return
        # A test that skips natively (no root, an old kernel) has no oracle; inside it may pass.
        if native[0] == inside[0] or (native[0], inside[0]) == ("skip", "ok"):
            self.counts["same"] += 1
            self.check(not row, "%s no longer differs: remove its row from expected.txt" % name)
            return
        kind = "refused" if refused else "different"
        if row:
            self.counts["known"] += 1
            self.passed += 1
            print("    known %s %s: %s" % (kind, name, row[2]))
            return
        self.counts[kind] += 1
        lacks = " (lacking: %s)" % ", ".join(refused) if refused else ""
        self.check(False, "%s %s: natively %s, inside %s %s%s" % (
            kind, name, native[0], inside[0], inside[1], lacks))


def refused_calls(options, program, name):
    """What Everett says it lacks when the test runs alone."""
    return run_inside(options, program, [name]).summary.get("unknown_calls", [])


def compare(options, card, program, native, inside):
    label = os.path.basename(program)
    for name, result in native.tests.items():
        there = inside.tests.get(name, ("missing", ""))
        refused = []
        if there[0] not in ("ok", result[0]) and result[0] != "not ok":
            refused = refused_calls(options, program, name)
        card.test(label, name, result, there, refused)


def run_program(options, card, program):
    label = os.path.basename(program)
    print("%s" % label, flush=True)
    native = run_native(program, options.name)
    card.check(not native.trouble(), "%s natively: %s" % (label, native.trouble()))
    first = run_inside(options, program, options.name, "--seed", "1")
    card.check(not first.trouble(), "%s inside: %s" % (label, first.trouble()))
    compare(options, card, program, native, first)
    second = run_inside(options, program, options.name, "--seed", "1")
    digests = [r.summary.get("digest") for r in (first, second)]
    card.check(digests[0] and digests[0] == digests[1],
               "%s: digests with seed 1 are %s and %s" % (label, *digests))
    other = run_inside(options, program, options.name, "--seed", "2", "--preempt", "40")
    changed = [n for n in first.tests if other.kind(n) != first.kind(n)]
    card.check(not changed, "%s: other results with --seed 2 --preempt 40: %s" % (
        label, "; ".join("%s %s %s" % ((n,) + other.tests.get(n, ("missing", other.errors)))
                         for n in changed)))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--everett", required=True, help="the executable")
    parser.add_argument("--home", help="EVERETT_HOME of the runs inside (beside the executable)")
    parser.add_argument("--name", action="append", default=[], help="only these tests")
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    options.everett = os.path.abspath(options.everett)
    options.home = os.path.abspath(
        options.home or os.path.join(os.path.dirname(options.everett), "tests", "home"))
    os.makedirs(options.home, exist_ok=True)
    card = Card(read_expected())
    labels = [os.path.basename(p) for p in options.program]
    for program in options.program:
        run_program(options, card, os.path.abspath(program))
    if not options.name:
        for row in card.expected:
            if row not in card.used and any(fnmatch.fnmatch(n, row[0]) for n in labels):
                card.check(False, "expected.txt: no test %s in %s" % (row[1], row[0]))
    print("same %(same)d  different %(different)d  refused %(refused)d  known %(known)d"
          % card.counts)
    print("%d passed, %d failed" % (card.passed, card.failed))
    return 1 if card.failed else 0


if __name__ == "__main__":
    sys.exit(main())
