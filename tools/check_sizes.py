#!/usr/bin/env python3
"""Checks the limits of CONTRIBUTING.md: functions to 70 lines, files to 600 lines (said; over 800
fails), headers to 200, parameters to 6 (said; over 8 fails).

    check_sizes.py [SOURCE_ROOT]

The scanner relies on the house's layout: the braces of a function stand in the first column.
"""
import os
import re
import sys

FUNCTION_MAX, PARAMETERS_SAID, PARAMETERS_MAX = 70, 6, 8
FILE_SAID, FILE_MAX, HEADER_MAX = 600, 800, 200
FOLDERS = ["src", "sdk", "include", "tests", "examples", "bench"]
SIGNATURE = re.compile(r"(\w+)\s*\(")


def parameters(signature):
    """How many parameters the last parenthesis before the body lists."""
    depth, count, text = 0, 0, signature[signature.index("("):]
    for c in text:
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                break
        elif c == "," and depth == 1:
            count += 1
    inner = text[1:text.index(")")].strip() if ")" in text else ""
    return 0 if inner in ("", "void") else count + 1


def functions(lines):
    """(first line, last line, name, parameters) of each function."""
    start = None
    for i, line in enumerate(lines):
        if line.rstrip() == "{" and i > 0:
            first = i
            while first > 0 and lines[first - 1].strip() and lines[first - 1][0] not in "}#/ *" + "\t":
                first -= 1
            while first > 0 and lines[first - 1].startswith((" ", "\t")) and lines[first - 1].strip():
                first -= 1  # a signature of several lines
                while first > 0 and lines[first - 1].strip() and lines[first - 1][0] not in "}#/ *\t":
                    first -= 1
            signature = " ".join(lines[first:i])
            match = SIGNATURE.search(signature)
            start = (first, match.group(1), signature) if match else None
        elif line.startswith("}") and start:
            yield start[0] + 1, i + 1, start[1], parameters(start[2])
            start = None


def check(path, relative, faults, said):
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    count = len(lines) - 1
    limit = HEADER_MAX if relative.endswith(".h") else FILE_MAX
    if count > limit:
        faults.append("%s: %d lines, more than %d" % (relative, count, limit))
    elif count > FILE_SAID:
        said.append("%s: %d lines, more than %d" % (relative, count, FILE_SAID))
    for first, last, name, arguments in functions(lines):
        if last - first + 1 > FUNCTION_MAX:
            faults.append("%s:%d: %s has %d lines, more than %d" % (
                relative, first, name, last - first + 1, FUNCTION_MAX))
        if arguments > PARAMETERS_SAID:
            hard = arguments > PARAMETERS_MAX and not relative.startswith("tests")
            (faults if hard else said).append("%s:%d: %s has %d parameters, more than %d" % (
                relative, first, name, arguments, PARAMETERS_SAID))


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    faults, said, count = [], [], 0
    for folder in FOLDERS:
        for path, folders, files in os.walk(os.path.join(root, folder)):
            folders[:] = sorted(f for f in folders if f != "node_modules")
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    full = os.path.join(path, name)
                    check(full, os.path.relpath(full, root), faults, said)
                    count += 1
    for line in said:
        print("long: " + line)
    for line in faults:
        print(line)
    print("check_sizes: %d files, %d faults" % (count, len(faults)))
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main())
