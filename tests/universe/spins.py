#!/usr/bin/env python3
"""Systems with loops that make no calls: runs come to their end, with a clear word why, and their
histories replay and branch. Usage: spins.py EVERETT SPINNER."""
import json
import os
import subprocess
import sys
import tempfile

everett, spinner = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
mkimage = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "images", "mkimage.py")
failures = 0


def check(name, good, detail=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'not ok'} - {name}" + (f": {detail}" if detail and not good else ""), flush=True)


def run(*args, expect):
    done = subprocess.run([everett, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in expect:
        sys.exit(f"everett {' '.join(args)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def load_image(directory):
    """An image that holds nothing but the program."""
    path = os.path.join(directory, "spinner.tar")
    subprocess.run([sys.executable, mkimage, "-o", path, "--name", "spinner:v1", "--copy", f"{spinner}:/spinner:755",
                    "--entrypoint", '["/spinner"]'], check=True, stdout=subprocess.DEVNULL)
    run("image", "load", path, expect=(0,))


def system(directory, name, spins):
    path = os.path.join(directory, name)
    os.mkdir(path)
    with open(os.path.join(path, "docker-compose.yaml"), "w", encoding="utf-8") as f:
        f.write(f"services:\n  waits:\n    image: spinner:v1\n    command: [{json.dumps(spins[0])}]\n"
                f"  spins:\n    image: spinner:v1\n    command: [{json.dumps(spins[1])}]\n")
    return path


def universe(done):
    return next(line for line in map(json.loads, done.stdout.splitlines()) if line["kind"] == "universe")


def ends_replays_and_branches(directory):
    out = os.path.join(directory, "run")
    path = system(directory, "for-ever", ("", "for-ever"))
    done = universe(run("run", path, "--virtual", "3s", "--universes", "1", "--seed", "1", "--jobs", "1",
                        "--faults", "none", "--json", "--out", out, expect=(0,)))
    check("a run with an endless loop ends at its duration", done["end"] == "time_limit", str(done))
    address = done["input_hash"]
    for i in range(2):
        replay = json.loads(run("replay", out, "--json", "--moment", f"{address}@1", expect=(0,)).stdout)
        check(f"replay {i} has the same records and digest", replay["equal"], str(replay))
    branch = ["shell", out, f"{address}@2", "--json", "--node", "waits", "--", "/spinner", "once"]
    first, again = run(*branch, expect=(0,)), run(*branch, expect=(0,))
    check("a command that spins has an end on a branch, beside the endless loop", "rounds" in first.stdout,
          first.stdout)
    check("... the same once more", first.stdout == again.stdout, again.stdout)


def setup_ends(directory):
    path = system(directory, "before", ("before", "before"))
    out = os.path.join(directory, "setup")
    done = run("run", path, "--setup", "3s", "--universes", "1", "--seed", "1", "--jobs", "1", "--json", "--out",
               out, expect=(3,))
    check("endless loops before set-up end at its limit", universe(done)["end"] == "setup_timeout", done.stdout)
    why = json.loads(done.stdout.splitlines()[-1])["setup"]
    check("... and the containers are named", all(f"'{name}' computes and makes no system calls" in why
                                                  for name in ("waits", "spins")), why)


with tempfile.TemporaryDirectory() as directory:
    os.environ["EVERETT_HOME"] = os.path.join(directory, "home")
    load_image(directory)
    ends_replays_and_branches(directory)
    setup_ends(directory)
sys.exit(1 if failures else 0)
