#!/usr/bin/env python3
"""The API's contract over real runs of the broken counter, and the queue's promises: no accepted
launch and no finished universe is lost. Only the standard library.

    api.py EVERETT SOURCE_ROOT
"""
import glob
import json
import os
import re
import signal
import sqlite3
import sys
import urllib.parse

import system
from service import Service, Tap, basic, bearer, expect, expect_in, in_parallel

ROOT = os.path.abspath(sys.argv[2])
FORM = {"Content-Type": "application/x-www-form-urlencoded"}  # what `curl -d` says
ENDED = ("completed", "cancelled", "incomplete")


class Api:
    def __init__(self, service, token):
        self.service, self.token = service, token

    def get(self, path, headers=None, timeout=120):
        return self.service.request("GET", path, headers={**bearer(self.token), **(headers or {})},
                                    timeout=timeout)

    def post(self, path, doc, headers=None):
        body = doc if isinstance(doc, (bytes, str)) else json.dumps(doc)
        return self.service.request("POST", path, body,
                                    {**bearer(self.token), **FORM, **(headers or {})}, timeout=120)

    def launch(self, launcher="basic_test", **params):
        names = {k.replace("__", "."): v for k, v in params.items()}
        a = self.post("/api/v1/launch/" + launcher, {"params": names})
        expect(a.status, 202, a.body)
        return a.json()["runId"]

    def run(self, run_id, part="", **query):
        text = "?" + urllib.parse.urlencode(query) if query else ""
        return self.get("/api/v0/runs/" + run_id + part + text)

    def detail(self, run_id):
        a = self.run(run_id)
        expect(a.status, 200, a.body)
        return a.json()

    def follow(self, run_id):
        """Blocks until the run has left its set-up behind; the build log's texts."""
        return [row["text"] for row in lines(self.run(run_id, "/build_logs"))]

    def wait(self, run_id, until=ENDED):
        """Event-driven where there are events (build log, then the search that follows the run)."""
        self.follow(run_id)
        while True:
            detail = self.detail(run_id)
            if detail["status"] in until:
                return detail
            self.post("/api/v0/runs/%s/events/search" % run_id,
                      {"query": 'text is "no such line"', "is_streaming": True})


def lines(answer):
    expect(answer.status, 200, answer.body[:500])
    expect(answer.headers["Content-Type"], "application/x-ndjson")
    return [json.loads(line) for line in answer.body.splitlines()]


def launch_error(answer, status, part=""):
    expect(answer.status, status, answer.body)
    doc = answer.json()
    expect(doc["statusCode"], status)
    expect(doc["runId"], None)
    expect_in(part, doc["message"])


def api_error(answer, status, part=""):
    expect(answer.status, status, answer.body)
    expect_in(part, answer.json()["message"])


# --- launching ----------------------------------------------------------------------------------


