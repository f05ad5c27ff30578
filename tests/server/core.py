#!/usr/bin/env python3
"""The service's foundation, from outside: verbs, health, who is let in, shapes of errors, signals.

    core.py EVERETT
"""
import http.client
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time

from service import Service, Tap, basic, bearer, expect, expect_in, read_all, status_of

PASSWORD = "correct horse battery"


def test_verbs(tap, s):
    with tap.test("a fresh server prints its address and the command that makes the first token"):
        s.start()
        line = s.process.stdout.readline().decode()
        line += s.process.stdout.readline().decode()
        expect_in("everett token create --dir %s --account me --scopes read,launch,push" % s.dir,
                  line)
        expect(bool(re.fullmatch(r"http://127\.0\.0\.1:\d+", s.address)), True, s.address)
    with tap.test("the database and the directory are for their owner only"):
        expect(os.stat(os.path.join(s.dir, "server.db")).st_mode & 0o077, 0)
    with tap.test("accounts are made, listed and disabled"):
        s.account("alice", PASSWORD, "read")
        listed = s.cli("account", "ls", "--dir", s.dir).stdout
        expect_in("alice", listed)
        s.account("gone", PASSWORD)
        expect(s.cli("account", "disable", "gone", "--dir", s.dir).returncode, 0)
        expect_in("disabled", s.cli("account", "ls", "--dir", s.dir).stdout)
    with tap.test("a token is printed alone and once, and is listed without its text"):
        token = s.token("ci", "push", "--label", "pipeline")
        expect(bool(re.fullmatch(r"evt_[A-Za-z0-9_-]{43}", token)), True, token)
        listed = s.cli("token", "ls", "--dir", s.dir).stdout
        expect_in("pipeline", listed)
        expect(token in listed, False)
    bad = [
        (["account", "create", "Bob", "--dir", s.dir, "--password-stdin"], PASSWORD, "is no name"),
        (["account", "create", "bob", "--dir", s.dir, "--password-stdin"], "short", "shorter than"),
        (["account", "create", "bob", "--dir", s.dir, "--password-stdin"], "", "no password"),
        (["account", "create", "alice", "--dir", s.dir, "--password-stdin"], PASSWORD, "already"),
        (["account", "create", "bob", "--dir", s.dir], None, "--password-stdin"),
        (["account", "create", "--dir", s.dir], None, "which name?"),
        (["account", "create", "a", "b", "--dir", s.dir], None, "`b` is too much"),
        (["account", "disable", "nobody", "--dir", s.dir], None, "there is no account `nobody`"),
        (["account", "fly", "--dir", s.dir], None, "there is no `account fly`"),
        (["account", "--dir", s.dir], None, "create, password, disable or ls?"),
        (["account", "ls"], None, "which directory?"),
        (["token", "create", "--dir", s.dir], None, "--account NAME"),
        (["token", "create", "--dir", s.dir, "--account", "x", "--scopes", "all"], None,
         "there is no scope `all`"),
        (["token", "revoke", "12x", "--dir", s.dir], None, "not the number"),
        (["token", "revoke", "4711", "--dir", s.dir], None, "there is no token 4711"),
        (["serve"], None, "which directory?"),
        (["serve", "--dir", s.dir, "x"], None, "`x` is too much"),
        (["serve", "--dir", s.dir], None, "in use by another server"),
        (["serve", "--dir", s.work + "/d2", "--listen", "8080"], None, "not an address and port"),
        (["serve", "--dir", s.work + "/d2", "--listen", "127.0.0.1:99999"], None, "not an address"),
        (["serve", "--dir", s.work + "/d2", "--listen", "127.0.0.1:%d" % s.port], None,
         "another program serves there"),
        (["serve", "--dir", s.work + "/no/where"], None, "No such file"),
    ]
    for words, stdin, message in bad:
        with tap.test("%s is refused" % " ".join(words).replace(s.work, "D")):
            if stdin is not None and stdin:
                stdin += "\n"
            r = s.cli(*words, stdin=stdin)
            expect(r.returncode in (2, 3), True, r.stderr)
            expect_in(message, r.stderr)
    with tap.test("every key of the configuration is explained"):
        r = s.cli("serve", "--help-config")
        expect_in("# smtp_url", r.stdout)
        expect_in("\nrate_per_minute = 600\n", r.stdout)


