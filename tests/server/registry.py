#!/usr/bin/env python3
"""The registry over HTTP: pushes, pulls, lists, deletions, errors, restarts, many clients at once.

    registry.py EVERETT [TEST...]
"""
import hashlib
import http.client
import json
import os
import random
import sys
import threading

from service import Service, Tap, basic, bearer, expect as equal

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
PASSWORD = "correct horse battery"


def true(value, what):
    if not value:
        raise AssertionError(what)


def digest_of(data, algorithm="sha256"):
    return algorithm + ":" + hashlib.new(algorithm, data).hexdigest()


class Client:
    """Requests with an account's credentials."""

    def __init__(self, service, headers):
        self.service, self.headers = service, headers

    @classmethod
    def account(cls, service, name, scopes="read,launch,push"):
        service.account(name, PASSWORD, scopes)
        return cls(service, basic(name, PASSWORD))

    def __call__(self, method, path, body=None, **headers):
        full = dict(self.headers)
        full.update({name.replace("_", "-"): value for name, value in headers.items()})
        if body is None and method in ("POST", "PUT", "PATCH"):
            full.setdefault("Content-Length", "0")
        return self.service.request(method, path, body, full)

    def start(self, repository, query=""):
        answer = self("POST", "/v2/%s/blobs/uploads/%s" % (repository, query))
        equal(answer.status, 202, "start of an upload")
        return answer.headers["Location"]

    def push_blob(self, repository, data, algorithm="sha256"):
        digest = digest_of(data, algorithm)
        answer = self("PUT", self.start(repository) + "?digest=" + digest, data)
        equal(answer.status, 201, "push of a blob")
        return digest

    def push_manifest(self, repository, reference, manifest, content_type=OCI, query=""):
        body = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        path = "/v2/%s/manifests/%s%s" % (repository, reference, query)
        return self("PUT", path, body, Content_Type=content_type), body

    def push_image(self, repository, tag, text=b"layer", **extra):
        config, layer = b'{"architecture":"amd64","os":"linux"}' + text, text
        image = {"schemaVersion": 2, "mediaType": OCI,
                 "config": descriptor(config, CONFIG_TYPE),
                 "layers": [descriptor(layer, LAYER_TYPE)], **extra}
        self.push_blob(repository, config)
        self.push_blob(repository, layer)
        answer, body = self.push_manifest(repository, tag, image)
        equal(answer.status, 201, "push of a manifest (%s)" % shown(answer))
        return digest_of(body), body


def descriptor(data, media_type):
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def shown(answer):
    return "%d %r" % (answer.status, answer.body[:300])


def code_of(answer):
    """The registry's error code, or None."""
    try:
        return answer.json()["errors"][0]["code"]
    except (ValueError, KeyError, TypeError):
        return None


def expect(answer, status, code=None):
    equal(answer.status, status, shown(answer))
    if code:
        equal(code_of(answer), code, shown(answer))
    return answer


