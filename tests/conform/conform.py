#!/usr/bin/env python3
"""Runs test suites on Linux and inside universes, and counts what agrees.

    conform.py --build DIR [--suites "guest posix ..."] [--jobs N] [--minutes N] [--fresh]
    conform.py --build DIR --only PATTERN ...       some tests, printed one by one; counts nothing

A test is *stable native* when two runs on Linux agree; then it must end inside as it does there, with
seed 1. One that does not runs once more alone, in both worlds, before it counts. *Refused*: Everett
named a call or an option that it lacks. Writes DIR/conform.json and docs/conformance.md; suites that
were not asked for keep what the last run found. What Linux answered is kept, until --fresh.
"""
import argparse
import atexit
import fnmatch
import importlib
import json
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import group as groups
import report
from fetch import Cache, Unavailable
from world import Inside, Native

HERE = os.path.dirname(os.path.abspath(__file__))
ALONE_S = 120  # of the host's time, for one test
SUITES = ["guest", "posix", "cpython", "go"]


class Context:
    """What a suite may use, and what the run has learnt."""

    def __init__(self, options, suite):
        self.here = HERE
        self.build = options.build
        self.jobs = options.jobs
        self.suite = suite
        self.top = os.path.join(options.build, "conform")
        self.work = os.path.join(self.top, suite.NAME)
        self.cache = Cache(self.top)
        self.lock = threading.Lock()
        self.ends = time.monotonic() + options.minutes * 60
        os.makedirs(self.work, exist_ok=True)
        self.path = os.path.join(self.work, "native.json")
        self.native = {"lists": {}, "results": {}}
        if os.path.exists(self.path) and not options.fresh:
            with open(self.path, encoding="utf-8") as f:
                self.native = json.load(f)

    def say(self, text):
        print("%-8s %s" % (self.suite.NAME, text), flush=True)

    def left_s(self):
        return self.ends - time.monotonic()

    def listed(self, name, find):
        """The names of a group's tests, found out once."""
        if name not in self.native["lists"]:
            self.native["lists"][name] = find()
        return self.native["lists"][name]

    def save(self):
        with self.lock:
            with open(self.path + ".new", "w", encoding="utf-8") as f:
                json.dump(self.native, f, indent=0, sort_keys=True)
            os.rename(self.path + ".new", self.path)


def oracle(context, world, group, tests):
    """{test: [first, second]} of two runs on Linux, each (result, note); kept for the next time."""
    known = context.native["results"].setdefault(group.name, {})
    for turn in range(2):
        missing = [t for t in tests if len(known.get(t, [])) == turn]
        found = groups.run(world, group, missing, os.path.join(context.work, "names"),
                           context.left_s)[0]
        for test, result in found.items():
            known.setdefault(test, []).append(list(result))
    context.save()
    return {t: known[t] for t in tests if len(known.get(t, [])) >= 2}


def is_stable(seen, silent):
    """Linux has one answer, and it says something: it was not skipped, and did not hang."""
    first = seen[0][0]
    return (all(r[0] == first for r in seen) and first not in silent
            and first not in ("timeout", "hang", "missing") and not first.startswith("end "))


def examine(context, worlds, group, test, seen, inside):
    """The row of a test that differed among others: alone, in both worlds, it counts."""
    scratch = os.path.join(context.work, "names")
    def left_s():
        return min(context.left_s(), ALONE_S)

    alone, lacks = groups.run(worlds[1], group, [test], scratch, left_s)
    inside = alone.get(test, inside)
    if inside[0] == seen[0][0]:
        return {"kind": "same"}
    if len(seen) < 3:
        again = groups.run(worlds[0], group, [test], scratch, left_s)[0]
        if test in again:
            seen.append(list(again[test]))
            if again[test][0] != seen[0][0]:
                return {"kind": "unstable"}
    return {"kind": "refused" if lacks else "different", "native": seen[0], "inside": list(inside),
            "lacks": lacks}


