//! The suite as tests: each check once for each venue. A venue more is a line in `main.rs`.

/// One test for each check of a module.
macro_rules! checks {
    ($venue:ty, $module:ident: $($check:ident)+) => {
        $(
            #[test]
            fn $check() {
                crate::$module::$check::<$venue>();
            }
        )+
    };
}

/// All checks of market data, for a venue that implements `Market`.
macro_rules! market_data {
    ($name:ident, $venue:ty) => {
        mod $name {
            checks! { $venue, market_faults:
                a_cut_at_every_byte_of_a_frame_never_gives_a_partial_one
                a_cut_inside_a_frame_is_followed_by_a_new_snapshot
                a_venue_that_falls_silent_is_left_within_the_idle_limit
                data_that_is_dead_while_heartbeats_live_ends_the_connection
                a_slow_loris_meets_the_frame_deadline
                abuse_of_the_protocol_ends_the_connection_and_is_kept
                refused_and_unanswered_attempts_are_tried_again
                corrupt_and_unknown_frames_cost_neither_the_connection_nor_the_next_frame
                frames_in_pieces_are_whole_frames
                a_shutdown_notice_is_followed_by_a_new_connection_at_once
                a_subscription_that_is_never_answered_ends_the_connection
                attempts_thin_out_while_the_venue_only_accepts
                a_full_link_stops_the_reading_and_loses_nothing
                draining_ends_the_session_and_connects_no_more
            }
            checks! { $venue, books:
                a_gap_is_healed_by_a_snapshot_and_the_book_is_the_venues
                a_repeated_diff_changes_nothing
                diffs_out_of_order_are_a_gap
                a_lost_connection_makes_the_book_untrusted_until_the_next_snapshot
                a_snapshot_that_is_refused_is_asked_for_again
                retry_after_is_waited_for_and_no_request_is_made_twice
                a_gap_is_told_with_the_very_frame_that_shows_it
            }
            checks! { $venue, switch:
                a_venue_that_is_switched_off_is_left_and_comes_back_with_a_new_book
                a_venue_that_is_off_from_the_start_is_not_connected_to_until_it_is_on
            }
        }
    };
}