def tests(service, everett):
    pusher = Client.account(service, "pusher")
    reader = Client.account(service, "reader", "read")
    nobody = Client(service, {})
    rng = random.Random(7)

    def ping():
        answer = expect(nobody("GET", "/v2/"), 401, "UNAUTHORIZED")
        true(answer.headers["WWW-Authenticate"].startswith('Basic realm='), "a Basic challenge")
        equal(answer.headers["Docker-Distribution-API-Version"], "registry/2.0")
        answer = expect(pusher("GET", "/v2/"), 200)
        equal(answer.headers["Docker-Distribution-API-Version"], "registry/2.0")
        expect(Client(service, basic("pusher", "wrong password"))("GET", "/v2/"), 401)
        expect(Client(service, bearer(service.token("pusher")))("GET", "/v2/"), 200)
        expect(Client(service, basic("pusher", service.token("pusher")))("GET", "/v2/"), 200)

    def push_token_pulls():
        """A push asks first what is there, so a token for pushes may look."""
        client = Client(service, bearer(service.token("only-push", "push")))
        expect(client("GET", "/v2/"), 200)
        digest = client.push_blob("scope/push", b"pushed")
        expect(client("HEAD", "/v2/scope/push/blobs/" + digest), 200)
        expect(client("HEAD", "/v2/scope/push/manifests/none"), 404)

    def reader_cannot_push():
        expect(reader("POST", "/v2/a/b/blobs/uploads/"), 403, "DENIED")
        expect(reader("PUT", "/v2/a/b/manifests/x", b"{}"), 403, "DENIED")
        expect(reader("DELETE", "/v2/a/b/manifests/x"), 403, "DENIED")
        launcher = Client(service, bearer(service.token("launcher", "launch")))
        expect(launcher("GET", "/v2/_catalog"), 403, "DENIED")

    def monolithic():
        data = b"post then put"
        digest = pusher.push_blob("mono/a", data)
        answer = expect(pusher("GET", "/v2/mono/a/blobs/" + digest), 200)
        equal(answer.body, data)
        equal(answer.headers["Docker-Content-Digest"], digest)
        data = b"all in the POST"
        path = "/v2/mono/a/blobs/uploads/?digest=" + digest_of(data).replace(":", "%3A")
        answer = expect(pusher("POST", path, data), 201)
        equal(pusher("GET", answer.headers["Location"]).body, data)
        expect(pusher("POST", "/v2/mono/a/blobs/uploads/?digest=" + digest_of(b"x"), b"y"), 400,
               "DIGEST_INVALID")
        expect(pusher("HEAD", "/v2/mono/a/blobs/" + digest_of(b"y")), 404)

    def empty_blob():
        digest = pusher.push_blob("mono/empty", b"")
        answer = expect(pusher("GET", "/v2/mono/empty/blobs/" + digest), 200)
        equal(answer.headers["Content-Length"], "0")

    def sha512():
        data = b"another algorithm"
        digest = pusher.push_blob("mono/sha512", data, "sha512")
        equal(pusher("GET", "/v2/mono/sha512/blobs/" + digest).body, data)

    def streamed():
        """As docker pushes: one PATCH in chunked coding, then an empty PUT."""
        data = rng.randbytes(3_000_000)
        location = pusher.start("stream/a")
        conn = service.http()
        pieces = (data[i:i + 70_001] for i in range(0, len(data), 70_001))
        conn.request("PATCH", location, pieces, pusher.headers, encode_chunked=True)
        response = conn.getresponse()
        equal((response.status, response.headers["Range"]), (202, "0-2999999"))
        response.read()
        conn.close()
        digest = digest_of(data).replace(":", "%3A")
        answer = expect(pusher("PUT", location + "?digest=" + digest), 201)
        equal(pusher("GET", answer.headers["Location"]).body, data)

    def chunks_in_order():
        data = rng.randbytes(300_000)
        location = pusher.start("chunk/a")
        for at in (0, 100_000, 200_000):
            chunk = data[at:at + 100_000]
            answer = expect(pusher("PATCH", location, chunk,
                                   Content_Range="%d-%d" % (at, at + len(chunk) - 1)), 202)
            equal(answer.headers["Range"], "0-%d" % (at + len(chunk) - 1))
            again = pusher("PATCH", location, chunk,
                           Content_Range="%d-%d" % (at, at + len(chunk) - 1))
            expect(again, 416, "BLOB_UPLOAD_INVALID")
            equal(again.headers["Range"], answer.headers["Range"])
        status = expect(pusher("GET", location), 204)
        equal(status.headers["Range"], "0-299999")
        expect(pusher("PUT", location + "?digest=" + digest_of(data)), 201)
        expect(pusher("GET", location), 404, "BLOB_UPLOAD_UNKNOWN")

    def chunk_lengths():
        location = pusher.start("chunk/b")
        expect(pusher("PATCH", location, b"12345", Content_Range="0-3"), 400, "SIZE_INVALID")
        location = pusher.start("chunk/b")
        expect(pusher("PATCH", location, b"12345", Content_Range="0-9"), 400, "SIZE_INVALID")
        expect(pusher("PATCH", location, b"12345", Content_Range="x-9"), 400,
               "BLOB_UPLOAD_INVALID")
        expect(pusher("PUT", location + "?digest=sha256:12", b""), 400, "DIGEST_INVALID")
        expect(pusher("PUT", location, b""), 400, "DIGEST_INVALID")

    def wrong_digest():
        location = pusher.start("chunk/c")
        expect(pusher("PUT", location + "?digest=" + digest_of(b"other"), b"bytes"), 400,
               "DIGEST_INVALID")
        expect(pusher("GET", location), 404, "BLOB_UPLOAD_UNKNOWN")
        expect(pusher("HEAD", "/v2/chunk/c/blobs/" + digest_of(b"bytes")), 404)

    def cancelled():
        location = pusher.start("chunk/d")
        expect(pusher("PATCH", location, b"abc"), 202)
        expect(pusher("DELETE", location), 204)
        expect(pusher("DELETE", location), 404, "BLOB_UPLOAD_UNKNOWN")
        expect(pusher("PATCH", location, b"abc"), 404, "BLOB_UPLOAD_UNKNOWN")
        other = pusher.start("chunk/d").replace("chunk/d", "chunk/e")
        expect(pusher("GET", other), 404, "BLOB_UPLOAD_UNKNOWN")

    def cut_and_resumed():
        """A client that dies in the middle goes on where the server says."""
        data = rng.randbytes(2_000_000)
        location = pusher.start("resume/a")
        raw = service.connect()
        head = "PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n\r\n" % (
            location, len(data), "\r\n".join("%s: %s" % h for h in pusher.headers.items()))
        raw.sendall(head.encode() + data[:1_200_000])
        raw.close()
        # A PATCH without a range goes on from wherever the upload is; the server takes over.
        answer = expect(pusher("GET", location), 204)
        size = int(answer.headers["Range"].split("-")[1]) + 1
        while True:
            chunk = data[size:]
            answer = pusher("PATCH", location, chunk,
                            Content_Range="%d-%d" % (size, len(data) - 1))
            if answer.status == 202:
                break
            expect(answer, 416)  # bytes of the dead client were still on their way
            size = int(answer.headers["Range"].split("-")[1]) + 1
        expect(pusher("PUT", location + "?digest=" + digest_of(data)), 201)

    def mounted():
        digest = pusher.push_blob("mount/from", b"to be mounted")
        path = "/v2/mount/to/blobs/uploads/?mount=%s&from=%s"
        answer = expect(pusher("POST", path % (digest, "mount/from")), 201)
        equal(answer.headers["Location"], "/v2/mount/to/blobs/" + digest)
        equal(pusher("GET", answer.headers["Location"]).body, b"to be mounted")
        expect(pusher("POST", path % (digest, "mount/elsewhere")), 202)
        expect(pusher("POST", path % (digest_of(b"none"), "mount/from")), 202)
        expect(pusher("POST", "/v2/mount/any/blobs/uploads/?mount=" + digest), 201)
        expect(pusher("GET", "/v2/mount/never/blobs/" + digest), 404, "BLOB_UNKNOWN")

    def ranges():
        digest = pusher.push_blob("range/a", b"0123456789")
        path = "/v2/range/a/blobs/" + digest
        for header, status, body, content_range in (
                ("bytes=2-4", 206, b"234", "bytes 2-4/10"), ("bytes=7-", 206, b"789", "bytes 7-9/10"),
                ("bytes=-2", 206, b"89", "bytes 8-9/10"), ("bytes=0-99", 206, b"0123456789",
                                                            "bytes 0-9/10"),
                ("bytes=10-", 416, b"", "bytes */10"), ("bytes=1-2,4-5", 200, b"0123456789", None),
                ("lines=1-2", 200, b"0123456789", None)):
            answer = expect(pusher("GET", path, Range=header), status)
            equal(answer.body, body, header)
            equal(answer.headers["Content-Range"], content_range, header)
        head = expect(pusher("HEAD", path), 200)
        equal((head.headers["Content-Length"], head.body), ("10", b""))

    def manifests():
        digest, body = pusher.push_image("man/a", "v1", b"one")
        for reference in ("v1", digest, digest.replace(":", "%3A")):
            answer = expect(pusher("GET", "/v2/man/a/manifests/" + reference, Accept="text/plain"),
                            200)
            equal(answer.body, body, "byte for byte")
            equal(answer.headers["Content-Type"], OCI)
            equal(answer.headers["Docker-Content-Digest"], digest)
            head = expect(pusher("HEAD", "/v2/man/a/manifests/" + reference), 200)
            equal((head.headers["Content-Length"], head.body), (str(len(body)), b""))
        odd = b"  " + body.replace(b": ", b" :\n") + b"\n\n"
        answer, _ = pusher.push_manifest("man/a", "odd", odd)
        expect(answer, 201)
        equal(pusher("GET", "/v2/man/a/manifests/odd").body, odd)
        expect(pusher("GET", "/v2/man/a/manifests/v2"), 404, "MANIFEST_UNKNOWN")
        expect(pusher("GET", "/v2/man/none/manifests/v2"), 404, "NAME_UNKNOWN")
        answer, _ = pusher.push_manifest("man/a", digest_of(b"else"), body)
        expect(answer, 400, "DIGEST_INVALID")
        answer, _ = pusher.push_manifest("man/a", digest, body, query="?tag=t1&tag=t2")
        equal(sorted(expect(answer, 201).headers.get_all("OCI-Tag")), ["t1", "t2"])
        equal(pusher("GET", "/v2/man/a/manifests/t2").body, body)

    def manifest_errors():
        image = {"schemaVersion": 2, "mediaType": OCI, "config": descriptor(b"c", CONFIG_TYPE),
                 "layers": [descriptor(b"l", LAYER_TYPE)]}
        answer, _ = pusher.push_manifest("bad/a", "x", image)
        expect(answer, 404, "MANIFEST_BLOB_UNKNOWN")
        equal(len(answer.json()["errors"][0]["detail"]), 2)
        pusher.push_blob("bad/other", b"c")
        pusher.push_blob("bad/a", b"l")
        answer, _ = pusher.push_manifest("bad/a", "x", image)
        expect(answer, 404, "MANIFEST_BLOB_UNKNOWN")  # it is in another repository
        equal(answer.json()["errors"][0]["detail"], [{"digest": digest_of(b"c")}])
        inputs = [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schemaVersion":2}',
                  json.dumps(dict(image, mediaType=DOCKER)).encode(),
                  json.dumps(dict(image, schemaVersion=1)).encode(),
                  json.dumps(dict(image, layers="x")).encode(),
                  json.dumps(dict(image, config={"digest": "sha256:/../../etc"})).encode(),
                  json.dumps(dict(image, manifests=[])).encode()]
        for text in inputs:
            answer, _ = pusher.push_manifest("bad/a", "x", text)
            expect(answer, 400, "MANIFEST_INVALID")
        answer, _ = pusher.push_manifest("bad/a", "x", b" " * (4 << 20) + b"{}")
        expect(answer, 413, "SIZE_INVALID")
        answer, _ = pusher.push_manifest("bad/a", "x" * 129, image)
        expect(answer, 400, "MANIFEST_INVALID")
        return "%d hostile manifests" % (len(inputs) + 2)

    def names():
        bad = ["UPPER", "a..b", "-a", "a_-b", "a" * 256, "a/b-", "%C3%A9"]
        for name in bad:
            answer = pusher("POST", "/v2/%s/blobs/uploads/" % name)
            expect(answer, 400, "NAME_INVALID")
            expect(pusher("GET", "/v2/%s/tags/list" % name), 400, "NAME_INVALID")
        hostile = ["/v2/a/blobs/sha256:zz", "/v2/a/blobs/..%2f..%2fserver.db", "/v2/../server.db",
                   "/v2/a/blobs/%00", "/v2/a//b/tags/list", "/v2/a/blobs/uploads/../x",
                   "/v2/a/blobs/uploads/%2e%2e", "/v2/a/manifests/..", "/v2/a/manifests/a%2fb"]
        for path in hostile:
            answer = pusher("GET", path)
            true(400 <= answer.status < 500, "%s: %s" % (path, shown(answer)))
            true(code_of(answer), "%s: a code of the specification: %s" % (path, shown(answer)))
        return "%d names, %d paths" % (len(bad), len(hostile))

    def tag_lists():
        digest, body = pusher.push_image("tags/a", "v0")
        for i in range(1, 25):
            pusher.push_manifest("tags/a", "v%d" % i, body)
        everything = sorted("v%d" % i for i in range(25))
        answer = expect(pusher("GET", "/v2/tags/a/tags/list"), 200)
        equal(answer.json(), {"name": "tags/a", "tags": everything})
        seen, path = [], "/v2/tags/a/tags/list?n=10"
        while path:
            answer = expect(pusher("GET", path), 200)
            seen += answer.json()["tags"]
            link = answer.headers["Link"]
            true(link is None or link.endswith('; rel="next"'), "a link to the next page")
            path = link and link[1:link.index(">")]
        equal(seen, everything)
        equal(pusher("GET", "/v2/tags/a/tags/list?n=0").json()["tags"], [])
        equal(pusher("GET", "/v2/tags/a/tags/list?last=v8").json()["tags"], ["v9"])
        expect(pusher("GET", "/v2/tags/a/tags/list?n=x"), 400)
        expect(pusher("GET", "/v2/tags/none/tags/list"), 404, "NAME_UNKNOWN")
        expect(pusher("DELETE", "/v2/tags/a/manifests/v3"), 202)
        expect(pusher("GET", "/v2/tags/a/manifests/v3"), 404, "MANIFEST_UNKNOWN")
        expect(pusher("DELETE", "/v2/tags/a/manifests/v3"), 404, "MANIFEST_UNKNOWN")
        expect(pusher("GET", "/v2/tags/a/manifests/v4"), 200)
        expect(pusher("DELETE", "/v2/tags/a/manifests/" + digest), 202)
        expect(pusher("GET", "/v2/tags/a/manifests/v4"), 404)
        equal(pusher("GET", "/v2/tags/a/tags/list").json()["tags"], [])

    def catalog():
        for name in ("cat/a", "cat/b", "cat/c"):
            pusher.push_blob(name, b"x")
        seen, path = [], "/v2/_catalog?n=2"
        while path:
            answer = expect(pusher("GET", path), 200)
            page = answer.json()["repositories"]
            true(len(page) <= 2, "a page of two")
            seen += page
            link = answer.headers["Link"]
            path = link and link[1:link.index(">")]
        equal(seen, sorted(seen))
        true({"cat/a", "cat/b", "cat/c"} <= set(seen), "all repositories")

    def blob_deletion():
        digest = pusher.push_blob("del/a", b"to be deleted")
        pusher.push_blob("del/b", b"to be deleted")
        expect(pusher("DELETE", "/v2/del/a/blobs/" + digest), 202)
        expect(pusher("DELETE", "/v2/del/a/blobs/" + digest), 404, "BLOB_UNKNOWN")
        expect(pusher("GET", "/v2/del/a/blobs/" + digest), 404, "BLOB_UNKNOWN")
        expect(pusher("GET", "/v2/del/b/blobs/" + digest), 200)
        pusher.push_blob("del/a", b"to be deleted")
        expect(pusher("GET", "/v2/del/a/blobs/" + digest), 200)

    def referrers():
        subject, body = pusher.push_image("ref/a", "v1")
        answer = expect(pusher("GET", "/v2/ref/a/referrers/" + subject), 200)
        equal(answer.headers["Content-Type"], INDEX)
        equal(answer.json()["manifests"], [])
        about = {"mediaType": OCI, "digest": subject, "size": len(body)}
        one, one_body = pusher.push_image("ref/a", "sig", b"sig", subject=about,
                                          artifactType="application/x.sig",
                                          annotations={"k": "\u2603 \"v\""})
        config = descriptor(b'{"architecture":"amd64","os":"linux"}' + b"sbom", CONFIG_TYPE)
        pusher.push_image("ref/a", "sbom", b"sbom")
        manifest = {"schemaVersion": 2, "mediaType": OCI, "config": config, "layers": [],
                    "subject": about}
        answer, _ = pusher.push_manifest("ref/a", "about", manifest)
        equal(expect(answer, 201).headers["OCI-Subject"], subject)
        answer = expect(pusher("GET", "/v2/ref/a/referrers/" + subject), 200)
        found = {m["digest"]: m for m in answer.json()["manifests"]}
        equal(len(found), 2)
        equal(found[one], {"mediaType": OCI, "digest": one, "size": len(one_body),
                           "artifactType": "application/x.sig",
                           "annotations": {"k": "\u2603 \"v\""}})
        answer = pusher("GET", "/v2/ref/a/referrers/%s?artifactType=application/x.sig" % subject)
        equal([m["digest"] for m in answer.json()["manifests"]], [one])
        equal(answer.headers["OCI-Filters-Applied"], "artifactType")
        expect(pusher("DELETE", "/v2/ref/a/manifests/" + one), 202)
        answer = pusher("GET", "/v2/ref/a/referrers/" + subject)
        equal(len(answer.json()["manifests"]), 1)
        equal(pusher("GET", "/v2/ref/none/referrers/" + subject).json()["manifests"], [])
        expect(pusher("GET", "/v2/ref/a/referrers/x"), 400, "DIGEST_INVALID")

    def many_referrers():
        """More than a page: the links lead through all of them once."""
        subject, body = pusher.push_image("ref/many", "v1")
        pusher.push_image("ref/many", "base", b"base")
        config = descriptor(b'{"architecture":"amd64","os":"linux"}' + b"base", CONFIG_TYPE)
        about = {"mediaType": OCI, "digest": subject, "size": len(body)}
        total = 520
        conn = service.http()
        for i in range(total):
            text = json.dumps({"schemaVersion": 2, "mediaType": OCI, "config": config,
                               "layers": [], "subject": about, "artifactType": "a/b",
                               "annotations": {"i": str(i)}})
            conn.request("PUT", "/v2/ref/many/manifests/" + digest_of(text.encode()), text,
                         dict(pusher.headers, **{"Content-Type": OCI}))
            response = conn.getresponse()
            equal(response.status, 201, response.read())
            response.read()
        conn.close()
        seen, path = [], "/v2/ref/many/referrers/%s?artifactType=a%%2Fb" % subject
        while path:
            answer = expect(pusher("GET", path), 200)
            seen += [m["digest"] for m in answer.json()["manifests"]]
            link = answer.headers["Link"]
            path = link and link[1:link.index(">")]
        equal((len(seen), len(set(seen))), (total, total))

    def methods():
        answer = expect(pusher("PUT", "/v2/"), 405)
        true("GET" in answer.headers["Allow"], "Allow")
        expect(pusher("POST", "/v2/a/manifests/x"), 405)

    def one_blob_by_many():
        """Twenty clients push one blob at once, in both ways; every one succeeds."""
        data = rng.randbytes(1_500_000)
        digest, results = digest_of(data), []

        def push(i):
            location = pusher.start("many/r%d" % (i % 3))
            if i % 2:
                expect(pusher("PATCH", location, data), 202)
                results.append(pusher("PUT", location + "?digest=" + digest).status)
            else:
                results.append(pusher("PUT", location + "?digest=" + digest, data).status)
        threads = [threading.Thread(target=push, args=(i,)) for i in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(results, [201] * 20)
        equal(digest_of(pusher("GET", "/v2/many/r1/blobs/" + digest).body), digest)
        equal(len([n for n in os.listdir(os.path.join(service.dir, "registry", "blobs", "sha256"))
                   if n == digest[7:]]), 1)

    def two_writers_of_one_upload():
        """The later request takes over; the earlier one is told so; the content is whole."""
        data = b"x" * 1_000_000
        location = pusher.start("many/take")
        raw = service.connect()
        head = "PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n\r\n" % (
            location, len(data), "\r\n".join("%s: %s" % h for h in pusher.headers.items()))
        raw.sendall(head.encode())
        answer = pusher("PUT", location + "?digest=" + digest_of(b"mine"), b"mine")
        expect(answer, 201)
        raw.sendall(data)
        response = http.client.HTTPResponse(raw)
        response.begin()
        equal(response.status, 404)
        equal(json.loads(response.read())["errors"][0]["code"], "BLOB_UPLOAD_UNKNOWN")
        raw.close()

    def memory_is_constant():
        """200 MB through the server leave its memory where it was."""
        block, total = rng.randbytes(1 << 20), 200
        sha = hashlib.sha256()
        for _ in range(total):
            sha.update(block)
        before = service.memory_bytes()
        location = pusher.start("big/a")
        conn = service.http()
        conn.request("PATCH", location, (block for _ in range(total)), pusher.headers,
                     encode_chunked=True)
        response = conn.getresponse()
        equal(response.status, 202)
        response.read()
        answer = expect(pusher("PUT", location + "?digest=sha256:" + sha.hexdigest()), 201)
        conn.request("GET", answer.headers["Location"], headers=pusher.headers)
        response, back = conn.getresponse(), hashlib.sha256()
        while piece := response.read(1 << 20):
            back.update(piece)
        conn.close()
        equal(back.hexdigest(), sha.hexdigest())
        grown = service.memory_bytes() - before
        true(grown < 16 << 20, "memory grew by %d bytes" % grown)
        expect(pusher("DELETE", answer.headers["Location"]), 202)
        return "%d MiB pushed and pulled, memory grew by %d KiB" % (total, max(grown, 0) >> 10)

    def survives_kill():
        """kill -9 in the middle of an upload: what was pushed is there, the upload goes on."""
        data = rng.randbytes(900_000)
        digest, body = pusher.push_image("kill/a", "v1", b"before the kill")
        location = pusher.start("kill/a")
        expect(pusher("PATCH", location, data[:400_000]), 202)
        service.kill()
        service.start()
        equal(pusher("GET", "/v2/kill/a/manifests/v1").body, body)
        answer = expect(pusher("GET", location), 204)
        equal(answer.headers["Range"], "0-399999")
        expect(pusher("PATCH", location, data[400_000:], Content_Range="400000-899999"), 202)
        expect(pusher("PUT", location + "?digest=" + digest_of(data)), 201)
        equal(service.stop()[0], 0)
        service.start()
        equal(pusher("GET", "/v2/kill/a/blobs/" + digest_of(data)).body, data)

    def many_kills():
        """kill -9 at ten moments of pushes: what was answered 201 is kept, nothing is broken."""
        kept = []
        for round_number in range(10):
            wanted = len(kept) + rng.randrange(1, 8)
            stop, enough = threading.Event(), threading.Event()

            def push_on(stop=stop, enough=enough, wanted=wanted, round_number=round_number):
                i = 0
                while not stop.is_set():
                    data = b"%d/%d/%d" % (round_number, i, threading.get_ident()) * 1000
                    i += 1
                    try:
                        digest = pusher.push_blob("kill/many", data)
                    except (OSError, http.client.HTTPException, AssertionError):
                        return
                    kept.append((digest, data))
                    if len(kept) >= wanted:
                        enough.set()
            threads = [threading.Thread(target=push_on) for _ in range(4)]
            for t in threads:
                t.start()
            true(enough.wait(60), "pushes end")
            service.kill()
            stop.set()
            for t in threads:
                t.join()
            service.start()
        for digest, data in kept:
            answer = expect(pusher("GET", "/v2/kill/many/blobs/" + digest), 200)
            equal(digest_of(answer.body), digest)
        return "%d acknowledged blobs all there after 10 kills" % len(kept)

    def quota():
        config = "registry_quota = 1200000\nblob_max = 600000\n"
        with Service(everett, config).start() as small:
            client = Client.account(small, "p")
            first = client.push_blob("q/a", b"a" * 500_000)
            answer = client("PUT", client.start("q/a") + "?digest=" + digest_of(b"x"), b"b" * 600_001)
            expect(answer, 413, "SIZE_INVALID")
            location = client.start("q/a")
            expect(client("PATCH", location, b"c" * 599_000), 202)
            expect(client("PATCH", client.start("q/a"), b"c" * 599_000), 403, "DENIED")
            answer = expect(client("GET", "/v2/q/a/blobs/" + first), 200)
            expect(client("DELETE", location), 204)
            client.push_blob("q/a", b"d" * 90_000)
            client.push_blob("q/b", b"d" * 1_000)

    return [
        ping, push_token_pulls, reader_cannot_push, monolithic, empty_blob, sha512, streamed,
        chunks_in_order, chunk_lengths, wrong_digest, cancelled, cut_and_resumed, mounted, ranges,
        manifests, manifest_errors, names, tag_lists, catalog, blob_deletion, referrers,
        many_referrers, methods, one_blob_by_many, two_writers_of_one_upload, memory_is_constant,
        survives_kill, many_kills, quota]


def main():
    everett, only, tap = sys.argv[1], sys.argv[2:], Tap()
    with Service(everett).start() as service:
        tap.run(f for f in tests(service, everett) if not only or f.__name__ in only)
    sys.exit(tap.finish())


if __name__ == "__main__":
    main()
