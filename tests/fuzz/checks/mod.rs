//! What has to hold whatever bytes arrive: for each fuzz target a function that panics if it does
//! not. libFuzzer calls them with bytes of its own (targets/), `cargo test` with the files in
//! seeds/. They use the tracker's code as it is, and tell what they expect from it in the simplest
//! way there is, however slow.

/// The command line.
pub mod options;

/// The head of an HTTP request, in whatever pieces it arrives.
pub mod head;

/// The query of an announce or a scrape, and the answer to it.
pub mod query;

/// Packets and the answers to them.
pub mod udp;

/// The state and the policy, over a sequence of announces.
pub mod tracker;

/// What a router answers over NAT-PMP and PCP.
pub mod router_packet;

/// What a router answers over SSDP and HTTP, and what it says of itself.
pub mod router_text;

use std::net::IpAddr;

/// Choices made by the fuzzer: reads numbers and strings off the front of its bytes, zeros when
/// there are none left.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// So many bytes, or as many as there are.
    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// What a person gets to read, in a log or a terminal: one line of it, without anything that moves
/// a cursor or turns the direction of writing.
fn is_one_clean_line(text: &str) -> bool {
    let turns = |c| {
        matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2066}'..='\u{2069}')
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() || turns(c))
}
