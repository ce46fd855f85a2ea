#!/bin/sh
# Fuzzes the reader of interval logs with libFuzzer on the stable toolchain (needs g++).
#
#   scripts/fuzz_latency.sh [SECONDS]    default 60; more arguments go to libFuzzer
#
# Starts from the logs of the tests. A crash leaves its input in tools/fuzz/artifacts.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-60}
[ $# -gt 0 ] && shift
cd "$here/tools/fuzz"
mkdir -p corpus artifacts
cp ../tests/fixtures/*.hlog corpus/
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
# A target of its own keeps these flags away from build scripts; the lock file is the project's.
host=$(rustc -vV | sed -n 's/^host: //p')
cp "$here/Cargo.lock" Cargo.lock
cargo build --release --target "$host" --target-dir "$here/target/fuzz"
exec "$here/target/fuzz/$host/release/latency_log" corpus -max_total_time="$seconds" \
    -max_len=65536 -rss_limit_mb=512 -malloc_limit_mb=128 -timeout=10 \
    -artifact_prefix=artifacts/ "$@"
