"""Kinds of images: a program alone in a static image without a shell; the layout of Alpine with musl's
loader, a shell and an ordinary user; a setuid program that this user starts. What they show is
compared with the same files under chroot.
"""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "universe"))
from everett_exec import Result, inside, missing, run  # noqa: E402

LIMIT_S = 60
LOADER = "/lib/ld-musl-x86_64.so.1"
MUSL = "/usr/lib/x86_64-linux-musl/libc.so"
SHELL = ("set -e; id -u; pwd; touch here; ls -ld here | cut -c1-10; cat /proc/self/status | grep ^Uid; "
         "/program child | tail -n 3; seq 1 100 | sort -r | head -n 2; touch /no 2>/dev/null || echo refused")


class Image:
    """`files` are (what is built or a path, place in the image, mode)."""

    def __init__(self, what, files, command, uid=0):
        self.what, self.files, self.command, self.uid = what, files, command, uid
        self.directories = [("/tmp", 0o1777), ("/home", 0o777)]


KINDS = {
    "image-static": Image("An image with one static musl program: no shell, no libraries, no /etc.",
                          [("static", "/program", 0o755)], ["/program"]),
    "image-musl": Image("The layout of Alpine: musl's loader, busybox, USER 1000 and a work directory.",
                        [("dynamic", "/program", 0o755), (MUSL, LOADER, 0o755),
                         ("/bin/busybox", "/bin/sh", 0o755)],
                        ["/bin/sh", "-c", SHELL], 1000),
    "image-setuid": Image("USER 1000 starts a setuid program of root, and may not read what root keeps.",
                          [("static", "/program", 0o755), ("static", "/raise", 0o4755),
                           ("/etc/hostname", "/secret", 0o600)], ["/program"], 1000),
}
NAMES = list(KINDS)


def compile_programs(out):
    """The programs of the images, under the names that Image.files gives them."""
    made = {}
    for kind, words in ("static", ["-static"]), ("dynamic", []):
        made[kind] = os.path.join(out, "world-" + kind)
        subprocess.run(["musl-gcc", "-O2", "-Wall", *words, "-o", made[kind],
                        os.path.join(HERE, "world.c")], check=True)
    return made


def make_root(image, made, root):
    """The image's files as a directory."""
    for place, mode in image.directories:
        os.makedirs(root + place)
        os.chmod(root + place, mode)
    for source, place, mode in image.files:
        os.makedirs(os.path.dirname(root + place), exist_ok=True)
        shutil.copyfile(made.get(source, source), root + place)
        os.chmod(root + place, mode)
    os.chmod(root, 0o755)
    for place in "/proc", "/dev":
        os.mkdir(root + place)


def run_native(image, made, options):
    with tempfile.TemporaryDirectory() as scratch:
        root = os.path.join(scratch, "root")
        os.mkdir(root)
        os.chmod(scratch, 0o755)
        make_root(image, made, root)
        mounts = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec "$@"'
        return run([*options.namespaces, "/bin/sh", "-c", mounts, root,
                    "/usr/bin/python3", os.path.join(HERE, "enter.py"), root, str(image.uid), "/home",
                    *image.command], LIMIT_S)


def make_archive(name, image, made, out):
    path = os.path.join(out, name + ".tar")
    words = ["/usr/bin/python3", os.path.join(ROOT, "tools", "images", "mkimage.py"), "-o", path,
             "--name", "matrix/%s:v1" % name, "--workdir", "/home"]
    for source, place, mode in image.files:
        words += ["--copy", "%s:%s:%o" % (made.get(source, source), place, mode)]
    for place, mode in image.directories:
        words += ["--mkdir", "%s:%o" % (place, mode)]
    if image.uid:
        words += ["--user", "%d:%d" % (image.uid, image.uid)]
    subprocess.run(words, check=True)
    return path


def run_image(name, options):
    """(what it is, native result, results inside, faults found before running)"""
    image = KINDS[name]
    absent = missing(["musl-gcc", "busybox"])
    if absent or not options.namespaces:
        why = "not installed: " + " ".join(absent) if absent else "no namespaces for the native run"
        return image.what, Result(None, "", "", 0), [], [why]
    made = compile_programs(options.out)
    archive = make_archive(name, image, made, options.out)
    loaded = run([options.everett, "image", "load", archive], LIMIT_S,
                 dict(os.environ, EVERETT_HOME=options.home))
    if loaded.status != 0:
        return image.what, loaded, [], ["loading the image: " + loaded.last_words()]
    native = run_native(image, made, options)
    settings = ["--image", "matrix/%s:v1" % name, "--seed", str(options.seed), "--virtual", "60s"]
    runs = [inside(options.everett, options.home, settings, image.command, LIMIT_S)
            for _ in range(options.repeats)]
    return image.what, native, runs, []
