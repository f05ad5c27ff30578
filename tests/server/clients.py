"""The container tools that users have: found on the PATH, else unpacked from Debian's packages.

Nothing is installed: packages are downloaded by apt-get and unpacked into a directory of their own.
A tool that is not to be had is None, and its tests are skipped by name.
"""
import glob
import json
import os
import shutil
import signal
import subprocess
import time

PACKAGES = {
    "skopeo": ["skopeo"],
    "buildah": ["buildah"],
    "podman": ["podman", "conmon", "runc"],
    "docker": ["docker.io", "containerd", "runc"],
}
PROGRAMS = {
    "skopeo": ["skopeo"],
    "buildah": ["buildah"],
    "podman": ["podman", "conmon", "runc"],
    "docker": ["docker", "dockerd", "containerd", "runc"],
}
DOWNLOAD_S, TOOL_S, DAEMON_S = 300, 120, 60
POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


class ToolFailed(Exception):
    pass


def run(words, env=None, stdin=None, cwd=None):
    """Standard output; ToolFailed with all output when the tool fails."""
    done = subprocess.run(words, env=env, input=stdin, text=True, cwd=cwd, timeout=TOOL_S,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise ToolFailed("%s: status %d\n%s%s" % (" ".join(words), done.returncode, done.stdout,
                                                  done.stderr))
    return done.stdout


def unpack(packages, directory):
    """Downloads and unpacks what is not there yet; False when that cannot be done."""
    os.makedirs(directory, exist_ok=True)
    for package in packages:
        stamp = os.path.join(directory, ".have-" + package)
        if os.path.exists(stamp):
            continue
        try:
            subprocess.run(["apt-get", "download", package], cwd=directory, timeout=DOWNLOAD_S,
                           check=True, capture_output=True)
        except (OSError, subprocess.SubprocessError):
            return False
        for deb in glob.glob(os.path.join(directory, package + "_*.deb")):
            subprocess.run(["dpkg-deb", "-x", deb, directory], check=True, timeout=TOOL_S)
            os.unlink(deb)
        with open(stamp, "w", encoding="ascii"):
            pass
    return True


class Tools:
    """`directory` keeps unpacked packages between runs; `work` is this run's own."""

    def __init__(self, directory, work):
        self.directory, self.work = os.path.abspath(directory), os.path.abspath(work)
        self.env = dict(os.environ)
        here = [os.path.join(self.directory, "usr", d) for d in ("bin", "sbin")]
        self.env["PATH"] = os.pathsep.join(here + [self.env.get("PATH", "")])
        self.env["HOME"] = self.work
        self.env["TMPDIR"] = self.work
        self.env["REGISTRY_AUTH_FILE"] = os.path.join(self.work, "auth.json")
        self.env["DOCKER_CONFIG"] = os.path.join(self.work, "docker-config")
        self.policy = os.path.join(self.work, "policy.json")
        for path, value in ((self.policy, POLICY), (self.env["REGISTRY_AUTH_FILE"], {})):
            with open(path, "w", encoding="ascii") as f:
                json.dump(value, f)

    def has(self, tool):
        """Whether all programs of the tool are there, after unpacking them if need be."""
        def all_found():
            return all(shutil.which(p, path=self.env["PATH"]) for p in PROGRAMS[tool])
        return all_found() or (unpack(PACKAGES[tool], self.directory) and all_found())

    def path(self, program):
        return shutil.which(program, path=self.env["PATH"])

    def skopeo(self, *words):
        return run(["skopeo", "--policy", self.policy, "--tmpdir", self.work, *words], self.env)

    def storage(self, name):
        base = os.path.join(self.work, name)
        return ["--storage-driver", "vfs", "--root", base, "--runroot", base + "-run"]

    def buildah(self, *words, cwd=None):
        return run(["buildah", *self.storage("buildah"), *words], self.env, cwd=cwd)

    def podman(self, *words, stdin=None):
        return run(["podman", *self.storage("podman"), "--conmon", self.path("conmon"),
                    "--runtime", self.path("runc"), *words], self.env, stdin)


class Docker:
    """A Docker daemon of our own on a socket of its own; ended by its process id."""

    def __init__(self, tools, registry):
        self.tools = tools
        self.dir = os.path.join(tools.work, "dockerd")
        os.makedirs(self.dir)
        self.host = "unix://%s/d.sock" % self.dir
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", self.dir + "/root", "--exec-root", self.dir + "/exec",
                 "-H", self.host, "--pidfile", self.dir + "/pid", "--storage-driver=vfs",
                 "--bridge=none", "--iptables=false", "--ip6tables=false",
                 "--insecure-registry", registry],
                env=tools.env, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + DAEMON_S
        while True:
            try:
                self("version")
                return
            except ToolFailed as failure:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise ToolFailed("dockerd did not come up: %s\n%s" % (failure, self.log()))
                time.sleep(0.1)  # a socket that is not there yet cannot be waited for

    def __call__(self, *words, stdin=None, cwd=None):
        return run(["docker", "-H", self.host, *words], self.tools.env, stdin, cwd)

    def log(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()[-4000:]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DAEMON_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def write_context(directory, files):
    """A build context: {path: text}."""
    for path, text in files.items():
        full = os.path.join(directory, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
    return directory