def test_terminal(tap, s):
    """The prompt asks twice, echoes nothing, and refuses when the two differ."""
    def ask(first, second):
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(s.everett, [s.everett, "account", "create", "typed", "--dir", s.dir])
        seen = b""
        for prompt, answer in ((b"Password: ", first), (b"Once more: ", second)):
            while prompt not in seen:
                seen += os.read(fd, 1000)
            os.write(fd, answer + b"\n")
        try:
            while True:
                part = os.read(fd, 1000)
                if not part:
                    break
                seen += part
        except OSError:
            pass  # the other end of the terminal is closed
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen

    with tap.test("a typed password is not shown, and must be typed twice alike"):
        status, seen = ask(b"typed password 1", b"typed password 2")
        expect(status, 2, seen)
        expect_in(b"differ", seen)
        status, seen = ask(b"typed password 1", b"typed password 1")
        expect(status, 0, seen)
        expect(b"typed password" in seen, False)


def test_shapes(tap, s):
    with tap.test("health, readiness and version need no account"):
        expect(s.get("/healthz").status, 200)
        expect(s.get("/readyz").status, 200)
        expect(s.get("/api/version").json()["latest_api_version"], "v1")
    with tap.test("HEAD gives the headers of GET and no body"):
        r = s.request("HEAD", "/api/version")
        expect((r.status, r.body), (200, b""))
        expect(r.headers["Content-Length"], str(len(s.get("/api/version").body)))
    with tap.test("every answer has a request id of its own, and says nosniff"):
        a, b = s.get("/healthz"), s.get("/nope")
        expect(a.headers["X-Content-Type-Options"], "nosniff")
        expect(a.headers["X-Request-Id"] != b.headers["X-Request-Id"], True)
        s.wait_log(b.headers["X-Request-Id"])
    with tap.test("nothing there: in the shape of each family"):
        r = s.get("/api/nope")
        expect((r.status, list(r.json())), (404, ["message"]))
        r = s.get("/v2/nope", basic("alice", PASSWORD))
        expect((r.status, "code" in r.json()["errors"][0]), (404, True))
        r = s.get("/nope")
        expect((r.status, r.headers["Content-Type"]), (404, "text/html; charset=utf-8"))
        expect_in("default-src 'none'", r.headers["Content-Security-Policy"])
        expect("unsafe-inline" in r.headers["Content-Security-Policy"], False)
    with tap.test("another method: 405 with Allow"):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
            r = s.request(method, "/api/version")
            expect((r.status, r.headers["Allow"]), (405, "GET, HEAD"), method)
    with tap.test("many requests go over one connection"):
        c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=30)
        for _ in range(100):
            c.request("GET", "/healthz")
            expect(c.getresponse().read(), b"ok\n")
        c.close()
    with tap.test("pipelined requests are answered in order"):
        one = b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n"
        out = s.raw(one % (b"/healthz", b"") + one % (b"/nope", b"") +
                    one % (b"/readyz", b"Connection: close\r\n"))
        found = re.findall(rb"HTTP/1\.1 (\d+)", out)
        expect(found, [b"200", b"404", b"200"])
    with tap.test("a body nobody asked for is read and dropped, small or large"):
        for size in (1, 100_000, 3_000_000):
            r = s.request("POST", "/api/version", body=b"x" * size)
            expect(r.status, 405)
    with tap.test("a refused body that waits for 100 is answered without it"):
        with s.connect() as c:
            c.sendall(b"POST /api/version HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n"
                      b"Expect: 100-continue\r\n\r\n")
            out = read_all(c)
        expect(status_of(out), 405)


