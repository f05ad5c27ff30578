"""The project's own guest tests, one row for each test in each program (glibc and musl)."""
import os
import re

from fetch import Unavailable, call
from group import Group

NAME = "guest"
WHAT = "Everett's own guest tests, each built with glibc and with musl"
SILENT = {"skip"}
LINE = re.compile(r"^(ok|not ok) (?:\d+ - )?(\S+)(.*)$")


def parse(text):
    results = {}
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            word, name, rest = match.groups()
            word = "skip" if word == "ok" and "# SKIP" in rest else word
            results[name] = (word, rest.strip()[:160])
    return results, None


def test_names(program):
    """The tests in the program's own table: what it reports when it runs."""
    return sorted(parse(call([program], 300))[0])


def groups(context):
    where = os.path.join(context.build, "tests", "guest")
    programs = sorted(f for f in os.listdir(where) if f.endswith((".glibc", ".musl")))
    if not programs:
        raise Unavailable("no programs in %s: build first" % where)
    for name in programs:
        path = os.path.join(where, name)

        def command(names, path=path):
            return ["/bin/sh", "-c", 'exec "$0" $(cat "$1")', path, names]

        yield Group(name, context.listed(name, lambda path=path: test_names(path)), command, 180,
                    parse=parse, cwd="/tmp")