def test_launch(tap, api, service):
    good = {"antithesis.config_image": "absent:v9", "antithesis.duration": "0.1"}
    with tap.test("the tutorial's curl: Basic, a form's content type, strings"):
        a = service.request("POST", "/api/v1/launch/basic_test", json.dumps({"params": good}),
                            {**basic("carol", "a long password"), **FORM})
        expect(a.status, 202, a.body)
        expect(a.json()["statusCode"], 202)
        expect(bool(re.fullmatch(r"[0-9a-f]{32}-64-\d+", a.json()["runId"])), True, a.body)
    with tap.test("numbers and truth values are as good as strings; the other spelling; unknown names are kept"):
        a = api.post("/api/v1/launch_experiment/basic_test", {"params": {
            **good, "antithesis.duration": 0.1, "antithesis.is_ephemeral": True, "custom.depth": 3,
            "my own": {"a": [1]}, "gone": None, "vcs.version_id": "abc123", "run.creator_name": "Eve"}})
        expect(a.status, 202, a.body)
        d = api.detail(a.json()["runId"])
        expect(d["parameters"]["antithesis.duration"], "0.1")
        expect(d["parameters"]["antithesis.is_ephemeral"], "true")
        expect(d["parameters"]["custom.depth"], "3")
        expect(d["parameters"]["my own"], '{"a":[1]}')
        expect("gone" in d["parameters"], False)
        expect(d["creator"], {"name": "Eve", "type": "ci"})
        expect(d["everett"]["commit"], "abc123")
    with tap.test("a run whose image is nowhere says which, and what to type"):
        d = api.wait(a.json()["runId"])
        expect(d["status"], "incomplete")
        expect_in("image absent with tag v9", d["everett"]["error"])
        expect_in("docker push 127.0.0.1:", d["everett"]["error"])
        expect(any("absent" in text for text in api.follow(d["run_id"])), True)
        expect(d["links"], None)
    with tap.test("tokens and callback addresses are shown nowhere"):
        a = api.launch(**{**good, "antithesis.integrations.github.token": "s3cr3t-t0k3n",
                          "antithesis.integrations.slack.callback_url": "https://93.184.216.34/s3cr3t-path"})
        api.wait(a)
        for answer in (api.run(a), api.run(a, "/build_logs"), api.get("/api/v0/runs")):
            expect(b"s3cr3t" in answer.body, False, answer.body)
        expect("s3cr3t" in service.log(), False)
    bad = [
        ({}, "antithesis.config_image is missing"),
        ({**good, "antithesis.config_image": "A B"}, "antithesis.config_image: 'A B' is not an image name"),
        ({**good, "antithesis.config_image": ["x"]}, "is not an image name"),
        ({**good, "antithesis.duration": "soon"}, "antithesis.duration: `soon` is not a number of minutes"),
        ({**good, "antithesis.duration": "-1"}, "not a number"),
        ({**good, "antithesis.duration": "1."}, "not a number"),
        ({**good, "antithesis.duration": "0"}, "test nothing"),
        ({**good, "antithesis.duration": "99999"}, "more than this server allows"),
        ({**good, "antithesis.duration": 1e300}, "antithesis.duration"),
        ({**good, "antithesis.images": "a:1,b:2"}, "semicolons"),
        ({**good, "antithesis.images": "a:1;;B:2"}, "'B:2' is not an image name"),
        ({**good, "antithesis.is_ephemeral": "maybe"}, "neither"),
        ({**good, "antithesis.filter_logs_matching": "("}, "antithesis.filter_logs_matching"),
        ({**good, "antithesis.filter_logs_matching": "a*"}, "matches the empty line"),
        ({**good, "antithesis.filter_logs_matching": "a" * 1024}, "more than 1023 bytes"),
        ({**good, "antithesis.report.recipients": "nobody"}, "antithesis.report.recipients"),
        ({**good, "antithesis.integrations.github.callback_url": "file:///etc/passwd"}, "callback_url"),
        ({**good, "x" * 201: "y"}, "from 1 to 200 bytes"),
        ({**good, "y": "z" * 70000}, "longer than"),
        ({"k%d" % i: "v" for i in range(600)}, "more than 500 parameters"),
    ]
    for params, message in bad:
        shown = json.dumps({k[:40]: str(v)[:30] for k, v in params.items() if good.get(k) != v})[:100]
        with tap.test("refused: " + shown):
            launch_error(api.post("/api/v1/launch/basic_test", {"params": params}), 400, message)
    bodies = [b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"params":[]}', b'{"params":"x"}', b"\xff\xfe{}",
              b'{"params":{"a":"\\u0000"}}', b"[" * 100000, b'{"params":{' + b'"a":{' * 5000,
              b"params=%7B%7D"]
    with tap.test("bodies that are no object of parameters (%d tried)" % len(bodies)):
        for body in bodies:
            launch_error(api.post("/api/v1/launch/basic_test", body), 400)
    with tap.test("launchers that do not exist, or run what Everett does not"):
        launch_error(api.post("/api/v1/launch/nonsense", {"params": good}), 404, "nonsense")
        launch_error(api.post("/api/v1/launch/basic_k8s_test", {"params": good}), 400, "Kubernetes")
        expect(api.post("/api/v1/launch/nightly", {"params": good}).status, 202)  # of the configuration
    with tap.test("who may launch"):
        body = json.dumps({"params": good})
        launch_error(service.request("POST", "/api/v1/launch/basic_test", body), 401)
        launch_error(service.request("POST", "/api/v1/launch/basic_test", body, bearer("evt_x")), 401)
        launch_error(service.request("POST", "/api/v1/launch/basic_test", body,
                                     bearer(service.token("reader", "read"))), 403)
        launch_error(service.request("GET", "/api/v1/launch/basic_test", headers=bearer(api.token)), 405)
        launch_error(api.post("/api/v1/launch/basic_test", body, {"Accept": "text/html"}), 406)


# --- a run --------------------------------------------------------------------------------------


