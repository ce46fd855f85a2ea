//! What answers to the questions of an inspection do, and what else a session leaves for it.

use std::fmt::Display;

use serde_json::Value;

use super::account_step::Step;
use super::reconcile::Reconciler;
use super::requests_in_flight::Asked;
use crate::text::escaped;
use crate::venue::EventOutlet;
use crate::venue::protocol::{Failure, Outcome, ReplyBody};

/// Statuses of HTTP that want a pause.
const SLOW_DOWN: [u16; 2] = [418, 429];

impl<O: EventOutlet> Reconciler<O> {
    /// The answer over REST to a question of an inspection.
    #[cold]
    pub(super) fn on_inspected_over_rest(&mut self, place: u8, status: u16, body: &[u8]) {
        if SLOW_DOWN.contains(&status) {
            self.pause(Outcome::SlowDown, &Failure::of(status, 0, ""));
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(answer) if status == 200 => self.inspected(place, &answer),
            _ => {
                let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
                let why = format!("refused by the venue: {} (code: http {status})", escaped(&text));
                self.not_inspected(place, why);
            }
        }
    }

    /// The answer over the session to such a question, whole.
    #[cold]
    pub(super) fn on_inspected(&mut self, place: u8, frame: &[u8]) {
        match serde_json::from_slice::<Value>(frame) {
            Ok(answer) => self.inspected(place, &answer),
            Err(error) => self.not_inspected(place, format!("the answer can't be read: {error}")),
        }
    }

    fn inspected(&mut self, place: u8, answer: &Value) {
        if let Some(inspection) = &mut self.account.inspection {
            inspection.answered(place, answer);
        }
    }

    /// Such a question was refused, or got no answer: it is not asked again.
    #[cold]
    pub(super) fn not_inspected(&mut self, place: u8, why: String) {
        if let Some(inspection) = &mut self.account.inspection {
            inspection.set(place, Step::GivenUp);
            inspection.not_answered(place, why);
        }
    }

    /// It is not asked at all.
    #[cold]
    pub(super) fn give_up_on_account(&mut self, asked: Asked, why: &str) {
        if let Asked::Account(place) = asked {
            self.not_inspected(place, why.to_owned());
        }
    }

    /// The connection could not be made, or has ended.
    #[cold]
    pub(super) fn note_trouble(&self, why: &impl Display) {
        let Some(inspection) = &self.account.inspection else { return };
        inspection.board.change(|found| {
            found.trouble.get_or_insert_with(|| why.to_string());
        });
    }

    /// The venue refused a request of a session that inspects.
    #[cold]
    pub(super) fn note_refusal(&mut self, asked: Asked, failure: &Failure<'_>) {
        let Some(inspection) = &mut self.account.inspection else { return };
        let why = format!("{} (code: {})", escaped(failure.message), failure.code);
        match asked {
            Asked::Account(place) => {
                self.not_inspected(place, format!("refused by the venue: {why}"));
            }
            Asked::Logon(step) => {
                let why = format!("{step} refused by the venue: {why}");
                inspection.board.change(|found| found.trouble = Some(why));
            }
            Asked::OpenOrders | Asked::Balances => {
                let why = format!("refused by the venue: {why}");
                inspection.board.change(|found| {
                    found.unanswered.retain(|(name, _)| *name != asked.what());
                    found.unanswered.push((asked.what(), why));
                });
            }
            _ => {}
        }
    }

    /// A list of what the account has open, or of what it has.
    #[cold]
    pub(super) fn note_listed(&self, asked: Asked, body: &ReplyBody<'_>) {
        let Some(inspection) = &self.account.inspection else { return };
        inspection.board.change(|found| match asked {
            Asked::OpenOrders => found.open_orders = Some(body.listed.len() as u64),
            _ => found.balances = Some(body.balances.to_vec()),
        });
    }

    /// Whether nothing more is asked; that it is ready for orders, too.
    #[cold]
    pub(super) fn note_ready(&self, is_ready: bool) {
        let account = &self.account;
        let Some(inspection) = &account.inspection else { return };
        let is_over = account.is_over() && inspection.steps().all(|(_, step)| step.is_over());
        inspection.board.change(|found| {
            found.is_signed_on |= is_ready;
            found.is_over = found.is_signed_on && is_over;
        });
    }
}
