#!/usr/bin/env python3
"""Runs unittest cases of CPython's own tests one by one; runs in both worlds.

    cases.py --list MODULE             prints the ids
    cases.py LIMIT_S MODULE FILE       runs the ids in FILE, one a line

`@begin ID`, then `@end ID RESULT NOTE`: ok, fail, error or skip. A case that takes longer than
LIMIT_S ends the process.
"""
import faulthandler
import os
import sys
import tempfile
import unittest


def flatten(suite, found):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            flatten(item, found)
        else:
            found.setdefault(item.id(), item)
    return found


def load(module):
    from test import support
    support.use_resources = ["subprocess", "cpu", "walltime"]
    support.verbose = False
    return flatten(unittest.defaultTestLoader.loadTestsFromName("test." + module), {})


def verdict(result):
    for kind, listed in (("error", result.errors), ("fail", result.failures)):
        if listed:
            lines = [l.strip() for l in listed[0][1].splitlines() if l.strip()]
            return kind, lines[-1][:160]
    if result.unexpectedSuccesses:
        return "fail", "unexpected success"
    if result.skipped:
        return "skip", result.skipped[0][1].splitlines()[0][:160] if result.skipped[0][1] else ""
    return "ok", ""


def main():
    if sys.argv[1] == "--list":
        try:
            print("\n".join(load(sys.argv[2])))
        except unittest.SkipTest:
            pass  # not for this system
        return
    limit_s = float(sys.argv[1])
    out = os.fdopen(os.dup(1), "w")
    with open(sys.argv[3], encoding="utf-8") as f:
        names = f.read().split("\n")[:-1]
    cases = load(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="conform-") as place:
        os.chdir(place)
        for name in names:
            print("\n@begin %s" % name, file=out, flush=True)
            faulthandler.dump_traceback_later(limit_s, exit=True)
            result = unittest.TestResult()
            unittest.TestSuite([cases[name]]).run(result)
            faulthandler.cancel_dump_traceback_later()
            print("\n@end %s\t%s\t%s" % ((name,) + verdict(result)), file=out, flush=True)
        os.chdir("/")


if __name__ == "__main__":
    main()
