//! Where a venue is asked for an order that lists present orders and those that are over apart: the
//! present list first, then the history. Only the history knows that there is no such order.

use std::collections::VecDeque;

use crate::venue::Symbol;

/// Questions and names that are kept: more are never under way.
const QUESTIONS_MAX: usize = 64;

/// A question for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::venue) struct Question {
    id: u64,
    /// The order's name.
    pub(in crate::venue) name: Vec<u8>,
    /// What it is in, where that is known.
    pub(in crate::venue) symbol: Option<Symbol>,
    /// It went to the history, whose answer is the last word.
    pub(in crate::venue) is_last: bool,
}

/// Questions for orders that are under way, and names that the list of the present ones lacks.
#[derive(Debug, Default)]
pub(in crate::venue) struct Questions {
    asked: VecDeque<Question>,
    /// Names that the present list did not have.
    not_present: VecDeque<Vec<u8>>,
}

impl Questions {
    /// A question for an order: whether it goes to the history.
    #[cold]
    pub(in crate::venue) fn goes_to_history(
        &mut self,
        id: u64,
        name: &[u8],
        symbol: Option<Symbol>,
    ) -> bool {
        let place = self.not_present.iter().position(|of| of == name);
        let is_last = place.and_then(|place| self.not_present.remove(place)).is_some();
        if self.asked.len() == QUESTIONS_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(Question { id, name: name.to_vec(), symbol, is_last });
        is_last
    }

    /// The question that is answered; `None` when it was for something else.
    pub(in crate::venue) fn answered(&mut self, id: u64) -> Option<Question> {
        let place = self.asked.iter().position(|question| question.id == id)?;
        self.asked.remove(place)
    }

    /// The present list does not have it: the next question goes to the history.
    pub(in crate::venue) fn ask_history_for(&mut self, name: Vec<u8>) {
        if self.not_present.len() == QUESTIONS_MAX {
            self.not_present.pop_front();
        }
        self.not_present.push_back(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_asked_for_what_is_not_present_and_then_the_present_again() {
        let mut questions = Questions::default();
        assert!(!questions.goes_to_history(1, b"one", None));
        assert!(!questions.goes_to_history(2, b"two", None));
        assert_eq!(questions.answered(9), None, "of something else");
        let question = questions.answered(1).unwrap();
        assert_eq!((question.name.as_slice(), question.is_last), (&b"one"[..], false));
        assert_eq!(questions.answered(1), None);
        questions.ask_history_for(question.name);
        assert!(!questions.goes_to_history(3, b"two", None));
        assert!(questions.goes_to_history(4, b"one", None));
        assert!(questions.answered(4).unwrap().is_last);
        assert!(!questions.goes_to_history(5, b"one", None));
    }

    #[test]
    fn no_more_is_kept_than_may_be_under_way() {
        let mut questions = Questions::default();
        for id in 0..1_000 {
            assert!(!questions.goes_to_history(id, b"one", None));
            questions.ask_history_for(id.to_string().into_bytes());
        }
        assert_eq!((questions.asked.len(), questions.not_present.len()), (64, 64));
    }
}
