//! Lanes, slots and the recycler: the queues of a thread-per-core engine.
