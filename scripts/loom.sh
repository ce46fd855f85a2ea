#!/bin/sh
# Model-checks the crate's own protocols (cursors, exchange, park and wake, lease), then
# breaks their building blocks one by one and checks that the models notice: see
# ring/src/sync/model.rs for what each canary breaks.
set -u
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg loom"
run="cargo test --locked --target-dir target/loom -p pitlane-ring --lib"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failures=0

if $run loom_ >"$log" 2>&1; then
    grep "^test .* ok$" "$log"
else
    cat "$log"
    exit 1
fi

canary() { # name of the canary, name of the model that has to fail
    # A model may fail twice, the second time in a destructor, which ends the process: so it is
    # its panic that counts, and not the line of the test.
    if ! PITLANE_LOOM_CANARY=$1 RUST_BACKTRACE=0 $run "$2" >"$log" 2>&1 &&
        grep -q "^thread '.*::$2' .*panicked at" "$log"; then
        echo "canary $1: $2 fails, as it must"
    else
        echo "canary $1: $2 did NOT fail"
        failures=$((failures + 1))
    fi
}

canary relaxed loom_cursor_the_slots_come_before_it
canary relaxed loom_cursor_a_stage_hands_on_what_it_saw
canary torn loom_return_one_of_two_returns_wins
canary relaxed loom_return_hands_the_slots_over
canary relaxed loom_exchange_the_flag_publishes_what_came_before_it
canary torn loom_exchange_passes_each_value_once
canary no-fence loom_wake_no_wake_up_is_lost
canary no-recheck loom_wake_no_wake_up_is_lost
canary torn loom_wake_one_of_two_wakers_notifies
canary relaxed loom_lease_leave_and_take_have_one_winner
canary torn loom_lease_leave_and_take_have_one_winner
canary same-batch loom_lease_an_old_look_takes_nothing

[ "$failures" -eq 0 ] || { echo "$failures canaries lived"; exit 1; }
