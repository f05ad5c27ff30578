#!/usr/bin/env python3
"""What hostile, broken and slow clients do to the service, and kill -9: it answers everybody else,
gives no file away, and loses nothing that it had confirmed. Prints how many inputs were tried.

    reliability.py EVERETT
"""
import hashlib
import http.client
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

from service import Service, Tap, bearer, expect, in_parallel, read_all, status_of

TRIED = {}


def tried(kind, count=1):
    TRIED[kind] = TRIED.get(kind, 0) + count


def resident_mb(s):
    with open("/proc/%d/status" % s.process.pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024


def head(line=b"GET /healthz HTTP/1.1", *headers):
    return b"\r\n".join((line, b"Host: x") + headers + (b"", b""))


def refused(answer, *more):
    """Closed without an answer, or an answer that refuses."""
    status = status_of(answer)
    if status is not None and status not in (400, 404, 405, 411, 413, 414, 417, 431, 501, 505) + more:
        raise AssertionError("answered %r" % answer[:200])


def test_heads(tap, s):
    with tap.test("giant request lines and headers are refused"):
        for size in (9_000, 40_000, 70_000, 200_000, 2_000_000, 20_000_000):
            many = b"".join(b"X-%d: %s\r\n" % (i, b"v" * 50) for i in range(size // 60))
            for data in (b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"GET /?" + b"a=b&" * (size // 4) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"G" * size + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
                         head(b"GET /nope HTTP/1.1", b"X: " + b"h" * size),
                         head(b"GET /nope HTTP/1.1", b"h" * size + b": x"),
                         head(b"GET /nope HTTP/1.1", b"Cookie: " + b"a=b; " * (size // 5)),
                         head(b"GET /nope HTTP/1.1", b"Authorization: Bearer " + b"t" * size),
                         b"GET /nope HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n"):
                refused(s.raw(data), 401)
                tried("giant heads")
        expect(s.is_alive(), True)
    with tap.test("broken request lines and headers are refused"):
        rows = [b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET  /healthz HTTP/1.1\r\n\r\n",
                b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", b"GET /healthz HTTQ/1.1\r\nHost: x\r\n\r\n",
                b"GET /nope HTTP/1.1\r\nHost : x\r\n\r\n", b"GET /nope HTTP/1.1\r\n\r\n",
                b"GET /nope HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
                b"GET /nope HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
                b"GET /nope HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n",
                b"GET /nope HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
                b"GET /nope\0 HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 1000,
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET http://example.org/ HTTP/1.1\r\nHost: x\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"]
        for data in rows:
            refused(s.raw(data))
            tried("broken heads")
        expect(s.is_alive(), True)
    with tap.test("random bytes, and requests with random damage"):
        dice = random.Random(20261122)
        good = head(b"POST /api/version HTTP/1.1", b"Content-Length: 5", b"Accept: */*",
                    b"Authorization: Basic YTpi") + b"12345"
        for i in range(600):
            if i % 3 == 0:
                data = dice.randbytes(dice.randrange(1, 400))
            else:
                data = bytearray(good)
                for _ in range(dice.randrange(1, 6)):
                    data[dice.randrange(len(data))] = dice.randrange(256)
            refused(s.raw(bytes(data)), 401, 200)
            tried("random requests")
        expect(s.is_alive(), True)


def test_paths(tap, s, token):
    up = ["..", "%2e%2e", "%2E.", ".%2e", "..%2f..", "..%5c", "..\\", "%252e%252e", "..;", "%c0%ae%c0%ae",
          "..%00", ".", "%2e", "", "..%c0%af", "%u002e%u002e", "....//", "..%0d%0a"]
    bases = ["/static/", "/runs/", "/v2/", "/v2/a/blobs/", "/v2/a/manifests/", "/v2/a/blobs/uploads/",
             "/api/v0/runs/", "/api/v1/launch/", "/"]
    with tap.test("tricks with paths reach no file"):
        for base in bases:
            for trick in up:
                for tail in ("/etc/passwd", "/server.db", "/%00", ""):
                    target = base + "/".join([trick] * 6) + tail
                    answer = s.raw(head(b"GET %s HTTP/1.1" % target.encode(), b"Connection: close",
                                        b"Authorization: Bearer " + token.encode()))
                    if b"root:" in answer or b"SQLite" in answer:
                        raise AssertionError("%s: %r" % (target, answer[:200]))
                    if status_of(answer) in (None, 500):
                        raise AssertionError("%s: %r" % (target, answer[:200]))
                    tried("paths")
        expect(s.is_alive(), True)
    with tap.test("control characters in paths reach neither log nor answer as they are"):
        s.wait_log(s.get("/nope").headers["X-Request-Id"])
        before = len(s.log().splitlines())
        for code in list(range(32)) + [127]:
            answer = s.raw(head(b"GET /x%%%02xevent=forged HTTP/1.1" % code, b"Connection: close"))
            expect(status_of(answer), 400)
            tried("paths")
        r = s.get("/%22onload=alert(1)%3E%3Cscript%3E")
        expect((r.status, b"<script>" in r.body), (404, False))
        s.wait_log(r.headers["X-Request-Id"])
        expect(len([l for l in s.log().splitlines() if not l.startswith("at=")]), 0)
        expect(len(s.log().splitlines()) - before, 34)


def test_bodies(tap, s, token):
    auth = b"Authorization: Bearer " + token.encode()
    manifest = b"PUT /v2/a/manifests/latest HTTP/1.1"
    kind = b"Content-Type: application/vnd.oci.image.manifest.v1+json"
    with tap.test("a body that is too large is refused, announced or not"):
        for size in (5 << 20, 30 << 20):
            expect(status_of(s.raw(head(manifest, auth, kind, b"Connection: close",
                                        b"Content-Length: %d" % size) + b"x" * size)), 413)
            chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
            answer = s.raw(head(manifest, auth, kind, b"Connection: close",
                                b"Transfer-Encoding: chunked") + chunk * (size >> 16) + b"0\r\n\r\n")
            expect(status_of(answer), 413)
            tried("giant bodies", 2)
        endless = s.raw(head(manifest, auth, kind, b"Transfer-Encoding: chunked") +
                        chunk * (200 << 4), timeout=60)
        if status_of(endless) not in (None, 413):
            raise AssertionError(endless[:200])
        tried("giant bodies")
        expect(resident_mb(s) < 400, True, "MiB %.0f" % resident_mb(s))
    with tap.test("broken JSON is a client's mistake"):
        deep = b"[" * 100_000
        rows = [b"", b"{", b"}", b"[", b"null", b"true", b"1e999999", b'"x', b'{"a"}', b"{'a': 1}",
                b'{"a": 1,}', b'{"a": NaN}', b"\xff\xfe\x00", b'"\xff"', b'"\\ud800"', b'{"a": "\x00"}',
                deep, b'{"a":' * 50_000, b'{"params": []}', b'{"params": 1}', b'{"params": {}}',
                b'{"params": {"a": {}}}', b'{"params": null}', b"{}", b"[]", b"\xef\xbb\xbf{}",
                b'{"schemaVersion": "2"}', b'{"schemaVersion": 2, "layers": {}}',
                b'{"schemaVersion": 2, "config": {"digest": 1}}', b"\x1f\x8b\x08\x00garbage",
                b'{"a": 1} {"a": 2}', b'{"a": 1, "a": 2}', b"1" * 100_000]
        for body in rows:
            for method, path in (("PUT", "/v2/a/manifests/latest"),
                                 ("POST", "/api/v1/launch/basic_test"),
                                 ("POST", "/api/v1/launch_experiment/basic_test"),
                                 ("POST", "/api/v1/launch/debugging"),
                                 ("POST", "/api/v0/runs/x/events/search"),
                                 ("POST", "/api/v0/runs/x/execute_command")):
                r = s.request(method, path, body=body, headers={
                    **bearer(token), "Content-Type": kind.decode().split(": ")[1]})
                expect(400 <= r.status < 500, True, "%s %r: %d" % (path, body[:40], r.status))
                tried("broken JSON")
        expect(s.is_alive(), True)


def test_smuggling(tap, s):
    hidden = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    def post(*headers, body=b"0\r\n\r\n"):
        return b"\r\n".join((b"POST /api/version HTTP/1.1", b"Host: x") + headers) + b"\r\n\r\n" + body + hidden
    rows = [
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        post(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        post(b"Content-Length: 0", b"Transfer-Encoding: chunked"),
        post(b"Content-Length: 5", b"Content-Length: 6"),
        post(b"Content-Length: 5", b"Content-Length: 5"),
        post(b"Content-Length: 5, 5"), post(b"Content-Length: 5, 6"), post(b"Content-Length: +5"),
        post(b"Content-Length: -5"), post(b"Content-Length: 0x5"), post(b"Content-Length: 5 5"),
        post(b"Content-Length: 5;"), post(b"Content-Length: 99999999999999999999999"),
        post(b"Content-Length: 18446744073709551621"), post(b"Content-Length:"), post(b"Content-Length: five"),
        post(b"Transfer-Encoding: xchunked"), post(b"Transfer-Encoding: chunked, identity"),
        post(b"Transfer-Encoding: identity"), post(b"Transfer-Encoding: gzip, chunked"),
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        post(b"Transfer-Encoding:"), post(b"Transfer-Encoding: \x0bchunked"), post(b"Transfer-Encoding: \"chunked\""),
        post(b"Transfer-Encoding : chunked"), post(b"Transfer_Encoding: chunked", b"Content-Length : 0"),
        post(b"X: y\rTransfer-Encoding: chunked", b"Content-Length: 3x"),
        post(b"Transfer-Encoding: chunked", body=b"fffffffffffffffff\r\n\r\n"),
        post(b"Transfer-Encoding: chunked", body=b"-1\r\n\r\n"),
        post(b"Transfer-Encoding: chunked", body=b"0x1\r\nx\r\n"),
        post(b"Transfer-Encoding: chunked", body=b"5\r\nabc\r\n"),
        post(b"Transfer-Encoding: chunked", body=b"zz\r\n"),
        post(b"Transfer-Encoding: chunked", body=b"1 \r\nxx\r\n"),
    ]
    with tap.test("a request whose end can be read in two ways is the last of its connection"):
        for data in rows:
            answer = s.raw(data)
            refused(answer)
            if answer.count(b"X-Request-Id: ") > 1:  # of requests that were understood
                raise AssertionError("%r: %r" % (data, answer))
            tried("smuggling")
        r = s.get("/nope")
        s.wait_log(r.headers["X-Request-Id"])
        expect("/smuggled" in s.log(), False)
        expect(s.is_alive(), True)


def test_slow(tap, everett):
    """idle_seconds = 1; each connection is watched until the server ends it."""
    def until_closed(c):
        start = time.monotonic()
        read_all(c)
        return time.monotonic() - start

    def drip(s, data):
        """One byte every tenth of a second, as slow as such clients are, until nobody listens."""
        start = time.monotonic()
        with s.connect(timeout=30) as c:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            closed = threading.Event()
            watcher = threading.Thread(target=lambda: (read_all(c), closed.set()))
            watcher.start()
            for i in range(len(data)):
                try:
                    c.send(data[i:i + 1])
                except OSError:
                    break
                if closed.wait(0.1):
                    break
            watcher.join(30)
        return time.monotonic() - start

    with Service(everett, "idle_seconds = 1\n") as s:
        s.start()
        with tap.test("connections that say nothing are ended"):
            took = in_parallel(50, lambda i: until_closed(s.connect()))
            tried("slow clients", 50)
            expect(0.5 < min(took) and max(took) < 10, True, str((min(took), max(took))))
        with tap.test("heads that come byte by byte are cut, and others are served meanwhile"):
            data = head(b"GET /healthz HTTP/1.1", b"X: " + b"y" * 500)
            out = []
            loris = threading.Thread(target=lambda: out.extend(
                in_parallel(100, lambda i: drip(s, data))))
            loris.start()
            slowest = 0
            while loris.is_alive():
                start = time.monotonic()
                expect(s.get("/healthz").status, 200)
                slowest = max(slowest, time.monotonic() - start)
            tried("slow clients", 100)
            print("# others were answered within %.0f ms" % (slowest * 1000))
            expect(len(out) == 100 and max(out) < 15, True, str(sorted(out)[-3:]))
        with tap.test("bodies that come byte by byte are cut"):
            data = head(b"POST /api/version HTTP/1.1", b"Content-Length: 1000") + b"x" * 1000
            took = in_parallel(20, lambda i: drip(s, data))
            tried("slow clients", 20)
            expect(max(took) < 60, True, str(max(took)))
        with tap.test("a client that reads nothing is cut"):
            with s.connect() as c:
                c.settimeout(20)
                one = head(b"GET /nope HTTP/1.1")
                start = time.monotonic()
                try:
                    while True:
                        c.send(one * 200)
                except OSError:
                    pass
                expect(time.monotonic() - start < 19, True)
            tried("slow clients")
        with tap.test("half of a request, then nothing; half of a connection"):
            for part in (b"G", b"GET /healthz HTTP/1.1\r\n", head()[:-2],
                         head(b"POST /api/version HTTP/1.1", b"Content-Length: 10") + b"123"):
                with s.connect() as c:
                    c.sendall(part)
                    expect(until_closed(c) < 10, True)
                with s.connect() as c:  # a reset instead of an end
                    c.sendall(part)
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                tried("half-open", 2)
            expect(s.is_alive(), True)


def test_many(tap, everett):
    with Service(everett, "connections_max = 1100\n") as s:
        s.start()
        with tap.test("1,000 connections at once, each answered, all kept open"):
            idle = resident_mb(s)
            start = time.monotonic()
            open_ones = [http.client.HTTPConnection("127.0.0.1", s.port, timeout=60)
                         for _ in range(1000)]
            try:
                for c in open_ones:
                    c.request("GET", "/healthz")
                for c in open_ones:
                    expect(c.getresponse().read(), b"ok\n")
                for c in open_ones:  # again, over the same ones
                    c.request("GET", "/readyz")
                for c in open_ones:
                    expect(c.getresponse().read(), b"ok\n")
                print("# 2,000 answers over 1,000 connections in %.1f s, %.0f MiB resident (%.0f idle)"
                      % (time.monotonic() - start, resident_mb(s), idle))
                tried("connections at once", 1000)
                expect(resident_mb(s) < 300, True)
            finally:
                for c in open_ones:
                    c.close()
        with tap.test("more than the limit: the server lives on, and serves when there is room"):
            crowd = []
            for _ in range(1300):
                crowd.append(s.connect())
            tried("connections at once", 1300)
            for c in crowd:
                c.close()
            expect(s.is_alive(), True)
        with tap.test("SIGTERM with 500 open connections ends at once"):
            crowd = [s.connect() for _ in range(500)]
            start = time.monotonic()
            expect(s.stop()[0], 0)
            expect(time.monotonic() - start < 5, True)
            for c in crowd:
                c.close()


def push_blob(s, token, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    r = s.request("POST", "/v2/kill/blobs/uploads/?digest=" + digest, body=data,
                  headers={**bearer(token), "Content-Type": "application/octet-stream"})
    return digest if r.status == 201 else None


def test_kill(tap, everett):
    rounds, confirmed, dice = 6, [], random.Random(9)
    with Service(everett) as s:
        token = s.token()
        with tap.test("kill -9 in the middle of pushes, %d times: what was confirmed is there" % rounds):
            for _ in range(rounds):
                s.start()
                enough = threading.Event()

                def work(i):
                    try:
                        while True:
                            digest = push_blob(s, token, random.randbytes(20_000 * (i + 1)))
                            if digest:
                                confirmed.append(digest)
                            if len(confirmed) % 10 == dice.randrange(10):
                                enough.set()
                    except (OSError, http.client.HTTPException):
                        pass

                threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
                for t in threads:
                    t.start()
                enough.wait(20)
                s.kill()
                for t in threads:
                    t.join()
                tried("kill -9")
            s.start()
            for digest in confirmed:
                r = s.get("/v2/kill/blobs/" + digest, bearer(token))
                expect(r.status, 200, digest)
                expect("sha256:" + hashlib.sha256(r.body).hexdigest(), digest)
            print("# %d blobs were confirmed and are there" % len(confirmed))
            expect(len(confirmed) > rounds, True)


def test_full_disk(tap, everett):
    """A file system of 24 MiB in a namespace of its own, filled by pushes."""
    probe = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"],
                           capture_output=True)
    if probe.returncode:
        tap.count += 1
        print("ok %d - a full disk # SKIP no user namespaces here" % tap.count)
        return
    with Service(everett) as s:
        token = s.token()
        script = os.path.join(s.work, "small-disk")
        with open(script, "w") as f:
            f.write("#!/bin/sh\nset -e\nmkdir -p {w}/old\ncp -a {d}/. {w}/old/\n"
                    "mount -t tmpfs -o size=24m none {d}\ncp -a {w}/old/. {d}/\n"
                    "exec {e} \"$@\"\n".format(w=s.work, d=s.dir, e=everett))
        os.chmod(script, 0o755)
        wrapper = os.path.join(s.work, "everett-on-small-disk")
        with open(wrapper, "w") as f:
            f.write("#!/bin/sh\nexec unshare -rm %s \"$@\"\n" % script)
        os.chmod(wrapper, 0o755)
        s.everett = wrapper
        s.start()
        with tap.test("a full disk: pushes fail with 507, everything else goes on"):
            good, codes = [], []
            for _ in range(12):
                data = os.urandom(4 << 20)
                digest = "sha256:" + hashlib.sha256(data).hexdigest()
                r = s.request("POST", "/v2/kill/blobs/uploads/?digest=" + digest, body=data,
                              headers={**bearer(token), "Content-Type": "application/octet-stream"})
                codes.append(r.status)
                if r.status == 201:
                    good.append(digest)
                tried("writes to a full disk")
            expect(set(codes), {201, 507}, str(codes))
            expect(s.is_alive(), True)
            for digest in good:
                expect(s.request("HEAD", "/v2/kill/blobs/" + digest,
                                 headers=bearer(token)).status, 200)
            expect(s.get("/metrics", bearer(token)).status, 200)
        s.kill()


def main():
    everett = os.path.abspath(sys.argv[1])
    tap = Tap()
    with Service(everett, "rate_per_minute = 0\nbody_max = 4MiB\n") as s:
        s.start()
        token = s.token()
        test_heads(tap, s)
        test_paths(tap, s, token)
        test_bodies(tap, s, token)
        test_smuggling(tap, s)
        with tap.test("the server that went through all that stops as it should"):
            expect(s.stop()[0], 0)
    test_slow(tap, everett)
    test_many(tap, everett)
    test_kill(tap, everett)
    test_full_disk(tap, everett)
    print("# inputs tried: %d (%s)" % (sum(TRIED.values()),
                                       ", ".join("%s %d" % pair for pair in TRIED.items())))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main())
