//! The messages of a frame that may bring several, told one after the other.

use std::collections::VecDeque;

use arrayvec::ArrayVec;

use super::{Failure, OrderMessage, Reach, Reply, ReplyBody, UnreadFrame};
use crate::event::VenueRef;
use crate::venue::codec::DecodeError;
use crate::venue::orders::{VenueAnswer, VenueReport};

/// Bytes of an order's name, or of a word, that are kept: no venue's names are longer.
const TEXT_BYTES_MAX: usize = 36;
/// Reports for which there is room from the start.
const USUAL: usize = 64;
/// Bytes of a refusal's text that are kept.
const MESSAGE_BYTES_MAX: usize = 96;

type KeptText = ArrayVec<u8, TEXT_BYTES_MAX>;

/// One report, or why it could not be read.
#[derive(Clone, Debug)]
pub(in crate::venue) struct KeptReport {
    name: KeptText,
    /// The venue's word that is not known.
    value: KeptText,
    venue_order_id: VenueRef,
    what: Result<Read, DecodeError>,
}

/// What was read of an order: a report, or how it stands and when the venue said so.
#[derive(Clone, Copy, Debug)]
enum Read {
    Report(ReadReport),
    State(VenueAnswer, i64),
}

/// What a report says.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue) struct ReadReport {
    pub(in crate::venue) report: VenueReport,
    pub(in crate::venue) venue_time_ns: i64,
    /// Why the fee of a fill can't be read.
    pub(in crate::venue) unreadable: Option<DecodeError>,
}

/// Why a report could not be read, and the venue's word that is not known, if that is why.
pub(in crate::venue) type UnreadReport<'a> = (DecodeError, Option<&'a str>);

impl KeptReport {
    pub(in crate::venue) fn new(
        name: &str,
        venue_order_id: VenueRef,
        what: Result<ReadReport, UnreadReport<'_>>,
    ) -> KeptReport {
        KeptReport::of(name, venue_order_id, what.map(Read::Report))
    }

    /// How an order stands, and when the venue said so.
    pub(in crate::venue) fn of_state(
        name: &str,
        venue_order_id: VenueRef,
        what: Result<(VenueAnswer, i64), UnreadReport<'_>>,
    ) -> KeptReport {
        KeptReport::of(name, venue_order_id, what.map(|(state, time)| Read::State(state, time)))
    }

    fn of(
        name: &str,
        venue_order_id: VenueRef,
        what: Result<Read, UnreadReport<'_>>,
    ) -> KeptReport {
        let kept = |text: &str| text.bytes().take(TEXT_BYTES_MAX).collect();
        let value = what.as_ref().err().and_then(|(_, value)| *value).unwrap_or_default();
        KeptReport {
            name: kept(name),
            value: kept(value),
            venue_order_id,
            what: what.map_err(|(error, _)| error),
        }
    }
}

/// The answer to one of several requests that went together.
#[derive(Clone, Debug)]
pub(in crate::venue) struct KeptReply {
    pub(in crate::venue) id: u64,
    reach: Reach,
    name: KeptText,
    venue_order_id: VenueRef,
    /// 0 where it was done.
    code: i32,
    message: ArrayVec<u8, MESSAGE_BYTES_MAX>,
    /// The text is a word that the protocol does not know.
    is_unknown: bool,
    /// Why it can't be read.
    unreadable: Option<DecodeError>,
}

impl KeptReply {
    pub(in crate::venue) fn new(
        id: u64,
        (name, venue_order_id): (&str, VenueRef),
        (code, message): (i32, &str),
    ) -> KeptReply {
        KeptReply {
            id,
            reach: Reach::One,
            name: name.bytes().take(TEXT_BYTES_MAX).collect(),
            venue_order_id,
            code,
            message: message.bytes().filter(u8::is_ascii).take(MESSAGE_BYTES_MAX).collect(),
            is_unknown: false,
            unreadable: None,
        }
    }

    /// One that says no.
    pub(in crate::venue) fn refused(id: u64, failure: &Failure<'_>) -> KeptReply {
        let is_unknown = failure.unknown.is_some();
        let why = (failure.code, failure.message);
        KeptReply { is_unknown, ..KeptReply::new(id, ("", VenueRef::NONE), why) }
    }

    /// One that can't be read: those beside it may be.
    pub(in crate::venue) fn unread(id: u64, error: DecodeError) -> KeptReply {
        let unreadable = Some(error);
        KeptReply { unreadable, ..KeptReply::new(id, ("", VenueRef::NONE), (0, "")) }
    }

