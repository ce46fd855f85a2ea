#!/usr/bin/env python3
"""Looks at every crate that the workspace compiles on Linux: licence, source, and second versions.

    scripts/check_dependencies.py      # exit 1 when one is not allowed below

Reads `cargo metadata`, so it needs no tool beside cargo and the standard library.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TARGET = "x86_64-unknown-linux-gnu"
SOURCE = "registry+https://github.com/rust-lang/crates.io-index"

LICENCES = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0",
    # The list of certificate authorities: data, to be named and passed on freely.
    "CDLA-Permissive-2.0",
    "CC0-1.0", "ISC", "MIT", "MPL-2.0", "Unicode-3.0", "Unlicense", "Zlib",
}

# Crates that are compiled in two versions, with the one that asks for the older.
TWICE = {
    "getrandom": "ring",
    "hashbrown": "simd-json",
    "lock_api": "parking_lot 0.12",
    "nom": "rcgen's reader of certificates, which tests do not switch on",
    "parking_lot": "crossterm",
    "parking_lot_core": "parking_lot 0.12",
    "signal-hook": "crossterm",
    "syn": "derive macros that have not moved on",
    "thiserror": "disruptor",
    "thiserror-impl": "thiserror 1",
}


def metadata() -> dict:
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met: one side of each OR, both sides of each AND."""
    expression = expression.replace("/", " OR ").strip()
    while match := re.search(r"\(([^()]*)\)", expression):
        inner = "MIT" if is_allowed(match[1]) else "refused"
        expression = expression[: match.start()] + inner + expression[match.end() :]
    if " OR " in expression:
        return any(is_allowed(part) for part in expression.split(" OR "))
    if " AND " in expression:
        return all(is_allowed(part) for part in expression.split(" AND "))
    return expression.strip() in LICENCES


def main() -> int:
    found = metadata()
    used = {node["id"] for node in found["resolve"]["nodes"]}
    packages = [package for package in found["packages"] if package["id"] in used]
    problems = []
    versions = collections.defaultdict(set)
    for package in packages:
        name = f"{package['name']} {package['version']}"
        versions[package["name"]].add(package["version"])
        if not is_allowed(package["license"] or ""):
            problems.append(f"{name}: licence {package['license']} is not on the list")
        if package["source"] not in (None, SOURCE):
            problems.append(f"{name}: comes from {package['source']}")
    twice = {name for name, found in versions.items() if len(found) > 1}
    for name in sorted(twice - set(TWICE)):
        text = " and ".join(sorted(versions[name]))
        problems.append(f"{name}: compiled twice, {text}; mend it, or list it with its reason")
    for name in sorted(set(TWICE) - twice):
        problems.append(f"{name}: listed as compiled twice, and is not any more")
    for problem in problems:
        print(problem)
    print(f"{len(packages)} crates, {len(twice)} of them in two versions, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
