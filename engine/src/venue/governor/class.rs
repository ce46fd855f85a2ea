//! What is asked for, what is counted, and limits as a venue publishes them.

/// What a request is for. Stable order: classes are indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestClass {
    /// A new order.
    Order,
    /// A cancel.
    Cancel,
    /// A question on an order, the account or the venue's rules.
    Query,
    /// A book's snapshot.
    Snapshot,
    /// An attempt to connect.
    Connect,
    /// An amendment of an order: it weighs, and is no new order.
    Amend,
    /// A step of a logon.
    Logon,
    /// A snapshot that a live book is held against: it can wait.
    Refresh,
}

/// How many there are.
pub const REQUEST_CLASSES: usize = 8;

impl RequestClass {
    /// All of them.
    pub const ALL: [RequestClass; REQUEST_CLASSES] = [
        RequestClass::Order,
        RequestClass::Cancel,
        RequestClass::Query,
        RequestClass::Snapshot,
        RequestClass::Connect,
        RequestClass::Amend,
        RequestClass::Logon,
        RequestClass::Refresh,
    ];

    /// All but cancels.
    pub(super) const ALL_BUT_CANCELS: [RequestClass; REQUEST_CLASSES - 1] = [
        RequestClass::Order,
        RequestClass::Query,
        RequestClass::Snapshot,
        RequestClass::Connect,
        RequestClass::Amend,
        RequestClass::Logon,
        RequestClass::Refresh,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RequestClass::Order => "order",
            RequestClass::Cancel => "cancel",
            RequestClass::Query => "query",
            RequestClass::Snapshot => "snapshot",
            RequestClass::Connect => "connect",
            RequestClass::Amend => "amend",
            RequestClass::Logon => "logon",
            RequestClass::Refresh => "refresh",
        }
    }

    /// The part of each limit that requests of this class may fill, in thousandths; the rest is
    /// held in reserve for those that matter more.
    pub(super) const fn share(self) -> u64 {
        match self {
            RequestClass::Cancel => 1_000,
            RequestClass::Order
            | RequestClass::Amend
            | RequestClass::Connect
            | RequestClass::Logon => 950,
            RequestClass::Query => 800,
            RequestClass::Snapshot => 750,
            RequestClass::Refresh => 500,
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Weight of requests from one address.
    Weight,
    /// New orders of one account.
    Orders,
    /// Attempts to connect from one address.
    Connects,
    /// Requests from one address, whatever they weigh.
    Requests,
    /// Amendments of one account, where they are counted beside its new orders.
    Amends,
}

impl Counted {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Counted::Weight => "weight",
            Counted::Orders => "orders",
            Counted::Connects => "connects",
            Counted::Requests => "requests",
            Counted::Amends => "amendments",
        }
    }
}

/// One limit, as a venue publishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Limit {
    /// What is counted.
    pub counts: Counted,
    /// How much of it, at least 1.
    pub amount: u32,
    /// In each window of this length, ns, at least 1.
    pub window_ns: u64,
}