def run_group(context, worlds, group, tests):
    """{test: row} of every test of the group."""
    silent = context.suite.SILENT
    rows = {test: {"kind": "not run"} for test in tests}
    seen = oracle(context, worlds[0], group, tests)
    for test, results in seen.items():
        skipped = all(r[0] in silent for r in results)
        rows[test] = {"kind": "skipped" if skipped else "unstable"}
    stable = [t for t in tests if t in seen and is_stable(seen[t], silent)]
    inside = groups.run(worlds[1], group, stable, os.path.join(context.work, "names"),
                        context.left_s)[0]
    for test in stable:
        if test not in inside:
            rows[test] = {"kind": "not run"}
        elif inside[test][0] == seen[test][0][0]:
            rows[test] = {"kind": "same"}
        else:
            rows[test] = examine(context, worlds, group, test, seen[test], inside[test])
    context.save()
    return rows


def print_rows(context, group, rows):
    count = report.count(rows.values())
    context.say("%-34s %s" % (group.name, ", ".join(
        "%d %s" % (count[k], k) for k in report.KINDS if count[k])))
    for test, row in sorted(rows.items()):
        if "inside" in row:
            context.say("    %s %s: natively %s, inside %s (%s)%s" % (
                row["kind"], test, row["native"][0], *row["inside"],
                " lacks: " + ", ".join(row["lacks"]) if row["lacks"] else ""))


def run_suite(options, suite, worlds):
    """Rows by "group test"; raises Unavailable."""
    context = Context(options, suite)
    begun, found = time.monotonic(), {}

    def work(group, tests):
        rows = run_group(context, worlds, group, tests)
        with context.lock:
            found.update(("%s %s" % (group.name, test), row) for test, row in rows.items())
            print_rows(context, group, rows)

    # Groups run while the next are being built.
    with ThreadPoolExecutor(options.jobs) as pool:
        running = []
        for group in suite.groups(context):
            tests = [t for t in group.tests if not options.only or any(
                fnmatch.fnmatch(t, p) or fnmatch.fnmatch(group.name, p) for p in options.only)]
            if tests:
                running.append(pool.submit(work, group, tests))
        for one in running:
            one.result()
    context.say("done in %d s" % (time.monotonic() - begun))
    return found


def own_copy(everett, top):
    """A copy of the executables, so that the build may go on meanwhile."""
    place = os.path.join(top, "bin-%d" % os.getpid())
    os.makedirs(place)
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for name in ("everett", "everett-engine"):
        shutil.copy2(os.path.join(os.path.dirname(everett), name), place)
    return os.path.join(place, "everett")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="build directory of Everett")
    parser.add_argument("--suites", default=" ".join(SUITES), help="which (all)")
    parser.add_argument("--jobs", type=int, default=2, help="groups at a time (2)")
    parser.add_argument("--minutes", type=float, default=30, help="limit for each suite (30)")
    parser.add_argument("--fresh", action="store_true", help="ask Linux again")
    parser.add_argument("--only", nargs="+", help="tests or groups that match")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    asked = options.suites.split()
    unknown = [name for name in asked if name not in SUITES]
    if unknown:
        parser.error("no suite %s; there are: %s" % (unknown[0], " ".join(SUITES)))
    everett = os.path.join(options.build, "everett")
    if not os.path.exists(everett):
        parser.error("%s is missing: build first" % everett)
    top = os.path.join(options.build, "conform")
    worlds = (Native(), Inside(own_copy(everett, top), os.path.join(top, "home")))
    for name in asked:
        suite = importlib.import_module("suite_" + name)
        try:
            rows = run_suite(options, suite, worlds)
        except Unavailable as why:
            print("%-8s left out: %s" % (name, why), flush=True)
            continue
        if not options.only:
            details = report.load(options.build)  # others may have written meanwhile
            details[name] = {"what": suite.WHAT, "rows": rows}
            report.save(options.build, details)
    details = report.load(options.build)
    if not options.only:
        report.write_document(details, [n for n in SUITES if n in details])
        print(report.scorecard(details, SUITES))


if __name__ == "__main__":
    sys.exit(main())
