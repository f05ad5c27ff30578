#!/usr/bin/env python3
"""The published snouty command line (crates.io) against a service of its own.

    snouty.py EVERETT TOOLS_DIR [VERSION]

The program is built once with cargo below TOOLS_DIR; without cargo, or without the crate, the test
is skipped. Configuration is by environment, as its manual says: ANTITHESIS_BASE_URL,
ANTITHESIS_API_KEY.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from flow import Api
from service import Service, Tap, expect, expect_in
from tutorial import PASSWORD, USER, Flow

VERSION = "0.8.0"
BUILD_S, RUN_S = 2400, 120
MINUTES = 0.2


class Options:
    """What tutorial.Flow reads."""
    example, minutes, tools = "broken-counter", MINUTES, None


def build(directory, version):
    """Path of the program, or None with the reason."""
    root = os.path.join(os.path.abspath(directory), "snouty-" + version)
    program = os.path.join(root, "bin", "snouty")
    if os.path.exists(program):
        return program, ""
    cargo = shutil.which("cargo") or os.path.expanduser("~/.cargo/bin/cargo")
    if not os.path.exists(cargo):
        return None, "cargo is not installed"
    done = subprocess.run([cargo, "install", "snouty", "--version", version, "--locked", "--root",
                           root, "--target-dir", os.path.join(directory, "snouty-target")],
                          capture_output=True, text=True, timeout=BUILD_S, check=False)
    if done.returncode:
        return None, "cargo install snouty: " + done.stderr[-500:]
    return program, ""


class Snouty:
    def __init__(self, program, service, key, home):
        self.program = program
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("ANTITHESIS_")}
        self.env.update(ANTITHESIS_BASE_URL=service.address, ANTITHESIS_API_KEY=key, HOME=home,
                        ANTITHESIS_TENANT="tenant", XDG_RUNTIME_DIR=home, XDG_CONFIG_HOME=home,
                        XDG_CACHE_HOME=home, TZ="UTC", NO_COLOR="1",
                        ANTITHESIS_REPOSITORY="127.0.0.1:%d/tenant-repository" % service.port,
                        SNOUTY_UNSTABLE_FEATURES="runs-search,runs-exec")

    def __call__(self, *words, stdin=None):
        done = subprocess.run([self.program, *words], env=self.env, input=stdin, text=True,
                              cwd=self.env["HOME"], capture_output=True, timeout=RUN_S,
                              check=False)
        if done.returncode:
            raise AssertionError("snouty %s: status %d\n%s%s" % (
                " ".join(words), done.returncode, done.stdout, done.stderr))
        return done.stdout

    def lines(self, *words):
        """Objects of its NDJSON output."""
        return [json.loads(line) for line in self("--json", *words).splitlines()]


class Checks:
    def __init__(self, service, snouty, flow):
        self.service, self.snouty, self.flow = service, snouty, flow
        self.run_id = self.moment = None

    def snouty_doctor(self):
        report = json.loads(self.subset("--json", "doctor"))
        text = json.dumps(report)
        expect_in("API key provided", text)
        expect_in("API reachable", text)

    def subset(self, *words):
        """Output whatever the status: doctor also wants a container engine on this machine."""
        return subprocess.run([self.snouty.program, *words], env=self.snouty.env, text=True,
                              cwd=self.snouty.env["HOME"], capture_output=True, timeout=RUN_S,
                              check=False).stdout

    def snouty_launch(self):
        answer = json.loads(self.snouty(
            "launch", "--json", "--launcher", "basic_test", "--config-image",
            "127.0.0.1:%d/tenant-repository/config:v2" % self.service.port,
            "--test-name", "from snouty", "--description", "nightly test run",
            "--param", "antithesis.duration=%s" % MINUTES, "--recipients", "team@example.org", "--source", "main",
            "--param", "attrs.team=payments", "--param", "my.custom.property=value"))
        self.run_id = answer["runId"]

    def snouty_runs_list_while_it_runs(self):
        expect_in(self.run_id, [r["run_id"] for r in self.snouty.lines("runs", "list")])
        expect_in(self.run_id, self.snouty("runs"))

    def snouty_runs_wait(self):
        self.flow.api.wait_ended(self.run_id, MINUTES * 60 + 240)
        answer = json.loads(self.snouty("--json", "runs", "wait", self.run_id))
        expect(answer["status"], "completed", answer)

    def snouty_runs_list(self):
        text = self.snouty("runs", "list", "--status", "completed", "--launcher", "basic_test")
        expect_in(self.run_id, text)
        expect_in("from snouty", text)
        expect(self.snouty.lines("runs", "list", "--status", "cancelled"), [])

    def snouty_runs_show(self):
        text = self.snouty("runs", "show", self.run_id)
        for word in (self.run_id, "completed", "basic_test", "nightly test run", "payments",
                     "main"):
            expect_in(word, text)
        url = json.loads(self.snouty("--json", "runs", "show", self.run_id, "--web"))["url"]
        expect_in("/runs/%s/report" % self.run_id, url)

    def snouty_runs_properties(self):
        failing = self.snouty.lines("runs", "properties", self.run_id, "--failing")
        expect([p["name"] for p in failing], self.flow.example["failing"])
        passing = self.snouty.lines("runs", "properties", self.run_id, "--passing")
        expect(len(passing) > 5, True, "passing properties")
        expect_in(self.flow.example["failing"][0],
                  self.snouty("runs", "properties", self.run_id))
        self.moment = next(e["moment"] for e in failing[0]["counterexamples"])
        detail = self.snouty("runs", "properties", self.run_id, "--failing", "--detail")
        expect_in(str(self.moment["input_hash"]), detail)

    def snouty_runs_build_logs(self):
        text = self.snouty("runs", "build-logs", self.run_id)
        expect_in("broken-counter", text)
        lines = self.snouty.lines("runs", "build-logs", self.run_id)
        expect({"timestamp", "text", "stream"} <= set(lines[0]), True, lines[0])

    def snouty_runs_logs(self):
        words = ["runs", "logs", self.run_id, "--", str(self.moment["input_hash"]),
                 str(self.moment["vtime"])]
        events = self.snouty.lines(*words)
        expect(len(events) > 10, True, "events of the history")
        expect_in("Acknowledged additions are kept", self.snouty(*words))
        return "%d events" % len(events)

    def snouty_runs_events(self):
        events = self.snouty.lines("runs", "events", self.run_id, "-m", "acknowledged",
                                   "-m", "additions", "--limit", "20")
        expect(0 < len(events) <= 20, True, "%d events" % len(events))
        for e in events:
            expect_in("additions", json.dumps(e).lower())

    def snouty_runs_search(self):
        query = 'matches({container: "counter0"})'
        events = self.snouty.lines("runs", "search", self.run_id, query, "--limit", "10")
        expect(len(events), 10)
        expect({e["source"]["container"] for e in events}, {"counter0"})
        self.snouty("runs", "search", self.run_id, query, "--check")

    def snouty_runs_search_counts(self):
        text = self.snouty("runs", "search", self.run_id, "--count",
                           'matches({container: "counter0"})')
        expect(int("".join(c for c in text if c.isdigit())) > 100, True, text)

    def snouty_runs_exec(self):
        """The example's images hold no shell: that is said, by the universe, at a later moment."""
        try:
            self.snouty("runs", "exec", self.run_id, "--container", "client1", "--",
                        str(self.moment["input_hash"]), str(self.moment["vtime"]), "echo here")
        except AssertionError as failure:
            expect_in("exec /bin/sh: ENOENT", str(failure))
            expect_in("end moment: ", str(failure))
            expect_in("exited with code 127", str(failure))
            return
        raise AssertionError("a script ran without a shell")

    def snouty_debug(self):
        answer = json.loads(self.snouty(
            "debug", "--json", "--run-id", self.run_id,
            "--input-hash=%s" % self.moment["input_hash"],
            "--vtime=%s" % self.moment["vtime"], "--description", "look at it",
            "--recipients", "team@example.org"))
        expect_in("runId", answer)

    def snouty_runs_cancel(self):
        answer = json.loads(self.snouty(
            "launch", "--json", "--launcher", "basic_test", "--config-image",
            "127.0.0.1:%d/tenant-repository/config:v2" % self.service.port, "--duration", "5"))
        self.snouty("runs", "cancel", answer["runId"])
        expect(self.flow.api.wait_ended(answer["runId"], 120)["status"], "cancelled")

    def snouty_refusals(self):
        for words in (["runs", "show", "0" * 32 + "-60-0"],
                      ["runs", "properties", "0" * 32 + "-60-0"]):
            try:
                self.snouty(*words)
            except AssertionError as failure:
                expect_in("404", str(failure).replace("not found", "404").replace("Not Found",
                                                                                  "404"))
                continue
            raise AssertionError("%s went well" % " ".join(words))

    def all(self):
        return [self.snouty_doctor, self.snouty_launch, self.snouty_runs_list_while_it_runs,
                self.snouty_runs_wait, self.snouty_runs_list, self.snouty_runs_show,
                self.snouty_runs_properties, self.snouty_runs_build_logs, self.snouty_runs_logs,
                self.snouty_runs_events, self.snouty_runs_search, self.snouty_runs_search_counts,
                self.snouty_runs_exec, self.snouty_debug, self.snouty_runs_cancel,
                self.snouty_refusals]


def main():
    everett, directory = sys.argv[1:3]
    version = sys.argv[3] if len(sys.argv) > 3 else VERSION
    tap = Tap()
    program, why = build(directory, version)
    if not program:
        tap.skip("snouty " + version, why.replace("\n", " "))
        sys.exit(tap.finish())
    with tempfile.TemporaryDirectory(prefix="everett-snouty-") as home, \
            Service(everett).start() as service:
        service.account(USER, PASSWORD)
        flow = Flow(service, None, Options, home)
        flow.api = Api(service, USER, PASSWORD)
        flow.images_are_pushed()
        snouty = Snouty(program, service, service.token(USER), home)
        tap.run(Checks(service, snouty, flow).all())
    sys.exit(tap.finish())


if __name__ == "__main__":
    main()
