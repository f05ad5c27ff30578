#!/usr/bin/python3
"""Writes a container image archive (the format of `docker save`) without a container engine.

    mkimage.py -o OUT.tar --name NAME:TAG [--layer FILE.tar ...] [--copy SRC:DEST[:MODE] ...]
               [--mkdir DEST[:MODE] ...] [--env K=V ...] [--user USER[:GROUP]] [--workdir DIR]
               [--entrypoint JSON] [--cmd JSON]

Layers are used byte for byte, lowest first; files and directories given by --copy and --mkdir form
one more on top. Equal inputs give equal archives: order, owners (root) and times
(SOURCE_DATE_EPOCH, else 0) are fixed.
"""
import argparse
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import time

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
CHUNK = 1 << 20


def tar_entry(name, mode, kind=tarfile.REGTYPE, size=0):
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.size, entry.mtime = mode, kind, size, EPOCH
    entry.uname = entry.gname = "root"
    return entry


def split_mode(text, default):
    """DEST[:MODE] with an octal MODE."""
    dest, _, mode = text.partition(":")
    if not dest.startswith("/"):
        sys.exit(f"mkimage: {dest!r} must be an absolute path")
    return dest.strip("/"), int(mode, 8) if mode else default


def own_layer(copies, directories):
    """The bytes of a layer with the given files, and their parent directories; None if empty."""
    entries = {}
    for text in directories:
        dest, mode = split_mode(text, 0o755)
        entries[dest] = (mode, None)
    for text in copies:
        source, _, rest = text.partition(":")
        dest, mode = split_mode(rest, 0o644)
        with open(source, "rb") as file:
            entries[dest] = (mode, file.read())
    for dest in list(entries):
        parent = os.path.dirname(dest)
        while parent:
            entries.setdefault(parent, (0o755, None))
            parent = os.path.dirname(parent)
    if not entries:
        return None
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for dest in sorted(entries):
            mode, data = entries[dest]
            if data is None:
                tar.addfile(tar_entry(dest, mode, tarfile.DIRTYPE))
            else:
                tar.addfile(tar_entry(dest, mode, size=len(data)), io.BytesIO(data))
    return out.getvalue()


def file_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def image_config(args, diff_ids):
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    config = {"Env": [path] + args.env}
    if args.user:
        config["User"] = args.user
    if args.workdir:
        config["WorkingDir"] = args.workdir
    if args.entrypoint:
        config["Entrypoint"] = json.loads(args.entrypoint)
    if args.cmd:
        config["Cmd"] = json.loads(args.cmd)
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + d for d in diff_ids]},
        "history": [{"created": created, "created_by": "mkimage"} for _ in diff_ids],
    }


def write_archive(args):
    layers = [(file_digest(path), path, None) for path in args.layer]
    own = own_layer(args.copy, args.mkdir)
    if own is not None:
        layers.append((hashlib.sha256(own).hexdigest(), None, own))
    config = json.dumps(image_config(args, [d for d, _, _ in layers]), sort_keys=True).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [args.name],
                 "Layers": [d + ".tar" for d, _, _ in layers]}]
    partial = args.output + ".partial"
    with tarfile.open(partial, mode="w", format=tarfile.GNU_FORMAT) as tar:
        def add(name, data):
            tar.addfile(tar_entry(name, 0o644, size=len(data)), io.BytesIO(data))
        add("manifest.json", json.dumps(manifest).encode())
        add(config_name, config)
        for digest, path, data in layers:
            if path is None:
                add(digest + ".tar", data)
                continue
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                tar.addfile(tar_entry(digest + ".tar", 0o644, size=size), file)
    shutil.move(partial, args.output)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--copy", action="append", default=[])
    parser.add_argument("--mkdir", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--user")
    parser.add_argument("--workdir")
    parser.add_argument("--entrypoint")
    parser.add_argument("--cmd")
    args = parser.parse_args()
    if ":" not in args.name:
        sys.exit(f"mkimage: {args.name!r} needs a tag")
    write_archive(args)


if __name__ == "__main__":
    main()
