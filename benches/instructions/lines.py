#!/usr/bin/env python3
"""Counts the cache lines that a call of a hot function touches, and compares them with the baseline.

    benches/instructions/lines.py                   # exit 1 when a case touches more than that
    benches/instructions/lines.py --update          # writes the baseline
    benches/instructions/lines.py --where consumer_quote     # every line of a case, with its source

With fifty consumers on a core what a turn touches does not stay in the first cache, so lines are
time, as instructions are. Counted are lines of 64 bytes outside the stack, in the last call of a
case, by valgrind's lackey. Needs valgrind, and objdump and addr2line of binutils.
"""

import csv
import pathlib
import subprocess
import sys
import tempfile

from check import ROOT, build

BASELINE = pathlib.Path(__file__).with_name("lines.csv")
LINE_BYTES = 64
WARM_CALLS = 2
# Valgrind puts the stack of the main thread here, and the program at one of these.
STACK_FROM = 0x1FFE000000
LOADED_AT = (0x108000, 0x400000, 0x4000000)


class Call:
    """The accesses of one call: what was touched, by which instruction."""

    def __init__(self):
        self.lines = {}
        self.counter = 0

    def note(self, kind, address, size):
        if kind == "I":
            self.counter = address
            return
        first, last = address // LINE_BYTES, (address + size - 1) // LINE_BYTES
        for line in range(first, last + 1):
            if line * LINE_BYTES < STACK_FROM:
                self.lines.setdefault(line, []).append((kind, self.counter))

    def written(self):
        return sum(any(kind != "L" for kind, _ in touches) for touches in self.lines.values())


def bounds(binary):
    """Addresses, as linked, of the functions inside which is counted, and of their returns."""
    command = ["objdump", "-d", "-C", "--no-show-raw-insn", str(binary)]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    starts, ends, is_inside = set(), set(), False
    for text in listed.stdout.splitlines():
        if text.endswith(">:"):
            is_inside = "instructions::measured" in text
            if is_inside:
                starts.add(int(text.split()[0], 16))
        elif is_inside and text.rstrip().endswith("\tret"):
            ends.add(int(text.split(":")[0], 16))
    return starts, ends


def traced(binary, case):
    """The last call of a case, and where the program was loaded."""
    starts, ends = bounds(binary)
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as log:
        command = ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-file={log.name}",
                   str(binary), case, str(WARM_CALLS)]
        subprocess.run(command, check=True, capture_output=True)
        base, call, last = None, None, None
        for text in log:
            kind = text[:2].strip()
            if kind not in ("I", "L", "S", "M"):
                continue
            address, size = text[3:].split(",")
            address, size = int(address, 16), int(size)
            if call is None and kind == "I":
                base = next((at for at in LOADED_AT if address - at in starts), base)
                if base is not None and address - base in starts:
                    call = Call()
            if call is not None:
                call.note(kind, address, size)
                if kind == "I" and address - base in ends:
                    last, call = call, None
    if last is None:
        sys.exit(f"{case}: no call was seen")
    return last, base


def sources(binary, addresses):
    """By address, the innermost line of our own source."""
    ordered = sorted(addresses)
    command = ["addr2line", "-a", "-i", "-e", str(binary)] + [hex(at) for at in ordered]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    found, at = {}, None
    for text in listed.stdout.splitlines():
        if text.startswith("0x"):
            at = int(text, 16)
        elif str(ROOT) in text:
            found.setdefault(at, text.split(" ")[0].removeprefix(f"{ROOT}/"))
    return found


def show(binary, case):
    call, base = traced(binary, case)
    by = sources(binary, {at - base for touches in call.lines.values() for _, at in touches})
    for line, touches in sorted(call.lines.items()):
        is_written = any(kind != "L" for kind, _ in touches)
        places = dict.fromkeys(by.get(at - base, "?") for _, at in touches)
        how = "written" if is_written else "read   "
        print(f"{line * LINE_BYTES:#012x} {how} {', '.join(places)}")
    print(f"{case}: {len(call.lines)} lines, {call.written()} of them written")


def main():
    arguments = sys.argv[1:]
    binary = build()
    if arguments[:1] == ["--where"] and len(arguments) == 2:
        show(binary, arguments[1])
        return 0
    listed = subprocess.run([binary, "list"], capture_output=True, text=True, check=True)
    counts = {}
    for case in listed.stdout.split():
        call, _ = traced(binary, case)
        counts[case] = (len(call.lines), call.written())
    if arguments == ["--update"]:
        with BASELINE.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["case", "lines", "written"])
            rows.writerows([case, *both] for case, both in counts.items())
    with BASELINE.open(encoding="utf-8") as file:
        rows = csv.DictReader(file)
        baseline = {row["case"]: (int(row["lines"]), int(row["written"])) for row in rows}
    is_good = True
    for case, both in counts.items():
        before = baseline.get(case)
        holds = before is not None and both[0] <= before[0] and both[1] <= before[1]
        is_good &= holds
        was = "not in the baseline" if before is None else f"{before[0]} lines, {before[1]} written"
        print(f"{'ok  ' if holds else 'FAIL'} {case:36} {was} -> {both[0]}, {both[1]}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
