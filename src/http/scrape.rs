//! A scrape over HTTP (BEP 48): from the query string to hashes, and from counts to bencode.
//!
//! Whether scrapes are answered at all is for `server.rs` to know.

use super::announce::info_hash;
use super::bencode::dictionary;
use super::query;
use crate::announce::{InfoHash, Refusal};
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
mod tests {
    use super::*;

    #[test]
    fn hashes_are_sorted_and_asked_for_once() {
        let [a, b] = ["a", "b"].map(|letter| letter.repeat(20));
        let query = format!("info_hash={b}&x=1&info_hash={a}&info_hash={b}");
        let expected = [InfoHash([b'a'; 20]), InfoHash([b'b'; 20])];
        assert_eq!(read(query.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn no_hash_or_a_bad_one_is_refused() {
        assert_eq!(read(b""), Err(Refusal::NothingToScrape));
        assert_eq!(read(b"info_hash=abc").unwrap_err().code(), 150);
    }

    #[test]
    fn the_answer_byte_for_byte() {
        let hashes = [InfoHash([b'a'; 20]), InfoHash([b'b'; 20])];
        let counts = Counts {
            seeders: 1,
            leechers: 2,
            downloaded: 3,
        };
        let mut out = Vec::new();
        write(&hashes, &[counts, Counts::default()], &mut out);
        let expected = "d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi3e\
            10:incompletei2ee20:bbbbbbbbbbbbbbbbbbbbd8:completei0e10:downloadedi0e\
            10:incompletei0eeee";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
