"""The two worlds a test runs in: a container of Linux's own namespaces, and a universe.

Both give a test the same: user 0 with the capabilities of a container, a loopback interface and
nothing else, pid 2 under a shell, an empty /dev/shm, the host's files, and a short environment.
"""
import json
import os
import signal
import subprocess
import tempfile

# What container engines leave to root; the same set as in a universe. Above all not SYS_TIME and
# SYS_NICE: tests set the clock and ask for real-time priority.
CAPABILITIES = ("chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service "
                "net_raw sys_chroot mknod audit_write setfcap").split()
ENVIRONMENT = {
    "HOME": "/root", "TERM": "dumb", "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
# As process 1, a test would be spared the signals that it sends itself.
CHILD = ["/bin/sh", "-c", '"$@"; exit $?', "sh"]


class Outcome:
    def __init__(self, text, status, errors, lacks):
        self.text = text
        self.status = status  # the exit status, or None: the time ran out
        self.errors = errors
        self.lacks = lacks  # what Everett named as not covered


def execute(command, limit_s, env=None, cwd=None):
    """Runs to the end, or kills the whole group of processes after limit_s."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 env=env, cwd=cwd, start_new_session=True)
        try:
            status = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            status = None
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                pass
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        texts = []
        for f in (out, err):
            f.seek(0)
            texts.append(f.read().decode("utf-8", "replace"))
    return texts[0], status, texts[1]


class Native:
    name = "native"

    def __init__(self):
        cell = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", "--net",
                "--uts"]
        if os.getuid():
            cell[1:1] = ["--user", "--map-root-user"]
        keep = ",".join("+" + name for name in CAPABILITIES)
        begin = ("ip link set lo up; mount -t tmpfs none /dev/shm; ulimit -c 0; "
                 'exec setpriv --bounding-set -all,%s --inh-caps -all "$@"' % keep)
        self.prefix = cell + ["/bin/sh", "-c", begin, "sh"] + CHILD

    def run(self, command, limit_s, env=None, cwd=None):
        text, status, errors = execute(self.prefix + command, limit_s,
                                       dict(ENVIRONMENT, **(env or {})), cwd or "/tmp")
        return Outcome(text, status, errors, [])


class Inside:
    name = "inside"

    def __init__(self, everett, home):
        self.everett = everett
        self.home = home
        os.makedirs(home, exist_ok=True)

    def run(self, command, limit_s, env=None, cwd=None):
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, "summary.json")
            prefix = [self.everett, "exec", "--summary", path, "--cwd", cwd or "/tmp"]
            for key, value in sorted((env or {}).items()):
                prefix += ["--env", "%s=%s" % (key, value)]
            text, status, errors = execute(prefix + ["--"] + CHILD + command, limit_s,
                                           dict(os.environ, EVERETT_HOME=self.home))
            lacks = []
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    lacks = json.load(f)["unknown_calls"]
        return Outcome(text, status, errors, lacks)
