//! What the account and its key may do, for who wants to know before anything is traded: the
//! venue's questions that change nothing are asked once, and what was found is kept for others.
//!
//! A session that inspects places, amends and cancels nothing of itself: its questions are the same
//! as those of any start, and a few more.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use super::account_step::Step;
use crate::venue::protocol::{AccountQuestion, AccountWords, AssetBalance, OrderProtocol};

/// What was found of an account.
#[derive(Clone, Debug, Default)]
pub struct AccountFound {
    /// The session was logged on, and ready.
    pub is_signed_on: bool,
    /// Why it is not, as far as that is known. Raw, in the venue's words.
    pub trouble: Option<String>,
    /// What the venue has said of the account and its key.
    pub words: AccountWords,
    /// Questions that were not answered, by their names, and why.
    pub unanswered: Vec<(&'static str, String)>,
    /// What the account has; `None` before it was told.
    pub balances: Option<Vec<AssetBalance>>,
    /// How many orders it has open, whoever placed them; `None` before they were told.
    pub open_orders: Option<u64>,
    /// Nothing more will be asked.
    pub is_over: bool,
}

/// Where an order session leaves what it finds of its account, readable from any thread.
#[derive(Clone, Debug, Default)]
pub struct AccountBoard(Arc<Mutex<AccountFound>>);

impl AccountBoard {
    /// What was found so far.
    #[must_use]
    pub fn read(&self) -> AccountFound {
        self.0.lock().clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut AccountFound)) {
        change(&mut self.0.lock());
    }
}

type ReadAnswer = fn(usize, &Value, &mut AccountWords) -> Result<(), String>;

/// What a session asks and has found.
#[derive(Debug)]
pub(super) struct Inspection {
    pub(super) board: AccountBoard,
    questions: &'static [AccountQuestion],
    read: ReadAnswer,
    steps: Vec<Step>,
}

impl Inspection {
    pub(super) fn new<P: OrderProtocol>(board: AccountBoard) -> Inspection {
        let questions = P::ACCOUNT_QUESTIONS;
        let steps = vec![Step::FIRST; questions.len()];
        Inspection { board, questions, read: P::read_account_answer, steps }
    }

    pub(super) fn question(&self, place: u8) -> Option<&'static AccountQuestion> {
        self.questions.get(usize::from(place))
    }

    pub(super) fn step(&mut self, place: u8) -> Option<&mut Step> {
        self.steps.get_mut(usize::from(place))
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = (u8, Step)> {
        (0..).zip(self.steps.iter().copied())
    }

    /// The answer to a question.
    pub(super) fn answered(&mut self, place: u8, answer: &Value) {
        let read = self.read;
        self.set(place, Step::Answered);
        let mut failed = None;
        self.board.change(|found| {
            failed = read(usize::from(place), answer, &mut found.words).err();
        });
        if let Some(problem) = failed {
            self.not_answered(place, format!("the answer can't be read: {problem}"));
        }
    }

    /// It is not answered, or not so that it can be read.
    pub(super) fn not_answered(&mut self, place: u8, why: String) {
        let Some(question) = self.question(place) else { return };
        self.board.change(|found| {
            found.unanswered.retain(|(name, _)| *name != question.name);
            found.unanswered.push((question.name, why));
        });
    }

    pub(super) fn set(&mut self, place: u8, step: Step) {
        if let Some(of) = self.step(place) {
            *of = step;
        }
    }

    /// What was on its way is asked again.
    pub(super) fn disconnected(&mut self) {
        for step in &mut self.steps {
            if let Step::Asked { .. } = step {
                *step = Step::FIRST;
            }
        }
    }
}
