//! Cancels of several orders in one request: the venue answers order by order, all under the number
//! of that request. What is done names its order; what is not done names none, so that it shows
//! whose it is once all others are answered.

use arrayvec::ArrayVec;

use super::super::refusals::UNKNOWN_ORDER;
use crate::venue::protocol::{KeptReply, OrderMessage, OrderRequest, Reach, Reply, Several};

/// Requests that are not answered in whole; of one more the oldest is forgotten: its cancels are
/// overdue, and looked for.
const REQUESTS_MAX: usize = 16;
/// Bytes of a name of ours, a UUID.
const NAME_BYTES: usize = 36;

type Name = ArrayVec<u8, NAME_BYTES>;

/// The cancels of one request.
#[derive(Debug)]
struct Request {
    /// The number of the first of them.
    id: u64,
    /// Their orders; `None` once it is answered.
    names: Vec<Option<Name>>,
    /// Answers without a name.
    unnamed: usize,
    /// The code and the text of the first of these.
    why: (i32, String),
}

/// Requests for several cancels.
#[derive(Debug, Default)]
pub(in super::super) struct CancelsTogether(Vec<Request>);

impl CancelsTogether {
    /// These go in one request.
    #[cold]
    pub(in super::super) fn went_together(&mut self, requests: &[OrderRequest<'_>]) {
        let Some(first) = requests.first() else { return };
        self.0.retain(|of| of.id != first.id);
        if self.0.len() == REQUESTS_MAX {
            self.0.remove(0);
        }
        let name = |of: &OrderRequest<'_>| Some(of.name.iter().copied().take(NAME_BYTES).collect());
        let names = requests.iter().map(name).collect();
        self.0.push(Request { id: first.id, names, unnamed: 0, why: (0, String::new()) });
    }

    /// What a message tells, if it answers one of several cancels; any other is told as it is.
    #[inline]
    pub(super) fn sort_out<'a>(
        &mut self,
        message: Option<OrderMessage<'a>>,
        reports: &mut Several,
    ) -> Option<OrderMessage<'a>> {
        match message {
            Some(OrderMessage::Reply(reply)) if !self.0.is_empty() => {
                self.sort_out_reply(reply, reports)
            }
            message => message,
        }
    }

    #[cold]
    fn sort_out_reply<'a>(
        &mut self,
        reply: Reply<'a>,
        reports: &mut Several,
    ) -> Option<OrderMessage<'a>> {
        let Some(place) = self.0.iter().position(|of| of.id == reply.id) else {
            return Some(OrderMessage::Reply(reply));
        };
        let of = &mut self.0[place];
        let mut told = None;
        match &reply.outcome {
            Ok(body) => {
                let is_it = |name: &Option<Name>| name.as_deref() == Some(body.name);
                let Some(number) = of.names.iter().position(is_it) else {
                    return Some(OrderMessage::Other("cancel of an order that was not named"));
                };
                of.names[number] = None;
                let id = of.id + number as u64;
                told = Some(OrderMessage::Reply(Reply { id, reach: Reach::One, ..reply }));
            }
            Err(failure) => {
                let is_first = of.unnamed == 0 && of.names.iter().all(Option::is_some);
                if is_first && failure.code != UNKNOWN_ORDER {
                    // None of them was looked at.
                    self.0.remove(place);
                    return Some(OrderMessage::Reply(reply));
                }
                if of.unnamed == 0 {
                    of.why = (failure.code, failure.message.to_owned());
                }
                of.unnamed += 1;
            }
        }
        let left = of.names.iter().filter(|name| name.is_some()).count();
        if left > of.unnamed {
            return Some(told.unwrap_or(OrderMessage::Other("cancel_order")));
        }
        let Request { id, names, why: (code, message), .. } = self.0.remove(place);
        for (number, name) in names.iter().enumerate() {
            let Some(name) = name else { continue };
            let named = (str::from_utf8(name).unwrap_or_default(), crate::event::VenueRef::NONE);
            reports.push_reply(KeptReply::new(id + number as u64, named, (code, &message)));
        }
        told
    }
}
