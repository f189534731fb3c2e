//! A scrape over HTTP (BEP 48): from the query string to hashes, and from counts to bencode.
//!
//! Whether scrapes are answered at all is for `server.rs` to know.

use super::announce::info_hash;
use super::bencode::dictionary;
use super::query;
use crate::announce::InfoHash;
use crate::refusal::Refusal;
use crate::swarms::Counts;

/// Reads the hashes that are asked for: sorted, each once. A scrape of everything, without any,
/// is refused: its answer would have no bounds.
pub fn read(query: &[u8]) -> Result<Vec<InfoHash>, Refusal> {
    let pairs = query::pairs(query).filter(|(key, _)| *key == b"info_hash");
    let mut hashes = pairs
        .map(|(_, value)| info_hash(value))
        .collect::<Result<Vec<_>, _>>()?;
    if hashes.is_empty() {
        return Err(Refusal::NothingToScrape);
    }
    hashes.sort_unstable();
    hashes.dedup();
    Ok(hashes)
}

/// Appends the bencoded answer for `hashes`, which are sorted and have a count each.
pub fn write(hashes: &[InfoHash], counts: &[Counts], out: &mut Vec<u8>) {
    dictionary(out, |d| {
        d.dictionary(b"files", |d| {
            for (hash, counts) in hashes.iter().zip(counts) {
                d.dictionary(&hash.0, |d| {
                    d.integer("complete", counts.seeders.into());
                    d.integer("downloaded", counts.downloaded.into());
                    d.integer("incomplete", counts.leechers.into());
                });
            }
        });
    });
}

#[cfg(test)]
#[path = "scrape_tests.rs"]
mod tests;
