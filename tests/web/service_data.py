#!/usr/bin/env python3
"""A directory of the service with a thousand runs, as tests of its pages need it.

    service_data.py DIR EVERETT MAKE_SYNTHETIC MAKE_LARGE    before the server starts
    service_data.py DIR running                              adds a run that seems to go on

Prints JSON: the ids of what is special. Nothing here is random.
"""
import json
import os
import shutil
import sqlite3
import subprocess
import sys

NOW = 1795370647000
QUEUED, STARTING, RUNNING, COMPLETED, CANCELLED, INCOMPLETE = range(1, 7)
PASSWORD = "correct horse battery"
SOURCES = ["main", "feature/snapshots", "release-3.5", "nightly"]
COLUMNS = ("id status created_ms started_ms completed_ms launcher creator_name creator_type description "
           "test_name source commit_id params error verdict duration_s universes virtual_ns wall_ns "
           "behaviours failed never passed found_new found_rare found_ongoing found_resolved "
           "is_ephemeral").split()


def run_id(number):
    return f"{number * 0x9e3779b97f4a7c15 % 2**128:032x}-60-{number}"


def row(number, **changes):
    """An ordinary run of number 0 (oldest) to 999."""
    failed = (number % 7 == 3) + (number % 31 == 9)
    started = NOW - (1000 - number) * 3600_000
    values = dict(
        id=run_id(number), status=COMPLETED, created_ms=started - 4000, started_ms=started,
        completed_ms=started + 905_000, launcher="basic_test",
        creator_name=["ci", "ana", "tomasz"][number % 3], creator_type="user",
        description=f"Counter on three etcd members, change {number}",
        test_name=["etcd counter", "etcd snapshots", None][number % 3],
        source=SOURCES[number % 4], commit_id=f"{number * 0x9e3779b1 % 2**32:08x}c0ffee",
        params=json.dumps({"antithesis.duration": "15", "antithesis.config_image": "etcd-config:latest",
                           "antithesis.description": f"change {number}"}),
        error=None, verdict="failed" if failed else "passed", duration_s=900, universes=200 + number,
        virtual_ns=(12_000 + number) * 10**9, wall_ns=905 * 10**9, behaviours=400 + number % 50,
        failed=failed, never=number % 5 == 0, passed=9, found_new=failed if number % 2 else 0,
        found_rare=0, found_ongoing=0 if number % 2 else failed, found_resolved=number % 7 == 4,
        is_ephemeral=number % 97 == 0)
    values.update(changes)
    return values


def insert(db, values):
    marks = ",".join("?" * len(COLUMNS))
    db.execute(f"INSERT INTO run ({','.join(COLUMNS)}) VALUES ({marks})",
               [values[name] for name in COLUMNS])
    return values["id"]


def special(db, directory, number, run_dir, earlier=(), **changes):
    """A run with a run directory."""
    name = insert(db, row(number, **changes))
    target = f"{directory}/runs/{name}"
    os.makedirs(target)
    if run_dir:
        shutil.copytree(run_dir, f"{target}/run")
        with open(f"{target}/run/history", "w") as f:
            f.writelines(f"{path}\n" for path in earlier)
    with open(f"{target}/build_log.ndjson", "w") as f:
        for i, text in enumerate(["etcd-config:latest is sha256:6b4a3f1c9e5d in the registry",
                                  "unpacked docker-compose.yaml and 3 other files",
                                  "etcd:v3.5.4 is sha256:0c2d4e6f8091 in the registry",
                                  "<script>document.title='broken out'</script>"]):
            f.write(json.dumps({"timestamp": f"2026-11-22T18:03:{50 + i}.120Z", "text": text,
                                "stream": "stderr" if i == 3 else "stdout"}) + "\n")
    return name