def test_run(tap, api):
    run_id = api.launch(antithesis__config_image="counter-config:v1", antithesis__duration="0.15",
                        antithesis__description="first <b>", antithesis__source="main",
                        antithesis__test_name="counter")
    with tap.test("build logs tell each step and go on until the run explores"):
        texts = api.follow(run_id)
        for part in ("counter-config:v1: unpacked", "broken-counter:v1: loading", "Exploring."):
            expect(any(part in text for text in texts), True, texts)
        row = lines(api.run(run_id, "/build_logs"))[0]
        expect(bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["timestamp"])), True, row)
        expect(row["stream"], "stdout")
    with tap.test("properties wait for the end"):
        api_error(api.run(run_id, "/properties"), 404, "yet")
    with tap.test("a search that follows the run ends with it"):
        found = lines(api.post("/api/v0/runs/%s/events/search" % run_id,
                               {"query": 'matches({env_setup: "complete"})', "is_streaming": True}))
        detail = api.wait(run_id)
        expect(len(found), detail["everett"]["universes"])
    with tap.test("the run's end: status, times, counts, link, images with digests"):
        expect(detail["status"], "completed")
        expect(detail["everett"]["verdict"] in ("passed", "failed"), True)
        expect(detail["created_at"] <= detail["started_at"] < detail["completed_at"], True)
        expect(detail["description"], "first <b>")
        expect(detail["links"]["triage_report"], "%s/runs/%s/report" % (api.service.public, run_id))
        images = {i["name"]: i for i in detail["results"]["environment"]["images"]}
        expect(sorted(images), ["broken-counter", "broken-counter-client", "counter-config"])
        expect_in("/tenant-repository/broken-counter@sha256:", images["broken-counter"]["image"])
        expect(detail["failure_moment"], None)
    return run_id


def test_properties(tap, api, run_id):
    with tap.test("properties in pages; groups and their members; statuses"):
        everything, after = [], {}
        while True:
            page = api.run(run_id, "/properties", limit=4, **after).json()
            everything += page["data"]
            if page["next_cursor"] is None:
                break
            after = {"after": page["next_cursor"]}
        whole = api.run(run_id, "/properties", limit=100).json()
        expect([p["name"] for p in whole["data"]], [p["name"] for p in everything])
        groups = {p["name"] for p in everything if p["is_group"]}
        expect({p["group"] for p in everything if "group" in p}, groups)
        for status in ("Passing", "Failing"):
            some = api.run(run_id, "/properties", limit=100, status=status).json()["data"]
            expect([p["name"] for p in some], [p["name"] for p in everything if p["status"] == status])
        expect({p["name"]: p for p in everything}["Set-up completed"]["status"], "Passing")
    with tap.test("examples are events at their moments"):
        example = next(x for p in everything if p["name"] == "An addition is acknowledged" for x in p["examples"])
        expect(example["antithesis_assert"]["message"], "An addition is acknowledged")
        m = example["moment"]
        last = lines(api.run(run_id, "/logs", input_hash=m["input_hash"], vtime=m["vtime"]))[-1]
        expect(last["moment"]["vtime"], m["vtime"])
    return example


