#!/usr/bin/env bash
# Changes what venues send at random and holds every reader against it: WebSocket frames, market
# data and orders of each venue, binary frames. Needs nothing but the stable toolchain.
#
#   scripts/fuzz_venues.sh [SECONDS] [FILTER]    600 a target; only targets whose name has FILTER
#
# PITLANE_RECORDINGS adds the recordings to the frames that are changed, FUZZ_SEED (the time) is
# where chance begins, JOBS (2) how many targets run at once. The suite runs the same for a second.
set -euo pipefail
cd "$(dirname "$0")/.."
export FUZZ_SECONDS=${1:-600} FUZZ_SEED=${FUZZ_SEED:-$(date +%s)}
echo "seed $FUZZ_SEED, $FUZZ_SECONDS s a target"
exec cargo test --locked -p pitlane-engine --test fuzz ${2:+"$2"} -- \
    --nocapture --test-threads "${JOBS:-2}"