def test_stop(tap, everett):
    with tap.test("SIGTERM ends the server with status 0, and its address is free again"):
        with Service(everett) as s:
            s.start()
            port = s.port
            expect(s.stop()[0], 0)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
    with tap.test("SIGINT does the same, with idle connections open"):
        with Service(everett) as s:
            s.start()
            idle = [s.connect() for _ in range(20)]
            kept = http.client.HTTPConnection("127.0.0.1", s.port, timeout=30)
            kept.request("GET", "/healthz")
            kept.getresponse().read()
            s.signal(signal.SIGINT)
            expect(s.wait(20)[0], 0)
            for c in idle + [kept]:
                c.close()
    with tap.test("a request in progress keeps a stopping server; a second signal ends it at once"):
        with Service(everett) as s:
            s.start()
            with s.connect() as c:
                c.sendall(b"POST /api/version HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
                # Its head was taken when the next request over another connection is answered.
                expect(s.get("/healthz").status, 200)
                s.signal(signal.SIGTERM)
                s.wait_log("event=stop")
                expect(s.process.poll(), None)
                s.signal(signal.SIGTERM)
                expect(s.wait(5)[0], 128 + signal.SIGTERM)
            s.start()
            expect(s.is_alive(), True)
    with tap.test("kill -9 and a new start: accounts and tokens are all there"):
        with Service(everett) as s:
            s.start()
            tokens = [s.token("a%d" % i) for i in range(5)]
            s.kill()
            s.start()
            listed = s.cli("token", "ls", "--dir", s.dir).stdout
            expect(len(listed.strip().split("\n")), 1 + len(tokens))
            expect("no account yet" in s.stop()[1], False)


def test_config(tap, everett):
    with tap.test("a wrong line of the configuration is named"):
        with Service(everett, "workers = 1\nwrokers = 2\n") as s:
            r = s.cli("serve", "--dir", s.dir, "--listen", "127.0.0.1:0")
            expect(r.returncode, 2)
            expect_in("server.conf:2: there is no key `wrokers`", r.stderr)
    with tap.test("IPv6, and the address of the configuration"):
        with Service(everett, "listen = [::1]:0\npublic_url = https://everett.example.org/\n") as s:
            s.start("--listen", "[::1]:0")
            expect(s.address, "https://everett.example.org")
            expect_in("listening on http://[::1]:", s.process.stdout.readline().decode())


def test_credentials(tap, everett):
    with Service(everett, "rate_per_minute = 0\n") as s:
        s.start()
        s.account("alice", PASSWORD, "read")
        reads, pushes = s.token("ci", "read"), s.token("ci", "push")
        with tap.test("no credentials: 401 and what to send"):
            r = s.get("/metrics")
            expect((r.status, r.headers["WWW-Authenticate"]), (401, 'Bearer realm="everett"'))
            r = s.get("/v2/")
            expect((r.status, r.headers["WWW-Authenticate"]), (401, 'Basic realm="everett"'))
            expect(r.json()["errors"][0]["code"], "UNAUTHORIZED")
        with tap.test("a token by Bearer and by Basic, a password by Basic"):
            for headers in (bearer(reads), basic("ci", reads), basic("alice", PASSWORD)):
                expect(s.get("/metrics", headers).status, 200)
        with tap.test("wrong ones: 401; without the scope: 403"):
            for headers in (bearer(reads[:-1] + "!"), basic("bob", reads), basic("alice", "x" * 10),
                            bearer(""), {"Authorization": "Basic !!!!"}, {"Authorization": "x"}):
                expect(s.get("/metrics", headers).status, 401, str(headers))
            expect(s.get("/metrics", bearer(pushes)).status, 403)
        with tap.test("a revoked token and a disabled account are out at once"):
            expect(s.cli("token", "revoke", "1", "--dir", s.dir).returncode, 0)
            expect(s.get("/metrics", bearer(reads)).status, 401)
            expect(s.cli("account", "disable", "alice", "--dir", s.dir).returncode, 0)
            expect(s.get("/metrics", basic("alice", PASSWORD)).status, 401)
        with tap.test("ten wrong passwords lock the account for this address"):
            s.account("carol", PASSWORD, "read")
            for _ in range(10):
                expect(s.get("/metrics", basic("carol", "wrong password")).status, 401)
            r = s.get("/metrics", basic("carol", PASSWORD))
            expect(r.status, 429)
            expect(500 < int(r.headers["Retry-After"]) <= 600, True, r.headers["Retry-After"])
            s.wait_log("event=auth_locked")
        with tap.test("all of it is in the audit log, and no secret is"):
            db = sqlite3.connect(os.path.join(s.dir, "server.db"))
            rows = db.execute("SELECT action, target, detail FROM audit").fetchall()
            db.close()
            expect({"account.create", "token.create", "token.revoke", "account.disable",
                    "auth.locked"} <= {r[0] for r in rows}, True, str(rows))
            expect(PASSWORD in str(rows) or "evt_" in str(rows), False)
    with tap.test("anonymous_read opens reads and nothing else"):
        with Service(everett, "anonymous_read = yes\n") as s:
            s.start()
            expect(s.get("/metrics").status, 200)
            expect(s.get("/metrics", bearer("evt_wrong")).status, 401)
            expect(s.get("/v2/").status, 401)


def test_metrics(tap, s):
    line = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [-+0-9.eE]+')
    token = s.token("prometheus", "read")
    with tap.test("metrics are well-formed, and every one is explained"):
        r = s.get("/metrics", bearer(token))
        expect(r.headers["Content-Type"].split(";")[0], "text/plain")
        text = r.body.decode()
        for one in text.splitlines():
            expect(bool(one.startswith("#") or line.fullmatch(one)), True, one)
        names = {re.sub("_(bucket|sum|count)$", "", re.split("[{ ]", one)[0])
                 for one in text.splitlines() if not one.startswith("#")}
        expect(names - set(re.findall(r"# HELP (\S+) ", text)), set())
        expect_in('everett_runs{status="queued"} 0', text)
    with tap.test("requests are counted by code"):
        def count():
            text = s.get("/metrics", bearer(token)).body.decode()
            found = re.search(r'requests_total\{family="page",code="404"\} (\d+)', text)
            return int(found.group(1)) if found else 0
        before = count()
        for number in [s.get("/nope").headers["X-Request-Id"] for _ in range(5)]:
            s.wait_log(number)
        expect(count(), before + 5)


def test_rate(tap, everett):
    with tap.test("an account that asks too often is told when to come again; others go on"):
        with Service(everett, "rate_per_minute = 20\n") as s:
            s.start()
            one, other = s.token("one", "read"), s.token("other", "read")
            codes = [s.get("/metrics", bearer(one)).status for _ in range(21)]
            expect(codes, [200] * 20 + [429])
            r = s.get("/metrics", bearer(one))
            expect((r.status, r.json().keys() >= {"message"}), (429, True))
            expect(1 <= int(r.headers["Retry-After"]) <= 3, True, r.headers["Retry-After"])
            expect(s.get("/metrics", bearer(other)).status, 200)
            expect(s.get("/healthz").status, 200)


def add_run(s, number, status, age_days, size):
    run = "%032x-1-%d" % (number, number)
    at = int((time.time() - age_days * 86400) * 1000)
    db = sqlite3.connect(os.path.join(s.dir, "server.db"))
    with db:
        db.execute("INSERT INTO run (id, status, created_ms, completed_ms, launcher, creator_name,"
                   " creator_type, params, duration_s) VALUES (?, ?, ?, ?, 'basic_test', 'me',"
                   " 'user', '{}', 60)", (run, status, at, at if status >= 4 else 0))
    db.close()
    where = os.path.join(s.dir, "runs", run, "run", "events")
    os.makedirs(where)
    with open(os.path.join(where, "000001.zst"), "wb") as f:
        f.write(os.urandom(size))
    os.symlink("/etc", os.path.join(where, "link"))
    return run


def kept(s):
    db = sqlite3.connect(os.path.join(s.dir, "server.db"))
    rows = {r[0] for r in db.execute("SELECT id FROM run")}
    db.close()
    expect(rows, set(os.listdir(os.path.join(s.dir, "runs"))), "rows and directories")
    return rows


def test_retention(tap, everett):
    def prepared(config):
        s = Service(everett)
        s.token()
        s.configure(config)
        return s

    with tap.test("keep_days removes what is older, and never a run that has not ended"):
        with prepared("keep_days = 30\nworkers = 0\n") as s:
            old = [add_run(s, 1, 4, 40, 10), add_run(s, 2, 5, 31, 10), add_run(s, 3, 6, 400, 10)]
            stay = {add_run(s, 4, 3, 90, 10), add_run(s, 5, 1, 90, 10), add_run(s, 6, 4, 29, 10)}
            s.start()
            for run in old:
                s.wait_log("run %s: older than keep_days" % run)
            s.stop()
            expect(kept(s), stay)
            expect(os.listdir("/etc") != [], True)
    with tap.test("disk_budget removes the oldest ended runs until the rest fits"):
        with prepared("disk_budget = 4MiB\nworkers = 0\n") as s:
            runs = [add_run(s, i, 3 if i == 1 else 4, 10 - i, 1 << 20) for i in range(6)]
            s.start()
            s.wait_log("run %s: beyond disk_budget" % runs[3])
            s.stop()
            expect(kept(s), {runs[1], runs[4], runs[5]})
    with tap.test("a removal that was cut off is ended at the next start"):
        with prepared("keep_days = 30\n") as s:
            gone, aside = add_run(s, 1, 4, 40, 10), add_run(s, 2, 4, 40, 10)
            os.mkdir(os.path.join(s.dir, "trash"))
            os.rename(os.path.join(s.dir, "runs", aside), os.path.join(s.dir, "trash", aside))
            s.start()
            for run in (gone, aside):
                s.wait_log("run %s: older" % run)
            s.stop()
            expect(kept(s), set())
            expect(os.path.exists(os.path.join(s.dir, "trash")), False)


def test_proxy(tap, everett):
    def peer(s, value):
        r = s.get("/healthz", {"X-Forwarded-For": value})
        s.wait_log(r.headers["X-Request-Id"])
        line = [l for l in s.log().splitlines() if r.headers["X-Request-Id"] in l][0]
        return re.search(r"peer=(\S+)", line).group(1)

    with tap.test("a trusted proxy says who asks; nobody else does"):
        with Service(everett, "trusted_proxies = 192.0.2.7; 127.0.0.1\n") as s:
            s.start()
            expect(peer(s, "198.51.100.9"), "198.51.100.9")
            expect(peer(s, "1.2.3.4, 2001:db8::9"), "2001:db8::9")
            for bad in ("", "x", "1.2.3.4, evil", "1.2.3.4,", "1.2.3.4 event=forged", "9" * 500):
                expect(peer(s, bad), "127.0.0.1", bad)
        with Service(everett, "trusted_proxies = 127.0.0.11\n") as s:
            s.start()
            expect(peer(s, "198.51.100.9"), "127.0.0.1")


def test_systemd(tap, everett):
    with tap.test("systemd is told when the service is ready, and when it stops"):
        path = os.path.join(tempfile.mkdtemp(), "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(path)
            listener.settimeout(30)
            with Service(everett, env={"NOTIFY_SOCKET": path}) as s:
                s.start()
                expect(listener.recv(100), b"READY=1\n")
                expect(s.is_alive(), True)
                expect(s.stop()[0], 0)
                expect(listener.recv(100), b"STOPPING=1\n")
        shutil.rmtree(os.path.dirname(path))


def test_tls(tap, everett):
    with Service(everett) as s:
        cert, key = os.path.join(s.work, "cert.pem"), os.path.join(s.work, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        with tap.test("HTTPS with a certificate of one's own"):
            s.configure("tls_cert = %s\ntls_key = %s\n" % (cert, key))
            s.start()
            expect(s.address.startswith("https://127.0.0.1:"), True, s.address)
            context = ssl.create_default_context(cafile=cert)
            c = http.client.HTTPSConnection("127.0.0.1", s.port, context=context, timeout=30)
            c.request("GET", "/healthz")
            expect(c.getresponse().read(), b"ok\n")
            expect(c.sock.version() in ("TLSv1.2", "TLSv1.3"), True, c.sock.version())
            c.close()
            s.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # no TLS: closed, and nothing else happens
            expect(s.stop()[0], 0)
        with tap.test("a certificate that is none is refused, and one that is missing is named"):
            for wrong, message in ((key, "a certificate and its key"), ("/nowhere.pem", "/nowhere.pem")):
                s.configure("tls_cert = %s\ntls_key = %s\n" % (wrong, key))
                r = s.cli("serve", "--dir", s.dir, "--listen", "127.0.0.1:0")
                expect(r.returncode in (2, 3), True)
                expect_in(message, r.stderr)


def main():
    everett = os.path.abspath(sys.argv[1])
    tap = Tap()
    with Service(everett) as s:
        test_verbs(tap, s)
        test_terminal(tap, s)
        test_shapes(tap, s)
        test_metrics(tap, s)
        with tap.test("no password or token stands in the log"):
            log = s.log()
            expect(PASSWORD in log or "evt_" in log, False)
    test_stop(tap, everett)
    test_config(tap, everett)
    test_credentials(tap, everett)
    test_rate(tap, everett)
    test_retention(tap, everett)
    test_tls(tap, everett)
    test_proxy(tap, everett)
    test_systemd(tap, everett)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
