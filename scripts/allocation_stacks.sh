#!/usr/bin/env bash
# Where memory is allocated, stack by stack (FR-027): builds with `dhat-heap`, runs for three
# seconds, and looks for functions of this tree in the stacks.
#
#   scripts/allocation_stacks.sh      # exit 1 when there are none
#
# CARGO_TARGET_DIR takes the build (target/dhat); it holds another binary than the usual one.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target/dhat}"
mkdir -p "$target"
target="$(cd "$target" && pwd)"
cargo build --locked -p pitlane-strategies --features dhat-heap --target-dir "$target"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$target/debug/pitlane" run --duration 3s --report json >report.json
python3 - <<'PY'
import json

report = json.load(open("report.json"))
assert report["allocations_steady_state"] is None, "dhat counts instead of the engine"
heap = json.load(open("dhat-heap.json"))
frames, points = heap["ftbl"], heap["pps"]
own = [index for index, frame in enumerate(frames) if "pitlane_" in frame]
stacks = [point for point in points if set(point["fs"]) & set(own)]
assert stacks, "no stack names a function of this tree"
largest = max(stacks, key=lambda point: point["tb"])
where = next(frames[index] for index in largest["fs"] if index in own)
print(f"{len(points)} places allocate, {len(stacks)} of this tree; most bytes: {where}")
PY