def make_registry(db):
    for r, name in enumerate(["etcd-config", "etcd", "library/etcd-client", "team/" + "deep/" * 6 + "image"]):
        db.execute("INSERT INTO repository VALUES (?,?)", (r + 1, name))
        for t in range(3 if r else 1):
            digest = f"sha256:{r * 16 + t:064x}"
            layer = f"sha256:{0xabc000 + r * 16 + t:064x}"
            db.execute("INSERT INTO blob VALUES (?,?,?)", (layer, 31_457_280 * (r + 1) + t, NOW // 1000))
            db.execute("INSERT INTO repository_blob VALUES (?,?)", (r + 1, layer))
            db.execute("INSERT INTO manifest_blob VALUES (?,?,?)", (r + 1, digest, layer))
            tag = "latest" if t == 0 else f"v3.5.{t + 3}"
            db.execute("INSERT INTO tag VALUES (?,?,?,?)", (r + 1, tag, digest, NOW // 1000 - t * 86400))


def prepare(directory, everett, make_synthetic, make_large):
    work = directory + ".work"
    shutil.rmtree(work, ignore_errors=True)
    subprocess.run([make_synthetic, work], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([make_large, work + "/large", "10000", "3"], check=True)
    for name, scopes in [("admin", "read,launch,push,admin"), ("reader", "read")]:
        subprocess.run([everett, "account", "create", name, "--dir", directory, "--scopes", scopes,
                        "--password-stdin"], input=PASSWORD + "\n", text=True, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run([everett, "token", "create", "--dir", directory, "--account", "ci", "--scopes",
                    "launch,push"], check=True, stdout=subprocess.DEVNULL)
    db = sqlite3.connect(directory + "/server.db")
    for number in range(990):
        insert(db, row(number))
    old = special(db, directory, 990, work + "/etcd/2026-11-21T18-04", source="main", failed=1,
                  verdict="failed", found_new=1)
    earlier = [f"{directory}/runs/{old}/run"]
    out = dict(
        password=PASSWORD, earlier=old,
        large=special(db, directory, 991, work + "/large", source="large", test_name="ten thousand",
                      failed=100, verdict="failed", found_new=100, never=200, passed=9700),
        setup=special(db, directory, 992, work + "/setup/run", source="main", status=INCOMPLETE,
                      verdict="setup_failed", failed=1, test_name="etcd counter",
                      error="container etcd2 exited with code 2 during set-up\n"
                            "  etcd: error while loading configuration: no such file"),
        missing=special(db, directory, 993, None, source="main", status=INCOMPLETE, verdict=None,
                        failed=0, never=0, passed=0, found_new=0, virtual_ns=0,
                        error="image etcd:v9 is not in the registry; push it, or name another tag"),
        cancelled=special(db, directory, 994, work + "/passing/run", source="main", status=CANCELLED,
                          failed=0, verdict="passed"),
        passing=special(db, directory, 995, work + "/passing/run", earlier, source="main", failed=0,
                        never=1, verdict="passed", found_new=0, found_resolved=1),
        failing=special(db, directory, 996, work + "/etcd/2026-11-22T18-04", earlier, source="main",
                        failed=2, never=1, verdict="failed", found_new=2, found_rare=1, found_ongoing=0,
                        test_name="etcd counter", description="Counter <b>under</b> partitions & kills",
                        params=json.dumps({"antithesis.duration": 15, "custom.note": "<img src=x>",
                                           "antithesis.integrations.slack.token": "xoxb-secret"})))
    make_registry(db)
    db.commit()
    shutil.rmtree(work)
    return out


def running(directory):
    db = sqlite3.connect(directory + "/server.db", timeout=20)
    passing = db.execute("SELECT id FROM run WHERE number = 996").fetchone()[0]
    going = row(998, status=RUNNING, completed_ms=0, verdict=None, failed=1, found_new=0, never=0,
                source="main", wall_ns=312 * 10**9, test_name="etcd counter")
    insert(db, going)
    waiting = row(999, status=QUEUED, started_ms=0, completed_ms=0, verdict=None, failed=0, never=0,
                  found_new=0, virtual_ns=0, wall_ns=0, universes=0, behaviours=0, passed=0)
    insert(db, waiting)
    db.commit()
    for name in (going["id"], waiting["id"]):
        os.makedirs(f"{directory}/runs/{name}")
    shutil.copytree(f"{directory}/runs/{passing}/run", f"{directory}/runs/{going['id']}/run")
    return dict(running=going["id"], waiting=waiting["id"])


if __name__ == "__main__":
    args = sys.argv[1:]
    print(json.dumps(running(args[0]) if args[1] == "running" else prepare(*args)))
