//! Conformance with real recorded sessions of the venues, and documented payloads.
//!
//! `PITLANE_RECORDINGS` names the folder of the recordings, which holds `EXPECTED.json`: counts,
//! ids, top levels and a digest of each final book, computed by an independent implementation.
//! Without it each of these tests says SKIPPED.

mod books;
mod faults;
mod in_band;
mod payloads;
mod replay;
