//! The query string of a URL: pairs, and percent escapes. What the pairs mean is not known here.
//!
//! Lenient on purpose: a pair that makes no sense is skipped, and never costs a client the rest
//! of its announce.

use std::borrow::Cow;

/// The pairs of a query string `a=1&b=2`, their values still percent-encoded. A key without `=`
/// and an empty key are skipped.
pub fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|&byte| byte == b'&').filter_map(|pair| {
        let middle = pair.iter().position(|&byte| byte == b'=')?;
        let (key, value) = (&pair[..middle], &pair[middle + 1..]);
        (!key.is_empty()).then_some((key, value))
    })
}

/// Undoes percent-encoding. `+` stays a plus sign, since peer ids contain it; a percent sign
/// without two hexadecimal digits behind it stays one too.
pub fn decode(encoded: &[u8]) -> Cow<'_, [u8]> {
    if !encoded.contains(&b'%') {
        return Cow::Borrowed(encoded);
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&first, tail)) = rest.split_first() {
        rest = match (first, escape(tail)) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                &tail[2..]
            }
            _ => {
                decoded.push(first);
                tail
            }
        };
    }
    Cow::Owned(decoded)
}

/// Undoes percent-encoding into exactly `N` bytes; otherwise says how many there are.
pub fn decode_exactly<const N: usize>(encoded: &[u8]) -> Result<[u8; N], usize> {
    let decoded = decode(encoded);
    decoded[..].try_into().map_err(|_| decoded.len())
}

/// The byte that the two hexadecimal digits behind a percent sign stand for.
fn escape(tail: &[u8]) -> Option<u8> {
    let digit = |index: usize| {
        let digit = char::from(*tail.get(index)?).to_digit(16)?;
        Some(digit as u8)
    };
    Some(digit(0)? << 4 | digit(1)?)
}

#[cfg(test)]
mod tests {
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
}
