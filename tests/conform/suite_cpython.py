"""CPython's regression tests of what lies close to the kernel, case by case."""
import os
import shutil

from fetch import Unavailable, call
from group import Group

NAME = "cpython"
WHAT = "CPython 3.11 regression tests (Debian libpython3.11-testsuite), each case of 20 modules"
SILENT = {"skip"}
VERSION = "3.11.2-6+deb12u9"
SHA256 = "5dd0f85e950b344a51374e0ef68089e808f73c6c594c80e5232936b5c7ea4a28"
PYTHON = "/usr/bin/python3.11"
OWN = "/usr/lib/python3.11/test"  # the part of the tests that comes with the interpreter
LIMIT_S = 60
MODULES = """test_socket test_subprocess test_asyncio test_signal test_threading test_select
    test_selectors test_mmap test_os test_posix test_time test_fcntl test_multiprocessing_fork
    test_multiprocessing_spawn test_ssl test_socketserver test_tempfile test_shutil test_pty
    test_epoll""".split()


def install(context):
    library = os.path.join(context.work, "lib")
    if not os.path.exists(os.path.join(library, "test", "support")):
        deb = context.cache.deb("libpython3.11-testsuite", VERSION, SHA256)
        root = os.path.join(context.work, "root")
        call(["dpkg-deb", "-x", deb, root], 120)
        shutil.copytree(os.path.join(root, "usr/lib/python3.11/test"),
                        os.path.join(library, "test"), dirs_exist_ok=True)
        shutil.copytree(OWN, os.path.join(library, "test"), dirs_exist_ok=True)
        shutil.rmtree(root)
        call([PYTHON, "-m", "compileall", "-q", "-j", "1",
              os.path.join(library, "test", "support")], 300)
    return library


def modules(library):
    for name in MODULES:
        if os.path.isdir(os.path.join(library, "test", name)):
            for file in sorted(os.listdir(os.path.join(library, "test", name))):
                if file.startswith("test_") and file.endswith(".py"):
                    yield name + "." + file[:-3]
        else:
            yield name


def groups(context):
    if not os.path.exists(PYTHON) or not os.path.isdir(OWN):
        raise Unavailable("%s is missing: apt-get install python3.11" % PYTHON)
    library = install(context)
    cases = os.path.join(context.here, "cases.py")
    env = {"PYTHONPATH": library, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    for name in modules(library):

        def listing(name=name):
            return call([PYTHON, cases, "--list", name], 120, env=dict(os.environ, **env)).split()

        def command(names, name=name):
            return [PYTHON, cases, str(LIMIT_S), name, names]

        yield Group(name, context.listed(name, listing), command, 240, env=env)
