#!/usr/bin/env python3
"""Plants one-line faults, one at a time, in a copy of the tree: a test has to fail for each.

    scripts/mutants.py                 # all of scripts/mutants.toml
    scripts/mutants.py context ring    # those whose file or text contains one of the words
    scripts/mutants.py --table         # prints the table for engine/docs/mutants.md

Exit 1 when a fault survives, does not compile, or finds its place no more. The copy and what is built
from it lie in target/mutants.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
TREE = ROOT / "target" / "mutants" / "tree"
BUILD = pathlib.Path(os.environ.get("MUTANTS_TARGET_DIR", ROOT / "target" / "mutants" / "build"))


def copy_tree() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    for name in filter(None, listed):
        source, target = ROOT / name, TREE / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # Untouched files keep their time, so that nothing is built twice for them.
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)


def outcome(mutant: dict) -> str:
    path = TREE / mutant["file"]
    whole = path.read_text() if path.is_file() else ""
    if whole.count(mutant["find"]) != 1:
        return f"NO PLACE: stands {whole.count(mutant['find'])} times in {mutant['file']}"
    path.write_text(whole.replace(mutant["find"], mutant["put"]))
    try:
        command = ["cargo", "test", "--locked", "--target-dir", str(BUILD), *mutant["tests"].split()]
        ended = subprocess.run(command, cwd=TREE, capture_output=True, text=True, timeout=900)
    except subprocess.TimeoutExpired:
        return "killed, by a test that did not end"
    finally:
        path.write_text(whole)
    text = ended.stdout + ended.stderr
    if "could not compile" in text:
        return "DOES NOT COMPILE"
    if ended.returncode == 0:
        return "SURVIVED"
    failed = [line.split()[1] for line in text.splitlines() if line.endswith("... FAILED")]
    by_name = any(mutant["kills"] in name for name in failed) or mutant["kills"] in text
    return f"killed by {failed[0] if failed else 'an abort'}" if by_name else f"KILLED BY ANOTHER: {failed}"


def main() -> int:
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    mutants = tomllib.loads((ROOT / "scripts" / "mutants.toml").read_text())["mutant"]
    chosen = [m for m in mutants if not words or any(w in m["file"] + m["find"] for w in words)]
    copy_tree()
    bad = 0
    for mutant in chosen:
        said = outcome(mutant)
        bad += not said.startswith("killed")
        if "--table" in sys.argv:
            print(f"| `{mutant['file']}` | `{mutant['find']}` | `{mutant['put']}` | {said} |", flush=True)
        else:
            print(f"{said}: {mutant['file']}: {mutant['find']} -> {mutant['put']}", flush=True)
    print(f"{len(chosen)} faults planted, {len(chosen) - bad} killed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
