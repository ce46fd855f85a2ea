//! A slot's whole life, and the only types that end it.
//!
//! ```text
//!              claim            publish             read               return
//!   [free] ------------> [claimed] -----> [published] ----> [handled] --------> [returned]
//!     ^     Publisher             cursor           upstream           ReturnCursor    |
//!     |                                                                               | reset
//!     +----------------------------- gate: let go <-----------------------------------+
//! ```
//!
//! A slot carries no state of its own. Its generation is its sequence, which is never reused, and
//! where it is in its life follows from three words of its lane:
//!
//! | The slot of sequence `s` is | when | and belongs to |
//! |---|---|---|
//! | free | the gate has let go `s - capacity` (or `s` is in the first round) | the publisher |
//! | published | the publisher's cursor is past `s` | the readers, who share it |
//! | returned | the return cursor is at `s` or past it | the recycler |
//!
//! 1. **Claim.** The publisher takes a slot that the gate has let go; a lane without one says
//!    [`Full`](crate::Full). On a [`Checked`](crate::Checked) lane the slot must still be filled
//!    with poison, or somebody wrote to it after its return: that panics and names both places.
//! 2. **Publish.** The record is copied into the slot, then the cursor moves past it (release).
//! 3. **Read.** A stage, where there is one, and then the consumer see the cursor (acquire) and
//!    lend the slot to a callback; the borrow ends with the callback, by type.
//! 4. **Return.** The consumer ends a poll, by return or by a panic of the callback, and returns
//!    all that it handled at once: one move of the [`return_cursor`], which refuses a second
//!    return, a return after reuse and a return out of order. A refusal is counted and logged
//!    ([`sites`] name the claim and the return on a checked lane).
//! 5. **Reset and let go.** The [`lane_recycler`] alone fills what was returned with poison, where
//!    the lane is checked, and then publishes it into the [`gate`]. Only now can the publisher
//!    claim it again.
//!
//! A slot of a [`Pool`](crate::Pool) has the same life without cursors, since one thread owns the
//! pool: the [`slab`] keeps a generation for each slot, and a handle of an older generation returns
//! nothing.
//!
//! Nothing outside this folder can return a slot: [`Consumer`](crate::Consumer) and
//! [`Pool`](crate::Pool) drive these types, and their fields are private to the crate.

pub(crate) mod gate;
pub(crate) mod lane_recycler;
pub(crate) mod return_cursor;
pub(crate) mod sites;
pub(crate) mod slab;
