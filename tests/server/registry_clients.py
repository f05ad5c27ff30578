#!/usr/bin/env python3
"""The registry with the tools that users have: skopeo, buildah, podman, and a real Docker daemon.

    registry_clients.py EVERETT TOOLS_DIR

TOOLS_DIR keeps unpacked packages of tools that are not installed. A tool that is not to be had is
skipped by name.
"""
import hashlib
import json
import os
import sys
import tempfile

from clients import Docker, ToolFailed, Tools, write_context
from service import Service, Tap, expect as equal, expect_in

PASSWORD = "correct horse battery"
CONTEXT = {"Dockerfile": "FROM scratch\nCOPY docker-compose.yaml /docker-compose.yaml\n"
                         "COPY data /data\n",
           "docker-compose.yaml": "services: {}\n", "data/x": "x" * 100_000}


def host_of(service):
    return "127.0.0.1:%d" % service.port


def skopeo_tests(service, tools, work):
    host, creds = host_of(service), "pusher:" + PASSWORD
    plain = ["--src-tls-verify=false", "--src-creds", creds]
    to = ["--dest-tls-verify=false", "--dest-creds", creds]
    inspect = ["inspect", "--tls-verify=false", "--creds", creds]

    def make_layout():
        """An image without any other tool: a layer, a config, a manifest."""
        import io
        import tarfile
        layout = os.path.join(work, "layout")
        blobs = os.path.join(layout, "blobs", "sha256")
        os.makedirs(blobs)

        def put(data, kind):
            name = hashlib.sha256(data).hexdigest()
            with open(os.path.join(blobs, name), "wb") as f:
                f.write(data)
            return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + name,
                    "size": len(data)}
        text, tar = CONTEXT["docker-compose.yaml"].encode(), io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            member = tarfile.TarInfo("docker-compose.yaml")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        layer = put(tar.getvalue(), "layer.v1.tar")
        config = put(json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": [layer["digest"]]}}).encode(), "config.v1+json")
        manifest = put(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer],
                                   "mediaType": "application/vnd.oci.image.manifest.v1+json"}
                                  ).encode(), "manifest.v1+json")
        manifest["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
        for name, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}),
                            ("index.json", {"schemaVersion": 2, "manifests": [manifest]})):
            with open(os.path.join(layout, name), "w", encoding="utf-8") as f:
                json.dump(value, f)
        return layout, manifest["digest"]

    def skopeo_push_and_pull():
        layout, digest = make_layout()
        tools.skopeo("copy", "--preserve-digests", *to, "oci:%s:v1" % layout,
                     "docker://%s/sk/config:v1" % host)
        equal(json.loads(tools.skopeo(*inspect, "docker://%s/sk/config:v1" % host))["Digest"],
              digest)
        out = os.path.join(work, "out")
        tools.skopeo("copy", *plain, "docker://%s/sk/config@%s" % (host, digest), "dir:" + out)
        with open(os.path.join(out, "manifest.json"), "rb") as f:
            equal("sha256:" + hashlib.sha256(f.read()).hexdigest(), digest)

    def skopeo_between_repositories():
        tools.skopeo("copy", *plain, *to, "docker://%s/sk/config:v1" % host,
                     "docker://%s/sk/deep/er/copy:v2" % host)
        tools.skopeo("copy", *plain, *to, "--format", "v2s2", "docker://%s/sk/config:v1" % host,
                     "docker://%s/sk/config:docker" % host)
        listed = json.loads(tools.skopeo("list-tags", "--tls-verify=false", "--creds", creds,
                                         "docker://%s/sk/config" % host))
        equal(listed["Tags"], ["docker", "v1"])

    def skopeo_deletes():
        where = "docker://%s/sk/deep/er/copy:v2" % host
        tools.skopeo("delete", "--tls-verify=false", "--creds", creds, where)
        try:
            tools.skopeo(*inspect, where)
        except ToolFailed as failure:
            expect_in("manifest unknown", str(failure).lower())
            return
        raise AssertionError("the image is still there")

    def skopeo_wrong_password():
        try:
            tools.skopeo("inspect", "--tls-verify=false", "--creds", "pusher:not the password",
                         "docker://%s/sk/config:v1" % host)
        except ToolFailed as failure:
            expect_in("unauthorized", str(failure))
            return
        raise AssertionError("a wrong password was taken")

    return [skopeo_push_and_pull, skopeo_between_repositories, skopeo_deletes,
            skopeo_wrong_password]