    fn message(&self) -> Result<OrderMessage<'_>, UnreadFrame<'_>> {
        let KeptReply { id, reach, name, venue_order_id, code, unreadable, .. } = self;
        let message = str::from_utf8(&self.message).unwrap_or_default();
        if let Some(error) = *unreadable {
            return Err(UnreadFrame {
                error,
                name: None,
                reply: Some(*id),
                venue_order_id: VenueRef::NONE,
                value: None,
                reach: *reach,
            });
        }
        let outcome = match *code {
            0 => Ok(ReplyBody {
                name: name.as_slice(),
                venue_order_id: *venue_order_id,
                ..ReplyBody::default()
            }),
            code => Err(Failure {
                unknown: Some(message).filter(|_| self.is_unknown),
                ..Failure::of(0, code, message)
            }),
        };
        Ok(OrderMessage::Reply(Reply { id: *id, outcome, time_ns: None, reach: *reach }))
    }
}

/// What one frame brings more than one of.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "reports are the rule, and a box would be allocated")]
enum Kept {
    Report(KeptReport),
    Reply(KeptReply),
}

impl Kept {
    fn message(&self) -> Result<OrderMessage<'_>, UnreadFrame<'_>> {
        match self {
            Kept::Report(report) => report.message(),
            Kept::Reply(reply) => reply.message(),
        }
    }
}

/// The messages of the frame that was decoded last.
#[derive(Debug)]
pub(in crate::venue) struct Several {
    waiting: VecDeque<Kept>,
    told: Option<Kept>,
    /// The frame, where more than one waits.
    frame: Vec<u8>,
}

impl Default for Several {
    fn default() -> Several {
        Several { waiting: VecDeque::with_capacity(USUAL), told: None, frame: Vec::new() }
    }
}

impl Several {
    /// A new frame.
    #[inline]
    pub(in crate::venue) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// One report more.
    #[inline]
    pub(in crate::venue) fn push(&mut self, report: KeptReport) {
        self.waiting.push_back(Kept::Report(report));
    }

    /// One answer more.
    pub(in crate::venue) fn push_reply(&mut self, reply: KeptReply) {
        self.waiting.push_back(Kept::Reply(reply));
    }

    /// The answers of a frame are all there.
    pub(in crate::venue) fn end_replies(&mut self) {
        if let Some(Kept::Reply(last)) = self.waiting.back_mut() {
            last.reach = Reach::Last;
        }
    }

    /// A frame was read: what it says before those that wait. Where it was none, what was read of
    /// it before the error is not told. It is kept where those that wait need it.
    ///
    /// # Errors
    /// Why it could not be read.
    #[inline]
    pub(in crate::venue) fn end_frame<T>(
        &mut self,
        read: Result<Option<T>, DecodeError>,
        frame: &[u8],
    ) -> Result<Option<T>, DecodeError> {
        let told_now = if matches!(read, Ok(Some(_))) { 0 } else { 1 };
        if read.is_err() {
            self.waiting.clear();
        } else if self.waiting.len() > told_now {
            self.frame.clear();
            self.frame.extend_from_slice(frame);
        }
        read
    }

    /// The next report; `None` when all are told.
    #[inline]
    pub(in crate::venue) fn take(&mut self) -> Option<Result<OrderMessage<'_>, UnreadFrame<'_>>> {
        let told = self.told.insert(self.waiting.pop_front()?);
        Some(told.message())
    }

    /// The next report, and the frame that brought it.
    pub(in crate::venue) fn take_with_frame(
        &mut self,
    ) -> Option<(Result<OrderMessage<'_>, UnreadFrame<'_>>, &[u8])> {
        let told = self.told.insert(self.waiting.pop_front()?);
        Some((told.message(), &self.frame))
    }
}

impl KeptReport {
    fn message(&self) -> Result<OrderMessage<'_>, UnreadFrame<'_>> {
        let name = self.name.as_slice();
        match self.what {
            Ok(Read::Report(ReadReport { report, venue_time_ns, unreadable })) => {
                Ok(OrderMessage::Report { name, report, venue_time_ns, unreadable })
            }
            Ok(Read::State(state, venue_time_ns)) => {
                Ok(OrderMessage::State { name, state, venue_time_ns })
            }
            Err(error) => Err(UnreadFrame {
                error,
                name: Some(name).filter(|name| !name.is_empty()),
                reply: None,
                venue_order_id: self.venue_order_id,
                value: Some(self.value.as_slice()).filter(|value| !value.is_empty()),
                reach: Reach::All,
            }),
        }
    }
}
