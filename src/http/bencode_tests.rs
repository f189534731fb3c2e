//! Tests of `http/bencode.rs`.

use super::*;
use bendy::decoding::{FromBencode, Object};
use proptest::prelude::*;

fn written<'key>(write: impl FnOnce(&mut Dictionary<'_, 'key>)) -> String {
    let mut out = Vec::new();
    dictionary(&mut out, write);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_kind_of_entry() {
    assert_eq!(written(|_| ()), "de");
    assert_eq!(written(|d| d.integer("a", 0)), "d1:ai0ee");
    assert_eq!(
        written(|d| d.integer("a", u64::MAX)),
        "d1:ai18446744073709551615ee"
    );
    assert_eq!(written(|d| d.bytes("ab", b"")), "d2:ab0:e");
    assert_eq!(
        written(|d| d.bytes_with("a", 11, |out| out.extend(b"hello world"))),
        "d1:a11:hello worlde"
    );
    assert_eq!(
        written(|d| d.list("a", |out| {
            dictionary(out, |d| d.integer("b", 1));
            dictionary(out, |_| ());
        })),
        "d1:ald1:bi1eedeee"
    );
    assert_eq!(
        written(|d| d.dictionary(b"a", |d| d.integer("b", 1))),
        "d1:ad1:bi1eee"
    );
}

#[test]
#[should_panic(expected = "'interval' out of order")]
fn keys_out_of_order_are_a_defect() {
    written(|d| {
        d.integer("peers", 1);
        d.integer("interval", 1);
    });
}

#[test]
#[should_panic(expected = "out of order")]
fn a_key_twice_is_a_defect() {
    written(|d| {
        d.integer("peers", 1);
        d.integer("peers", 1);
    });
}

proptest! {
    #[test]
    fn a_third_party_decoder_reads_what_was_written(number: u64, text: Vec<u8>) {
        let mut out = Vec::new();
        dictionary(&mut out, |d| {
            d.bytes("bytes", &text);
            d.integer("number", number);
        });
        let mut decoder = bendy::decoding::Decoder::new(&out);
        let Some(Object::Dict(mut dict)) = decoder.next_object().unwrap() else {
            panic!("not a dictionary");
        };
        let (key, value) = dict.next_pair().unwrap().unwrap();
        prop_assert_eq!(key, b"bytes");
        prop_assert_eq!(value.try_into_bytes().unwrap(), &text[..]);
        let (key, value) = dict.next_pair().unwrap().unwrap();
        prop_assert_eq!(key, b"number");
        prop_assert_eq!(u64::decode_bencode_object(value).unwrap(), number);
        prop_assert!(dict.next_pair().unwrap().is_none());
    }
}
