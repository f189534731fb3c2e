//! mayfly, a BitTorrent tracker in one executable. The modules, in reading order:
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// For `swarms/model.rs`, which the fuzzing has too.
#[cfg(test)]
extern crate self as mayfly;

pub mod run;

pub mod options;

pub mod start_lines;

pub mod listen;

pub mod threads;

pub mod ulimits;

pub mod own_addresses;

pub mod public_address;

pub mod announce;

pub mod refusal;

pub mod address;

pub mod network;

pub mod decoys;

pub mod tracker;

pub mod swarms;

pub mod torrent_list;

pub mod names;

pub mod service;

pub mod counters;

pub mod history;

pub mod gate;

pub mod http;

pub mod udp;

pub mod router;

pub mod compact;

pub mod report;

pub mod seldom;

pub mod log;

pub mod lock;

#[cfg(test)]
mod eventually;
