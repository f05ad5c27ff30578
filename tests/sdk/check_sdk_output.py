#!/usr/bin/python3
"""check_sdk_output.py PROGRAM LANGUAGE: runs the SDK sample and judges the file it writes."""
import json
import os
import subprocess
import sys
import tempfile

KEYS = ["id", "message", "hit", "must_hit", "condition", "assert_type", "display_type", "location",
        "details"]
LOCATION = ["class", "function", "file", "begin_line", "begin_column"]


def run(program, environment):
    subprocess.run([program], check=True, env=environment)


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAIL: {what}: got {got!r}, wanted {wanted!r}")


def find(documents, kind, message, hit):
    return [d[kind] for d in documents if kind in d and d[kind]["message"] == message
            and d[kind]["hit"] is hit]


def outcomes(documents, message):
    return [a["condition"] for a in find(documents, "antithesis_assert", message, True)]


def distances(documents, message):
    return [g["guidance_data"]["left"]
            for g in find(documents, "antithesis_guidance", message, True)]


def check_shape(documents, language):
    sdk = documents[0]["antithesis_sdk"]
    expect("language", sdk["language"]["name"], language)
    expect("protocol", sdk["protocol_version"], "1.1.0")
    expect("banners", sum("antithesis_sdk" in d for d in documents), 1)
    for document in documents:
        inner = document.get("antithesis_assert")
        if inner is not None:
            expect("keys", list(inner), KEYS)
            expect("location", list(inner["location"]), LOCATION)
            expect("identity", inner["id"], inner["message"])
    hits = [i for i, d in enumerate(documents) if d.get("antithesis_assert", {}).get("hit")]
    own = find(documents, "antithesis_assert", "Never reached", False)
    expect("declared before main", documents.index({"antithesis_assert": own[0]})
           < documents.index({"antithesis_assert": find(
               documents, "antithesis_assert", "x is above 3", True)[0]}), True)
    expect("any hits", len(hits) > 10, True)


def check_assertions(documents):
    rows = {
        "Never reached": ("reachability", "Reachable", True, True, []),
        "x is above 3": ("sometimes", "Sometimes", True, False, [False, True]),
        "One message, two places": ("always", "Always", True, False, [True, False]),
        "May be unreachable": ("always", "AlwaysOrUnreachable", False, False, [True]),
        "Reached all the same": ("reachability", "Unreachable", False, False, [False]),
        "Numbers": ("reachability", "Reachable", True, True, [True]),
        "Only in the other unit": ("always", "Always", True, False, [True]),
        "Seen by many threads": ("always", "Always", True, False, [True]),
        "Always above 3": ("always", "Always", True, False, [True, False]),
        "Sometimes 12": ("sometimes", "Sometimes", True, False, [False, True]),
        "Signs do not confuse": ("always", "Always", True, False, [True]),
        "Large values compare exactly": ("always", "Always", True, False, [True]),
        "Kinds mix": ("sometimes", "Sometimes", True, False, [True]),
        "Equal counts": ("sometimes", "Sometimes", True, False, [True]),
        "NaN is in no order": ("always", "Always", True, False, [False]),
        "Always some": ("always", "Always", True, False, [True]),
        "Sometimes all": ("sometimes", "Sometimes", True, False, [False]),
    }
    for message, (kind, display, must_hit, condition, conditions) in rows.items():
        declared = find(documents, "antithesis_assert", message, False)
        expect(f"{message}: declared", len(declared) >= 1, True)
        for row in declared:
            expect(message, [row[k] for k in ("assert_type", "display_type", "must_hit",
                                              "condition", "details")],
                   [kind, display, must_hit, condition, None])
        expect(f"{message}: outcomes", outcomes(documents, message), conditions)


def check_details(documents):
    def details(message):
        return find(documents, "antithesis_assert", message, True)[0]["details"]
    expect("text", details("Reached all the same"),
           {"text": 'a"\\\n\x01\ufffdé', "none": None, "yes": True})
    expect("numbers", details("Numbers"),
           {"tenth": 0.1, "inf": "-Infinity", "most": 2**64 - 1, "least": -2**63,
            "list": [1, {"a": None}]})
    expect("operands", details("Always above 3"), {"left": 10, "right": 3, "i": 0})
    expect("NaN", details("NaN is in no order")["left"].lstrip("-"), "NaN")
    expect("names", details("Sometimes all"), {"a": True, "b": False, "n": 1})


def check_guidance(documents):
    expect("minimised", distances(documents, "Always above 3"), [10, 4, -1])
    expect("maximised", distances(documents, "Sometimes 12"), [10, 12])
    for message, maximize in [("Always above 3", False), ("Sometimes 12", True),
                              ("Signs do not confuse", True), ("Kinds mix", False),
                              ("Always some", False), ("Sometimes all", True)]:
        for hit in (False, True):
            rows = find(documents, "antithesis_guidance", message, hit)
            expect(f"{message}: guidance", [r["maximize"] for r in rows], [maximize] * len(rows))
            expect(f"{message}: any guidance", len(rows) > 0, True)
    named = find(documents, "antithesis_guidance", "Sometimes all", True)[0]
    expect("boolean guidance", (named["guidance_type"], named["guidance_data"]),
           ("boolean", {"a": True, "b": False}))


def main():
    program, language = os.path.abspath(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, "out.jsonl")
        run(program, {"ANTITHESIS_SDK_LOCAL_OUTPUT": output})
        with open(output, encoding="utf-8") as file:
            documents = [json.loads(line) for line in file]
        run(program, {"ANTITHESIS_OUTPUT_DIR": directory})
        with open(os.path.join(directory, "sdk.jsonl"), encoding="utf-8") as file:
            expect("the other file", len(file.readlines()), len(documents))
        run(program, {})
        run(program, {"ANTITHESIS_SDK_LOCAL_OUTPUT": "/nonexistent/file"})
    check_shape(documents, language)
    check_assertions(documents)
    check_details(documents)
    check_guidance(documents)
    expect("setup", [d["antithesis_setup"] for d in documents if "antithesis_setup" in d],
           [{"status": "complete", "details": {}},
            {"status": "complete", "details": {"by": "sample"}}])
    expect("event", documents[-1], {"my event": {"k": 1}})
    if language == "C++":
        for message in ("Inside a template", "Inside a method"):
            expect(message, outcomes(documents, message), [True])


if __name__ == "__main__":
    main()
