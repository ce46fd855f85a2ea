//! Finds the addresses of names beside the threads that must not wait.
//!
//! The system's resolver blocks, for seconds when a server is silent. One thread asks it; a pinned
//! thread leaves a question and polls for the answer. The thread is started where the first name is
//! resolved that is no address in digits: at launch, so that it inherits no pinned core.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;

use crate::world::tape::{self, Tag};
use crate::world::thread::start_thread;

/// An answer, or none yet.
type Answer = Option<io::Result<Vec<SocketAddr>>>;

/// A question to the resolver, whose answer is polled.
#[derive(Debug)]
pub struct Lookup(Asked);

#[derive(Debug)]
enum Asked {
    Once(Arc<Mutex<Answer>>),
    /// Each look is kept; `None` where a tape is played.
    Taped(Option<Box<Lookup>>),
}

impl Lookup {
    /// A question that is answered already.
    pub(super) fn done(answer: io::Result<Vec<SocketAddr>>) -> Lookup {
        Lookup(Asked::Once(Arc::new(Mutex::new(Some(answer)))))
    }

    /// A question each look at which is kept.
    pub(super) fn taped(live: Option<Lookup>) -> Lookup {
        Lookup(Asked::Taped(live.map(Box::new)))
    }

    /// The answer, once; `None` while there is none.
    #[must_use]
    pub fn poll(&self) -> Answer {
        match &self.0 {
            Asked::Once(answer) => answer.lock().take(),
            Asked::Taped(live) => {
                tape::kept(Tag::Lookup, || live.as_ref().and_then(|live| live.poll()), || None)
            }
        }
    }
}

struct Question {
    authority: String,
    answer: Arc<Mutex<Answer>>,
}

/// Asks the system's resolver on a thread of its own.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    questions: Mutex<Option<Sender<Question>>>,
}

impl Resolver {
    pub(super) fn look_up(&self, authority: &str) -> Lookup {
        if let Ok(address) = authority.parse::<SocketAddr>() {
            return Lookup::done(Ok(vec![address]));
        }
        match self.ask(authority) {
            Ok(lookup) => lookup,
            Err(error) => Lookup::done(Err(error)),
        }
    }

    /// Starts the thread, if `authority` is a name and the thread does not run yet.
    pub(super) fn prepare(&self, authority: &str) -> io::Result<()> {
        let mut questions = self.questions.lock();
        if questions.is_none() && authority.parse::<SocketAddr>().is_err() {
            *questions = Some(start()?);
        }
        Ok(())
    }

    fn ask(&self, authority: &str) -> io::Result<Lookup> {
        let mut questions = self.questions.lock();
        let sender = match &*questions {
            Some(sender) => sender,
            None => questions.insert(start()?),
        };
        let answer = Arc::new(Mutex::new(None));
        let question = Question { authority: authority.to_owned(), answer: Arc::clone(&answer) };
        sender.send(question).map_err(|_| io::Error::other("the resolver's thread has ended"))?;
        Ok(Lookup(Asked::Once(answer)))
    }
}

/// Starts the thread. It ends by itself when the resolver is dropped.
fn start() -> io::Result<Sender<Question>> {
    let (sender, questions) = channel();
    start_thread("resolver", move || run(&questions))?;
    Ok(sender)
}

fn run(questions: &Receiver<Question>) {
    while let Ok(question) = questions.recv() {
        *question.answer.lock() = Some(super::resolve(&question.authority));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(lookup: &Lookup) -> io::Result<Vec<SocketAddr>> {
        loop {
            if let Some(answer) = lookup.poll() {
                return answer;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_address_in_digits_needs_no_thread() {
        let resolver = Resolver::default();
        let lookup = resolver.look_up("127.0.0.1:9");
        assert_eq!(lookup.poll().unwrap().unwrap(), ["127.0.0.1:9".parse().unwrap()]);
        assert!(lookup.poll().is_none());
        assert!(resolver.questions.lock().is_none());
    }

    #[test]
    fn a_name_is_answered_by_the_thread() {
        let resolver = Resolver::default();
        let addresses = wait(&resolver.look_up("localhost:80")).unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{addresses:?}");
        assert!(wait(&resolver.look_up("localhost:no-port")).is_err());
    }
}
