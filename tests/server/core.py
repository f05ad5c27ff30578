#!/usr/bin/env python3
"""The service's foundation, from outside: verbs, health, who is let in, shapes of errors, signals.

    core.py EVERETT
"""
import http.client
import os
import pty
import re
import signal
import socket
import sys

from service import Service, Tap, basic, expect, expect_in, read_all, status_of

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


def main():
    everett = os.path.abspath(sys.argv[1])
    tap = Tap()
    with Service(everett) as s:
        test_verbs(tap, s)
        test_terminal(tap, s)
        test_shapes(tap, s)
        with tap.test("no password or token stands in the log"):
            log = s.log()
            expect(PASSWORD in log or "evt_" in log, False)
    test_stop(tap, everett)
    test_config(tap, everett)
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
