#!/usr/bin/env python3
"""Plants one-line faults in a copy of the tree: bad days by seed have to find each.

    scripts/planted.py                  # all faults of scripts/planted.toml, from five first seeds
    scripts/planted.py --quick          # the quick ones, from one first seed: part of every change
    scripts/planted.py books governor   # those whose name, part or file contains one of the words
    scripts/planted.py --table          # prints the rows for engine/docs/simulation.md
    scripts/planted.py --shrink quantity # also makes the plan of a fault that is found smaller

The faults stand in no source file. As scripts/mutants.py does it, the copy has each behind a switch
that PITLANE_MUTANT turns on; `pitlane simulate --first` of that one build then runs seeds until an
invariant breaks. Exit 1 when a fault is not found, finds its place no more, or when a seed fails
with nothing planted. The copy and what is built from it lie in target/mutants.

The copy is built as the tests of the tree are, with the dependencies that they have built.

With --shrink, and of the first quick fault with --quick, the failing plan is made smaller and kept
as NAME.toml beside the built copy: that file has to break the same invariant with the fault, and
to hold without. PLANTED_FIRSTS says from how many first seeds, PLANTED_SEEDS how many from each.
"""

import concurrent.futures
import json
import os
import shutil
import statistics
import subprocess
import sys
import tomllib

import mutants

ROOT = mutants.ROOT
BUILD = mutants.BUILD.parent / "planted"
IS_QUICK = "--quick" in sys.argv
BINARY = BUILD / "debug" / "pitlane"
# Seeds that are tried from each first seed, before a fault counts as not found.
SEEDS_MAX = int(os.environ.get("PLANTED_SEEDS", "60"))
FIRST_SEEDS = [0, 1_000, 2_000, 3_000, 4_000][: int(os.environ.get("PLANTED_FIRSTS", "5"))]
# Runs in which a failing plan is made smaller.
SHRINK_RUNS = os.environ.get("PLANTED_SHRINK_RUNS", "40")
LIMIT_S = int(os.environ.get("PLANTED_LIMIT_S", "900"))
JOBS = int(os.environ.get("PLANTED_JOBS", "2"))


def share_dependencies() -> None:
    """Gives the copy what the tree's tests have built of dependencies, but nothing of the tree.

    The copy can't have the tree's own target folder: cargo takes packages of one name and place
    within their workspace for the same, and a normal build would get the faults.
    """
    own = ROOT / "target" / "debug"
    if BINARY.parent.exists() or not own.exists():
        return
    for part, is_shared in (
        (".fingerprint", lambda name: not name.startswith("pitlane")),
        ("build", lambda name: not name.startswith("pitlane")),
        ("deps", lambda name: name.startswith("lib") and not name.startswith("libpitlane")),
    ):
        target = BINARY.parent / part
        target.mkdir(parents=True)
        for entry in (own / part).iterdir():
            if entry.is_dir() and is_shared(entry.name):
                shutil.copytree(entry, target / entry.name, symlinks=True)
            elif entry.is_file() and is_shared(entry.name):
                shutil.copy2(entry, target / entry.name)


def build() -> None:
    """Builds the copy's binary as the tests are, with the same dependencies."""
    share_dependencies()
    command = ["cargo", "test", "--locked", "--no-run", "--test", "file_limit"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(BUILD)}
    ended = subprocess.run(command, cwd=mutants.TREE, env=environment, capture_output=True, text=True)
    if ended.returncode != 0:
        errors = [line for line in ended.stderr.splitlines() if "warning" not in line]
        sys.exit("\n".join(errors[-60:]) + "\nthe copy with the faults does not build")


def simulated(number: int, first: int, seeds: int) -> dict | None:
    """What `pitlane simulate` says with this fault planted; None where it did not end."""
    command = [BINARY, "simulate", "--from", str(first), "--seeds", str(seeds), "--first", "--json"]
    environment = {**os.environ, "PITLANE_MUTANT": str(number)}
    try:
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LIMIT_S
        )
        return json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        return None
    except json.JSONDecodeError:
        # An abort: as loud as a fault can be, and no invariant found it.
        return {"holds": False, "seeds": 1, "cpu_s": 0.0, "failed": []}


