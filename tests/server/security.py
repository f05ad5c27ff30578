#!/usr/bin/env python3
"""What other sites and stored texts could do to somebody who is signed in to the pages.

    security.py EVERETT
"""
import json
import os
import re
import sqlite3
import sys
import time
import urllib.parse

from service import Service, Tap, basic, bearer, expect, expect_in

PASSWORD = "correct horse battery"
SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}</title></textarea>"
TRIED = {}


def tried(kind, count=1):
    TRIED[kind] = TRIED.get(kind, 0) + count


class Browser:
    """Cookies and forms, nothing else."""

    def __init__(self, service):
        self.service, self.cookie = service, None

    def send(self, method, path, fields=None, headers=None):
        headers = dict(headers or {})
        if self.cookie:
            headers["Cookie"] = self.cookie
        body = None
        if fields is not None:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            body = urllib.parse.urlencode(fields)
        return self.service.request(method, path, body=body, headers=headers)

    def login(self, name, password, **more):
        r = self.send("POST", "/login", {"name": name, "password": password, **more})
        if r.headers["Set-Cookie"]:
            self.cookie = r.headers["Set-Cookie"].split(";")[0]
        return r

    def csrf(self):
        text = self.send("GET", "/runs").body.decode()
        return re.search(r'name="csrf" value="([^"]+)"', text).group(1)


def test_login(tap, s):
    with tap.test("signing in gives a cookie that scripts and other sites do not get"):
        b = Browser(s)
        r = b.login("root", PASSWORD)
        expect((r.status, r.headers["Location"]), (303, "/runs"))
        for part in ("HttpOnly", "SameSite=Lax", "Path=/"):
            expect_in(part, r.headers["Set-Cookie"])
        expect(b.send("GET", "/runs").status, 200)
    with tap.test("incomplete, wrong and odd attempts are refused"):
        rows = [{}, {"name": "root"}, {"password": PASSWORD}, {"name": "", "password": ""},
                {"name": "root", "password": PASSWORD + "x"}, {"name": "root' --", "password": "x"},
                {"name": "r" * 5000, "password": "x"}, {"name": "root", "password": "p" * 100_000},
                {"name": "root\0", "password": PASSWORD}, {"name": SCRIPT, "password": SCRIPT}]
        for fields in rows:
            r = Browser(s).send("POST", "/login", fields)
            expect(r.status, 401, str(fields)[:80])
            expect("Set-Cookie" in r.headers, False)
            expect(b"<script>alert" in r.body, False)
            tried("logins")
        r = Browser(s).send("POST", "/login", None)
        expect(r.status, 401)
    with tap.test("after signing in nobody is sent to another site"):
        for to in ("//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example",
                   "/\t/evil.example", "/\n/evil.example", "javascript:alert(1)", "/ /x", "evil",
                   "/%0d%0aSet-Cookie: a=b", "/x\r\nSet-Cookie: a=b", "", "http:evil.example"):
            r = Browser(s).login("root", PASSWORD, next=to)
            where = r.headers["Location"]
            good = where.startswith("/") and not where.startswith(("//", "/\\"))
            expect((r.status, good, len(r.headers.get_all("Set-Cookie"))), (303, True, 1), where)
            tried("redirects")
        expect(Browser(s).login("root", PASSWORD, next="/runs?x=1").headers["Location"], "/runs?x=1")
    with tap.test("pages send strangers to the form and back"):
        for path in ("/runs", "/launch", "/registry", "/accounts", "/runs/x/report"):
            r = Browser(s).send("GET", path)
            expect(r.status, 303, path)
            expect(r.headers["Location"], "/login?next=" + urllib.parse.quote(path, safe=""))


def test_forged(tap, s, token):
    """A page of another site makes the browser of somebody who is signed in send forms."""
    b = Browser(s)
    b.login("root", PASSWORD)
    csrf = b.csrf()
    paths = ["/logout", "/launch", "/runs/x/cancel", "/accounts/tokens/1/revoke"]
    with tap.test("forms of other sites do nothing"):
        for path in paths:
            for fields in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": csrf[:-1]}, {"CSRF": csrf}):
                expect(b.send("POST", path, fields).status, 403, path)
                tried("forged forms")
            for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
                expect(b.send("POST", path, {"csrf": csrf}, {"Origin": origin}).status, 403, path)
                tried("forged forms")
            for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
                expect(b.send("POST", path, {}, {"Content-Type": kind}).status, 403, path)
                tried("forged forms")
            expect(b.send("GET", path).status in (200, 404, 405), True, path)
        expect(b.send("GET", "/runs").status, 200)
        expect(s.get("/metrics", bearer(token)).status, 200)
        other = Browser(s)
        other.login("root", PASSWORD)
        expect(other.send("POST", "/logout", {"csrf": csrf}).status, 403)
    with tap.test("the cookie moves nothing in the API and in the registry"):
        for method, path in (("POST", "/api/v1/launch/basic_test"), ("POST", "/v2/a/blobs/uploads/"),
                             ("PUT", "/v2/a/manifests/x"), ("DELETE", "/v2/a/manifests/x"),
                             ("GET", "/v2/")):
            r = b.send(method, path, {"csrf": csrf}, {"Origin": s.address})
            expect(r.status, 401, path)
            tried("forged forms")
    with tap.test("the real form works, and a session ends with it"):
        r = b.send("POST", "/accounts/tokens/1/revoke", {"csrf": csrf}, {"Origin": s.address})
        expect(r.status, 303)
        expect(s.get("/metrics", bearer(token)).status, 401)
        old = b.cookie
        r = b.send("POST", "/logout", {"csrf": csrf})
        expect((r.status, "Max-Age=0" in r.headers["Set-Cookie"]), (303, True))
        b.cookie = old
        expect(b.send("GET", "/runs").status, 303)
    with tap.test("a cookie that somebody made up is nobody's"):
        for value in ("", "x", "A" * 43, "' OR 1=1 --", "a" * 4000):
            b.cookie = "everett_session=" + value
            expect(b.send("GET", "/runs").status, 303)
            tried("made-up cookies")


