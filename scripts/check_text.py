#!/usr/bin/env python3
"""Looks at the text of the tree.

    scripts/check_text.py      # exit 1 when something below does not hold

- Each mark of a requirement (FR-014, SC-003, LM-07, EDGE-18, A-3) has an entry in
  engine/docs/requirements.md, and each entry names tests there that are in the tree. Each mark of a
  fault (F12) has one in engine/docs/faults.md.
- No comment is wider than 100 columns, nor a line of Markdown, but for tables, links and program
  output. (Code is as wide as rustfmt makes it.)
- Each link of a Markdown file to a file of the tree finds it, with its heading.
- No function of a Rust file is longer than 70 lines, but for those listed here with the reason.
"""

import pathlib
import re
import subprocess
import sys
from functools import partial

ROOT = pathlib.Path(__file__).resolve().parents[1]
REQUIREMENTS = "engine/docs/requirements.md"
FAULTS = "engine/docs/faults.md"
TESTED = "## Where each is tested"
ROW = re.compile(r"\| ([A-Z]+-\d+) \| (.+) \|$")
COLUMNS_MAX = 100
TEXT = {".rs", ".py", ".sh", ".md", ".toml", ".yml"}
MARK = re.compile(r"\b(?:(FR|SC)-(\d{3})|(LM)-(\d{2})|(EDGE)-(\d{1,2})|(A)-(\d)|(F)(\d\d))\b")
COMMENT = re.compile(r"^\s*(//|#)|[;{},)] //")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FUNCTION = re.compile(r"^(\s*)(?:pub(?:\([^)]*\))? )?(?:const |async |unsafe )*fn (\w+)")
FUNCTION_LINES_MAX = 70
LONG_FUNCTIONS = {
    # One run of an operator, step by step: each step needs what the one before left.
    "strategies/tests/ctl.rs: an_operator_adds_a_venue_merges_two_flips_and_kills",
    # One arm for each way in which a frame is spoiled.
    "engine/src/venue/simulated/server/spoil.rs: append_spoiled",
}


def files() -> list[pathlib.Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\n")
    paths = [ROOT / name for name in listed if name]
    return [path for path in paths if path.is_file()]


def is_text(path: pathlib.Path) -> bool:
    return path.suffix in TEXT or path.parent.name == ".ci"


def number(match: re.Match) -> str:
    kind, digits = [group for group in match.groups() if group]
    return f"{kind}-{int(digits)}"


def entries() -> set[str]:
    found = set()
    lines = (ROOT / REQUIREMENTS).read_text() + (ROOT / FAULTS).read_text()
    for line in lines.splitlines():
        if line.startswith("| "):
            found |= {number(match) for match in MARK.finditer(line.split("|")[1])}
    return found


def is_defined(function: str, path: pathlib.Path) -> bool:
    return bool(function) and re.search(rf"\bfn {function}\b", path.read_text()) is not None


def untested() -> list[str]:
    """What is wrong with the table of tests."""
    text, _, table = (ROOT / REQUIREMENTS).read_text().partition(TESTED)
    wanted = [row[1] for row in map(ROW.match, text.splitlines()) if row]
    rows = {row[1]: row[2] for row in map(ROW.match, table.splitlines()) if row}
    rust = [path for path in files() if path.suffix == ".rs"]
    problems = [f"{mark} has no row under {TESTED!r}" for mark in wanted if mark not in rows]
    problems += [f"{mark} is no requirement" for mark in rows if mark not in wanted]
    for mark, cell in rows.items():
        tests = re.findall(r"`([^`]+)`", cell)
        if not tests:
            problems.append(f"{mark} names no test")
        for test in tests:
            name, _, function = test.partition("::")
            path = ROOT / name
            has = path.is_file() and (not function or is_defined(function, path))
            if not has and (there := next(filter(partial(is_defined, function), rust), None)):
                print(f"note: {mark}: {function} stands in {there.relative_to(ROOT)} now")
            elif not has:
                problems.append(f"{mark}: {test} is not there")
    return [f"{REQUIREMENTS}: {problem}" for problem in problems]


def anchors(path: pathlib.Path) -> set[str]:
    """The headings of a Markdown file, as links name them."""
    found = set()
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            text = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            found.add(text.replace(" ", "-"))
    return found


def too_wide(path: pathlib.Path, text: str) -> list[str]:
    problems, fenced = [], False
    for index, line in enumerate(text.splitlines(), 1):
        if path.suffix == ".md":
            fenced ^= line.startswith("```")
            if fenced or line.startswith("|") or "](" in line or "://" in line:
                continue
        elif not COMMENT.search(line) or line.lstrip().startswith("//! {"):
            continue  # an object of the control protocol is one line
        if len(line) > COLUMNS_MAX and "://" not in line:
            problems.append(f"{index}: {len(line)} columns, at most {COLUMNS_MAX}")
    return problems


def broken_links(path: pathlib.Path, text: str) -> list[str]:
    problems = []
    for index, line in enumerate(text.splitlines(), 1):
        for target in LINK.findall(line):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            found = (path.parent / name).resolve() if name else path
            if not found.exists():
                problems.append(f"{index}: {target} is not there")
            elif anchor and found.suffix == ".md" and anchor not in anchors(found):
                problems.append(f"{index}: {target}: no such heading")
    return problems


def long_functions(name: str, text: str) -> list[str]:
    """rustfmt closes a function with a brace at its own indentation."""
    problems, lines = [], text.splitlines()
    for index, line in enumerate(lines):
        match = FUNCTION.match(line)
        if not match or line.rstrip().endswith((";", "}")):
            continue
        ends = re.compile(re.escape(match[1]) + r"(\}|\).*;)$")  # or a declaration's
        length = next((n for n, after in enumerate(lines[index:], 1) if ends.match(after)), 0)
        if length > FUNCTION_LINES_MAX and f"{name}: {match[2]}" not in LONG_FUNCTIONS:
            problems.append(
                f"{index + 1}: {match[2]} has {length} lines, at most {FUNCTION_LINES_MAX}"
            )
    return problems


def main() -> int:
    known, problems, marks = entries(), untested(), 0
    for path in filter(is_text, files()):
        text, name = path.read_text(), path.relative_to(ROOT)
        for index, line in enumerate(text.splitlines(), 1):
            for match in MARK.finditer(line):
                marks += 1
                if number(match) not in known:
                    problems.append(f"{name}:{index}: {match[0]} is not in {REQUIREMENTS}")
        problems += [f"{name}:{problem}" for problem in too_wide(path, text)]
        if path.suffix == ".md":
            problems += [f"{name}:{problem}" for problem in broken_links(path, text)]
        if path.suffix == ".rs":
            problems += [f"{name}:{problem}" for problem in long_functions(str(name), text)]
    for problem in problems:
        print(problem)
    print(f"{marks} marks, {len(known)} requirements, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
