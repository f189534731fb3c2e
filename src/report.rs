//! What the log says of announces and of refusals, the same for both transports.

use crate::announce::{Announce, EndedSwarm, Event, Reply};
use crate::log::{About, Log};
use crate::refusal::Refusal;
use std::net::IpAddr;

/// An announce was answered.
pub fn announced(log: &Log, announce: &Announce, reply: &Reply) {
    let Announce {
        info_hash,
        source,
        port,
        ..
    } = announce;
    if reply.is_first_peer {
        log.line(
            About::Torrent,
            format_args!("torrent {info_hash}: first peer, {source} port {port}"),
        );
    }
    if log.wants(About::Announce) {
        let kind = match announce.is_seeder {
            true => "seeder",
            false => "leecher",
        };
        let event = match announce.event {
            Event::Update => "",
            Event::Started => ", started",
            Event::Completed => ", completed",
            Event::Stopped => ", stopped",
        };
        log.line(
            About::Announce,
            format_args!(
                "announce of {info_hash} by {kind} {source} port {port}{event}: \
                 seeders {}, leechers {}, shown {}",
                reply.seeders,
                reply.leechers,
                reply.peers.len()
            ),
        );
    }
    ended(log, &reply.ended);
}

/// Somebody on the internet was shown none of the peers that there are.
pub fn shown_nobody(log: &Log, source: IpAddr) {
    log.line(
        About::Trouble,
        format_args!(
            "{source} on the internet was shown nobody: the peers that there are have private \
             addresses, which lead nowhere from there; with --map-port, or --public-address and \
             ports forwarded in the router, it is shown them under the router's address"
        ),
    );
}

/// Swarms have lost their last peers.
pub fn ended(log: &Log, ended: &[EndedSwarm]) {
    for EndedSwarm {
        info_hash,
        said_goodbye,
    } in ended
    {
        let how = match said_goodbye {
            true => "said goodbye",
            false => "fell silent",
        };
        log.line(
            About::Torrent,
            format_args!("torrent {info_hash}: the last peer {how}"),
        );
    }
}

/// Announces keep coming from a proxy that is not trusted.
pub fn untrusted_proxy(log: &Log, proxy: IpAddr) {
    log.line(
        About::Trouble,
        format_args!(
            "a proxy at {proxy} brings announces, so that all its clients seem to live there: \
             if it is yours, start mayfly with --trust-proxy {proxy}"
        ),
    );
}

/// A browser announces for another address than its own.
pub fn claim_of_a_browser(log: &Log, source: IpAddr) {
    log.line(
        About::Trouble,
        format_args!(
            "a browser at {source} announces for another address (ip=), which is not believed: \
             a web page may have made it do so"
        ),
    );
}

/// What somebody asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Peers.
    Announce,
    /// Counts.
    Scrape,
    /// Nothing that could be made out.
    Unknown,
}

/// Somebody is refused what was asked for.
pub fn refused(log: &Log, asked: Asked, source: IpAddr, refusal: &Refusal) {
    let what = match asked {
        Asked::Announce => "an announce by ",
        Asked::Scrape => "a scrape by ",
        Asked::Unknown => "",
    };
    log.line(
        About::Trouble,
        format_args!("refused {what}{source}: {refusal} ({})", refusal.fault()),
    );
}
