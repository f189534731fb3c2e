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
#[path = "query_tests.rs"]
mod tests;
