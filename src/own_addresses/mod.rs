//! This machine's own addresses: those to answer at, those by which others reach it, the likeliest
//! first, and which networks are those of containers on it.
//!
//! std cannot list them. On Linux `/proc/net` has them, elsewhere the machine's own name is
//! resolved.

mod known;

mod own_address;

mod proc_net;

pub use known::{OwnAddresses, Whereabouts, has_wildcard, route_table, towards};
pub use own_address::OwnAddress;
pub use proc_net::Route;
