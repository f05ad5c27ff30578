#!/usr/bin/env python3
"""Writes docs/syscalls.md from the rows of the system call table.

    gen_syscalls.py           write it
    gen_syscalls.py --check   fail when it is not current
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLES = os.path.join(ROOT, "src", "kernel", "syscalls")
TARGET = os.path.join(ROOT, "docs", "syscalls.md")
ROW = re.compile(r'^SYSCALL\((\d+), (\w+), "(\w*)", (FULL|PARTIAL|REFUSED), "((?:[^"\\]|\\.)*)"\)$')
INCLUDE = re.compile(r'^#include "kernel/syscalls/(table_\w+\.def)"$')
LEVELS = {"FULL": "full", "PARTIAL": "partial", "REFUSED": "refused"}
TEXT = """# System calls

Generated from `src/kernel/syscalls/table_*.def` by `tools/gen_syscalls.py`; do not edit.

*Full*: as Linux, as far as tests show. *Partial*: the note says what is missing; the missing part fails
by name. *Refused*: always answers what the note says, and is named in the report. A call that is not
listed answers ENOSYS, and is named in the report too.

%(full)d full, %(partial)d partial, %(refused)d refused.

| number | call | level | note |
|---:|---|---|---|
"""


def table_files():
    """The tables that table.def names; each table must be named there."""
    with open(os.path.join(TABLES, "table.def"), encoding="utf-8") as f:
        names = [m.group(1) for m in map(INCLUDE.match, f.read().splitlines()) if m]
    there = sorted(n for n in os.listdir(TABLES) if re.match(r"table_\w+\.def$", n))
    if sorted(names) != there:
        sys.exit("gen_syscalls: table.def names %s, there are %s" % (sorted(names), there))
    return names


def read_rows():
    rows = {}
    for name in table_files():
        last = -1
        with open(os.path.join(TABLES, name), encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                if not line.startswith("SYSCALL"):
                    continue
                match = ROW.match(line.rstrip("\n"))
                if not match:
                    sys.exit("%s:%d: not a row: %s" % (name, number, line.strip()))
                nr = int(match.group(1))
                if nr in rows or nr <= last:
                    sys.exit("%s:%d: %d is there already, or out of order" % (name, number, nr))
                rows[nr] = (match.group(2), match.group(4), match.group(5).replace('\\"', '"'))
                last = nr
    return rows


def document(rows):
    counts = {text: sum(r[1] == level for r in rows.values()) for level, text in LEVELS.items()}
    lines = [TEXT % counts]
    for nr in sorted(rows):
        name, level, note = rows[nr]
        lines.append("| %d | %s | %s | %s |\n" % (nr, name, LEVELS[level], note.replace("|", "\\|")))
    return "".join(lines)


def main():
    text = document(read_rows())
    if sys.argv[1:] == ["--check"]:
        current = ""
        if os.path.exists(TARGET):
            with open(TARGET, encoding="utf-8") as f:
                current = f.read()
        if current != text:
            sys.exit("docs/syscalls.md is not current: run tools/gen_syscalls.py")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    with open(TARGET, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
