"""The tests of Go's standard library, as static programs: a runtime that makes its own calls."""
import os
import re

from fetch import Unavailable, call
from group import Group

NAME = "go"
WHAT = "Go 1.19 standard library tests (Debian golang-1.19), static, -test.short"
SILENT = {"skip"}
GO = "/usr/lib/go-1.19/bin/go"
ROOT = "/usr/lib/go-1.19"
PACKAGES = "syscall time os os/signal os/exec internal/poll sync net net/http runtime".split()
EVENT = re.compile(r"^(=== (RUN|PAUSE|CONT) +|--- (PASS|FAIL|SKIP): )(\w+)(?: |$)")
WORDS = {"PASS": "ok", "FAIL": "fail", "SKIP": "skip"}


def parse(text):
    """Results of tests at the top level; the current one is the last that neither ended nor paused."""
    results, active = {}, []
    for line in text.splitlines():
        match = EVENT.match(line)
        if not match:
            continue
        what, ended, name = match.group(2), match.group(3), match.group(4)
        active = [n for n in active if n != name]
        if ended:
            results[name] = (WORDS[ended], "")
        elif what != "PAUSE":
            active.append(name)
    return results, active[-1] if active else None


def build(context, package):
    program = os.path.join(context.work, package.replace("/", "_") + ".test")
    if not os.path.exists(program):
        env = dict(os.environ, CGO_ENABLED="0", GOROOT=ROOT, GOTOOLCHAIN="local", GOFLAGS="",
                   GOCACHE=os.path.join(context.work, "cache"))
        call([GO, "test", "-c", "-tags", "timetzdata", "-p", str(context.jobs), "-o", program, package], 900, env=env,
             cwd=context.work)
    return program


def groups(context):
    if not os.path.exists(GO):
        raise Unavailable("%s is missing: apt-get install golang-1.19" % GO)
    # GO_GCFLAGS makes tests that would compile programs skip: the compiler is not what is tested.
    env = {"GO_GCFLAGS": "-e", "GOROOT": ROOT}
    for package in PACKAGES:
        program = build(context, package)

        def listing(program=program):
            found = call([program, "-test.list", "."], 60, env=dict(os.environ, **env))
            return [n for n in found.split() if n.startswith("Test")]

        def command(names, program=program):
            run = 'exec "$0" -test.v -test.short -test.run "^($(paste -sd "|" "$1"))\\$"'
            return ["/bin/sh", "-c", run, program, names]

        yield Group(package, context.listed(package, listing), command, 240, parse=parse, env=env,
                    cwd=os.path.join(ROOT, "src", package))
