"""A small system to launch: the broken counter's images, pushed to the registry over HTTP. Only the
standard library."""
import hashlib
import io
import json
import os
import subprocess
import tarfile

from service import bearer, expect

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def push_blob(service, token, repository, data):
    a = service.request("POST", "/v2/%s/blobs/uploads/" % repository, b"", bearer(token))
    expect(a.status, 202, a.body)
    where = a.headers["Location"]
    where = where[where.index("/v2/"):]
    where += ("&" if "?" in where else "?") + "digest=" + digest(data)
    a = service.request("PUT", where, data, bearer(token))
    expect(a.status, 201, a.body)
    return digest(data), len(data)


def push(service, token, repository, tag, config, layers):
    """Pushes an image; returns the digest of its manifest."""
    entries = [(kind, push_blob(service, token, repository, data)) for kind, data in
               [(CONFIG, config)] + [(LAYER, layer) for layer in layers]]
    described = [{"mediaType": kind, "digest": d, "size": n} for kind, (d, n) in entries]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0],
                           "layers": described[1:]}).encode()
    a = service.request("PUT", "/v2/%s/manifests/%s" % (repository, tag), manifest,
                        {**bearer(token), "Content-Type": MANIFEST})
    expect(a.status, 201, a.body)
    return digest(manifest)


def push_archive(service, token, path, repository, tag):
    """The only image of a `docker save` archive."""
    with tarfile.open(path) as tar:
        entry = json.load(tar.extractfile("manifest.json"))[0]
        return push(service, token, repository, tag, tar.extractfile(entry["Config"]).read(),
                    [tar.extractfile(name).read() for name in entry["Layers"]])


def layer_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    return out.getvalue()


def push_config(service, token, repository, tag, files):
    """A config image FROM scratch."""
    layer = layer_of({name: text.encode() for name, text in files.items()})
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}).encode()
    return push(service, token, repository, tag, config, [layer])


def compose_of_the_counter(root):
    with open(os.path.join(root, "examples", "broken-counter", "docker-compose.yaml")) as f:
        return f.read()


def push_counter(service, token, root, tenant="tenant-repository"):
    """Images and config image `counter-config:v1` of the broken counter."""
    subprocess.run([os.path.join(root, "examples", "broken-counter", "build-images.sh")],
                   check=True, stdout=subprocess.DEVNULL)
    for name in ("broken-counter", "broken-counter-client"):
        push_archive(service, token, os.path.join(root, "build", "images", name + ".tar"),
                     "%s/%s" % (tenant, name), "v1")
    push_config(service, token, tenant + "/counter-config", "v1",
                {"docker-compose.yaml": compose_of_the_counter(root)})
