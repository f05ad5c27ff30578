#!/usr/bin/env python3
"""Mail and callbacks against real sinks: an SMTP server and an HTTP server of this test.

    notify.py EVERETT NOTIFY_DRIVER
"""
import base64
import email
import email.policy
import http.server
import json
import os
import re
import socket
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time

from service import Service, Tap, expect, expect_in

TOKEN = "ghp_verysecrettoken"
NAME = "Counter <script>alert(1)</script> & \"quotes\" \u00fcber"


class SmtpSink(socketserver.ThreadingTCPServer):
    """Enough of RFC 5321. `answers`: what DATA's end is answered with, one after another."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SmtpHandler)
        self.mails, self.answers, self.logins = [], [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "smtp://127.0.0.1:%d" % self.server_address[1]


class SmtpHandler(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def data(self, mail):
        self.say("354 go on")
        lines = []
        while True:
            line = self.rfile.readline()
            if line in (b".\r\n", b""):
                break
            lines.append(line[1:] if line.startswith(b"..") else line)
        mail["data"] = b"".join(lines)
        answer = self.server.answers.pop(0) if self.server.answers else "250 taken"
        mail["answer"] = answer
        self.server.mails.append(mail)
        self.say(answer)

    def handle(self):
        mail = {"to": []}
        self.say("220 sink")
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            word = line.upper()
            if word.startswith("EHLO"):
                self.say("250-sink\r\n250 AUTH PLAIN")
            elif word.startswith("AUTH"):
                self.say("334 ")
                self.server.logins.append((line, self.rfile.readline()))
                self.say("235 in")
            elif word.startswith("MAIL FROM:"):
                mail = {"from": line[10:].split()[0].strip("<>"), "to": []}
                self.say("250 fine")
            elif word.startswith("RCPT TO:"):
                mail["to"].append(line[8:].strip("<>"))
                self.say("250 fine")
            elif word == "DATA":
                self.data(mail)
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")


class HttpSink(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), HttpHandler)
        self.posts, self.statuses = [], {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.server_address[1], path)


class HttpHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, dict(self.headers), body))
        status = self.server.statuses.get(self.path, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url("/elsewhere"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Runs:
    """Rows and reports as the queue leaves them."""

    def __init__(self, service, driver):
        self.service, self.driver, self.count = service, driver, 0
        service.token()  # makes the database

    def sql(self, text, *values):
        db = sqlite3.connect(os.path.join(self.service.dir, "server.db"), timeout=30)
        try:
            with db:
                return db.execute(text, values).fetchall()
        finally:
            db.close()

    def add(self, params, secrets=None, source="main", status=4, verdict="failed", error=None):
        self.count += 1
        run = "%032x-1-%d" % (self.count, self.count)
        self.sql(
            "INSERT INTO run (id, status, created_ms, started_ms, completed_ms, launcher,"
            " creator_name, creator_type, description, test_name, source, commit_id, params,"
            " secrets, error, verdict, duration_s, universes, virtual_ns, wall_ns, failed, never,"
            " passed, found_new, found_rare, found_ongoing, found_resolved) VALUES (?, ?,"
            " 1700000000000, 1700000001000, 1700000100000, 'basic_test', 'me', 'user', ?, 'etcd',"
            " ?, 'abc123', ?, ?, ?, ?, 60, 212, 12660000000000, 60000000000, 2, 1, 5, 1, 1, 1, 1)",
            run, status, "checks <b>the</b> counter", source, json.dumps(params),
            json.dumps(secrets) if secrets else None, error, verdict)
        if verdict != "setup_failed":
            self.report(run)
        return run

    def report(self, run):
        def prop(finding, name, failing):
            return {"name": name, "finding": finding, "universes_failing": failing,
                    "universes": 212, "confirmation": {"minimal": "kill replica2"},
                    "counterexamples": [{"time": "00:00:18.402"}] if failing else []}
        where = os.path.join(self.service.dir, "runs", run, "run")
        os.makedirs(where)
        with open(os.path.join(where, "report.json"), "w") as f:
            json.dump({"run": {"name": "etcd"}, "properties": [
                prop("ongoing", "Old one", 9), prop(None, "Fine", 0), prop("resolved", "Gone", 0),
                prop("new", NAME, 3), prop("rare", "Seldom", 1)]}, f)

    def notify(self, verb, run):
        r = subprocess.run([self.driver, self.service.dir, verb, run], capture_output=True,
                           text=True, timeout=60)
        expect(r.returncode, 0, r.stderr)
        self.log = r.stderr
        return [json.loads(line) for line in r.stdout.splitlines()]


def parse(mail):
    message = email.message_from_bytes(mail["data"], policy=email.policy.default)
    parts = {p.get_content_type(): p.get_content() for p in message.walk()
             if not p.is_multipart()}
    return message, parts["text/plain"], parts["text/html"]


def test_mail(tap, s, runs, smtp):
    run = runs.add({"antithesis.report.recipients": "a@example.org; b@example.org"})
    with tap.test("each recipient gets a mail"):
        rows = runs.notify("end", run)
        expect([(r["kind"], r["target"], r["state"]) for r in rows],
               [("mail", "a@example.org", "sent"), ("mail", "b@example.org", "sent")])
        expect(sorted(m["to"][0] for m in smtp.mails), ["a@example.org", "b@example.org"])
        expect(smtp.mails[0]["from"], "everett@ci.example.org")
    message, text, html = parse(smtp.mails[0])
    with tap.test("its subject tells verdict and counts"):
        expect(message["Subject"],
               "[Everett] etcd (main): failed: 1 new, 1 rare, 1 ongoing, 1 resolved")
    with tap.test("plain text and HTML are alternatives, and no line is too long"):
        expect(message.get_content_type(), "multipart/mixed")
        expect([p.get_content_type() for p in message.walk()][1:],
               ["multipart/alternative", "text/plain", "text/html"])
        expect(max(len(line) for line in smtp.mails[0]["data"].split(b"\r\n")) <= 998, True)
    with tap.test("new failures come first, each with a link to its page"):
        words = re.findall(r"^\[(\w+)\]", text, re.M)
        expect(words, ["new", "rare", "ongoing", "resolved"])
        expect_in("https://everett.example.org/runs/%s/failure/4\n" % run, text)
        expect_in('<a href="https://everett.example.org/runs/%s/failure/4">' % run, html)
        expect_in("/runs/%s/report" % run, text)
        expect_in("fails in 3 of 212 universes, first at 00:00:18.402; enough for it: kill replica2",
                  text)
        expect_in("1 new, 1 resolved, and 1 rare findings seen this run. 1 ongoing issues.", text)
        expect_in("Run by me on 2023-11-14", text)
        expect_in("212 universes, 3 h 31 min tested in 60 s", text)
    with tap.test("what programs wrote is text in HTML"):
        expect("<script" in html or "<b>the" in html, False)
        expect_in("&lt;script&gt;", html)
        expect_in(NAME, text)
    with tap.test("the runs of a source are one thread, and mails have ids of their own"):
        other = runs.add({"antithesis.report.recipients": "a@example.org"})
        third = runs.add({"antithesis.report.recipients": "a@example.org"}, source="next")
        runs.notify("end", other)
        runs.notify("end", third)
        first, second, last = (parse(m)[0] for m in (smtp.mails[0], smtp.mails[2], smtp.mails[3]))
        expect(first["References"] == second["References"], True)
        expect(first["References"] == last["References"], False)
        expect(len({m["Message-ID"] for m in (first, second, last)}), 3)
        expect_in("@ci.example.org>", first["Message-ID"])
    with tap.test("a run that is reported twice sends nothing twice"):
        before = len(smtp.mails)
        runs.notify("end", run)
        expect(len(smtp.mails), before)
    with tap.test("a run that did not come up says why"):
        run = runs.add({"antithesis.report.recipients": "a@example.org"}, status=6,
                       verdict="setup_failed", error="container db: exited with status 1")
        runs.notify("end", run)
        message, text, _ = parse(smtp.mails[-1])
        expect_in("did not complete", message["Subject"])
        expect_in("container db: exited with status 1", text)


def test_mail_errors(tap, s, runs, smtp):
    params = {"antithesis.report.recipients": "a@example.org"}
    with tap.test("a busy mail server is asked again later, with the same id"):
        run = runs.add(params)
        smtp.answers = ["451 greylisted, later"]
        row = runs.notify("end", run)[0]
        expect((row["state"], row["attempts"]), ("waiting", 1))
        expect_in("451", row["error"])
        expect(25 <= row["next"] - time.time() <= 31, True, row["next"] - time.time())
        runs.sql("UPDATE notification SET next = 0 WHERE run = ?", run)
        expect(runs.notify("resume", run)[0]["state"], "sent")
        a, b = (parse(m)[0] for m in smtp.mails[-2:])
        expect(a["Message-ID"], b["Message-ID"])
        expect(a["Date"], b["Date"])
    with tap.test("a mailbox that is not there is not tried again"):
        run = runs.add(params)
        smtp.answers = ["550 no such user"]
        row = runs.notify("end", run)[0]
        expect((row["state"], row["attempts"]), ("failed", 1))
        expect_in("550", row["error"])
    with tap.test("after two days nothing is tried any more"):
        run = runs.add(params)
        smtp.answers = ["451 later", "451 later"]
        runs.notify("end", run)
        runs.sql("UPDATE notification SET next = 0, created = created - 172800 WHERE run = ?", run)
        expect(runs.notify("resume", run)[0]["state"], "failed")
    with tap.test("login with user and password from a file"):
        path = os.path.join(s.work, "password")
        with open(path, "w") as f:
            f.write("mail password\n")
        config(s, smtp.url, "smtp_user = everett\nsmtp_password_file = %s\n" % path)
        run = runs.add(params)
        expect(runs.notify("end", run)[0]["state"], "sent")
        command, secret = smtp.logins[-1]
        expect(command, "AUTH PLAIN")
        expect(base64.b64decode(secret), b"\0everett\0mail password")
        config(s, smtp.url)
    with tap.test("no mail server: said, not tried"):
        config(s, None)
        run = runs.add(params)
        row = runs.notify("end", run)[0]
        expect((row["state"], row["attempts"]), ("failed", 0))
        expect_in("smtp_url", row["error"])
        config(s, smtp.url)


def test_callbacks(tap, runs, sink):
    prefix = "antithesis.integrations."
    with tap.test("GitHub: pending, then the result, with the token"):
        params = {prefix + "github.callback_url": sink.url("/repos/o/r/statuses/abc"),
                  prefix + "github.token": "[not shown]"}
        run = runs.add(params, {prefix + "github.token": TOKEN})
        runs.notify("start", run)
        runs.notify("end", run)
        (path, headers, first), (_, _, second) = sink.posts[-2:]
        first, second = json.loads(first), json.loads(second)
        expect(path, "/repos/o/r/statuses/abc")
        expect(headers["Authorization"], "Bearer " + TOKEN)
        expect((first["state"], second["state"]), ("pending", "failure"))
        expect(first["context"], "continuous-testing/antithesis (etcd)")
        expect(second["target_url"], "https://everett.example.org/runs/%s/report" % run)
        expect(second["description"], "failed: 1 new, 1 rare, 1 ongoing, 1 resolved")
    with tap.test("GitHub: passed and incomplete runs"):
        for verdict, status, state in (("passed", 4, "success"), ("setup_failed", 6, "error")):
            run = runs.add(params, verdict=verdict, status=status)
            runs.notify("end", run)
            expect(json.loads(sink.posts[-1][2])["state"], state)
            expect("Authorization" in sink.posts[-1][1], False)
    with tap.test("Slack and Discord get one message each, and nothing in it is markup"):
        run = runs.add({prefix + "slack.callback_url": sink.url("/slack/T0/secretpart"),
                        prefix + "type": "discord", prefix + "callback_url": sink.url("/discord")})
        rows = runs.notify("end", run)
        expect([r["state"] for r in rows], ["sent", "sent"])
        expect([r["target"].endswith("/\u2026") for r in rows], [True, True])
        # Sent side by side, in any order.
        slack, discord = (json.loads(p[2]) for p in sorted(sink.posts[-2:], key=lambda p: p[0],
                                                           reverse=True))
        expect_in("&lt;script&gt;", slack["text"])
        expect("<script" in slack["text"], False)
        expect_in("/runs/%s/report" % run, slack["text"])
        expect(discord["allowed_mentions"], {"parse": []})
        expect_in("\\<script\\>", discord["content"])
    with tap.test("a token is forgotten once it was used, and a hook's URL is in no message"):
        for table, column in (("notification", "secret"), ("run", "secrets")):
            rows = runs.sql("SELECT count(*) FROM %s WHERE %s IS NOT NULL" % (table, column))
            expect(rows[0][0], 0, table)
        expect(TOKEN in runs.log or "secretpart" in runs.log, False)
    with tap.test("a receiver that is busy or gone is asked again, one that refuses is not"):
        for status, state in ((500, "waiting"), (429, "waiting"), (404, "failed"), (401, "failed"),
                              (302, "failed")):
            sink.statuses["/s%d" % status] = status
            run = runs.add({prefix + "slack.callback_url": sink.url("/s%d" % status)})
            row = runs.notify("end", run)[0]
            expect(row["state"], state, str(status))
            expect_in(str(status), row["error"])
        expect(any(p[0] == "/elsewhere" for p in sink.posts), False)
        run = runs.add({prefix + "slack.callback_url": "http://127.0.0.1:1/"})
        expect(runs.notify("end", run)[0]["state"], "waiting")
    with tap.test("a run that is reported twice keeps the token of what still waits"):
        sink.statuses["/later"] = 503
        run = runs.add({prefix + "github.callback_url": sink.url("/later")},
                       {prefix + "github.token": TOKEN})
        runs.notify("end", run)
        rows = runs.notify("end", run)
        expect([(r["state"], r["attempts"]) for r in rows], [("waiting", 1)])
        sink.statuses["/later"] = 201
        runs.sql("UPDATE notification SET next = 0 WHERE run = ?", run)
        expect(runs.notify("resume", run)[0]["state"], "sent")
        expect(sink.posts[-1][1]["Authorization"], "Bearer " + TOKEN)


def test_blocked(tap, runs, smtp, sink):
    with tap.test("a receiver that never answers holds up nobody else"):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(8)
            url = "http://127.0.0.1:%d/" % silent.getsockname()[1]
            for _ in range(2):
                run = runs.add({"antithesis.integrations.slack.callback_url": url})
                runs.sql("INSERT INTO notification (run, kind, target, payload, secret, state, next,"
                         " created) VALUES (?, 'slack', 'x', '{}', ?, 'waiting', 0, ?)", run,
                         json.dumps({"url": url}), int(time.time()))
            run = runs.add({"antithesis.report.recipients": "a@example.org",
                            "antithesis.integrations.slack.callback_url": sink.url("/quick")})
            start = time.monotonic()
            rows = runs.notify("end", run)
            expect([r["state"] for r in rows], ["sent", "sent"])
            expect(time.monotonic() - start < 10, True)
            runs.sql("DELETE FROM notification WHERE state = 'waiting'")
    with tap.test("fifty mails of one run, all sent once"):
        before = len(smtp.mails)
        run = runs.add({"antithesis.report.recipients":
                        ";".join("a%d@example.org" % i for i in range(50))})
        runs.notify("end", run)
        expect(sorted(m["to"][0] for m in smtp.mails[before:]),
               sorted("a%d@example.org" % i for i in range(50)))


def test_forged(tap, s, runs, smtp, sink):
    """Addresses inside, written in every way; with nothing allowed none may be reached."""
    port = sink.server_address[1]
    config(s, smtp.url, allow="")
    hosts = ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0", "localhost", "LocalHost",
             "localhost.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "10.0.0.1", "192.168.0.1",
             "169.254.169.254", "100.64.0.1", "[fe80::1]", "[fd00::1]", "ip6-localhost",
             os.uname().nodename]
    urls = ["http://%s:%d/inside" % (h, port) for h in hosts]
    urls += ["http://me:you@127.0.0.1:%d/inside" % port, "file:///etc/passwd",
             "gopher://127.0.0.1:%d/x" % port, "ftp://127.0.0.1/x", "smtp://127.0.0.1:25/"]
    before = len(sink.posts)
    with tap.test("%d URLs that lead inside reach nothing" % len(urls)):
        for url in urls:
            run = runs.add({"antithesis.integrations.slack.callback_url": url})
            row = runs.notify("end", run)[0]
            # A name that this host does not know is only "not resolved": tried again later.
            if row["state"] != "failed" and "resolve" not in (row["error"] or ""):
                raise AssertionError("%s: %r" % (url, row))
        expect(len(sink.posts), before)
    config(s, smtp.url)


def config(s, smtp_url, more="", allow="127.0.0.1"):
    text = "callback_allow = %s\n%s" % (allow, more)
    if smtp_url:
        text += "smtp_url = %s\nmail_from = Everett <everett@ci.example.org>\n" % smtp_url
    s.configure(text)


def main():
    everett, driver = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    tap = Tap()
    smtp, sink = SmtpSink(), HttpSink()
    with Service(everett) as s:
        config(s, smtp.url)
        runs = Runs(s, driver)
        test_mail(tap, s, runs, smtp)
        test_mail_errors(tap, s, runs, smtp)
        test_callbacks(tap, runs, sink)
        test_blocked(tap, runs, smtp, sink)
        test_forged(tap, s, runs, smtp, sink)
    smtp.shutdown()
    sink.shutdown()
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
