//! What was answered: a command that is sent again is not carried out again.

use std::collections::{HashMap, VecDeque};

use super::protocol::{ControlRequest, ReplyLine};
use super::refusal::Refusal;

/// Answers that are remembered; the oldest goes first.
const ANSWERS_MAX: usize = 1_024;

/// Who sent a command, and what they call it.
type Key = (u32, String);

/// The answers to the last commands with an id, by user and id.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: HashMap<Key, (ControlRequest, ReplyLine)>,
    order: VecDeque<Key>,
}

impl Memory {
    /// The stored answer to this command of this user, if it was carried out before.
    ///
    /// # Errors
    /// [`Refusal::IdReused`] when the id is that of another command.
    pub(super) fn answer(
        &self,
        user: u32,
        id: &str,
        request: &ControlRequest,
    ) -> Result<Option<ReplyLine>, Refusal> {
        match self.answers.get(&(user, id.to_owned())) {
            None => Ok(None),
            Some((stored, answer)) if stored == request => {
                Ok(Some(ReplyLine { is_repeat: true, ..answer.clone() }))
            }
            Some(_) => Err(Refusal::IdReused { id: id.to_owned() }),
        }
    }

    /// Stores the answer to a command that was carried out.
    pub(super) fn keep(&mut self, user: u32, id: &str, request: ControlRequest, answer: ReplyLine) {
        if self.order.len() == ANSWERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
        let key = (user, id.to_owned());
        self.order.push_back(key.clone());
        self.answers.insert(key, (request, answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::Reply;

    fn mode(trading: bool) -> (ControlRequest, ReplyLine) {
        let reply = Reply::Mode { trading, was_trading: !trading };
        (ControlRequest::Mode { trading }, ReplyLine::of(Some("a".into()), Ok(reply)))
    }

    #[test]
    fn an_id_belongs_to_one_command_of_one_user() {
        let mut memory = Memory::default();
        let (request, answer) = mode(true);
        memory.keep(1, "a", request.clone(), answer.clone());
        let again = memory.answer(1, "a", &request).unwrap().unwrap();
        assert!(again.is_repeat && again.reply == answer.reply);
        assert!(matches!(memory.answer(1, "a", &mode(false).0), Err(Refusal::IdReused { .. })));
        assert_eq!(memory.answer(2, "a", &request), Ok(None));
        assert_eq!(memory.answer(1, "b", &request), Ok(None));
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let mut memory = Memory::default();
        let (request, answer) = mode(true);
        for number in 0..=ANSWERS_MAX {
            memory.keep(1, &number.to_string(), request.clone(), answer.clone());
        }
        assert_eq!((memory.answers.len(), memory.order.len()), (ANSWERS_MAX, ANSWERS_MAX));
        assert_eq!(memory.answer(1, "0", &request), Ok(None));
        assert!(memory.answer(1, &ANSWERS_MAX.to_string(), &request).unwrap().is_some());
    }
}
