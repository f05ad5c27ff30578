"""Running programs under `everett exec` and natively, for the tests in this folder."""
import json
import os
import shutil
import subprocess
import tempfile
import time


class Result:
    """How a command ended: status (text when it was killed), output, errors, wall time; inside also
    the summary that everett wrote."""

    def __init__(self, status, output, errors, seconds, summary=None):
        self.status = status
        self.output = output
        self.errors = errors
        self.seconds = seconds
        self.summary = summary or {}

    @property
    def digest(self):
        return self.summary.get("digest")

    def last_words(self, lines=12):
        text = "\n".join((self.errors.strip() or self.output.strip()).splitlines()[-lines:])
        return "    | " + text.replace("\n", "\n    | ")


def run(command, limit_s, env=None, cwd=None):
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=env, cwd=cwd, start_new_session=True)
    try:
        out, err = process.communicate(timeout=limit_s)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            out, err = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            out, err = process.communicate()
        status = "no end after %d s" % limit_s
    return Result(status, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"),
                  time.monotonic() - began)


def inside(everett, home, options, command, limit_s, env=None, cwd=None, prefix=()):
    """`prefix` goes before everett itself (setarch, nice); `env` and `cwd` are the caller's."""
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "summary.json")
        full = [*prefix, everett, "exec", "--summary", path, *options, "--", *command]
        result = run(full, limit_s, dict(env if env is not None else os.environ, EVERETT_HOME=home),
                     cwd)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                result.summary = json.load(f)
    return result


def missing(names):
    """Those of the commands that are not installed."""
    return [n for n in names if not shutil.which(n)]
