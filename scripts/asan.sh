#!/bin/sh
# AddressSanitizer over real rings: the stress program must be clean, and its planted overrun must
# not. Leaks are not looked for: the program leaks on purpose. Arguments go to the stress program.
set -eu
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-gnu
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address"
export ASAN_OPTIONS="detect_leaks=0:exitcode=66"
cargo build --locked --target-dir target/asan --target "$target" -p pitlane-ring --example stress
stress=target/asan/$target/debug/examples/stress

if "$stress" --records 1000 --plant-overrun >/dev/null 2>target/asan/canary; then
    echo "canary: the planted overrun was NOT found"
    exit 1
fi
grep -q "ERROR: AddressSanitizer: heap-buffer-overflow" target/asan/canary
grep -q "canary::overrun" target/asan/canary
echo "canary: the planted overrun is found"

"$stress" "$@"
echo "AddressSanitizer: clean"
