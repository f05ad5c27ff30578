"""What a user does with the service, step by step: images pushed, a run launched with the very
curl line of the tutorial, the run watched until it ends, mail received.

Only the standard library, and the programs that a step names.
"""
import hashlib
import io
import json
import os
import shutil
import socketserver
import subprocess
import sys
import tarfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "server"))
from service import basic  # noqa: E402  (its folder has just been named)

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
ENDED = ("completed", "cancelled", "incomplete")


class Pusher:
    """Pushes without any container tool, as one would with curl."""

    def __init__(self, service, user, password):
        self.service, self.headers = service, basic(user, password)

    def _request(self, method, path, body=None, status=201, **headers):
        answer = self.service.request(method, path, body, dict(self.headers, **headers))
        if answer.status != status:
            raise AssertionError("%s %s: %d %r" % (method, path, answer.status, answer.body))
        return answer

    def blob(self, repository, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self._request("POST", "/v2/%s/blobs/uploads/?digest=%s" % (repository, digest), data)
        return {"digest": digest, "size": len(data)}

    def image(self, repository, tag, config, layers):
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                    "config": dict(self.blob(repository, config), mediaType=CONFIG),
                    "layers": [dict(self.blob(repository, layer), mediaType=LAYER)
                               for layer in layers]}
        self._request("PUT", "/v2/%s/manifests/%s" % (repository, tag), json.dumps(manifest),
                      **{"Content-Type": MANIFEST})

    def archive(self, path, repository, tag):
        """An archive as `docker save` writes it."""
        with tarfile.open(path) as archive:
            def read(name):
                return archive.extractfile(name).read()
            entry = json.loads(read("manifest.json"))[0]
            self.image(repository, tag, read(entry["Config"]), [read(n) for n in entry["Layers"]])

    def files(self, repository, tag, files):
        """An image FROM scratch that holds these files: {path: bytes}."""
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            for path, data in sorted(files.items()):
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(data), 0o644
                archive.addfile(member, io.BytesIO(data))
        layer = tar.getvalue()
        config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
        self.image(repository, tag, json.dumps(config).encode(), [layer])


def curl_launch(service, user, password, params, launcher="basic_test"):
    """The tutorial's line, with another host. Returns the answer's JSON."""
    curl = shutil.which("curl")
    if not curl:
        raise AssertionError("curl is not installed")
    done = subprocess.run(
        [curl, "--fail", "-sS", "-u", "%s:%s" % (user, password), "-X", "POST",
         "%s/api/v1/launch/%s" % (service.address, launcher),
         "-d", json.dumps({"params": params})],
        capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise AssertionError("curl: status %d: %s" % (done.returncode, done.stderr))
    return json.loads(done.stdout)


class Api:
    """The API with an account's password."""

    def __init__(self, service, user, password):
        self.service, self.headers = service, basic(user, password)

    def __call__(self, method, path, body=None, timeout=120, **headers):
        text = json.dumps(body) if isinstance(body, (dict, list)) else body
        return self.service.request(method, path, text, dict(self.headers, **headers), timeout)

    def get(self, path):
        """JSON of a 200."""
        answer = self("GET", path)
        if answer.status != 200:
            raise AssertionError("GET %s: %d %r" % (path, answer.status, answer.body[:500]))
        return answer.json()

    def lines(self, path):
        """Objects of an NDJSON answer."""
        answer = self("GET", path)
        if answer.status != 200:
            raise AssertionError("GET %s: %d %r" % (path, answer.status, answer.body[:500]))
        return [json.loads(line) for line in answer.body.splitlines()]

    def wait_ended(self, run_id, seconds):
        """The run's summary when it has ended."""
        end = time.monotonic() + seconds
        while True:
            run = self.get("/api/v0/runs/" + run_id)
            if run["status"] in ENDED:
                return run
            if time.monotonic() > end:
                raise AssertionError("the run has not ended after %d s: %r" % (seconds, run))
            time.sleep(0.3)  # as a user's script would: the API has no call that waits


class MailSink:
    """Takes mail on a free port of the loopback; messages as (recipients, text)."""

    def __init__(self):
        sink = self
        self.messages, self.changed = [], threading.Condition()

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line):
                self.wfile.write(line.encode() + b"\r\n")

            def take_data(self):
                lines = []
                for line in self.rfile:
                    if line == b".\r\n":
                        break
                    lines.append(line[1:] if line.startswith(b"..") else line)
                return b"".join(lines)

            def handle(self):
                to = []
                self.say("220 sink")
                for line in self.rfile:
                    words = line.decode("ascii", "replace").strip()
                    verb = words[:4].upper()
                    if verb == "DATA":
                        self.say("354 go on")
                        with sink.changed:
                            sink.messages.append((to, self.take_data()))
                            sink.changed.notify_all()
                        to = []
                    elif verb == "RCPT":
                        to.append(words[words.index("<") + 1:words.index(">")])
                    elif verb == "QUIT":
                        self.say("221 bye")
                        return
                    self.say("250 sink")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count, seconds):
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.messages) >= count, seconds):
                raise AssertionError("%d of %d mails after %d s" % (len(self.messages), count,
                                                                    seconds))
            return list(self.messages)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
