#!/usr/bin/env python3
"""Counts the instructions of the hot functions under callgrind and compares them with the baseline.

    benches/instructions/check.py            # exit 1 when a count is over 1 % above the baseline
    benches/instructions/check.py --update   # writes the baseline

Each case is counted twice; a count that differs between the two is an error, since it could not be
compared. Needs valgrind. Counts belong to a compiler: the baseline names the one it was taken with.
"""

import csv
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASELINE = pathlib.Path(__file__).with_name("baseline.csv")
CALLS = 200
TOLERANCE = 0.01


def build() -> pathlib.Path:
    command = ["cargo", "build", "--release", "-p", "pitlane-benches", "--bin", "instructions"]
    subprocess.run(command, cwd=ROOT, check=True)
    return ROOT / "target" / "release" / "instructions"


def count(binary: pathlib.Path, case: str) -> int:
    """Instructions of one case, all counted calls together."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
               "--collect-atstart=no", "--toggle-collect=*instructions*measured*",
               str(binary), case, str(CALLS)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if not found or found[1] == "0":
        sys.exit(f"{case}: callgrind counted nothing\n{run.stderr}")
    return int(found[1])


def compiler() -> str:
    command = ["rustc", "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    is_update = sys.argv[1:] == ["--update"]
    binary = build()
    listed = subprocess.run([binary, "list"], capture_output=True, text=True, check=True)
    counts = {}
    for case in listed.stdout.split():
        counts[case] = count(binary, case)
        again = count(binary, case)
        if again != counts[case]:
            print(f"FAIL {case}: {counts[case]} in one run, {again} in the next")
            return 1
    if is_update:
        with BASELINE.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["case", "instructions_per_call", "compiler"])
            rows.writerows([case, total // CALLS, compiler()] for case, total in counts.items())
    with BASELINE.open(encoding="utf-8") as file:
        baseline = {row["case"]: row for row in csv.DictReader(file)}
    is_good = True
    for case, total in counts.items():
        now, row = total / CALLS, baseline.get(case)
        if row is None:
            print(f"FAIL {case}: {now:.0f} instructions a call, not in the baseline")
            is_good = False
            continue
        before = int(row["instructions_per_call"])
        change = now / before - 1
        verdict = "ok  " if change <= TOLERANCE else "FAIL"
        is_good &= change <= TOLERANCE
        print(f"{verdict} {case:36} {before:7} -> {now:9.1f} a call  {change:+.1%}")
        if row["compiler"] != compiler():
            print(f"     the baseline was taken with {row['compiler']}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
