"""Tests that one command runs in order, and how to read what it prints."""
import hashlib
import os
import re

BEGIN = re.compile(r"^@begin (.*)$")
END = re.compile(r"^@end ([^\t]*)\t([^\t]*)\t(.*)$")


class Group:
    """command(FILE) makes the arguments; FILE holds the names of the tests to run, one a line."""

    def __init__(self, name, tests, command, limit_s, parse=None, env=None, cwd=None, cost_s=0):
        self.name = name
        self.tests = tests
        self.command = command
        self.limit_s = limit_s  # of the host's time, for one run of all
        self.parse = parse or parse_lines
        self.env = env
        self.cwd = cwd
        self.cost_s = cost_s  # what one test takes at least, for those that run alone


def parse_lines(text):
    """({test: (result, note)}, the test that had begun when the text ended, or None)."""
    results, current = {}, None
    for line in text.splitlines():
        match = BEGIN.match(line)
        if match:
            current = match.group(1)
            continue
        match = END.match(line)
        if match:
            results[match.group(1)] = (match.group(2), match.group(3).strip())
            current = None
    return results, current


def names_file(directory, names):
    """A file that holds the names; its own name follows from them, as universes see it."""
    text = "".join(name + "\n" for name in names)
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, hashlib.sha256(text.encode()).hexdigest()[:16])
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    return path


def run(world, group, names, scratch, deadline):
    """Runs tests until each has a result: one that ends the run is named, the others go on.

    Returns ({test: (result, note)}, what Everett lacks). deadline() is the seconds left.
    """
    results, lacks, left = {}, set(), list(names)
    while left:
        limit_s = min(group.limit_s, deadline())
        if limit_s < 1:
            break
        command = group.command(names_file(scratch, left))
        outcome = world.run(command, limit_s, group.env, group.cwd)
        lacks.update(outcome.lacks)
        found, current = group.parse(outcome.text)
        results.update((n, r) for n, r in found.items() if n in left)
        why = "hang" if outcome.status is None else "end %s" % outcome.status
        errors = [l for l in outcome.errors.splitlines() if l.strip()]
        note = errors[-1][:160] if errors else ""
        if current in left and current not in results:
            results[current] = (why, note)
        elif not any(n in results for n in left):
            results[left[0]] = (why, note)
        elif not current and outcome.status is not None:
            # The command came to its end: what it passed over will not come either.
            results.update((n, ("missing", note)) for n in left if n not in results)
        left = [n for n in left if n not in results]
    return results, sorted(lacks)
