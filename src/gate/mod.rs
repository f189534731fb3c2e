//! The gate: a reverse proxy between the network and tiny_http, in the same process.
//!
//! tiny_http must not face the network itself: `dont_readme.txt` has the list of what brings it
//! down. The gate accepts connections, reads each request's head within bounds of size and time,
//! hands a clean request to tiny_http over kept connections, and writes the answer. What the
//! answer says is for the handler that it is given. Nothing here knows of trackers: of the other
//! modules only those are imported that would suit any server (a test in `tests/rooms.rs` sees to
//! that). In the order in which a request meets them:

pub mod serve;

pub mod handler;

pub mod limits;

mod acceptors;

mod connections;

mod client;

mod timed;

pub mod head;

pub mod trusted;

pub mod forwarded;

pub mod visitor;

mod upstream;

mod upstream_socket;
