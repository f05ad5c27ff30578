#!/usr/bin/env python3
"""The broken counter as its users run it: the planted bug is found, its moment replays, and one seed
gives one digest whatever the host does meanwhile. Usage: cluster.py EVERETT SOURCE_ROOT."""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

everett, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
example = os.path.join(root, "examples", "broken-counter")
failures = 0


def check(name, good, detail=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'not ok'} - {name}" + (f": {detail}" if detail and not good else ""), flush=True)


def run(*args, expect=None, cwd=None, env=None, wrap=()):
    done = subprocess.run([*wrap, everett, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=cwd, env=env)
    if expect is not None and done.returncode not in expect:
        sys.exit(f"everett {' '.join(args)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def summary(done):
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    last = json.loads(lines[-1])
    assert last["kind"] == "summary", last
    return last


def digests_agree(directory):
    seen = set()
    for i in range(6):
        hog = subprocess.Popen(["sh", "-c", "while :; do :; done"]) if i % 2 else None
        env = dict(os.environ, EVERETT_PADDING="x" * (i * 501))
        wrap = ["setarch", "-R"] if i % 3 == 2 else []
        out = os.path.join(directory, f"digest-{i}")
        try:
            done = run("run", example, "--universes", "1", "--seed", "11", "--virtual", "30s", "--jobs", "1",
                       "--json", "--out", out, expect=(0, 1), cwd="/" if i % 2 else directory, env=env, wrap=wrap)
        finally:
            if hog:
                hog.kill()
                hog.wait()
        result = summary(done)
        check(f"repeat {i} has no engine error", result["engine_errors"] == 0)
        seen.add(result["digest"])
    check("six repeats beside hogs, in other places and environments: one digest", len(seen) == 1, str(seen))


def bug_is_found_and_replays(directory):
    out = os.path.join(directory, "run")
    done = run("run", example, "--universes", "60", "--seed", "1", "--json", "--out", out, expect=(0, 1))
    result = summary(done)
    failed = [p for p in result["properties"] if p["status"] == "failed"]
    check("the lost additions are found within 60 universes",
          any("Acknowledged additions" in p["name"] for p in failed), str(result))
    check("no engine errors", result["engine_errors"] == 0)
    check("the report is one file that is not empty", os.path.getsize(os.path.join(out, "report.html")) > 10000)
    if failed:
        replay = run("replay", out, "--moment", failed[0]["moment"])
        check("its moment replays to the same records and digest", replay.returncode == 0, replay.stdout[-500:])


def goes_on_after_a_kill(directory):
    """What was finished stays, numbers and budgets go on, and another configuration is refused."""
    out = os.path.join(directory, "cut")
    command = [everett, "run", example, "--universes", "12", "--seed", "3", "--jobs", "1", "--json", "--out", out,
               "--continue"]
    finished = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as cut:
        for line in cut.stdout:
            if '"kind":"universe"' in line:
                finished.append(line)
                if len(finished) == 5:
                    cut.kill()
    before = {json.loads(line)["number"]: json.loads(line)["digest"] for line in finished}
    check("killed after five universes", 5 <= len(before) < 12, str(before))
    done = run(*command[1:], expect=(0, 1))
    result = summary(done)
    check("twelve universes in all", result["universes"] == 12, str(result["universes"]))
    again = [json.loads(line)["number"] for line in done.stdout.splitlines() if '"kind":"universe"' in line]
    check("none ran twice", not set(again) & set(before), f"{again} {sorted(before)}")
    whole = summary(run("run", example, "--universes", "12", "--seed", "3", "--jobs", "1", "--json",
                        expect=(0, 1), cwd=directory))
    check("as many behaviours as without the cut", whole["behaviours"] == result["behaviours"],
          f"{whole['behaviours']} {result['behaviours']}")
    other = run(*command[1:], "--faults", "none", expect=(2,))
    check("another configuration is refused", "another configuration" in other.stderr, other.stderr)


def branches_are_repeatable(directory):
    """A command at a moment: the history up to it is the run's, the rest is the same every time."""
    out = os.path.join(directory, "run")
    add = "/opt/antithesis/test/v1/main/parallel_driver_add"
    with sqlite3.connect(os.path.join(out, "run.db")) as db:
        (address,) = db.execute("SELECT input_hash FROM universe WHERE number = 0").fetchone()
    branch = ["shell", out, f"{address}@5.5", "--json", "--node", "client1", "--", add]
    first, again = run(*branch, expect=(0,)), run(*branch, expect=(0,))
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    check("a command runs at a moment and says something", "output" in lines[0], first.stdout)
    check("... its end is told", lines[-1].get("exited", {}).get("exit_code") is not None, first.stdout)
    check("... after the moment", all(float(line["output"]["moment"]["vtime"]) > 5.5 for line in lines[:-1]))
    check("... the same once more", first.stdout == again.stdout, again.stdout)
    other = run("shell", out, f"{address}@6.5", "--node", "client1", "--", add)
    check("another moment is another branch", other.stdout and other.stdout != first.stdout)
    nowhere = run("shell", out, f"{address}@5.5", "--node", "nobody", "--", add, expect=(2,))
    check("an unknown container is named, with those there are", "client1" in nowhere.stderr, nowhere.stderr)
    absent = run("shell", out, f"{address}@5.5", "--node", "client1", "--script", "true", expect=(127,))
    check("an image without a shell says so", "/bin/sh" in absent.stderr, absent.stderr)
    late = run("shell", out, f"{address}@99999", "--", add, expect=(2,))
    check("a moment behind the end is refused", "ends at" in late.stderr, late.stderr)


def hidden_lines_replay(directory):
    out = os.path.join(directory, "hidden")
    command = ("run", example, "--universes", "1", "--seed", "4", "--faults", "none", "--json", "--out")
    whole = run(*command, out + "-not", expect=(0, 1))
    result = summary(run(*command, out, "--hide", "do not agree", expect=(0, 1)))
    shown, kept = (run("log", where, expect=(0,)).stdout.splitlines() for where in (out + "-not", out))
    check("there are lines to hide", any("do not agree" in line for line in shown), str(len(shown)))
    check("exactly they are hidden", kept == [line for line in shown if "do not agree" not in line],
          f"{len(kept)} of {len(shown)}")
    check("the digest is that of the whole history", result["digest"] == summary(whole)["digest"])
    universe = next(line for line in whole.stdout.splitlines() if '"kind":"universe"' in line)
    replay = run("replay", out, "--json", "--moment", json.loads(universe)["input_hash"] + "@1")
    check("and it replays", '"equal":true' in replay.stdout, replay.stdout + replay.stderr)


with tempfile.TemporaryDirectory() as directory:
    os.environ["EVERETT_HOME"] = os.path.join(directory, "home")
    subprocess.run([os.path.join(example, "build-images.sh")], check=True, stdout=subprocess.DEVNULL)
    for name in ("broken-counter", "broken-counter-client"):
        run("image", "load", os.path.join(root, "build", "images", name + ".tar"), expect=(0,))
    digests_agree(directory)
    bug_is_found_and_replays(directory)
    goes_on_after_a_kill(directory)
    branches_are_repeatable(directory)
    hidden_lines_replay(directory)
sys.exit(1 if failures else 0)
