#!/usr/bin/env bash
# The second tier: what takes too long for every change. Each part prints what it found, a failure
# does not keep the others from running, and a table sums up.
#
#   scripts/nightly.sh                 every part
#   scripts/nightly.sh loom fuzz       some of them
#
# FUZZ_SECONDS (600) is the time of the fuzzer, and of each target of `venues`, SEEDS (1000) how
# many bad days pass, REAL_SEEDS (20) how many of them for real, KILLS (200) how often an engine is
# killed while it trades, PLANTED and MUTANTS the arguments of scripts/planted.py and
# scripts/mutants.py. Logs lie in target/nightly/PART.log.
set -uo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never

readonly PARTS="loom tsan asan fuzz venues instructions lines peer stacks ignored simulate real planted mutants"

loom() { scripts/loom.sh; }
tsan() { scripts/tsan.sh; }
asan() { scripts/asan.sh; }
fuzz() { need g++ g++ && scripts/fuzz_latency.sh "${FUZZ_SECONDS:-600}"; }
venues() { scripts/fuzz_venues.sh "${FUZZ_SECONDS:-600}"; }
instructions() { need valgrind valgrind && benches/instructions/check.py; }
lines() { need valgrind valgrind && need nm binutils && benches/instructions/lines.py; }
peer() {
    cargo build --locked --release --target-dir target/peer --manifest-path benches/peer/Cargo.toml &&
        echo "benches/peer builds"
}
stacks() { scripts/allocation_stacks.sh; }
# Tests that take minutes, such as an engine that is killed KILLS times while it trades, or print
# figures that a person reads.
ignored() { cargo test --locked -- --ignored --nocapture; }
simulate() {
    cargo build --locked --release &&
        target/release/pitlane simulate --seeds "${SEEDS:-1000}" --minutes 9 --jobs 2 --marks
}
real() {
    cargo build --locked --release &&
        target/release/pitlane simulate --real --seeds "${REAL_SEEDS:-20}" --for 30s
}
# shellcheck disable=SC2086 # PLANTED is a list of arguments
planted() { scripts/planted.py ${PLANTED:-}; }
# shellcheck disable=SC2086 # MUTANTS is a list of arguments
mutants() { scripts/mutants.py ${MUTANTS:-}; }

. scripts/needs.sh
logs=target/nightly
mkdir -p "$logs"
summary="" failures=0
for part in ${*:-$PARTS}; do
    if [[ " $PARTS " != *" $part "* ]]; then
        echo "no such part: $part; there are: $PARTS"
        exit 2
    fi
    printf '\n== %s\n' "$part"
    started=$SECONDS verdict=pass
    "$part" 2>&1 | tee "$logs/$part.log"
    if [ "${PIPESTATUS[0]}" -ne 0 ]; then
        verdict=FAIL failures=$((failures + 1))
    fi
    summary+=$(printf '%-14s %-5s %6d s  %s' "$part" "$verdict" "$((SECONDS - started))" \
        "$(tail -n 1 "$logs/$part.log" | cut -c 1-70)")$'\n'
done
printf '\n== summary\n%s%d failed\n' "$summary" "$failures"
[ "$failures" -eq 0 ]