def add_run(s):
    run = "%032x-1-1" % 7
    db = sqlite3.connect(os.path.join(s.dir, "server.db"), timeout=30)
    with db:
        db.execute("INSERT INTO run (id, status, created_ms, started_ms, completed_ms, launcher,"
                   " creator_name, creator_type, description, test_name, source, commit_id, params,"
                   " error, verdict, duration_s) VALUES (?, 6, ?1, 1, 2, ?2, ?2, ?2, ?2, ?2, ?2, ?2,"
                   " ?3, ?2, 'setup_failed', 60)".replace("?1", str(int(time.time() * 1000)))
                   .replace("?2", ":t").replace("?3", ":p").replace("(?, ", "(:r, "),
                   {"r": run, "t": SCRIPT, "p": json.dumps({SCRIPT: SCRIPT})})
        db.execute("INSERT INTO notification (run, kind, target, payload, state, next, created,"
                   " last_error) VALUES (?, 'mail', ?, '{}', 'failed', 0, 0, ?)",
                   (run, SCRIPT, SCRIPT))
    db.close()
    where = os.path.join(s.dir, "runs", run)
    os.makedirs(where)
    with open(os.path.join(where, "build_log.ndjson"), "w") as f:
        f.write(json.dumps({"timestamp": "2026-11-22T00:00:00Z", "text": SCRIPT,
                            "stream": "err"}) + "\n")
    return run


def test_stored(tap, s):
    run = add_run(s)
    b = Browser(s)
    b.login("root", PASSWORD)
    quoted = urllib.parse.quote(SCRIPT)
    paths = ["/runs", "/runs/" + run, "/runs/" + run + "/report", "/runs/" + run + "/logs", "/launch",
             "/registry", "/accounts", "/login", "/runs?q=" + quoted, "/runs?source=" + quoted,
             "/runs?status=" + quoted, "/runs/" + run + "?done=" + quoted, "/login?next=/" + quoted,
             "/runs/compare?a=%s&b=%s" % (run, quoted), "/launch?antithesis.description=" + quoted,
             "/runs/" + quoted.replace("/", "%20"), "/" + quoted.replace("/", "%20"),
             "/runs/%s/logs?q=%s" % (run, quoted), "/runs/%s/failure/%s" % (run, "1")]
    with tap.test("%d pages show stored and given texts as texts" % len(paths)):
        for path in paths:
            r = b.send("GET", path)
            text = r.body.decode()
            expect(r.status < 500, True, "%s: %d" % (path, r.status))
            for bad in ("<script>alert", "<img src=x", "</title></textarea>"):
                expect(bad in text.replace("</title>\n", ""), False, "%s in %s" % (bad, path))
            tried("pages")
    with tap.test("no page holds code or style of its own, and each is under the policy"):
        for path in paths:
            r = b.send("GET", path)
            if r.status == 303:
                continue
            text = r.body.decode()
            policy = r.headers["Content-Security-Policy"]
            expect("unsafe" in policy or "*" in policy, False, policy)
            for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'",
                         "form-action 'self'"):
                expect_in(part, policy)
            expect((r.headers["X-Frame-Options"], r.headers["X-Content-Type-Options"]),
                   ("DENY", "nosniff"))
            tags = " ".join(re.findall(r"<[a-z][^>]*>", text))
            expect(re.findall(r"<script(?! type=\"module\" src=\"/static/)[^>]*>", tags), [], path)
            expect(re.findall(r"\s(?:style|on[a-z]+)=", re.sub(r'"[^"]*"', '""', tags)), [], path)
    with tap.test("no secret is in any page"):
        for path in paths:
            text = b.send("GET", path).body.decode()
            expect(PASSWORD in text or "evt_" in text.replace("evt_\u2026", ""), False, path)


def main():
    everett = os.path.abspath(sys.argv[1])
    tap = Tap()
    with Service(everett) as s:
        token = s.token("ci", "read")
        s.account("root", PASSWORD, "read,launch,push,admin")
        s.start()
        test_login(tap, s)
        test_forged(tap, s, token)
        test_stored(tap, s)
        with tap.test("the server lives, and says no secret in its log"):
            expect(s.is_alive(), True)
            expect(PASSWORD in s.log() or "evt_" in s.log() or "csrf" in s.log(), False)
    print("# inputs tried: %d (%s)" % (sum(TRIED.values()),
                                       ", ".join("%s %d" % pair for pair in TRIED.items())))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
