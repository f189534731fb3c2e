//! The state: who is in which swarm, and since when. No lock, no clock and no policy lives here:
//! `tracker.rs` owns all three.

mod store;

mod swarm;

mod members;

mod peers;

mod index;

mod per_address;

mod random;

mod overview;

mod display_names;

pub mod list;

pub use overview::{OneAddress, Totals};
pub use store::{Announced, Bounds, Counts, Entry, LimitReached, Selection, Swarms};
