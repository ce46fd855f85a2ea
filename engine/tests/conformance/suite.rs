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
                levels_that_were_lost_without_a_gap_are_found_by_a_refresh_and_healed
                a_book_that_quotes_contradict_is_asked_for_at_once_and_healed
            }
            checks! { $venue, switch:
                a_venue_that_is_switched_off_is_left_and_comes_back_with_a_new_book
                a_venue_that_is_off_from_the_start_is_not_connected_to_until_it_is_on
            }
        }
    };
}

/// All checks of orders, for a venue that implements `Orders`.
macro_rules! orders {
    ($name:ident, $venue:ty) => {
        mod $name {
            checks! { $venue, orders:
                an_order_is_placed_filled_and_another_one_cancelled
                refusals_of_the_venue_come_back_with_its_code
                a_client_order_id_is_taken_once_also_in_flight_and_after_a_reject
                what_can_not_be_sent_now_is_refused_at_once
                open_orders_are_cancelled_at_the_stop
                open_orders_stay_at_the_stop_where_so_configured
                orders_of_a_quarantined_consumer_are_cancelled_without_it_and_those_of_others_stay
                a_wrong_key_is_an_error_with_its_code_and_is_tried_again_when_the_venue_is_switched_on
                a_report_on_a_strangers_order_is_kept_and_the_connection_too
            }
            checks! { $venue, recovery:
                orders_of_an_earlier_start_are_asked_for_before_a_new_one_leaves
                orders_of_an_earlier_start_are_cancelled_first_where_so_configured
            }
            checks! { $venue, order_faults:
                a_report_that_is_told_twice_counts_once
                a_cut_with_an_accepted_order_is_followed_by_a_question_and_not_by_the_order_again
                a_fill_that_was_lost_with_the_connection_is_told_once
                the_fills_of_an_order_that_were_missed_are_listed_with_price_and_fee
                an_order_that_never_arrived_is_rejected_once_it_can_not_arrive_any_more
                once_a_critical_event_can_be_stored_nowhere_nothing_more_is_read_and_cancels_still_leave
                no_order_leaves_before_those_in_doubt_were_asked_for_and_one_that_fails_holds_up_no_other
                a_report_that_can_not_be_read_makes_the_order_a_question
                reports_out_of_order_never_bring_an_order_back
                a_request_without_an_answer_makes_the_order_a_question
            }
            checks! { $venue, changes:
                an_order_takes_the_place_of_another_once_that_is_over
                an_order_whose_end_was_asked_for_is_told_also_when_the_new_one_is_refused
                what_can_not_take_the_place_of_an_order_is_never_sent
                cancels_that_come_together_are_each_answered
                an_order_that_rests_becomes_smaller_at_its_price
                strangers_orders_end_only_when_the_whole_symbol_is_cancelled
            }
            checks! { $venue, bad_day:
                what_is_told_of_a_bad_day_is_what_the_venues_ledger_says
            }
            checks! { $venue, switch:
                orders_are_ended_before_their_venue_is_left_and_go_on_when_it_is_back
                a_venue_that_does_not_answer_is_left_in_time_and_asked_when_it_is_back
                a_venue_that_is_off_does_not_hold_up_the_stop
                a_kill_cancels_every_order_where_a_stop_would_leave_them
            }
        }
    };
}

/// All checks of what an account has, for a venue that implements `Orders` and tells it.
macro_rules! accounts {
    ($name:ident, $venue:ty) => {
        mod $name {
            checks! { $venue, recovery:
                an_order_behind_the_end_of_the_record_is_taken_up
                orders_that_no_record_has_are_left_alone_and_shown
                a_sole_engine_cancels_what_a_lost_journal_has_left
                an_order_of_a_stranger_is_left_alone_and_shown_whatever_becomes_of_ours
            }
        }
    };
}

/// The check of a list of open orders that is longer than one answer.
macro_rules! long_lists {
    ($name:ident, $venue:ty) => {
        mod $name {
            checks! { $venue, recovery:
                open_orders_that_fill_several_pages_are_all_told
            }
        }
    };
}

/// The check of what an account has, where it has what it trades.
macro_rules! balances {
    ($name:ident, $venue:ty) => {
        mod $name {
            checks! { $venue, recovery:
                balances_are_held_against_the_record
            }
        }
    };
}

/// All checks of an account that holds contracts, for a venue that implements `Orders`.
macro_rules! contracts {
    ($name:ident, $venue:ty) => {
        mod $name {
            checks! { $venue, contracts:
                what_is_sold_without_having_it_is_a_short_position_and_moves_the_wallet_by_its_fee
                wallets_are_not_held_against_what_was_traded
                an_order_that_only_reduces_needs_something_to_reduce
                a_position_that_is_not_the_one_on_record_holds_new_orders_back
                what_somebody_else_trades_holds_new_orders_back_until_both_agree
                what_somebody_else_traded_while_the_session_was_away_is_found_when_it_is_back
                a_stream_whose_end_is_told_is_followed_by_another_one
            }
        }
    };
}

/// All checks of the venue's own timer, for a venue that implements `Orders` and has one.
macro_rules! dead_man {
    ($name:ident, $venue:ty) => {
        mod $name {
            checks! { $venue, dead_man:
                the_venue_cancels_what_is_open_once_the_engine_is_gone
                an_orderly_stop_that_leaves_orders_stands_the_timer_down
            }
        }
    };
}

/// The checks of a timer that the venue grants to some alone.
macro_rules! granted_dead_man {
    ($name:ident, $venue:ty) => {
        mod $name {
            checks! { $venue, dead_man:
                a_timer_that_the_account_was_not_granted_is_shown_as_none
            }
        }
    };
}

/// All checks of stop orders, for a venue that implements `Orders` and has them.
macro_rules! stops {
    ($name:ident, $venue:ty) => {
        mod $name {
            checks! { $venue, stops:
                a_stop_waits_for_its_trigger_and_fills_without_a_limit
                a_stop_with_a_limit_rests_at_it_once_it_is_triggered
                a_stop_that_would_be_triggered_at_once_is_refused
                stops_that_wait_are_asked_for_and_cancelled_like_any_order
                a_stop_that_was_lost_with_the_connection_is_found_again
            }
        }
    };
}
