#!/usr/bin/env python3
"""Runs commands one after another and says how each ended; runs in both worlds.

    each.py LIMIT_S LIST [--names FILE]

LIST is a JSON object {test: [argument, ...]}; FILE names the tests to run, one a line. Each test has
a directory and a session of its own. `@begin TEST`, then `@end TEST RESULT NOTE`: the exit status or
the signal, and the last line that was printed.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile


def last_line(path):
    with open(path, "rb") as f:
        f.seek(max(0, os.fstat(f.fileno()).st_size - 2000))
        lines = [l.strip() for l in f.read().decode("utf-8", "replace").splitlines() if l.strip()]
    return lines[-1][:160] if lines else ""


def run(command, limit_s):
    place = tempfile.mkdtemp(prefix="conform-")
    path = os.path.join(place, ".output")
    with open(path, "wb") as out:
        os.mkdir(os.path.join(place, "work"))
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 cwd=os.path.join(place, "work"), start_new_session=True)
        try:
            status = child.wait(limit_s)
            result = "exit %d" % status if status >= 0 else "signal %d" % -status
        except subprocess.TimeoutExpired:
            result = "timeout"
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
    note = last_line(path)
    shutil.rmtree(place, ignore_errors=True)
    return result, note


def main():
    limit_s = float(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as f:
        commands = json.load(f)
    names = list(commands)
    if len(sys.argv) > 4:
        with open(sys.argv[4], encoding="utf-8") as f:
            names = f.read().split("\n")[:-1]
    for name in names:
        print("@begin %s" % name, flush=True)
        result, note = run(commands[name], limit_s)
        print("@end %s\t%s\t%s" % (name, result, note), flush=True)


if __name__ == "__main__":
    main()
