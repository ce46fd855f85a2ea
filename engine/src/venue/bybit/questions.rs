//! Where the venue is asked for an order: of those that are over, the list of the present ones has
//! the latest alone, and none after a restart of the venue ("Get Open & Closed Orders"). Only the
//! history knows that there is no such order.

use std::collections::VecDeque;

/// Questions and names that are kept: more are never under way.
const QUESTIONS_MAX: usize = 64;

/// Questions for orders that are under way, and names that the list of the present ones lacks.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// Numbers and names of those to the present list.
    asked: VecDeque<(u64, Vec<u8>)>,
    /// Names that it did not have.
    not_present: VecDeque<Vec<u8>>,
}

impl Questions {
    /// A question for an order: whether it goes to the history.
    #[cold]
    pub(super) fn goes_to_history(&mut self, id: u64, name: &[u8]) -> bool {
        if let Some(place) = self.not_present.iter().position(|of| of == name) {
            self.not_present.remove(place);
            return true;
        }
        if self.asked.len() == QUESTIONS_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back((id, name.to_vec()));
        false
    }

    /// The name that an answered question to the present list was for; `None` when it went
    /// elsewhere.
    pub(super) fn answered(&mut self, id: u64) -> Option<Vec<u8>> {
        let place = self.asked.iter().position(|(asked, _)| *asked == id)?;
        self.asked.remove(place).map(|(_, name)| name)
    }

    /// The present list does not have it: the next question goes to the history.
    pub(super) fn ask_history_for(&mut self, name: Vec<u8>) {
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
        assert!(!questions.goes_to_history(1, b"one"));
        assert!(!questions.goes_to_history(2, b"two"));
        assert_eq!(questions.answered(9), None, "of something else");
        let name = questions.answered(1).unwrap();
        assert_eq!((name.as_slice(), questions.answered(1)), (&b"one"[..], None));
        questions.ask_history_for(name);
        assert!(!questions.goes_to_history(3, b"two"));
        assert!(questions.goes_to_history(4, b"one"));
        assert_eq!(questions.answered(4), None, "its answer is the last word");
        assert!(!questions.goes_to_history(5, b"one"));
    }

    #[test]
    fn no_more_is_kept_than_may_be_under_way() {
        let mut questions = Questions::default();
        for id in 0..1_000 {
            assert!(!questions.goes_to_history(id, b"one"));
            questions.ask_history_for(id.to_string().into_bytes());
        }
        assert_eq!((questions.asked.len(), questions.not_present.len()), (64, 64));
    }
}
