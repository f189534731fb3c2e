//! The tracker over HTTP. In the order in which a request meets them:

pub mod listen;

pub mod gate;

mod conversation;

mod timed;

mod connections;

mod roster;

pub mod head;

pub mod forwarded;

mod link;

mod channel;

pub mod server;

pub mod strangers;

pub mod query;

pub mod announce;

pub mod scrape;

pub mod bencode;

pub mod page;

pub mod metrics;
