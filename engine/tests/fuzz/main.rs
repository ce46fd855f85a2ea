//! What comes from a venue, changed at random: no bytes make a reader panic, grow without bound, or
//! read the same thing in two ways.
//!
//! Without anything set each target takes so many inputs that the suite stays quick. With
//! `FUZZ_SECONDS` it goes on for that long; `scripts/fuzz_venues.sh` runs all of them so. Chance
//! begins at `FUZZ_SEED` (1). `PITLANE_RECORDINGS` adds the recordings to the frames that are
//! changed. What is found is made as small as it goes, and printed with its seed.

mod answers;
mod binary;
mod corpus;
mod feed;
mod market;
mod mutate;
mod orders;
mod run;
mod websocket;