def test_events(tap, api, run_id, example):
    m = example["moment"]
    with tap.test("logs: in order, up to the moment, from a begin on"):
        whole = lines(api.run(run_id, "/logs", input_hash=m["input_hash"], vtime=m["vtime"]))
        times = [float(e["moment"]["vtime"]) for e in whole]
        expect(times, sorted(times))
        expect({e["moment"]["input_hash"] for e in whole}, {m["input_hash"]})
        middle = whole[len(whole) // 2]["moment"]["vtime"]
        part = lines(api.run(run_id, "/logs", input_hash=m["input_hash"], vtime=m["vtime"], begin_vtime=middle,
                             begin_input_hash=m["input_hash"]))
        expect(part, [e for e in whole if float(e["moment"]["vtime"]) >= float(middle)])
        end = lines(api.run(run_id, "/logs", input_hash=m["input_hash"], vtime="0"))
        expect(end[:len(whole)], whole)
        expect(len(end) > len(whole), True)
    with tap.test("logs: what is no moment is told"):
        for query in ({}, {"input_hash": "1"}, {"vtime": "1"}, {"input_hash": "x", "vtime": "1"},
                      {"input_hash": "1", "vtime": "x"}, {"input_hash": "1" * 30, "vtime": "1"},
                      {"input_hash": "4711", "vtime": "1"}, {"input_hash": m["input_hash"], "vtime": "-1"},
                      {"input_hash": m["input_hash"], "vtime": "1", "begin_input_hash": "1"},
                      {"input_hash": m["input_hash"], "vtime": "1", "begin_vtime": "nan"}):
            api_error(api.run(run_id, "/logs", **query), 400)
    with tap.test("events: text, property, function and command are found; limits"):
        for q in ("replicas do not agree", "An addition is acknowledged", "parallel_driver_add"):
            expect(len(lines(api.run(run_id, "/events", q=q, limit=7))), 7, q)
        expect(len(lines(api.run(run_id, "/events"))), 50)
        expect(len(lines(api.run(run_id, "/events", limit=999))), 999)
        expect(lines(api.run(run_id, "/events", q="no such thing at all")), [])
        for limit in ("0", "1000", "x", "-1", "1.5", "9" * 40, ""):
            api_error(api.run(run_id, "/events", limit=limit), 400, "between 1 and 999")
    path = "/api/v0/runs/%s/events/search" % run_id
    with tap.test("search: event sets and the explorer's queries agree"):
        def count(query):
            a = api.post(path, {"query": query, "count_only": True})
            expect(a.status, 200, a.body)
            return a.json()["count"]
        both = count('contains({output_text: "DO NOT AGREE"}).matches({container: "client1"})')
        expect(both > 0, True)
        expect(count('text contains "do not agree" and container is client1 and type is output'), both)
        expect(count("contains({output_text: 'do not agree', source: {container: `client1`}})"), both)
        one = count('contains({output_text: "do not agree"})')
        other = count('contains({output_text: "do not agree"}).not_matches({container: "client1"})')
        expect(one, both + other)
        expect(count('contains({output_text: "do not agree"}).excludes({"source.container": "client2"})'), both)
        expect(count('contains({output_text: "do not agree"}).difference(matches({container: "client1"}))'), other)
        expect(count('matches({container: "client1"}).intersect(contains({output_text: "do not agree"}))'), both)
        expect(count('matches({nothing: 1}).union(contains({output_text: "do not agree"}))'), one)
        expect(count('filter(ev => ev.output_text?.toLowerCase().includes("do not agree") '
                     '&& ev.source.container === "client1")'), both)
        expect(count('contains({output_text: "do not agree"})'
                     '.filter(ev => /client[2-9]/.test(ev.source.container))'), other)
        a = api.post(path + "/count", {"query": 'contains({output_text: "do not agree"})'})
        expect((a.status, a.json()), (200, {"count": one}))
        rows = lines(api.post(path, {"query": 'matches({antithesis_assert: {hit: true}}).distinct_by_moment()',
                                     "limit": 9}))
        expect(len(rows), 9)
        expect(len({json.dumps(r["moment"]) for r in rows}), 9)
    with tap.test("search: valid and invalid queries"):
        a = api.post(path, {"query": 'contains({a: "b"})', "validate_only": True})
        expect((a.status, a.body), (200, b""))
        for query in ("contains(", "contains({)", 'contains({a "b"})', "filter(1)", "filter(ev => )", "filter(ev => ev.x.eval())", "map(x)", "matches({a:1}",
                      "matches({a:1})x", "matches({a:1}).", "foo({})", "", "text", "text contains", "((((",
                      "matches(" * 500, "matches({a:" * 500, 'matches({a:"x})', "matches({a:1e999})",
                      "union(" * 300 + "matches({a:1})" + ")" * 300, "x" * 70000):
            for mode in ("validate_only", "count_only", "is_streaming"):
                api_error(api.post(path, {"query": query, mode: True}), 400)
        for doc in ({}, {"query": 1}, {"query": None}, {"query": "text is x", "limit": 0},
                    {"query": "text is x", "limit": 1000}, {"query": "text is x", "limit": "5"},
                    {"query": "text is x", "count_only": 1}, {"query": "text is x", "is_streaming": "yes"}):
            api_error(api.post(path, doc), 400)


def test_command(tap, api, run_id, example):
    path = "/api/v0/runs/%s/execute_command" % run_id
    add = "/opt/antithesis/test/v1/main/parallel_driver_add"
    with tap.test("a script at a moment: lines, then its end; the same again"):
        doc = {"moment": example["moment"], "script": add, "timeout_seconds": 20, "use_otis": False}
        first, again = lines(api.post(path, doc)), lines(api.post(path, {**doc, "moment": {
            "input_hash": example["moment"]["input_hash"], "vtime": float(example["moment"]["vtime"])}}))
        expect(first, again)
        expect(first[-1]["type"], "exited")  # these images have no shell
        expect(first[-1]["exit_code"], 127)
        expect(first[0]["stream"], "stderr")
        expect("\n" in first[0]["text"], False)
        expect(float(first[0]["moment"]["vtime"]) > float(example["moment"]["vtime"]), True)
    with tap.test("the same as events, as newer clients ask for it"):
        newer = "/api/v0/runs/%s/command" % run_id
        good = {"moment": example["moment"], "script": add, "container": "client1"}
        rows = lines(api.post(newer, good))
        expect((rows[-1]["status"], rows[-1]["exit_code"]), ("exited", 127))
        expect(rows[0]["source"], {"stream": "error"})
        expect("/bin/sh" in rows[0]["output_text"], True, rows[0])
        for more in ({"container": "_ANTITHESIS_HOST"}, {"include_system_logs": True},
                     {"source_run_id": "0" * 32 + "-64-0"}):
            api_error(api.post(newer, {**good, **more}), 400)
    with tap.test("commands that cannot be"):
        good = {"moment": example["moment"], "script": "true"}
        for doc in ({}, {"script": "x"}, {**good, "script": None}, {**good, "script": 5}, {**good, "moment": "x"},
                    {**good, "moment": {}}, {**good, "moment": {"input_hash": "x", "vtime": "1"}},
                    {**good, "moment": {"input_hash": "4711", "vtime": "1"}}, {**good, "timeout_seconds": -1},
                    {**good, "timeout_seconds": "x"}, {**good, "timeout_seconds": 10**12}, {**good, "container": 1},
                    {**good, "container": "nobody"}, {**good, "script": "x" * 200000},
                    {**good, "moment": {**example["moment"], "vtime": "99999"}}):
            api_error(api.post(path, doc), 400)


def test_lists(tap, api):
    with tap.test("runs: newest first, in pages, each once"):
        seen, after = [], {}
        while True:
            page = api.get("/api/v0/runs?" + urllib.parse.urlencode({"limit": 3, **after})).json()
            seen += [r["run_id"] for r in page["data"]]
            if page["next_cursor"] is None:
                break
            after = {"after": page["next_cursor"]}
        expect(len(seen), len(set(seen)))
        whole = api.get("/api/v0/runs?limit=100").json()["data"]
        expect([r["run_id"] for r in whole], seen)
        times = [r["created_at"] for r in whole]
        expect(times, sorted(times, reverse=True))
    with tap.test("runs: filters"):
        def ids(**query):
            a = api.get("/api/v0/runs?" + urllib.parse.urlencode(query))
            expect(a.status, 200, a.body)
            return [r["run_id"] for r in a.json()["data"]]
        for status in ("completed", "incomplete", "starting", "unknown"):
            expect(ids(status=status, limit=100), [r["run_id"] for r in whole if r["status"] == status])
        expect(len(ids(launcher="nightly")), 1)
        expect(ids(created_after=whole[3]["created_at"]), seen[:3])
        expect(ids(created_before=whole[-3]["created_at"]), seen[-2:])
        expect(ids(created_before="2001-01-01"), [])
        expect(ids(created_after="2001-01-01T00:00:00+02:00", limit=100), seen)
    wrong = ["limit=0", "limit=101", "limit=x", "after=x", "after=-1", "status=done", "created_after=yesterday",
             "created_before=2026-13-01", "created_after=2026-01-01T25:00:00Z", "after=" + "9" * 30, "limit=%00"]
    with tap.test("runs: %d wrong filters" % len(wrong)):
        for query in wrong:
            api_error(api.get("/api/v0/runs?" + query), 400)


def test_parameters(tap, api, service):
    with tap.test("excluded nodes, hidden lines, an overriding image; earlier runs make the history"):
        run_id = api.launch(**{
            "antithesis.config_image": "counter-config:v1", "antithesis.duration": "0.08",
            "antithesis.source": "main", "antithesis.test_name": "counter",
            "antithesis.images": "docker.io/other/broken-counter-client:v1",
            "antithesis.filter_logs_matching": "do not agree", "custom.network_fault_exclusion": "counter0, client*",
            "custom.container_faults_exclusion": "counter*", "custom.container_faults_enable": "false"})
        detail = api.wait(run_id)
        expect(detail["status"], "completed", detail)
        home = os.path.join(service.dir, "runs", run_id)
        with open(os.path.join(home, "run", "inputs", "config.json")) as f:
            faults = json.load(f)["faults"]
        expect((faults["kill"], faults["pause"]), ("off", "off"))
        expect(faults["exclude"], {"network": ["counter0", "client*"], "pause": ["counter*"], "kill": ["counter*"],
                                   "stop": ["counter*"]})
        expect(lines(api.run(run_id, "/events", q="do not agree")), [])
        expect(len(lines(api.run(run_id, "/events", q="adding", limit=1))), 1)
        with open(os.path.join(home, "run", "history")) as f:
            expect(len(f.read().split()), 1)
    with tap.test("config images that are none"):
        wrong = [({"docker-compose.yml": "services: {}"}, "give it the ending .yaml"),
                 ({"manifests/a.yaml": "x"}, "Kubernetes"),
                 ({"docker-compose.yaml": "x", "manifests/a.yaml": "x"}, "both"),
                 ({"README": "x"}, "has no /docker-compose.yaml"),
                 ({"docker-compose.yaml": "services: {a: {imag: x}}"}, "docker-compose.yaml:1:"),
                 ({"docker-compose.yaml": "services: {a: {image: 'never-pushed:v3'}}"}, "never-pushed with tag v3 (service a)"),
                 ({"docker-compose.yaml": "services: {a: {image: '${WHAT}:v3'}}", ".env": "WHAT=from-env"},
                  "from-env with tag v3")]
        for i, (files, message) in enumerate(wrong):
            system.push_config(service, api.token, "wrong-config", "v%d" % i, files)
            detail = api.wait(api.launch(antithesis__config_image="wrong-config:v%d" % i))
            expect(detail["status"], "incomplete", detail)
            expect_in(message, detail["everett"]["error"])
    with tap.test("an image by digest, and a tag that moved: each run has its own"):
        d = system.push_config(service, api.token, "tenant-repository/moving", "v1",
                               {"docker-compose.yaml": "services: {a: {image: 'first-one:v1'}}"})
        system.push_config(service, api.token, "tenant-repository/moving", "v1",
                           {"docker-compose.yaml": "services: {a: {image: 'second-one:v1'}}"})
        expect_in("second-one", api.wait(api.launch(antithesis__config_image="moving:v1"))["everett"]["error"])
        expect_in("first-one", api.wait(api.launch(antithesis__config_image="moving@" + d))["everett"]["error"])
    with tap.test("a system that does not come up is incomplete, with the moment where it ended"):
        system.push_config(service, api.token, "dying-config", "v1", {"docker-compose.yaml":
                           "services: {a: {image: 'broken-counter:v1', entrypoint: [/nothing]}}"})
        detail = api.wait(api.launch(antithesis__config_image="dying-config:v1", antithesis__duration="0.2"))
        expect(detail["status"], "incomplete", detail)
        m = detail["failure_moment"]
        expect(len(lines(api.run(detail["run_id"], "/logs", **m))) > 0, True)


# --- debugging and other launchers ----------------------------------------------------------------


def test_debugging(tap, api, run_id, example):
    hash_, vtime = example["moment"]["input_hash"], example["moment"]["vtime"]
    prefix = "antithesis.debugging."
    for launcher, link in (("debugging", "debugging"), ("get_logs", "logs")):
        for name in ("run_id", "session_id"):
            with tap.test("launch/%s by %s links to the moment" % (launcher, name)):
                a = api.post("/api/v1/launch/" + launcher, {"params": {
                    prefix + name: run_id, prefix + "input_hash": hash_, prefix + "vtime": vtime}})
                expect(a.status, 202, a.body)
                expect(a.json()["runId"], run_id)
                expect_in("/runs/%s/logs?moment=" % run_id, a.json()["links"][link])
        with tap.test("launch/%s refuses what names no moment" % launcher):
            good = {prefix + "run_id": run_id, prefix + "input_hash": hash_, prefix + "vtime": vtime}
            for change in ({prefix + "session_id": run_id}, {prefix + "run_id": None}, {prefix + "input_hash": None},
                           {prefix + "vtime": None}, {prefix + "vtime": "x"}, {prefix + "input_hash": "x"}):
                launch_error(api.post("/api/v1/launch/" + launcher, {"params": {**good, **change}}), 400)
            launch_error(api.post("/api/v1/launch/" + launcher, {"params": {**good, prefix + "run_id": "no"}}), 404)


# --- every endpoint -----------------------------------------------------------------------------


def endpoints(api):
    doc = api.service.get("/api/openapi.json").json()
    return [(path, method.upper(), op) for path, ops in doc["paths"].items() for method, op in ops.items()]


def test_description(tap, api):
    with open(os.path.join(ROOT, "src", "server", "api", "routes.c")) as f:
        text = f.read().replace('RUN "', '"/api/v0/runs/{run_id}').replace("GET(RUN,", 'GET("/api/v0/runs/{run_id}",')
    routes = set(re.findall(r'^    (GET|POST)\("([^"]+)"', text, re.M))
    described = {(method, path) for path, method, _ in endpoints(api)}
    with tap.test("the description has exactly the routes there are (%d)" % len(routes)):
        expect(len(routes) > 15, True)
        expect(described, routes)
    with tap.test("every reference in it leads somewhere"):
        doc = api.service.get("/api/openapi.json").json()
        for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(doc)):
            expect_in(name, doc["components"]["schemas"])


