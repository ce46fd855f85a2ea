#!/bin/sh
# Runs the programs that must not compile, and checks that they fail with the error codes they name.
# A stable compiler looks at the codes only when it takes itself for a nightly one, and that changes
# what build scripts find: hence a target folder of its own.
set -eu
cd "$(dirname "$0")/.."
RUSTC_BOOTSTRAP=1 exec cargo test --locked --target-dir target/bootstrap -p pitlane-ring --doc "$@"
