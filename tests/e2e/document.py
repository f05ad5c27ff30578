#!/usr/bin/env python3
"""Runs docs/tutorial.md as it stands: its `sh` blocks, one after another, in one shell.

    document.py EVERETT TOOLS_DIR

Changed are only the address and the directory of the service (its first block), which is started
here, as are a Docker daemon and a mail server.
"""
import os
import re
import subprocess
import sys
import tempfile

from flow import MailSink
from tutorial import ROOT
from clients import Docker, Tools
from service import Service, Tap, expect

DOCUMENT = os.path.join(ROOT, "docs", "tutorial.md")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
RUN_S = 1200


def blocks(text, values):
    """The blocks, with NAME=... lines of the first replaced by ours."""
    found = BLOCK.findall(text)
    for name, value in values.items():
        found[0], count = re.subn(r"^%s=.*$" % name, "%s=%s" % (name, value), found[0], flags=re.M)
        expect(count, 1, "the first block sets " + name)
    return found


def shell(words, env):
    """Runs a script; the exception has its last lines."""
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", words], env=env, cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=RUN_S,
                          check=False)
    if done.returncode:
        raise AssertionError("status %d\n%s" % (done.returncode, done.stdout[-3000:]))
    return done.stdout


def environment(everett, tools, docker, work):
    """The tools as a user has them: on the PATH, told about storage and policy by environment."""
    env = dict(tools.env, DOCKER_HOST=docker.host)
    wrappers = os.path.join(work, "bin")
    os.makedirs(wrappers)
    os.symlink(everett, os.path.join(wrappers, "everett"))
    for name, options in (("skopeo", ["--policy", tools.policy, "--tmpdir", work]),
                          ("buildah", tools.storage("buildah"))):
        path = os.path.join(wrappers, name)
        with open(path, "w", encoding="ascii") as f:
            f.write('#!/bin/sh\nexec %s %s "$@"\n' % (tools.path(name), " ".join(options)))
        os.chmod(path, 0o755)
    env["PATH"] = wrappers + os.pathsep + env["PATH"]
    return env


def main():
    everett, directory = os.path.abspath(sys.argv[1]), sys.argv[2]
    tap, sink = Tap(), MailSink()
    config = "smtp_url = smtp://127.0.0.1:%d\nmail_from = everett@example.org\n" % sink.port
    with tempfile.TemporaryDirectory(prefix="everett-document-") as work:
        tools = Tools(directory, work)
        absent = [t for t in ("docker", "skopeo", "buildah") if not tools.has(t)]
        if absent:
            tap.skip("docs/tutorial.md", "not to be had: " + ", ".join(absent))
            sys.exit(tap.finish())
        with Service(everett, config).start() as service, \
                open(DOCUMENT, encoding="utf-8") as f, tap.test("docs/tutorial.md"):
            docker = Docker(tools, "127.0.0.1:%d" % service.port)
            try:
                parts = blocks(f.read(), {"SERVICE": service.dir,
                                          "HOST": "127.0.0.1:%d" % service.port})
                text = shell("\n".join(parts), environment(everett, tools, docker, work))
            finally:
                docker.stop()
            expect('"statusCode":202' in text, True, text[-3000:])
            expect("Database key values stay consistent" in text, True, text[-3000:])
            sink.wait(1, 60)
            print("# %d blocks" % len(parts))
    sink.close()
    sys.exit(tap.finish())


if __name__ == "__main__":
    main()
