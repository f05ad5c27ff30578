#!/usr/bin/env python3
"""The tutorial's flow against a service of its own: images pushed, the run launched by curl, mail,
pages, API, until the triage report is there.

    tutorial.py EVERETT [--example NAME] [--minutes M] [--tools DIR]

The example's archives are made by examples/NAME/build-images.sh when they are missing. With --tools
the images are pushed, and that of the configuration is built, by the container tools found there or
on the PATH; without, by this script, which needs nothing.
"""
import argparse
import email
import email.policy
import os
import subprocess
import sys
import tempfile

from flow import Api, MailSink, Pusher, curl_launch
from clients import Docker, Tools  # in the folder that flow.py has put on the path
from service import Service, Tap, expect, expect_in

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
USER, PASSWORD = "me", "correct horse battery"
IMAGES = os.path.join(ROOT, "build", "images")
REPOSITORY = "tenant-repository"
RECIPIENTS = ["foo@example.org", "bar@example.org"]
EXAMPLES = {
    "broken-counter": {
        "images": ["broken-counter", "broken-counter-client"],
        "failing": ["Acknowledged additions are kept"],
        "passing": ["An addition is acknowledged", "No unexpected crashes"],
        "node": "counter0",
    },
    "tutorial": {
        "images": ["etcd", "etcd-health-checker", "etcd-client"],
        "failing": [],
        "passing": ["Database key values stay consistent", "Client can make successful put requests",
                    "Client can make successful get requests"],
        "node": "etcd0",
    },
}


def push_with_python(service, o, example):
    pusher = Pusher(service, USER, PASSWORD)
    for name in example["images"]:
        pusher.archive(os.path.join(IMAGES, name + ".tar"), "%s/%s" % (REPOSITORY, name), "v1")
    with open(os.path.join(ROOT, "examples", o.example, "docker-compose.yaml"), "rb") as f:
        pusher.files(REPOSITORY + "/config", "v2", {"docker-compose.yaml": f.read()})
    return "by HTTP requests"


def push_with_docker(service, o, example, tools):
    """As the tutorial does: docker login, build, tag, push."""
    host = "127.0.0.1:%d" % service.port
    docker = Docker(tools, host)
    try:
        docker("login", "-u", USER, "--password-stdin", host, stdin=PASSWORD)
        for name in example["images"]:
            there = "%s/%s/%s:v1" % (host, REPOSITORY, name)
            docker("load", "-i", os.path.join(IMAGES, name + ".tar"))
            docker("tag", name + ":v1", there)
            docker("push", there)
        there = "%s/%s/config:v2" % (host, REPOSITORY)
        directory = os.path.join(ROOT, "examples", o.example)
        docker("build", directory, "-f", directory + "/config/Dockerfile.config", "-t", there)
        docker("push", there)
    finally:
        docker.stop()
    return "by docker"


def push_with_skopeo(service, o, example, tools):
    host = "127.0.0.1:%d" % service.port
    to = ["--dest-tls-verify=false", "--dest-creds", "%s:%s" % (USER, PASSWORD)]
    for name in example["images"]:
        tools.skopeo("copy", *to, "docker-archive:" + os.path.join(IMAGES, name + ".tar"),
                     "docker://%s/%s/%s:v1" % (host, REPOSITORY, name))
    there = "%s/%s/config:v2" % (host, REPOSITORY)
    directory = os.path.join(ROOT, "examples", o.example)
    tools.buildah("bud", "--isolation", "chroot", "-f", directory + "/config/Dockerfile.config",
                  "-t", there, directory)
    tools.buildah("push", "--tls-verify=false", "--creds", "%s:%s" % (USER, PASSWORD), there)
    return "by skopeo and buildah"


def push(service, o, example, work):
    if not o.tools:
        return push_with_python(service, o, example)
    tools = Tools(o.tools, work)
    if tools.has("docker"):
        return push_with_docker(service, o, example, tools)
    if tools.has("skopeo") and tools.has("buildah"):
        return push_with_skopeo(service, o, example, tools)
    return push_with_python(service, o, example)


