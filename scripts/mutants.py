#!/usr/bin/env python3
"""Plants one-line faults in a copy of the tree: a test has to fail for each.

    scripts/mutants.py                 # all of scripts/mutants.toml
    scripts/mutants.py context ring    # those whose file or text contains one of the words
    scripts/mutants.py --table         # prints the table for engine/docs/mutants.md

All faults are compiled in at once, each behind a switch, and turned on one at a time by the
variable PITLANE_MUTANT: one build instead of one for each. Those that can't be written so (`apart`)
are built one by one. Exit 1 when a fault survives, does not compile, or finds its place no more, or when a
test fails without any. The copy and what is built from it lie in target/mutants.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
TREE = ROOT / "target" / "mutants" / "tree"
BUILD = pathlib.Path(os.environ.get("MUTANTS_TARGET_DIR", ROOT / "target" / "mutants" / "build"))
# A test that is this much longer than usual does not end.
LIMIT_S = int(os.environ.get("MUTANTS_LIMIT_S", "180"))

SWITCH = '''
/// Whether the fault of this number is planted.
#[doc(hidden)]
#[allow(missing_docs, clippy::disallowed_methods)]
pub fn planted(number: u32) -> bool {
    static PLANTED: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let read = || std::env::var("PITLANE_MUTANT").ok().and_then(|text| text.parse().ok());
    *PLANTED.get_or_init(|| read().unwrap_or(0)) == number
}
'''


def copy_tree(changed: dict[str, str]) -> None:
    """Copies the tree, with these files as they are given."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    for name in filter(None, listed):
        source, target = ROOT / name, TREE / name
        if not source.is_file():
            continue
        wanted = changed[name].encode() if name in changed else source.read_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        # Untouched files keep their time, so that nothing is built twice for them.
        if not target.is_file() or target.read_bytes() != wanted:
            target.write_bytes(wanted)
            shutil.copymode(source, target)


def switched(find: str, put: str, number: int) -> str:
    """Text that is `put` while the fault is planted, and `find` otherwise."""
    on = f"crate::planted({number})"
    core, new = find.strip(), put.strip()
    before, after = find[: len(find) - len(find.lstrip())], find[len(find.rstrip()) :]

    def either(one: str, other: str) -> str:
        return f"if {on} {{ {one} }} else {{ {other} }}"

    for pattern in (r"(let [^=]+ = )(.*)(;)$", r"(\w+: )(.*?)(,?)$", r"(.* => )(.*)(,)$", r"(if )(.*)( \{)$"):
        old_parts, new_parts = re.match(pattern, core, re.S), re.match(pattern, new, re.S)
        if old_parts and new_parts and old_parts[1] == new_parts[1] and old_parts[3] == new_parts[3]:
            head, tail = old_parts[1], old_parts[3]
            inner = either(new_parts[2], old_parts[2])
            return before + head + (f"({inner})" if head == "if " else inner) + tail + after
    if core.endswith(";") and (new.endswith(";") or not new):
        return before + either(new, core) + after
    return before + f"({either(new, core)})" + after


def place(mutant: dict) -> tuple[int, str | None]:
    path = ROOT / mutant["file"]
    whole = path.read_text() if path.is_file() else ""
    count = whole.count(mutant["find"])
    problem = None if count == 1 else f"NO PLACE: stands {count} times in {mutant['file']}"
    return whole.find(mutant["find"]), problem


def all_at_once(mutants: list[dict]) -> dict[str, str]:
    """The files of these faults with a switch for each, and the roots of their crates."""
    texts: dict[str, str] = {}
    for file in {mutant["file"] for mutant in mutants}:
        text = (ROOT / file).read_text()
        here = sorted((m for m in mutants if m["file"] == file), key=lambda m: -place(m)[0])
        end = len(text)
        for mutant in here:
            start = place(mutant)[0]
            if start + len(mutant["find"]) > end:
                sys.exit(f"two faults overlap in {file}: {mutant['find']}")
            end = start
            text = (
                text[:start]
                + switched(mutant["find"], mutant["put"], mutant["number"])
                + text[start + len(mutant["find"]) :]
            )
        texts[file] = text
    for crate in {file.split("/")[0] for file in texts}:
        root = f"{crate}/src/lib.rs"
        texts[root] = texts.get(root, (ROOT / root).read_text()) + SWITCH
    return texts


def tested(tests: str, number: int) -> subprocess.CompletedProcess | None:
    command = ["cargo", "test", "--locked", "--target-dir", str(BUILD), *tests.split()]
    environment = {**os.environ, "PITLANE_MUTANT": str(number)}
    # A session of its own: what hangs is a child of cargo, and has to end as well.
    running = subprocess.Popen(
        command, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        errors="replace", env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = running.communicate(timeout=LIMIT_S if number else 3600)
        return subprocess.CompletedProcess(command, running.returncode, out, err)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        return None


def outcome(mutant: dict, number: int) -> str:
    ended = tested(mutant["tests"], number)
    if ended is None:
        return "killed, by a test that did not end"
    text = ended.stdout + ended.stderr
    if "could not compile" in text:
        return "DOES NOT COMPILE"
    if ended.returncode == 0:
        return "SURVIVED"
    failed = [line.split()[1] for line in text.splitlines() if line.endswith("... FAILED")]
    by_name = any(mutant["kills"] in name for name in failed) or mutant["kills"] in text
    return f"killed by {failed[0] if failed else 'an abort'}" if by_name else f"KILLED BY ANOTHER: {failed}"


def apart(mutant: dict) -> str:
    path = TREE / mutant["file"]
    whole = (ROOT / mutant["file"]).read_text()
    path.write_text(whole.replace(mutant["find"], mutant["put"]))
    try:
        return outcome(mutant, 1)
    finally:
        path.write_text(whole)


def told(mutant: dict, said: str) -> bool:
    where = (mutant["file"], " ".join(mutant["find"].split()), " ".join(mutant["put"].split()))
    if "--table" in sys.argv:
        print(f"| `{where[0]}` | `{where[1]}` | `{where[2]}` | {said} |", flush=True)
    else:
        print(f"{said}: {where[0]}: {where[1]} -> {where[2]}", flush=True)
    return said.startswith("killed")


def main() -> int:
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    mutants = tomllib.loads((ROOT / "scripts" / "mutants.toml").read_text())["mutant"]
    for number, mutant in enumerate(mutants, start=1):
        mutant["number"] = number
    chosen = [m for m in mutants if not words or any(w in m["file"] + m["find"] for w in words)]
    killed = sum(told(m, problem) for m in chosen if (problem := place(m)[1]))
    there = [m for m in chosen if not place(m)[1]]
    together = [m for m in there if not m.get("apart")]
    copy_tree(all_at_once(together))
    for tests in sorted({m["tests"] for m in together}):
        ended = tested(tests, 0)
        if ended is None or ended.returncode != 0:
            text = ended.stdout + ended.stderr if ended else "no end"
            print("\n".join(line for line in text.splitlines() if "warning" not in line)[-6000:])
            print(f"with nothing planted fails: cargo test {tests}")
            return 1
    killed += sum(told(m, outcome(m, m["number"])) for m in together)
    alone = [m for m in there if m.get("apart")]
    if alone:
        copy_tree({})
    killed += sum(told(m, apart(m)) for m in alone)
    print(f"{len(chosen)} faults planted, {killed} killed")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
