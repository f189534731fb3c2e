//! The state: who is in which swarm, and since when. No lock, no clock and no policy lives here but
//! what decides whom a client is shown: `tracker.rs` owns the rest.
//!
//! A client may have several addresses, and each of these is a peer: what is stored, found, bounded,
//! picked and forgotten. What is counted are clients.

mod store;

mod group;

mod audience;

mod selection;

mod swarm;

mod members;

mod peers;

mod index;

mod clients;

mod bounds;

mod counts;

mod per_address;

mod random;

mod overview;

mod display_names;

pub mod list;

pub mod candidates;

#[cfg(test)]
mod fixture;

#[cfg(test)]
mod model;

#[cfg(test)]
mod model_tests;

pub use audience::{Place, View};
pub use bounds::{Bounds, LimitReached};
pub use counts::{Counts, Totals};
pub use group::Kind;
pub use overview::OneAddress;
pub use random::{Random, draw};
pub use selection::Selection;
pub use store::{Address, Announced, Entry, Identity, Swarms};