def run(number: int, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PITLANE_MUTANT": str(number)}
    command = [BINARY, "simulate", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def shrunk(fault: dict) -> str | None:
    """Makes the first failing plan smaller and keeps it; what is wrong with what comes of that."""
    told = simulated(fault["number"], FIRST_SEEDS[0], SEEDS_MAX)
    if not told or told["holds"] or not told["failed"]:
        return "no plan to make smaller"
    failed = told["failed"][0]
    seed, invariant = str(failed["seed"]), failed["violations"][0]["invariant"]
    ended = run(fault["number"], "--seed", seed, "--shrink", "--shrink-runs", SHRINK_RUNS)
    _, found, plan = ended.stdout.partition("\n# Breaks invariant ")
    if not found:
        return f"nothing was made smaller of seed {seed}: {ended.stderr[-300:]}"
    name = "_".join("".join(c if c.isalnum() else " " for c in fault["name"]).split())
    file = BUILD / f"{name}.toml"
    file.write_text("# Breaks invariant " + plan)
    again = json.loads(run(fault["number"], "--plan", str(file), "--seed", seed, "--json").stdout)
    if again["holds"] or again["failed"][0]["violations"][0]["invariant"] != invariant:
        return f"{file} does not break invariant {invariant}"
    whole = json.loads(run(0, "--plan", str(file), "--seed", seed, "--json").stdout)
    if not whole["holds"]:
        return f"{file} breaks something with nothing planted"
    left = len(failed["plan"]["venue_fault"]), plan.count("[[venue_fault]]")
    print(f"made smaller: {fault['name']}: {file.name}, of {left[0]} faults of the venue {left[1]}")
    return None


def judge(fault: dict, firsts: list[int]) -> dict:
    """Runs seeds from each of `firsts` until the fault is found."""
    seeds, cpu, found, missed = [], [], {}, 0
    for first in firsts:
        told = simulated(fault["number"], first, SEEDS_MAX)
        if told is None or told["holds"]:
            missed += 1
            continue
        seeds.append(told["seeds"])
        cpu.append(told["cpu_s"])
        violations = told["failed"][0]["violations"] if told["failed"] else []
        by = str(violations[0]["invariant"]) if violations else "an abort"
        found.setdefault(by, violations[0]["what"] if violations else "")
    return {"seeds": seeds, "cpu": cpu, "found": found, "missed": missed}


def told(fault: dict, outcome: dict) -> bool:
    is_found = outcome["missed"] == 0 and outcome["seeds"]
    by = ", ".join(sorted(outcome["found"], key=lambda it: (len(it), it)))
    if outcome["seeds"]:
        seeds, cpu = statistics.median(outcome["seeds"]), statistics.median(outcome["cpu"])
    else:
        seeds, cpu = float("nan"), float("nan")
    if "--table" in sys.argv:
        state = by if is_found else f"{by or '-'}; not from {outcome['missed']} first seeds"
        row = (fault["part"], fault["name"], f"{seeds:g}", f"{cpu:.1f}", state)
        print("| " + " | ".join(row) + " |", flush=True)
    else:
        what = next(iter(outcome["found"].values()), "")
        state = "found" if is_found else f"NOT FOUND ({outcome['missed']} of the first seeds)"
        print(
            f"{state}: {fault['part']}: {fault['name']}: {seeds:g} seeds, {cpu:.1f} CPU s, "
            f"invariant {by}: {what[:150]}",
            flush=True,
        )
    return bool(is_found)


def main() -> int:
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    faults = tomllib.loads((ROOT / "scripts" / "planted.toml").read_text())["fault"]
    for number, fault in enumerate(faults, start=1):
        fault["number"] = number
    text = lambda fault: fault["name"] + fault["part"] + fault["file"]
    chosen = [f for f in faults if not words or any(word in text(f) for word in words)]
    chosen = [f for f in chosen if not IS_QUICK or f.get("quick")]
    lost = [(fault, problem) for fault in faults if (problem := mutants.place(fault)[1])]
    for fault, problem in lost:
        print(f"{problem}: {fault['name']}")
    # All are built in, so that another choice is the same build.
    mutants.copy_tree(mutants.all_at_once([f for f in faults if f not in [f for f, _ in lost]]))
    build()
    if b"PITLANE_MUTANT" not in BINARY.read_bytes():
        sys.exit("the binary of the copy has no switch: nothing was planted")
    own = ROOT / "target" / "debug" / "pitlane"
    if own.is_file() and b"PITLANE_MUTANT" in own.read_bytes():
        sys.exit(f"{own} has the switch of planted faults: it must be in no normal build")
    whole = simulated(0, FIRST_SEEDS[0], 4 if IS_QUICK else SEEDS_MAX)
    if whole is None or not whole["holds"]:
        print(f"with nothing planted fails: {whole and whole['failed']}")
        return 1
    firsts = FIRST_SEEDS[:1] if IS_QUICK else FIRST_SEEDS
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        there = [fault for fault in chosen if not mutants.place(fault)[1]]
        outcomes = pool.map(lambda fault: judge(fault, firsts), there)
        found = sum(told(fault, outcome) for fault, outcome in zip(there, outcomes))
    print(f"{len(chosen)} faults planted, {found} found")
    smaller = there if "--shrink" in sys.argv else there[:1] if IS_QUICK else []
    problems = [problem for fault in smaller if (problem := shrunk(fault))]
    print("\n".join(problems), end="\n" if problems else "")
    return 0 if found == len(chosen) and not lost and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