def test_every_endpoint(tap, api, run_id, service):
    tried = 0
    with tap.test("wrong methods: 405 with Allow; unknown ids: 404; no credentials: 401; Accept: 406"):
        for path, method, op in endpoints(api):
            real = path.replace("{run_id}", run_id).replace("{launcher_name}", "basic_test")
            for other in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"):
                a = service.request(other, real, b"{}", bearer(api.token)) if other != method else None
                if a and other != "HEAD":
                    expect((path, other, a.status), (path, other, 405))
                    expect_in(method, a.headers["Allow"])
                    tried += 1
            if "security" not in op:
                expect((path, service.request(method, real, b"{}").status), (path, 401))
            headers = {**bearer(api.token), "Accept": "image/png, text/html;q=0.5, */*;q=0"}
            expect((path, service.request(method, real, b"{}", headers).status), (path, 406))
            tried += 2
            if "{run_id}" in path:
                for bad in ("nothing", "0" * 32 + "-64-0", "%2e%2e", "x" * 3000, "%00", "'; DROP TABLE run;--", "a%2Fb"):
                    target = path.replace("{run_id}", urllib.parse.quote(bad, safe="%"))
                    body = json.dumps({"query": "text is x", "moment": {"input_hash": "1", "vtime": "1"}, "script": "x"})
                    status = service.request(method, target, body, bearer(api.token)).status
                    expect((target[:80], status in (400, 404)), (target[:80], True))
                    tried += 1
    values = ["", "x", "-1", "0", "1e9", "9" * 400, "null", "[]", "%00", "%ff", "a" * 5000, "../../etc/passwd",
              "<script>", "1;2", "+1", "0x10"]
    with tap.test("every query parameter with %d odd values: an answer below 500" % len(values)):
        for path, method, op in endpoints(api):
            real = path.replace("{run_id}", run_id)
            for p in op.get("parameters", []):
                for value in values if p["in"] == "query" else ():
                    a = service.request(method, "%s?%s=%s" % (real, p["name"], value), headers=bearer(api.token))
                    expect((real, p["name"], value[:20], a.status < 500), (real, p["name"], value[:20], True))
                    tried += 1
    odd = [b"", b"{", b"[]", b"0", b"\x00", b"{}" * 1000, b'{"a":' * 3000, b"\xff" * 100, b'{"params":{}}',
           b'{"query":{}}', b'{"moment":[],"script":{}}', b" " * 100000, b"x" * (2 << 20)]
    with tap.test("every body with %d odd ones: 400, 404 or 413" % len(odd)):
        for path, method, op in endpoints(api):
            real = path.replace("{run_id}", run_id).replace("{launcher_name}", "basic_test")
            for body in odd if "requestBody" in op else ():
                a = service.request(method, real, body, bearer(api.token))
                expect((real, body[:20], a.status in (400, 413)), (real, body[:20], True))
                tried += 1
    with tap.test("the server is as well as before (%d inputs tried)" % tried):
        expect(service.is_alive(), True)


