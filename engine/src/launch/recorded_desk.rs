//! Operators of a recorded engine: what they ask for is carried out on the engine's own thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use mio::Waker;

use crate::control::protocol::ControlRequest;
use crate::control::{Desk, OperatorDesk, Outcome, Progress, Refusal, Status};

/// How long the socket's thread waits for the engine's to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What the engine's thread is asked for.
pub(super) enum Mail {
    Request(Box<ControlRequest>, Claim, Sender<Progress>),
    Poll(u64, Claim, Sender<Option<Outcome>>),
    Stop,
}

/// Of both who take part in a request, one takes it: the engine's thread to carry it out, or who
/// asked, to say that nobody will.
#[derive(Clone, Default)]
pub(super) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Whether the other one has not taken it.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// The way to the engine's thread. Clones are one.
#[derive(Clone)]
pub(super) struct Mails {
    mails: Sender<Mail>,
    waker: Arc<Waker>,
    patience: Duration,
    /// A kill waits for the engine's thread.
    is_killed: Arc<AtomicBool>,
}

impl Mails {
    /// A way, and its other end; `waker` ends the sleep of the thread there.
    pub(super) fn new(waker: Arc<Waker>) -> (Mails, Receiver<Mail>) {
        let (mails, received) = channel();
        let is_killed = Arc::default();
        (Mails { mails, waker, patience: ANSWER_MAX, is_killed }, received)
    }

    /// Asks for the stop.
    pub(super) fn stop(&self) {
        // It may have ended by itself.
        let _ = self.send(Mail::Stop);
    }

    /// Whether a kill was not taken in time: it is carried out when the thread comes back.
    pub(super) fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::Acquire)
    }

    fn send(&self, mail: Mail) -> bool {
        let is_sent = self.mails.send(mail).is_ok();
        // It may be gone with its thread.
        let _ = self.waker.wake();
        is_sent
    }

    fn begin(&self, request: ControlRequest) -> Progress {
        let is_kill = matches!(request, ControlRequest::Kill {});
        let request = Box::new(request);
        let begun = self.ask(!is_kill, |claim, to_us| Mail::Request(request, claim, to_us));
        begun.unwrap_or_else(|missing| {
            let is_late_kill = is_kill && missing != Missing::Stopping;
            if is_late_kill {
                self.is_killed.store(true, Ordering::Release);
            }
            Progress::Done(Err(missing.refusal(match missing {
                _ if is_late_kill => "the run ends, and orders are cancelled if it comes back",
                Missing::GivenUp => "nothing was changed",
                _ => "it is being carried out",
            })))
        })
    }

    fn poll(&self, number: u64) -> Option<Outcome> {
        let looked = self.ask(true, |claim, to_us| Mail::Poll(number, claim, to_us));
        let what = "it was begun, and its end is not known";
        looked.unwrap_or_else(|missing| Some(Err(missing.refusal(what))))
    }

    /// Has a mail answered. One that `may_be_given_up` and is not taken in time never will be.
    fn ask<T>(
        &self,
        may_be_given_up: bool,
        mail: impl FnOnce(Claim, Sender<T>) -> Mail,
    ) -> Result<T, Missing> {
        let (claim, (to_us, answer)) = (Claim::default(), channel());
        if !self.send(mail(claim.clone(), to_us)) {
            return Err(Missing::Stopping);
        }
        match answer.recv_timeout(self.patience) {
            Err(RecvTimeoutError::Timeout) if may_be_given_up && claim.take() => {
                Err(Missing::GivenUp)
            }
            // The engine's thread is at it.
            Err(RecvTimeoutError::Timeout) if may_be_given_up => {
                answer.recv_timeout(self.patience).map_err(Missing::of)
            }
            answered => answered.map_err(Missing::of),
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// The engine's thread has not taken it, and will not.
    GivenUp,
    /// It may be carried out yet.
    Open,
    /// The engine's thread has ended.
    Stopping,
}

impl Missing {
    fn of(error: RecvTimeoutError) -> Missing {
        match error {
            RecvTimeoutError::Timeout => Missing::Open,
            RecvTimeoutError::Disconnected => Missing::Stopping,
        }
    }

    fn refusal(self, what: &str) -> Refusal {
        if self == Missing::Stopping {
            return Refusal::Stopping;
        }
        let reason = format!("the engine's thread does not answer, a callback holds it up: {what}");
        Refusal::Failed { operation: "operate".to_owned(), reason }
    }
}

/// What carries out on the engine's thread what the socket's is asked for; readings are its own.
pub(super) struct MailDesk {
    pub(super) reader: OperatorDesk,
    pub(super) mails: Mails,
}

impl Desk for MailDesk {
    fn carry_out(&mut self, request: ControlRequest) -> Progress {
        if !request.is_mutating() && request != (ControlRequest::Audit {}) {
            return self.reader.carry_out(request);
        }
        self.mails.begin(request)
    }

    fn poll(&mut self, number: u64) -> Option<Outcome> {
        self.mails.poll(number)
    }

    fn status(&mut self) -> Status {
        self.reader.status()
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token};

    use super::*;

    /// A way whose waits are over at once.
    fn mails() -> (Mails, Receiver<Mail>, Poll) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (mails, received) = Mails::new(waker);
        (Mails { patience: Duration::ZERO, ..mails }, received, poll)
    }

    fn reason(progress: Progress) -> String {
        match progress {
            Progress::Done(Err(refusal)) => refusal.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_said_not_to_be_answered_is_never_carried_out() {
        let (mails, received, _poll) = mails();
        let said = reason(mails.begin(ControlRequest::Mode { trading: true }));
        assert!(said.contains("nothing was changed"), "{said}");
        let Ok(Mail::Request(_, claim, _)) = received.try_recv() else { panic!("no request") };
        assert!(!claim.take());
        assert!(!mails.is_killed());
    }

    #[test]
    fn a_kill_that_is_not_taken_ends_the_run_and_is_carried_out_later() {
        let (mails, received, _poll) = mails();
        let said = reason(mails.begin(ControlRequest::Kill {}));
        assert!(said.contains("the run ends"), "{said}");
        assert!(mails.is_killed());
        mails.stop();
        let Ok(Mail::Request(request, claim, _)) = received.try_recv() else { panic!("no kill") };
        assert!(*request == (ControlRequest::Kill {}) && claim.take());
        assert!(matches!(received.try_recv(), Ok(Mail::Stop)));
    }

    #[test]
    fn what_is_taken_is_waited_for_and_an_engine_that_has_ended_is_said() {
        let (mails, received, _poll) = mails();
        let mails = Mails { patience: Duration::from_secs(60), ..mails };
        let engine = std::thread::spawn(move || {
            let Ok(Mail::Poll(7, claim, answer)) = received.recv() else { panic!("no look") };
            assert!(claim.take());
            answer.send(None).unwrap();
        });
        assert_eq!(mails.poll(7), None);
        engine.join().unwrap();
        assert_eq!(mails.poll(7), Some(Err(Refusal::Stopping)));
        assert_eq!(reason(mails.begin(ControlRequest::Kill {})), Refusal::Stopping.to_string());
    }
}