class Flow:
    """The steps, in order; each is a test."""

    def __init__(self, service, sink, o, work):
        self.service, self.sink, self.o, self.work = service, sink, o, work
        self.example = EXAMPLES[o.example]
        self.api = Api(service, USER, PASSWORD)
        self.run_id = self.summary = self.properties = None

    def images_are_pushed(self):
        if not all(os.path.exists(os.path.join(IMAGES, n + ".tar"))
                   for n in self.example["images"]):
            subprocess.run([os.path.join(ROOT, "examples", self.o.example, "build-images.sh")],
                           check=True, stdout=subprocess.DEVNULL, timeout=900)
        how = push(self.service, self.o, self.example, self.work)
        listed = self.api.get("/v2/_catalog")["repositories"]
        expect(listed, sorted(REPOSITORY + "/" + n for n in self.example["images"] + ["config"]))
        return how

    def curl_launches(self):
        answer = curl_launch(self.service, USER, PASSWORD, {
            "antithesis.description": "basic_test on main",
            "antithesis.duration": "%g" % self.o.minutes,
            "antithesis.config_image": "config:v2",
            "antithesis.report.recipients": ";".join(RECIPIENTS),
            "antithesis.source": "main", "vcs.version_id": "0123abc", "my.own": "kept"})
        expect(answer["statusCode"], 202)
        self.run_id = answer["runId"]

    def run_completes(self):
        self.summary = self.api.wait_ended(self.run_id, self.o.minutes * 60 + 240)
        expect(self.summary["status"], "completed", self.build_log())
        expect(self.summary["launcher"], "basic_test")
        expect(self.summary["description"], "basic_test on main")
        expect(self.summary["parameters"]["my.own"], "kept")
        expect_in(self.run_id, [r["run_id"] for r in self.api.get("/api/v0/runs")["data"]])

    def build_log(self):
        return "".join(line["text"] + "\n"
                       for line in self.api.lines("/api/v0/runs/%s/build_logs" % self.run_id))

    def build_log_names_images(self):
        text = self.build_log()
        for name in self.example["images"] + ["config"]:
            expect_in(name, text)

    def properties_are_as_expected(self):
        path = "/api/v0/runs/%s/properties?limit=100" % self.run_id
        answer = self.api.get(path)
        self.properties = answer["data"]
        while answer.get("next_cursor"):
            answer = self.api.get(path + "&after=" + answer["next_cursor"])
            self.properties += answer["data"]
        found = {p["name"]: p["status"] for p in self.properties}
        for status, names in (("Failing", self.example["failing"]),
                              ("Passing", self.example["passing"])):
            for name in names:
                matching = [found[n] for n in found if name in n]
                expect_in(status, matching)
        return "%d properties, %d failing" % (
            len(found), sum(s == "Failing" for s in found.values()))

    def events_and_logs_are_there(self):
        events = self.api.lines("/api/v0/runs/%s/events?q=%s&limit=20" % (
            self.run_id, self.example["node"]))
        if not self.example["failing"]:
            return None
        moment = next(e["moment"] for p in self.properties if p["status"] == "Failing"
                      for e in p["counterexamples"] if e.get("moment"))
        log = self.api.lines("/api/v0/runs/%s/logs?input_hash=%s&vtime=%s" % (
            self.run_id, moment["input_hash"], moment["vtime"]))
        times = [float(e["moment"]["vtime"]) for e in log]
        expect(times, sorted(times), "chronological")
        expect(times[-1] <= float(moment["vtime"]), True, "the log ends at the moment")
        return "%d events found, %d in the log of a counterexample" % (len(events), len(log))

    def mail_arrives(self):
        mails = self.sink.wait(1, 60)
        reached = {to for recipients, _ in mails for to in recipients}
        expect(reached, set(RECIPIENTS))
        mail = email.message_from_bytes(mails[0][1], policy=email.policy.default)
        text = mail.get_body(("plain",)).get_content()
        expect_in(self.run_id, text)
        expect_in("/runs/" + self.run_id, text)
        expect(mail.get_body(("html",)) is not None, True, "there is an HTML part")
        expect(PASSWORD in mails[0][1].decode("utf-8", "replace"), False, "no password in mail")
        return mail["Subject"]

    def pages_show_it(self):
        for path, words in (("/runs", [self.run_id[:8], "basic_test on main"]),
                            ("/runs/" + self.run_id, ["basic_test on main"]),
                            ("/runs/%s/report" % self.run_id, self.example["failing"] +
                             self.example["passing"]),
                            ("/runs/%s/logs" % self.run_id, [])):
            answer = self.api("GET", path)
            expect(answer.status, 200, path)
            page = answer.body.decode()
            for word in words:
                expect_in(word, page)
            expect(PASSWORD in page, False, "no password in " + path)
        link = self.summary["links"]["triage_report"]
        expect_in("/runs/%s/report" % self.run_id, link)

    def steps(self):
        return [self.images_are_pushed, self.curl_launches, self.run_completes,
                self.build_log_names_images, self.properties_are_as_expected,
                self.events_and_logs_are_there, self.mail_arrives, self.pages_show_it]


def options():
    p = argparse.ArgumentParser()
    p.add_argument("everett")
    p.add_argument("--example", choices=sorted(EXAMPLES), default="broken-counter")
    p.add_argument("--minutes", type=float, default=0.25)
    p.add_argument("--tools")
    return p.parse_args()


def main():
    o, tap, sink = options(), Tap(), MailSink()
    config = "smtp_url = smtp://127.0.0.1:%d\nmail_from = everett@example.org\n" % sink.port
    with tempfile.TemporaryDirectory(prefix="everett-e2e-") as work, \
            Service(o.everett, config).start() as service:
        service.account(USER, PASSWORD)
        tap.run(Flow(service, sink, o, work).steps())
    sink.close()
    sys.exit(tap.finish())


if __name__ == "__main__":
    main()
