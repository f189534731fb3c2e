//! Tests of `http/query.rs`.

use super::*;
use proptest::prelude::*;

fn read(query: &str) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    pairs(query.as_bytes())
        .map(|(key, value)| (text(key), text(&decode(value))))
        .collect()
}

macro_rules! reads_as {
    ($name:ident, $query:expr, $($key:expr => $value:expr),*) => {
        #[test]
        fn $name() {
            let expected: Vec<(String, String)> = vec![$(($key.into(), $value.into())),*];
            assert_eq!(read($query), expected);
        }
    };
}

reads_as!(nothing, "",);
reads_as!(one_pair, "a=1", "a" => "1");
reads_as!(two_pairs, "a=1&b=2", "a" => "1", "b" => "2");
reads_as!(an_empty_value, "a=", "a" => "");
reads_as!(a_bare_key_is_skipped, "a&b=2&c", "b" => "2");
reads_as!(an_empty_pair_is_skipped, "&&b=2&", "b" => "2");
reads_as!(an_empty_key_is_skipped, "=1&b=2", "b" => "2");
reads_as!(a_second_equals_sign_is_data, "a=b=c", "a" => "b=c");
reads_as!(plus_stays_plus, "a=1+1", "a" => "1+1");
reads_as!(escapes_in_all_cases, "a=%2f%2F%c3%A9%C3%a9", "a" => "//éé");
reads_as!(a_broken_escape_stays, "a=%zz%4&b=%", "a" => "%zz%4", "b" => "%");
reads_as!(a_sign_is_no_digit, "a=%+1", "a" => "%+1");
reads_as!(an_escaped_ampersand_is_data, "a=1%262%3d", "a" => "1&2=");
reads_as!(a_question_mark_is_data, "a=?&b=2", "a" => "?", "b" => "2");

#[test]
fn exactly_so_many_bytes_or_how_many_there_are() {
    assert_eq!(decode_exactly(b"a%00%FF"), Ok([b'a', 0, 255]));
    assert_eq!(decode_exactly::<3>(b"a%00"), Err(2));
    assert_eq!(decode_exactly::<3>(b"abcd"), Err(4));
}

proptest! {
    #[test]
    fn every_byte_survives_in_either_case(bytes: Vec<u8>, upper: bool) {
        let escape = |b: &u8| if upper { format!("%{b:02X}") } else { format!("%{b:02x}") };
        let encoded: String = bytes.iter().map(escape).collect();
        prop_assert_eq!(&decode(encoded.as_bytes())[..], &bytes[..]);
    }

    #[test]
    fn anything_can_be_read(query: Vec<u8>) {
        for (key, value) in pairs(&query) {
            prop_assert!(!key.is_empty());
            prop_assert!(decode(value).len() <= value.len());
        }
    }
}
