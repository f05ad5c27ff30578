#!/usr/bin/env python3
"""Counts what a whole test run checked, and prints one line: "N passed, N failed".

    count_tests.py BUILD_DIR EXIT_STATUS_OF_THE_RUN

Reads meson's log. A test that ends with a line "N passed, N failed" counts as so many, a TAP test by
its lines, a cmocka test by its summary, any other as one. A test that failed counts at least one
failure; a test that never ran is a failure too. What was skipped is named, with the test's own line
that begins with SKIP. Exit status 1 unless everything passed.
"""
import json
import os
import re
import subprocess
import sys

OWN_COUNT = re.compile(r"^(\d+) passed, (\d+) failed$")
CMOCKA = re.compile(r"^\[  (PASSED|FAILED)  \] (\d+) test\(s\)", re.M)
TAP = re.compile(r"^(ok|not ok)\b(.*)$", re.M)
SKIPPED = re.compile(r"^SKIP .*$|^ok\b.*# SKIP.*$", re.M)
GOOD = ("OK", "EXPECTEDFAIL")


def checks(entry):
    """(passed, failed) as the test itself tells them, or None."""
    out = entry.get("stdout") or ""
    lines = out.strip().splitlines()
    match = OWN_COUNT.match(lines[-1]) if lines else None
    if match:
        return int(match.group(1)), int(match.group(2))
    counts = {"PASSED": 0, "FAILED": 0}
    for word, n in CMOCKA.findall(out + (entry.get("stderr") or "")):
        counts[word] += int(n)
    if any(counts.values()):
        return counts["PASSED"], counts["FAILED"]
    tap = [word for word, rest in TAP.findall(out) if "# SKIP" not in rest]
    if tap:
        return tap.count("ok"), tap.count("not ok")
    return None


def read_log(build):
    try:
        with open(os.path.join(build, "meson-logs", "testlog.json"), encoding="utf-8") as log:
            return [json.loads(line) for line in log]
    except OSError as error:
        print("no test log: %s" % error)
        return []


def registered(build):
    """Names of all tests of the build, or none when it was never configured."""
    done = subprocess.run(["meson", "introspect", "--tests", build], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return [t["name"] for t in json.loads(done.stdout)] if done.returncode == 0 else []


def main():
    build, status = sys.argv[1], int(sys.argv[2])
    passed = failed = 0
    ran = []
    for entry in read_log(build):
        name = entry["name"].split(" / ")[-1]
        ran.append(name)
        skipped = SKIPPED.findall(entry.get("stdout") or "")
        for line in skipped:
            print("skipped: %s: %s" % (name, line))
        if entry["result"] == "SKIP":
            if not skipped:
                print("skipped: %s" % entry["name"])
            continue
        good, bad = checks(entry) or (0, 0)
        if entry["result"] in GOOD:
            good = good or 1
        else:
            bad = bad or 1
            print("failed: %s (%s)" % (entry["name"], entry["result"]))
        passed += good
        failed += bad
    for name in registered(build):
        if name in ran:
            ran.remove(name)
        else:
            print("never ran: %s" % name)
            failed += 1
    if status and not failed:
        print("failed: a step before the tests, exit status %d" % status)
        failed = 1
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
