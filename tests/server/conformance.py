#!/usr/bin/env python3
"""Runs the OCI distribution specification's conformance suite against a service of its own.

    conformance.py EVERETT BUILD_DIR

The suite is a Go module; it is fetched and built once below BUILD_DIR. The result is kept as
BUILD_DIR/conformance.json: {"version","tests","failed","skipped","cases":[{"name","state",...}]}.
Skipped when there is no Go that can build it.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

from service import Service, Tap

MODULE = "github.com/opencontainers/distribution-spec/conformance"
VERSION = "v0.0.0-20260831232431-97274622c111"
GO_MIN = (1, 24)
BUILD_S, RUN_S = 600, 300
PASSWORD = "correct horse battery"


def go_program():
    """A Go that is new enough, or None."""
    for path in (shutil.which("go"), "/usr/local/go/bin/go"):
        if path and os.path.exists(path):
            text = subprocess.run([path, "version"], capture_output=True, text=True,
                                  check=False).stdout
            match = re.search(r"go(\d+)\.(\d+)", text)
            if match and tuple(map(int, match.groups())) >= GO_MIN:
                return path
    return None


class Absent(str):
    """Why the suite is not to be had."""


def build(directory):
    """Path of the suite's program, or Absent."""
    os.makedirs(directory, exist_ok=True)
    program = os.path.join(directory, "conformance-" + VERSION)
    if os.path.exists(program):
        return program
    go = go_program()
    if not go:
        return Absent("it takes Go %d.%d or later" % GO_MIN)
    source = os.path.join(directory, "conformance-src")
    try:
        done = subprocess.run([go, "mod", "download", "-json", MODULE + "@" + VERSION],
                              capture_output=True, text=True, timeout=BUILD_S, check=True,
                              cwd=directory)
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(json.loads(done.stdout)["Dir"], source, copy_function=shutil.copyfile)
        for folder, _, _ in os.walk(source):
            os.chmod(folder, 0o755)
        subprocess.run([go, "build", "-buildvcs=false", "-o", program, "."], cwd=source,
                       timeout=BUILD_S, check=True, capture_output=True, text=True)
    except subprocess.SubprocessError as failure:
        return Absent("%s: %s" % (failure, getattr(failure, "stderr", None)))
    return program


def cases(path):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        state, text = "passed", ""
        for kind in ("failure", "error", "skipped"):
            element = case.find(kind)
            if element is not None:
                state = "skipped" if kind == "skipped" else "failed"
                text = (element.get("message") or "") + (element.text or "")
        yield {"name": case.get("name"), "state": state, "detail": text[:2000]}


def run(everett, program, directory):
    """The result as written to conformance.json."""
    results = os.path.join(directory, "conformance-results")
    shutil.rmtree(results, ignore_errors=True)
    with Service(everett).start() as service:
        service.account("conformance", PASSWORD)
        env = dict(os.environ, OCI_REGISTRY="127.0.0.1:%d" % service.port, OCI_TLS="disabled",
                   OCI_USERNAME="conformance", OCI_PASSWORD=PASSWORD, OCI_RESULTS_DIR=results,
                   OCI_VERSION="1.1", OCI_API_BLOBS_DIGEST_HEADER="true",
                   OCI_API_BLOBS_UPLOAD_CANCEL="true", OCI_API_MANIFESTS_DIGEST_HEADER="true",
                   OCI_API_MANIFESTS_TAG_PARAM="true")
        done = subprocess.run([program], env=env, cwd=directory, capture_output=True, text=True,
                              timeout=RUN_S, check=False)
    listed = list(cases(os.path.join(results, "junit.xml")))
    result = {"module": MODULE, "version": VERSION, "exit_status": done.returncode,
              "tests": len(listed),
              "passed": sum(c["state"] == "passed" for c in listed),
              "failed": sum(c["state"] == "failed" for c in listed),
              "skipped": sum(c["state"] == "skipped" for c in listed), "cases": listed}
    with open(os.path.join(directory, "conformance.json"), "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
    return result


def main():
    everett, directory = sys.argv[1:3]
    tap = Tap()
    program = build(os.path.abspath(directory))
    if isinstance(program, Absent):
        tap.skip("distribution-spec conformance", str(program))
        sys.exit(tap.finish())
    with tap.test("distribution-spec conformance"):
        result = run(everett, program, os.path.abspath(directory))
        print("# %(tests)d tests, %(passed)d passed, %(failed)d failed, %(skipped)d skipped"
              % result)
        bad = ["%(state)s: %(name)s\n%(detail)s" % c for c in result["cases"]
               if c["state"] == "failed"]
        if bad or result["exit_status"] or not result["passed"]:
            raise AssertionError("status %d\n%s" % (result["exit_status"], "\n".join(bad)))
    sys.exit(tap.finish())


if __name__ == "__main__":
    main()
