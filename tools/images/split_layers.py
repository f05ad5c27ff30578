#!/usr/bin/python3
"""Splits the root file system of a Debian system into image layers, by package.

    split_layers.py ROOTFS.tar BASE.tar NAME=OUT.tar:PACKAGE,PATH/,... [NAME=...]

Each NAME gets the files of the listed packages and of what they alone depend on, and everything
below the listed paths (which end in a slash). The rest goes to BASE.tar. A layer shared by several
images is then the same file, whichever images use it. "Alone": a package that two names need, or
that is needed by neither, stays in the base. Entries keep their owners, modes, times and order;
directories are repeated in every layer that has files below them.
"""
import posixpath
import sys
import tarfile


def read_member(tar, name):
    return tar.extractfile(tar.getmember(name)).read().decode()


def parse_status(text):
    """Package -> the packages its Depends and Pre-Depends name (all alternatives)."""
    depends, provides = {}, {}
    for stanza in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.split("\n")
                      if ": " in line and not line.startswith(" "))
        package = fields["Package"]
        wants = fields.get("Depends", "") + "," + fields.get("Pre-Depends", "")
        names = [n.split("(")[0].split(":")[0].strip()
                 for group in wants.split(",") for n in group.split("|")]
        depends[package] = [n for n in names if n]
        for name in fields.get("Provides", "").split(","):
            if name.strip():
                provides.setdefault(name.split("(")[0].strip(), []).append(package)
    return {p: [q for n in names for q in ([n] if n in depends else provides.get(n, []))]
            for p, names in depends.items()}


def closure(depends, roots, stop):
    found, todo = set(), list(roots)
    while todo:
        package = todo.pop()
        if package not in depends:
            sys.exit(f"split_layers: package {package} is not installed")
        if package not in found and package not in stop:
            found.add(package)
            todo += depends[package]
    return found


def essential(text):
    return {s.split("Package: ", 1)[1].split("\n", 1)[0] for s in text.strip().split("\n\n")
            if "\nEssential: yes" in s or "\nPriority: required" in s}


def packages_of(tar, names):
    """Layer name -> its packages, for the packages that exactly one layer needs."""
    text = read_member(tar, "./var/lib/dpkg/status")
    depends, needed = parse_status(text), essential(text)
    base = closure(depends, needed, set())
    wanted = {n: closure(depends, [p for p in parts if not p.endswith("/")], base)
              for n, parts in names.items()}
    return {n: {p for p in packages if sum(p in w for w in wanted.values()) == 1}
            for n, packages in wanted.items()}


def owners_of(tar, packages):
    """Path -> layer name, from dpkg's lists. Directories are left out: they are shared."""
    owners = {}
    directories = {m.name.lstrip(".") for m in tar.getmembers() if m.isdir()}
    members = {m.name for m in tar.getmembers()}
    for name, list_of in packages.items():
        for package in sorted(list_of):
            info = [f"./var/lib/dpkg/info/{package}{arch}.list" for arch in ("", ":amd64", ":all")]
            lists = [i for i in info if i in members]
            if not lists:
                sys.exit(f"split_layers: no file list of package {package}")
            for path in read_member(tar, lists[0]).split("\n"):
                path = "/usr" + path if path.startswith(("/lib", "/bin", "/sbin")) else path
                if path and path not in directories:
                    owners[path] = name
    return owners


def layer_of(path, owners, prefixes):
    if path in owners:
        return owners[path]
    for prefix, name in prefixes:
        if path.startswith(prefix):
            return name
    # Byte code lies beside its source: .../__pycache__/x.cpython-311.pyc belongs to .../x.py.
    head, tail = posixpath.split(path)
    if posixpath.basename(head) == "__pycache__":
        source = posixpath.join(posixpath.dirname(head), tail.split(".")[0] + ".py")
        return owners.get(source, "")
    return ""


def split(rootfs, base, specs):
    with tarfile.open(rootfs) as tar:
        names = {n: parts for n, (_, parts) in specs.items()}
        owners = owners_of(tar, packages_of(tar, names))
        prefixes = [(p, n) for n, parts in names.items() for p in parts if p.endswith("/")]
        outputs = {"": base, **{n: out for n, (out, _) in specs.items()}}
        writers = {n: tarfile.open(out, "w", format=tarfile.GNU_FORMAT)
                   for n, out in outputs.items()}
        directories = {m.name: m for m in tar.getmembers() if m.isdir()}
        done = {n: set() for n in writers}

        def add_parents(name, member):
            parent = posixpath.dirname(member.name)
            if parent and parent not in done[name] and parent in directories:
                done[name].add(parent)
                add_parents(name, directories[parent])
                writers[name].addfile(directories[parent])

        for member in tar:
            name = layer_of(member.name.lstrip("."), owners, prefixes)
            if member.isdir():
                below = [n for p, n in prefixes if (member.name.lstrip(".") + "/").startswith(p)]
                name = below[0] if below else ""
                if member.name in done[name] or posixpath.basename(member.name) == "__pycache__":
                    continue
                done[name].add(member.name)
            else:
                add_parents(name, member)
            writers[name].addfile(member, tar.extractfile(member) if member.isreg() else None)
        for writer in writers.values():
            writer.close()


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    specs = {}
    for text in sys.argv[3:]:
        name, rest = text.split("=", 1)
        out, parts = rest.split(":", 1)
        specs[name] = (out, parts.split(","))
    split(sys.argv[1], sys.argv[2], specs)


if __name__ == "__main__":
    main()
