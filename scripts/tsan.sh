#!/bin/sh
# ThreadSanitizer over real rings, and over take-overs in the real engine: both must be clean, and a
# planted race must not. Arguments go to the stress program of the rings, for example
# --records 1000000.
set -eu
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-gnu
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
cargo build --locked --target-dir target/tsan --target "$target" -p pitlane-ring --example stress
cargo build --locked --target-dir target/tsan --target "$target" -p pitlane-engine --example takeovers
stress=target/tsan/$target/debug/examples/stress
takeovers=target/tsan/$target/debug/examples/takeovers

if TSAN_OPTIONS="exitcode=66" "$stress" --records 1000 --plant-race >/dev/null 2>target/tsan/canary; then
    echo "canary: the planted race was NOT found"
    exit 1
fi
grep -q "WARNING: ThreadSanitizer: data race" target/tsan/canary
grep -q "canary::race" target/tsan/canary
echo "canary: the planted race is found"

TSAN_OPTIONS="exitcode=66 halt_on_error=1" "$stress" "$@"
TSAN_OPTIONS="exitcode=66 halt_on_error=1 suppressions=scripts/tsan.suppressions" "$takeovers"
echo "ThreadSanitizer: clean"
