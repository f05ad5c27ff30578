#!/usr/bin/env python3
"""Checks that includes go only where ARCHITECTURE.md lets them, and how they are written.

    check_layers.py [SOURCE_ROOT]

A folder below src/ may include itself and what ALLOWED names. A file's own header comes first (it
proves that the header stands alone), paths start at src/, and headers have guards.
"""
import os
import re
import sys

LEAVES = {"abi", "base"}
ALLOWED = {
    "base": set(),
    "abi": set(),
    "kernel": LEAVES,
    "director": LEAVES | {"kernel"},
    "entry": LEAVES | {"kernel", "director"},  # boots both; nothing includes entry
    "image": LEAVES,
    "compose": LEAVES,
    "store": LEAVES,
    "report": LEAVES | {"store"},
    "runner": LEAVES | {"image", "compose"},
    "explorer": LEAVES | {"runner", "image", "compose", "store"},
    "server": LEAVES | {"image", "compose", "store", "report"},  # runs are child processes
    "cli": LEAVES | {"server", "explorer", "runner", "image", "compose", "store", "report"},
}
# Headers that only the two sides of a seam may see.
SEAMS = {
    "kernel/port.h": {"kernel", "director", "entry"},
}
# Inside a guest process there is no libc; the headers of the Linux ABI (linux/, asm/) are data.
FREESTANDING = {"kernel", "director", "entry", "abi"}
FREE_HEADERS = {"stddef.h", "stdint.h", "stdbool.h", "stdarg.h", "limits.h", "immintrin.h", "cpuid.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def includes_of(path):
    """(line number, system?, name) of each include, in order."""
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1) == "<", match.group(2)


def check_own_header(src, relative, rows):
    own = relative[:-2] + ".h"
    if not relative.endswith(".c") or not os.path.exists(os.path.join(src, own)) or not rows:
        return
    if rows[0][2] not in (own, own[:-2] + "_priv.h"):  # the private one includes the public one
        yield "%s:%d: its own header %s must come first" % (relative, rows[0][0], own)


def check_file(src, relative):
    folder = relative.split(os.sep)[0]
    rows = list(includes_of(os.path.join(src, relative)))
    yield from check_own_header(src, relative, rows)
    for number, system, name in rows:
        where = "%s:%d" % (relative, number)
        if system:
            free = name in FREE_HEADERS or name.startswith(("linux/", "asm/"))
            if folder in FREESTANDING and not free:
                yield "%s: <%s> in code that has no libc" % (where, name)
            continue
        target = name.split("/")[0]
        if name.startswith("."):
            yield "%s: \"%s\": write the path from src/" % (where, name)
        elif target in ALLOWED and target != folder and target not in ALLOWED[folder]:
            yield "%s: %s may not include %s (\"%s\")" % (where, folder, target, name)
        elif name in SEAMS and folder not in SEAMS[name]:
            yield "%s: \"%s\" is only for %s" % (where, name, ", ".join(sorted(SEAMS[name])))
    if relative.endswith(".h"):
        with open(os.path.join(src, relative), encoding="utf-8") as f:
            if not re.search(r"^#ifndef EVERETT_\w+_H$", f.read(), re.M):
                yield "%s: no include guard EVERETT_..._H" % relative


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    src = os.path.join(root, "src")
    faults, count = [], 0
    for path, folders, files in os.walk(src):
        folders.sort()
        for name in sorted(files):
            if name.endswith((".c", ".h")):
                relative = os.path.relpath(os.path.join(path, name), src)
                if relative.split(os.sep)[0] not in ALLOWED:
                    faults.append("%s: a folder that ALLOWED does not know" % relative)
                    continue
                faults += check_file(src, relative)
                count += 1
    for fault in faults:
        print(fault)
    if not count:
        faults.append("")
        print("no sources below %s" % src)
    print("check_layers: %d files, %d faults" % (count, len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
