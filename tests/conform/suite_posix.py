"""The Open POSIX test suite: one small program for each assertion of the standard."""
import json
import os
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor

from fetch import need
from group import Group

NAME = "posix"
WHAT = "Open POSIX test suite 1.5.2 (Debian posixtestsuite 1.5.2-8), its C programs"
SILENT = {"exit 4", "exit 5"}  # UNSUPPORTED, UNTESTED
VERSION = "1.5.2-8"
FILES = {
    "posixtestsuite_1.5.2.orig.tar.gz":
        "15a2185672127cba851d35ec9d538ff6148defdbb75f99c7e9c50aeba0f94757",
    "posixtestsuite_1.5.2-8.debian.tar.xz":
        "56bcecc2e99f57b88ed493bd0d5e48f0731c85651b6fc41a60922c9e184864b3",
}
LIMIT_S = 30
FLAGS = ["-w", "-O1", "-std=gnu99", "-D_GNU_SOURCE"]
LIBRARIES = ["-lpthread", "-lrt", "-lm"]


def unpack(context):
    top = os.path.join(context.work, "posixtestsuite")
    if not os.path.exists(os.path.join(top, ".unpacked")):
        original, debian = context.cache.source("posixtestsuite", VERSION, FILES)
        for path in (original, debian):
            with tarfile.open(path) as f:
                f.extractall(context.work)
        patches = os.path.join(context.work, "debian", "patches")
        with open(os.path.join(patches, "series"), encoding="utf-8") as f:
            for name in f.read().split():
                subprocess.run(["patch", "-s", "-p1", "-d", top, "-i", os.path.join(patches, name)],
                               check=True, stdout=subprocess.DEVNULL)
        open(os.path.join(top, ".unpacked"), "w", encoding="utf-8").close()
    return top


def sources(top):
    """(test, path) of every program, and the sources beside it that are no tests."""
    for part in ("interfaces", "definitions", "behavior"):
        for place, dirs, files in os.walk(os.path.join(top, "conformance", part)):
            dirs.sort()
            for name in sorted(files):
                if name.endswith(".c") and name[0].isdigit():
                    path = os.path.join(place, name)
                    yield os.path.relpath(path[:-2], os.path.join(top, "conformance")), path


def compile_one(job):
    """The program's path, or None: what has no main, and what this compiler rejects, is no test."""
    path, include, to = job
    failed = to + ".failed"
    if os.path.exists(failed):
        return None
    if not os.path.exists(to):
        os.makedirs(os.path.dirname(to), exist_ok=True)
        done = subprocess.run(["gcc", *FLAGS, "-I", include, "-o", to + ".new", path, *LIBRARIES],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            with open(failed, "wb") as f:
                f.write(done.stdout)
            return None
        os.rename(to + ".new", to)
    return to


def build(context, top, tests):
    """{test: command} of the tests that could be built."""
    jobs = [(path, os.path.join(top, "include"), os.path.join(context.work, "bin", test))
            for test, path in tests.items()]
    with ThreadPoolExecutor(context.jobs) as pool:
        return {test: [program] for test, program in zip(tests, pool.map(compile_one, jobs))
                if program}


def groups(context):
    need("gcc", "gcc")
    need("patch", "patch")
    top = unpack(context)
    each = os.path.join(context.here, "each.py")
    by_group = {}
    for test, path in sources(top):
        by_group.setdefault(os.path.dirname(test), {})[test] = path
    for name, tests in by_group.items():
        commands = build(context, top, tests)
        if not commands:
            continue
        listing = os.path.join(context.work, "list", name.replace("/", ".") + ".json")
        os.makedirs(os.path.dirname(listing), exist_ok=True)
        with open(listing, "w", encoding="utf-8") as f:
            json.dump(commands, f, sort_keys=True)

        def command(names, listing=listing):
            return ["/usr/bin/python3", each, str(LIMIT_S), listing, "--names", names]

        yield Group(name.replace("interfaces/", ""), sorted(commands), command, 60)
