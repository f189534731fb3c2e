//! The name of a torrent that an announce URL carries: `?dn=NAME`, which clients send along with
//! what they have to say themselves.
//!
//! Anybody can send anything, and others look at it, so what could pass for something else, or turn
//! round what stands beside it, is taken out here. That it is text and no markup is for those who
//! show it to see to.

use super::query;

/// Characters at most.
const MOST: usize = 100;

/// The name in the query string of an announce, encoded; the first counts.
pub fn find(query: &[u8]) -> Option<&[u8]> {
    query::pairs(query).find_map(|(key, value)| (key == b"dn").then_some(value))
}

/// A name as it is stored and shown. `None` if nothing is left of it.
pub fn clean(encoded: &[u8]) -> Option<String> {
    let mut name = String::new();
    let mut length = 0;
    for char in text(encoded).chars() {
        let char = if char.is_whitespace() { ' ' } else { char };
        let is_repeated = char == ' ' && (name.is_empty() || name.ends_with(' '));
        if is_repeated || is_invisible(char) {
            continue;
        }
        if length == MOST {
            break;
        }
        name.push(char);
        length += 1;
    }
    name.truncate(name.trim_end().len());
    (!name.is_empty()).then_some(name)
}

/// A value of a query as text, the plus sign standing for a space, as it does in magnet links.
pub fn text(encoded: &[u8]) -> String {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|&byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    String::from_utf8_lossy(&query::decode(&spaced)).into_owned()
}

/// Characters without a shape of their own: controls, those that change the direction of the text
/// around them, and those that nobody sees, by which a name could look like another.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
#[path = "display_name_tests.rs"]
mod tests;