def buildah_tests(service, tools, work):
    host, context = host_of(service), write_context(os.path.join(work, "bctx"), CONTEXT)
    plain = ["--tls-verify=false", "--creds", "pusher:" + PASSWORD]

    def buildah_build_push_pull():
        for form in ("oci", "docker"):
            name = "%s/bh/config-%s:v1" % (host, form)
            tools.buildah("bud", "--isolation", "chroot", "--format", form, "-t", name, context)
            image = tools.buildah("images", "--format", "{{.ID}}", "--no-trunc", name).strip()
            tools.buildah("push", *plain, name)
            tools.buildah("rmi", "-f", name)
            pulled = tools.buildah("pull", *plain, name).strip()
            equal(pulled.split(":")[-1], image.split(":")[-1], form)

    return [buildah_build_push_pull]


def podman_tests(service, tools, work):
    host, context = host_of(service), write_context(os.path.join(work, "pctx"), CONTEXT)

    def podman_login_build_push_pull():
        name = host + "/pm/config:v1"
        tools.podman("login", "--tls-verify=false", "-u", "pusher", "--password-stdin", host,
                     stdin=PASSWORD)
        tools.podman("build", "--isolation", "chroot", "-t", name, context)
        image = tools.podman("inspect", "--format", "{{.Id}}", name).strip()
        tools.podman("push", "--tls-verify=false", name)
        tools.podman("rmi", "-f", name)
        tools.podman("pull", "--tls-verify=false", name)
        equal(tools.podman("inspect", "--format", "{{.Id}}", name).strip(), image)
        tools.podman("manifest", "create", host + "/pm/list:v1")
        tools.podman("manifest", "add", "--tls-verify=false", host + "/pm/list:v1", name)
        tools.podman("manifest", "push", "--all", "--tls-verify=false", host + "/pm/list:v1",
                     "docker://" + host + "/pm/list:v1")
        tools.podman("rmi", "-f", name)
        tools.podman("manifest", "rm", host + "/pm/list:v1")
        tools.podman("pull", "--tls-verify=false", host + "/pm/list:v1")

    return [podman_login_build_push_pull]


def docker_tests(docker, service, work):
    host, context = host_of(service), write_context(os.path.join(work, "dctx"), CONTEXT)

    def docker_login_build_push_pull():
        name = host + "/tenant-repository/config:v1"
        docker("login", "-u", "pusher", "--password-stdin", host, stdin=PASSWORD)
        docker("build", "-t", name, context)
        image = docker("inspect", "--format", "{{.Id}}", name).strip()
        docker("push", name)
        docker("push", name)
        docker("tag", name, host + "/other/config:v2")
        docker("push", host + "/other/config:v2")
        docker("rmi", "-f", name, host + "/other/config:v2")
        docker("pull", name)
        equal(docker("inspect", "--format", "{{.Id}}", name).strip(), image)
        digest = docker("inspect", "--format", "{{index .RepoDigests 0}}", name).strip()
        docker("rmi", "-f", name)
        docker("pull", digest)

    return [docker_login_build_push_pull]


def run_tool(tap, tool, service, tools, work):
    if not tools.has(tool):
        tap.skip(tool, "neither installed nor among this system's packages")
    elif tool == "docker":
        docker = Docker(tools, host_of(service))
        try:
            tap.run(docker_tests(docker, service, work))
        finally:
            docker.stop()
    else:
        make = {"skopeo": skopeo_tests, "buildah": buildah_tests, "podman": podman_tests}[tool]
        tap.run(make(service, tools, work))


def main():
    everett, directory = sys.argv[1:3]
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="everett-clients-") as work, \
            Service(everett).start() as service:
        tools = Tools(directory, work)
        service.account("pusher", PASSWORD)
        for tool in sys.argv[3:] or ["skopeo", "buildah", "podman", "docker"]:
            run_tool(tap, tool, service, tools, work)
    sys.exit(tap.finish())


if __name__ == "__main__":
    main()
