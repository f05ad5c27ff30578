"""Gets what suites are made of, of pinned versions and checksums, once: into the cache."""
import hashlib
import os
import shutil
import subprocess

SOURCES = """\
deb-src [signed-by={keys}] http://deb.debian.org/debian bookworm main
deb-src [signed-by={keys}] http://deb.debian.org/debian-security bookworm-security main
"""
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unavailable(Exception):
    """A suite cannot be had on this machine; the text says why and what would help."""


def need(program, package):
    if not shutil.which(program):
        raise Unavailable("%s is missing: apt-get install %s" % (program, package))
    return shutil.which(program)


def call(command, limit_s, **more):
    """Runs a command of the preparation; its output is shown only when it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit_s, **more)
    except subprocess.TimeoutExpired:
        raise Unavailable("%s took more than %d s" % (" ".join(command[:3]), limit_s)) from None
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise Unavailable("%s: %s" % (" ".join(command[:4]), text.strip()[-400:]))
    return text


def check(path, sha256):
    with open(path, "rb") as f:
        found = hashlib.sha256(f.read()).hexdigest()
    if found != sha256:
        raise Unavailable("%s has the checksum %s, not %s: remove it, or change the version that "
                          "the suite asks for" % (path, found, sha256))


class Cache:
    def __init__(self, directory):
        self.directory = os.path.join(directory, "download")
        os.makedirs(self.directory, exist_ok=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def deb(self, package, version, sha256):
        """The path of a binary package."""
        for arch in ("amd64", "all"):
            path = self.path("%s_%s_%s.deb" % (package, version.replace(":", "%3a"), arch))
            if os.path.exists(path):
                break
        else:
            call(["apt-get", "download", "%s=%s" % (package, version)], 120, cwd=self.directory)
            path = [self.path(f) for f in os.listdir(self.directory)
                    if f.startswith("%s_%s_" % (package, version.replace(":", "%3a")))][0]
        check(path, sha256)
        return path

    def source(self, package, version, files):
        """Fetches the files {name: sha256} of a source package; their paths, in order."""
        if not all(os.path.exists(self.path(name)) for name in files):
            self.apt_source(package, version)
        for name, sha256 in files.items():
            check(self.path(name), sha256)
        return [self.path(name) for name in files]

    def apt_source(self, package, version):
        # An index of its own: the machine's may have no sources, and is not ours to change.
        state = self.path("apt")
        os.makedirs(os.path.join(state, "lists"), exist_ok=True)
        os.makedirs(os.path.join(state, "cache", "archives", "partial"), exist_ok=True)
        listing = os.path.join(state, "sources.list")
        with open(listing, "w", encoding="utf-8") as f:
            f.write(SOURCES.format(keys=KEYS))
        apt = ["apt-get", "-o", "Dir::Etc::sourcelist=" + listing, "-o", "Dir::Etc::sourceparts=-",
               "-o", "Dir::State::lists=" + os.path.join(state, "lists"),
               "-o", "Dir::Cache=" + os.path.join(state, "cache"), "-o", "APT::Sandbox::User="]
        call(apt + ["update"], 180)
        call(apt + ["source", "--download-only", "%s=%s" % (package, version)], 300,
             cwd=self.directory)
