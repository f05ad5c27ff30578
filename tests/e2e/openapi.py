#!/usr/bin/env python3
"""The service's own OpenAPI document against the service: schemathesis makes requests from it and
checks the answers (statuses, types, schemas, refusals of what is wrong).

    openapi.py EVERETT TOOLS_DIR

schemathesis (PyPI) goes into a virtual environment below TOOLS_DIR; skipped when it cannot be had.
"""
import os
import subprocess
import sys
import tempfile

from tutorial import PASSWORD, USER, Flow
from service import Service, Tap  # in the folder that flow.py has put on the path

PACKAGE = "schemathesis==4.32.5"
INSTALL_S, RUN_S = 600, 900
EXAMPLES = 40  # a request of each operation


class Options:
    """What tutorial.Flow reads: a run to ask about."""
    example, minutes, tools = "broken-counter", 0.1, None


def install(directory):
    """Path of the program, or None with the reason."""
    root = os.path.join(os.path.abspath(directory), "schemathesis")
    program = os.path.join(root, "bin", "schemathesis")
    if os.path.exists(program):
        return program, ""
    try:
        subprocess.run([sys.executable, "-m", "venv", root], check=True, capture_output=True,
                       timeout=INSTALL_S)
        subprocess.run([os.path.join(root, "bin", "pip"), "install", "-q", PACKAGE], check=True,
                       capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.SubprocessError as failure:
        return None, "%s %s" % (failure, getattr(failure, "stderr", None))
    return program, ""


def main():
    everett, directory = sys.argv[1:3]
    tap = Tap()
    program, why = install(directory)
    if not program:
        tap.skip("schemathesis", why.replace("\n", " "))
        sys.exit(tap.finish())
    with tempfile.TemporaryDirectory(prefix="everett-openapi-") as work, \
            Service(everett, "rate_per_minute = 0\n").start() as service:
        service.account(USER, PASSWORD)
        flow = Flow(service, None, Options, work)
        tap.run([flow.images_are_pushed, flow.curl_launches, flow.run_completes])
        with tap.test("schemathesis"):
            done = subprocess.run(
                [program, "run", service.address + "/api/openapi.json",
                 "--header", "Authorization: Bearer " + service.token(USER),
                 # That every request of the right shape is accepted cannot be asked: names of
                 # launchers, moments and queries mean something.
                 "--checks", "all", "--exclude-checks", "positive_data_acceptance", "--phases", "examples,coverage,fuzzing",
                 "--max-examples", str(EXAMPLES), "--seed", "1", "--continue-on-failure",
                 "--request-timeout", "60", "--no-color"],
                text=True, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=RUN_S, check=False)
            print("\n".join("# " + line for line in done.stdout.splitlines()[-12:]))
            if done.returncode:
                raise AssertionError("status %d\n%s" % (done.returncode, done.stdout))
    sys.exit(tap.finish())


if __name__ == "__main__":
    main()
