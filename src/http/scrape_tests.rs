//! Tests of `http/scrape.rs`.

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
