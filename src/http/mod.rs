//! The tracker over HTTP, behind the gate. In the order in which a request meets them:

pub mod server;

pub mod untrusted_proxies;

pub mod hosts;

pub mod query;

pub mod announce;

pub mod scrape;

pub mod bencode;

pub mod page;

pub mod graph;

pub mod torrents;

pub mod display_name;

pub mod metrics;
