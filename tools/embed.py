#!/usr/bin/env python3
"""Writes a file's bytes as a C array: embed.py INPUT OUTPUT NAME."""
import sys

source, target, name = sys.argv[1:]
with open(source, "rb") as f:
    data = f.read()
with open(target, "w") as f:
    f.write(f"#include <stddef.h>\n\nextern const unsigned char {name}[];\n")
    f.write(f"extern const size_t {name}_len;\n\nconst unsigned char {name}[] = {{\n")
    for i in range(0, len(data), 16):
        f.write("    " + " ".join(f"0x{b:02x}," for b in data[i : i + 16]) + "\n")
    f.write(f"}};\nconst size_t {name}_len = sizeof {name};\n")
