//! The market half of a protocol: topics, requests to subscribe, frames and snapshots.

use super::{
    BookChecksum, InstrumentsRequest, KeepAlive, Refusal, SnapshotFrom, TimeRequest, VenueLimits,
    WholeBook,
};
use crate::event::{Bar, EventKind, MarkPrice, Quote, Trade};
use crate::venue::book::{BookRule, Diff, L2Book};
use crate::venue::codec::DecodeError;
use crate::venue::governor::ToldLimits;
use crate::venue::{StreamOrders, Symbol, SymbolMap};

/// How a venue speaks about its market.
pub trait MarketProtocol: Sized + Send + 'static {
    /// What the venue's sequences promise (LM-03).
    const ORDERS: StreamOrders;
    /// How the diffs of a book follow each other. A venue that does not number them has its
    /// protocol count them.
    const BOOK_RULE: BookRule;
    /// Levels a side of a book that the venue keeps up, where those behind them fall out without a
    /// word; `None` where every level that goes is told.
    const BOOK_DEPTH: Option<usize> = None;
    /// Where a book is told whole.
    const SNAPSHOT: SnapshotFrom;
    /// What checksums of books are held against; `None` where the venue sends none.
    const CHECKSUM: Option<BookChecksum> = None;
    /// What keeps a quiet connection open.
    const KEEP_ALIVE: KeepAlive;
    /// Most events that one frame gives, at least 2: a book's status and the book.
    const EVENTS_MAX: usize;
    /// What the venue allows.
    const LIMITS: VenueLimits;
    /// Parts of the venue's address space, in the order of their numbers: what
    /// [`MarketProtocol::route`] gives. Each has connections of its own. Put before the last
    /// segment of the configured path; an empty one changes nothing.
    const ROUTES: &'static [&'static str] = &[""];
    /// What a request to subscribe is called, and one to send no more.
    const SUBSCRIBES: [&'static str; 2] = ["subscribe", "unsubscribe"];
    /// Largest frame that the venue is known to send, bytes: sessions take at least this much,
    /// whatever is configured.
    const FRAME_BYTES_USUAL: usize = 1024 * 1024;
    /// Levels a side that a book is kept with where the configuration does not say.
    const BOOK_LEVELS_USUAL: usize = L2Book::LEVELS_MAX_DEFAULT;
    /// Topic that each connection subscribes to before all others, where something has to keep it
    /// open.
    const OPENING_TOPIC: Option<&'static str> = None;
    /// Whether replies carry the numbers of their requests. Otherwise they come in the order of
    /// the requests, as [`MarketMessage::NextReply`].
    const NUMBERS_REPLIES: bool = true;
    /// Header of the handshake that names an API key, where market data takes one.
    const KEY_HEADER: Option<&'static str> = None;
    /// Length of the bars of [`MarketProtocol::topic`], s.
    const BAR_INTERVAL_S: u32 = 60;
    /// How REST tells the venue's time; `None` when it does not.
    const TIME: Option<TimeRequest>;
    /// How REST tells whether instruments trade, and in which increments; `None` when it does not.
    const INSTRUMENTS: Option<InstrumentsRequest> = None;

    /// A protocol for one connection that knows these symbols and refuses frames above
    /// `frame_bytes_max`.
    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> Self;

    /// A new connection is open: what was counted on the one before is over.
    fn on_open(&mut self) {}

    /// The topic of a kind of event, as it is subscribed to; `None` when the kind has none of its
    /// own.
    fn topic(native: &str, kind: EventKind) -> Option<String>;

    /// Where a kind comes that has a topic, and does not come at this address or path of streams;
    /// `None`: it comes there, too.
    fn elsewhere(_kind: EventKind, _stream_at: &str) -> Option<&'static str> {
        None
    }

    /// Index into [`MarketProtocol::ROUTES`] of a topic.
    fn route(_topic: &str) -> usize {
        0
    }

    /// Appends a request about `topics`, one of [`MarketProtocol::SUBSCRIBES`], whose reply carries
    /// `id`. Topics are plain words: nothing in them needs escaping.
    fn request(word: &str, topics: &[String], id: u64, out: &mut String);

    /// [`MarketProtocol::request`] to subscribe.
    fn subscribe(topics: &[String], id: u64, out: &mut String) {
        Self::request(Self::SUBSCRIBES[0], topics, id, out);
    }

    /// [`MarketProtocol::request`] to send no more.
    fn unsubscribe(topics: &[String], id: u64, out: &mut String) {
        Self::request(Self::SUBSCRIBES[1], topics, id, out);
    }

    /// Decodes one whole frame and hands over what is in it.
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong. Where the frame was a diff of a configured symbol, its
    /// `book` names the instrument: that book now has a hole.
    fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError>;

    /// Whether the frame that [`MarketProtocol::decode`] took last is too long for one duty cycle
    /// and only begun: it is to be handed over again, in a later one, until this is false. What was
    /// handed over of it so far stands, and does not come again.
    #[inline]
    fn is_unfinished(&self) -> bool {
        false
    }

    /// [`MarketProtocol::decode`] to the end, however long that takes.
    ///
    /// # Errors
    /// As those of `decode`.
    fn decode_whole(
        &mut self,
        frame: &[u8],
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        self.decode(frame, sink)?;
        while self.is_unfinished() {
            self.decode(frame, sink)?;
        }
        Ok(())
    }

    /// After this time the venue ends a connection, ns; `None` where it says nothing of it. The
    /// next one takes over before, without a gap, where snapshots are had over REST.
    const LIFE_NS: Option<u64> = None;

    /// Path, query and weight of the request for the venue's own limits, for which it wants one of
    /// its symbols; `None` where REST tells none.
    fn limits_request(_native: &str) -> Option<(String, u32)> {
        None
    }

    /// Reads the body of the answer to [`MarketProtocol::limits_request`].
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong.
    fn read_limits(_body: &[u8], _words: &mut ToldLimits) -> Result<(), DecodeError> {
        Ok(())
    }

    /// Reads a header of an answer over REST that may tell how much of a limit is used.
    fn read_limit_header(_name: &str, _value: &str, _words: &mut ToldLimits) {}

    /// Reads the body of a refusal over REST; `None` when it is none.
    fn read_refusal(_body: &[u8]) -> Option<Refusal> {
        None
    }
}