# --- the queue's promises -------------------------------------------------------------------------


def universes(service, run_id):
    path = os.path.join(service.dir, "runs", run_id, "run", "run.db")
    with sqlite3.connect(path) as db:
        return dict(db.execute("SELECT number, input_hash FROM universe"))


def wait_for_universes(api, run_id, count):
    """Events of `count` histories have come: the search that follows the run gives one of each."""
    found = lines(api.post("/api/v0/runs/%s/events/search" % run_id, {
        "query": 'matches({env_setup: "complete"})', "is_streaming": True, "limit": count}))
    expect(len(found), count)


def children(service):
    """Processes `everett run` of this server, from /proc."""
    out = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as f:
                stat = f.read()
            with open(path.replace("stat", "cmdline"), "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if int(stat.rsplit(")", 1)[1].split()[1]) == service.process.pid and b"run" in words[1:2]:
            out.append(int(path.split("/")[2]))
    return out


def test_cancel(tap, api):
    with tap.test("cancel: a waiting run never starts, a running one reports what it has, an ended one stays"):
        first = api.launch(antithesis__config_image="counter-config:v1", antithesis__duration="10")
        second = api.launch(antithesis__config_image="counter-config:v1", antithesis__duration="10")
        api.follow(first)
        wait_for_universes(api, first, 2)
        a = api.post("/api/v0/runs/%s/cancel" % second, "")
        expect((a.status, a.json()["cancelled"]), (200, True))
        expect(api.detail(second)["status"], "cancelled")
        expect(api.detail(second)["started_at"], None)
        expect(api.post("/api/v0/runs/%s/cancel" % first, "").status, 200)
        detail = api.wait(first)
        expect(detail["status"], "cancelled", detail)
        expect(detail["everett"]["universes"] >= 2, True)
        expect(api.run(first, "/properties").status, 200)
        a = api.post("/api/v0/runs/%s/cancel" % first, "")
        expect(a.status, 409)
        api_error(api.post("/api/v0/runs/nothing/cancel", ""), 404)


