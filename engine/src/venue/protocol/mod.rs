//! What an agent needs to know of a venue: how it words things, and what it allows.
//!
//! A protocol is text in, text out. It owns no socket, no clock, no thread and no retry: generic
//! agents own those, with timers, backoff, dead letters and counters, and take the protocol as a
//! type parameter.

mod account_list;
mod account_lists;
mod fill_pages;
mod inspection;
mod instruments;
mod keep_alive;
mod limits;
mod market;
mod market_frames;
mod order_messages;
mod orders;
mod own_stream;
mod questions;
mod several;
mod shared_secret;
mod signer;
mod snapshot;
mod time;
mod way;

pub use account_list::AccountList;
pub(in crate::venue) use account_lists::{AccountLists, told_balances};
pub(in crate::venue) use fill_pages::FillPages;
pub use inspection::{AccountMode, AccountQuestion, AccountWords, Right};
pub(in crate::venue) use inspection::{need, need_bool, need_texts};
pub(in crate::venue) use instruments::instrument_data;
pub use instruments::{InstrumentsRequest, ReadInstruments, ToldInstrument, ToldRules};
pub use keep_alive::KeepAlive;
pub use limits::{Refusal, VenueLimits};
pub use market::{MarketMessage, MarketProtocol, MarketSink};
pub(in crate::venue) use market_frames::{
    BookUpdate, FrameParts, MarketFrames, in_book, numbered_reply, object,
};
pub use order_messages::{
    AccountPosition, AssetBalance, Failure, ListedOrder, ListedText, OrderMessage, Reach, Reply,
    ReplyBody, UnreadFrame, listed_text,
};
pub use orders::{
    FillsFrom, GuardRequest, NameForm, OrderDecoder, OrderProtocol, OrderRequest, Outcome,
    order_terms,
};
pub use own_stream::OwnStream;
pub(in crate::venue) use questions::Questions;
pub(in crate::venue) use several::{KeptReply, KeptReport, ReadReport, Several, UnreadReport};
pub use shared_secret::SharedSecret;
pub(in crate::venue) use signer::read_private;
pub use signer::{KeyError, Keys, Signer};
pub use snapshot::{
    BookChecksum, RestSnapshot, ShallowSnapshot, Snapshot, SnapshotFrom, WholeBook,
};
pub use time::{SentTime, TimeRequest};
pub use way::Way;