/// Takes what a frame holds, in the frame's order.
pub trait MarketSink {
    /// Takes one message.
    fn take(&mut self, message: MarketMessage<'_>);
}

/// What one frame, or a part of it, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketMessage<'a> {
    /// Best bid and offer.
    Quote {
        /// What it is about.
        symbol: Symbol,
        /// The venue's number of it; 0 when it has none.
        update_id: u64,
        /// The venue's time, ns since the Unix epoch; 0 when the frame has none.
        venue_time_ns: i64,
        /// Best bid and offer.
        quote: Quote,
    },
    /// A trade, or trades of one aggressor at one price.
    Trade {
        /// What it is about.
        symbol: Symbol,
        /// The venue's number of it.
        trade_id: u64,
        /// Event time, ns since the Unix epoch.
        venue_time_ns: i64,
        /// The trade.
        trade: Trade,
    },
    /// A bar.
    Bar {
        /// What it is about.
        symbol: Symbol,
        /// Event time, ns since the Unix epoch.
        venue_time_ns: i64,
        /// The bar, closed or not.
        bar: Bar,
    },
    /// Mark price and funding.
    Mark {
        /// What it is about.
        symbol: Symbol,
        /// Event time, ns since the Unix epoch.
        venue_time_ns: i64,
        /// Mark price and funding.
        mark: MarkPrice,
    },
    /// A book, whole: what was known of it before does not count any more.
    Book {
        /// What it is about.
        symbol: Symbol,
        /// The book.
        book: WholeBook<'a>,
    },
    /// A change of a book.
    Depth {
        /// What it is about.
        symbol: Symbol,
        /// The change.
        diff: Diff<'a>,
    },
    /// Answer to a request on this connection.
    Reply {
        /// The request's number.
        id: u64,
        /// The venue's error code; `None` = done.
        error: Option<i32>,
    },
    /// Answer to the oldest request on this connection that has none yet, by a venue that does not
    /// number its replies.
    NextReply {
        /// The venue's error code; `None` = done.
        error: Option<i32>,
    },
    /// Frames of this connection were lost on their way: no book of it can be trusted.
    Gap,
    /// A stream speaks, and what it told last is as it was.
    Unchanged {
        /// What it is about.
        symbol: Symbol,
        /// What the stream carries.
        kind: EventKind,
    },
    /// Nothing but a sign of life, such as the answer to [`KeepAlive::Text`].
    KeptAlive,
    /// The server will close this connection soon.
    Shutdown,
}