def test_cuts(tap, api, service):
    with tap.test("kill -9 of the run: it goes on, and no finished universe is lost"):
        run_id = api.launch(antithesis__config_image="counter-config:v1", antithesis__duration="0.2")
        api.follow(run_id)
        wait_for_universes(api, run_id, 3)
        (child,) = children(service)
        before = universes(service, run_id)
        os.kill(child, signal.SIGKILL)
        detail = api.wait(run_id)
        expect(detail["status"], "completed", detail)
        after = universes(service, run_id)
        expect({n: after.get(n) for n in before}, before)
        expect(len(after) > len(before), True)
        expect(detail["everett"]["universes"], len(after))
        expect(any("killed by signal 9" in text for text in api.follow(run_id)), True)
    for name, stop in (("kill -9", service.kill), ("a graceful stop", service.stop)):
        with tap.test("%s of the server: the run goes on at the next start, the queue behind it too" % name):
            run_id = api.launch(antithesis__config_image="counter-config:v1", antithesis__duration="0.2")
            waiting = api.launch(antithesis__config_image="absent:v9")
            api.follow(run_id)
            wait_for_universes(api, run_id, 3)
            stop()
            before = universes(service, run_id)
            service.start()
            detail = api.wait(run_id)
            expect(detail["status"], "completed", detail)
            after = universes(service, run_id)
            expect({n: after.get(n) for n in before}, before)
            expect(len(after) > len(before), True)
            expect(api.wait(waiting)["status"], "incomplete")
    with tap.test("200 launches at once, and kill -9 of the server among them: each accepted one is there"):
        accepted = []

        def one(i):
            a = api.post("/api/v1/launch/basic_test", {"params": {
                "antithesis.config_image": "absent:v9", "antithesis.description": "burst %d" % i}})
            expect(a.status, 202, a.body)
            accepted.append(a.json()["runId"])
            if len(accepted) == 120:
                service.signal(signal.SIGKILL)
            return True

        try:
            in_parallel(200, one)
        except (OSError, AssertionError, ValueError):
            pass  # those that met the dead server
        except Exception as e:  # http.client's own
            expect(type(e).__module__, "http.client")
        expect(len(accepted) >= 120, True)
        service.wait()
        service.start()
        ids = set(in_parallel(80, lambda i: api.launch(antithesis__config_image="absent:v9")))
        for run_id in [*accepted, *ids]:
            expect(api.wait(run_id)["status"], "incomplete")
    with tap.test("a full queue says so, with Retry-After"):
        service.stop()
        service.configure(CONFIG + "queue_max = 2\n")
        service.start()
        running = api.launch(antithesis__config_image="counter-config:v1", antithesis__duration="10")
        api.follow(running)
        rest = [api.launch(antithesis__config_image="absent:v9") for _ in range(2)]
        a = api.post("/api/v1/launch/basic_test", {"params": {"antithesis.config_image": "absent:v9"}})
        launch_error(a, 429, "2 launches wait already")
        expect(a.headers["Retry-After"], "60")
        for run_id in [running, *rest]:
            api.post("/api/v0/runs/%s/cancel" % run_id, "")
        expect(api.wait(running)["status"], "cancelled")
    with tap.test("nothing is left running"):
        expect(children(service), [])


CONFIG = "rate_per_minute = 0\nlaunchers = nightly\n"


def main():
    tap = Tap()
    with Service(os.path.abspath(sys.argv[1]), CONFIG) as service:
        service.start()
        api = Api(service, service.token())
        service.account("carol", "a long password")
        system.push_counter(service, api.token, ROOT)
        test_launch(tap, api, service)
        run_id = test_run(tap, api)
        example = test_properties(tap, api, run_id)
        test_events(tap, api, run_id, example)
        test_command(tap, api, run_id, example)
        test_debugging(tap, api, run_id, example)
        test_lists(tap, api)
        test_parameters(tap, api, service)
        test_description(tap, api)
        test_every_endpoint(tap, api, run_id, service)
        test_cancel(tap, api)
        test_cuts(tap, api, service)
        with tap.test("graceful end"):
            expect(service.stop()[0], 0)
    return tap.finish()


sys.exit(main())
