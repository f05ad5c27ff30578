#!/usr/bin/env python3
"""Everything about the service from outside: what `make e2e` runs.

    e2e.py BUILD_DIR [--only WORD]

Runs the service's tests of the build (suites `server` and `web`), then what takes programs that not
every system has: container tools, the conformance suite, the tutorial's flow with a Docker daemon,
the snouty command line, schemathesis. Writes BUILD_DIR/e2e.json, a list of
{"name","passed","detail"}: `passed` is null where something is not to be had, and `detail` says
what. Screenshots are kept in BUILD_DIR/screens. Exit status 1 when anything failed.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.join(os.path.dirname(HERE), "server")
STEP_S = 2400
TAP = re.compile(r"^(not )?ok \d+(?: - (.*?))?(?: # SKIP ?(.*))?$")


def row(name, passed, detail):
    return {"name": name, "passed": passed, "detail": detail.strip()[-4000:]}


def tap_rows(prefix, text, status):
    """Rows of a TAP output; one that says so when the script itself went wrong."""
    rows, said = [], []
    for line in text.splitlines():
        match = TAP.match(line)
        if match:
            failed, name, skip = match.groups()
            passed = None if skip is not None else not failed
            rows.append(row("%s: %s" % (prefix, name), passed, skip or "\n".join(said)))
            said = []
        elif line.startswith("#"):
            if rows and rows[-1]["passed"] is False:
                rows[-1]["detail"] += "\n" + line[2:]
            else:
                said.append(line[2:])
    if not rows or (status and all(r["passed"] is not False for r in rows)):
        rows.append(row(prefix, False, "status %d\n%s" % (status, text[-3000:])))
    return rows


def meson_rows(build, env):
    """The suites `server` and `web`, by Meson's own log."""
    log = os.path.join(build, "meson-logs", "testlog-e2e.json")
    subprocess.run(["meson", "test", "-C", build, "--suite", "server", "--suite", "web",
                    "--num-processes", "1", "--logbase", "testlog-e2e"], env=env,
                   stdout=subprocess.DEVNULL, timeout=2 * STEP_S, check=False)
    rows = []
    with open(log, encoding="utf-8") as f:
        for line in f:
            test = json.loads(line)
            name, text = test["name"].split(" / ")[-1], test.get("stdout", "")
            if TAP.search(text) or re.search(r"^1\.\.\d+$", text, re.M):
                rows += tap_rows(name, text, test["returncode"])
            else:
                passed = None if test["result"] == "SKIP" else test["result"] == "OK"
                rows.append(row(name, passed, text + test.get("stderr", "")))
    return rows


def script_rows(name, words, env):
    started = time.monotonic()
    try:
        done = subprocess.run([sys.executable, *words], env=env, text=True, timeout=STEP_S,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except subprocess.TimeoutExpired:
        return [row(name, False, "not done after %d s" % STEP_S)]
    if done.stderr:
        sys.stderr.write(done.stderr)
    rows = tap_rows(name, done.stdout, done.returncode)
    print("%s: %.0f s" % (name, time.monotonic() - started), flush=True)
    return rows


def write(build, rows):
    """After each step, so that what was cut has said what it knows."""
    with open(os.path.join(build, "e2e.json"), "w", encoding="utf-8") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")


def steps(build):
    everett, tools = os.path.join(build, "everett"), os.path.join(build, "tools")
    clients = os.path.join(tools, "clients")
    tutorial = [os.path.join(HERE, "tutorial.py"), everett]
    return [
        ("registry clients", [os.path.join(SERVER, "registry_clients.py"), everett, clients]),
        ("conformance", [os.path.join(SERVER, "conformance.py"), everett, tools]),
        ("broken-counter by docker", [*tutorial, "--tools", clients]),
        ("tutorial by docker", [*tutorial, "--example", "tutorial", "--minutes", "0.5", "--tools",
                                clients]),
        ("docs/tutorial.md", [os.path.join(HERE, "document.py"), everett, clients]),
        ("snouty", [os.path.join(HERE, "snouty.py"), everett, tools]),
        ("openapi", [os.path.join(HERE, "openapi.py"), everett, tools]),
    ]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--only", help="run only steps with this word in their name")
    o = p.parse_args()
    build = os.path.abspath(o.build)
    screens = os.path.join(build, "screens")
    os.makedirs(screens, exist_ok=True)
    env = dict(os.environ, SHOTS=screens, PYTHONDONTWRITEBYTECODE="1")
    rows = []
    if not o.only or o.only in "server web":
        rows += meson_rows(build, env)
        write(build, rows)
    for name, words in steps(build):
        if not o.only or o.only in name:
            rows += script_rows(name, words, env)
            write(build, rows)
    failed = [r for r in rows if r["passed"] is False]
    for r in failed:
        print("FAILED %(name)s\n%(detail)s\n" % r)
    for r in rows:
        if r["passed"] is None:
            print("skipped %(name)s: %(detail)s" % r)
    print("%d passed, %d failed, %d skipped; %s" % (
        sum(r["passed"] is True for r in rows), len(failed),
        sum(r["passed"] is None for r in rows), os.path.join(o.build, "e2e.json")))
    sys.exit(1 if failed or not rows else 0)


if __name__ == "__main__":
    main()
