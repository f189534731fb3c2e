//! Data to share and .torrent files that describe it, bencoded by hand: the tests must not trust
//! the tracker's own bencoder. Nothing here knows of clients or trackers.

use std::path::Path;

use sha1::{Digest, Sha1};

use super::random::Random;

/// A single file of data. Everybody who shares it may announce elsewhere, so the announce URLs are
/// not part of it: they do not enter the info hash.
pub struct Torrent {
    pub name: &'static str,
    pub data: Vec<u8>,
    info: Vec<u8>,
}

impl Torrent {
    /// `length` bytes that are the same in every run with the same (non-zero) seed.
    pub fn random(name: &'static str, length: usize, seed: u64) -> Torrent {
        const PIECE_LENGTH: usize = 256 * 1024;
        let data = random_bytes(length, seed);
        // The keys of a bencoded dictionary are in order.
        let mut info = format!(
            "d6:lengthi{length}e4:name{}:{name}12:piece lengthi{PIECE_LENGTH}e6:pieces{}:",
            name.len(),
            length.div_ceil(PIECE_LENGTH) * 20
        )
        .into_bytes();
        for piece in data.chunks(PIECE_LENGTH) {
            info.extend(Sha1::digest(piece));
        }
        info.push(b'e');
        Torrent { name, data, info }
    }

    pub fn info_hash(&self) -> [u8; 20] {
        Sha1::digest(&self.info).into()
    }

    /// A link that says as little of it as possible: its info hash, and where to announce.
    pub fn magnet_link(&self, announce: &[&str]) -> String {
        let hash = self.info_hash().map(|byte| format!("{byte:02x}")).concat();
        let escape = |url: &&str| url.replace(':', "%3A").replace('/', "%2F");
        let trackers = announce.iter().map(|url| format!("&tr={}", escape(url)));
        format!("magnet:?xt=urn:btih:{hash}{}", trackers.collect::<String>())
    }

    /// Writes a .torrent file with these announce URLs, each in a tier of its own: clients try the
    /// tiers in order or all of them at once.
    pub fn write(&self, file: &Path, announce: &[&str]) {
        let string = |s: &str| format!("{}:{s}", s.len());
        let mut torrent = format!("d8:announce{}", string(announce[0]));
        if announce.len() > 1 {
            let tiers = announce.iter().map(|url| format!("l{}e", string(url)));
            torrent += &format!("13:announce-listl{}e", tiers.collect::<String>());
        }
        torrent += "4:info";
        let bytes = [torrent.as_bytes(), &self.info, b"e"].concat();
        std::fs::write(file, bytes).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
}

/// Data that no two pieces of are equal.
fn random_bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(random.number().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
