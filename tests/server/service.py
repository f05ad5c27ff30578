"""Shared by the tests of the service: TAP, a server in a directory of its own, small HTTP clients.
Only the standard library."""
import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import urllib.parse


class Tap:
    """ok / not ok lines; `with tap.test("name"):` around what must hold."""

    def __init__(self):
        self.count = self.failures = 0

    def test(self, name):
        return _Test(self, name)

    def skip(self, name, why):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, why), flush=True)

    def run(self, functions):
        """Each is a test of its name; what it returns is said about it."""
        for function in functions:
            with self.test(function.__name__):
                detail = function()
                if detail:
                    print("# %s: %s" % (function.__name__, detail))

    def finish(self):
        print("1..%d" % self.count)
        return 1 if self.failures or not self.count else 0


class _Test:
    def __init__(self, tap, name):
        self.tap, self.name = tap, name

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.tap.count += 1
        if kind is None:
            print("ok %d - %s" % (self.tap.count, self.name), flush=True)
            return True
        if not issubclass(kind, Exception):
            return False
        self.tap.failures += 1
        print("not ok %d - %s" % (self.tap.count, self.name))
        for line in "".join(traceback.format_exception(kind, value, trace)).split("\n"):
            print("# " + line)
        sys.stdout.flush()
        return True


def expect(actual, wanted, what=""):
    if actual != wanted:
        raise AssertionError("%s: %r, expected %r" % (what or "value", actual, wanted))


def expect_in(part, whole):
    if part not in whole:
        raise AssertionError("no %r in %r" % (part, whole))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def basic(name, password):
    return {"Authorization": "Basic " +
            base64.b64encode(("%s:%s" % (name, password)).encode()).decode()}


def bearer(token):
    return {"Authorization": "Bearer " + token}


class Service:
    """One directory and, between start() and stop(), one server on a free port."""

    def __init__(self, everett, config="", env=None):
        self.everett = everett
        self.work = tempfile.mkdtemp(prefix="everett-server-")
        self.dir = os.path.join(self.work, "data")
        self.log_text, self.log_grew, self.log_reader = "", threading.Condition(), None
        self.env = dict(os.environ, EVERETT_HOME=os.path.join(self.work, "home"), **(env or {}))
        self.process, self.address, self.port, self.welcome = None, None, None, ""
        os.mkdir(self.dir)
        self.configure(config)

    def configure(self, text):
        with open(os.path.join(self.dir, "server.conf"), "w") as f:
            f.write(text)

    def start(self, *options):
        self.process = subprocess.Popen(
            [self.everett, "serve", "--dir", self.dir, "--listen", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=self.env)
        self.log_reader = threading.Thread(target=self._read_log, args=(self.process.stderr,))
        self.log_reader.start()
        # What it prints ends with the first line, or two more for a fresh directory; the pipe stays
        # open, so that only whole lines are read.
        first = self.process.stdout.readline().decode()
        if not first.startswith("Everett serves "):
            self.wait(30)
            raise AssertionError("the server did not start: %r\n%s" % (first, self.log()))
        self.welcome = first
        self.public = first.split()[-1]
        self.address = self.public
        self.port = urllib.parse.urlsplit(self.address).port
        return self

    def _read_log(self, pipe):
        with pipe:
            for line in pipe:
                with self.log_grew:
                    self.log_text += line.decode(errors="replace")
                    self.log_grew.notify_all()

    def log(self):
        with self.log_grew:
            return self.log_text

    def wait_log(self, part, seconds=30):
        """A request is logged after its answer went out: until the log holds `part`."""
        with self.log_grew:
            if not self.log_grew.wait_for(lambda: part in self.log_text, seconds):
                raise AssertionError("no %r in the log:\n%s" % (part, self.log_text))

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=60):
        status = self.process.wait(seconds)
        rest = self.process.stdout.read().decode()
        self.process.stdout.close()
        self.log_reader.join()
        self.process = None
        return status, rest

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def close(self):
        if self.process:
            self.kill()
        shutil.rmtree(self.work)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def cli(self, *words, stdin=None):
        return subprocess.run([self.everett, *words], input=stdin, text=True, capture_output=True,
                              env=self.env, timeout=60,
                              **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))

    def token(self, account="me", scopes="read,launch,push", *more):
        r = self.cli("token", "create", "--dir", self.dir, "--account", account, "--scopes", scopes,
                     *more)
        expect(r.returncode, 0, r.stderr)
        return r.stdout.strip()

    def account(self, name, password, scopes="read,launch,push"):
        r = self.cli("account", "create", name, "--dir", self.dir, "--scopes", scopes,
                     "--password-stdin", stdin=password + "\n")
        expect(r.returncode, 0, r.stderr)

    def connect(self, timeout=30):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def request(self, method, path, body=None, headers=None, timeout=30):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(method, path, body=body, headers=headers or {})
            r = c.getresponse()
            return Answer(r.status, r.headers, r.read())
        finally:
            c.close()

    def http(self, timeout=60):
        """A connection that the caller closes."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def memory_bytes(self):
        """What the server holds in memory of its own, files not counted."""
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1)) * 1024

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def raw(self, data, timeout=30):
        """Sends bytes as they are; what comes back until the end of the connection."""
        with self.connect(timeout) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before it was read: there may be an answer all the same
            return read_all(s)

    def is_alive(self):
        return self.process.poll() is None and self.get("/healthz").status == 200


def read_all(s):
    parts = []
    try:
        while True:
            part = s.recv(65536)
            if not part:
                break
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def status_of(answer):
    """Status of a raw answer; None: the connection was closed without one."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/1.") else None


def in_parallel(count, work):
    """work(i) in threads; returns the list of results; the first exception is raised."""
    results, faults = [None] * count, []

    def one(i):
        try:
            results[i] = work(i)
        except Exception as e:  # told to the caller below
            faults.append(e)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if faults:
        raise faults[0]
    return results
