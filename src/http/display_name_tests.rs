//! Names from the query, and what is taken out of them.

use super::*;

#[test]
fn the_first_dn_of_a_query_is_the_name() {
    for (query, name) in [
        ("", None),
        ("dn", None),
        ("dn=", Some("")),
        ("a=1&dn=x&dn=y&b=2", Some("x")),
        ("DN=x", None),
        ("xdn=x&dnx=y", None),
    ] {
        assert_eq!(find(query.as_bytes()), name.map(str::as_bytes), "{query}");
    }
}

#[test]
fn names_are_text_on_one_line() {
    for (encoded, name) in [
        ("debian-12.iso", "debian-12.iso"),
        ("Two%20words+and+more", "Two words and more"),
        ("C%2B%2B", "C++"),
        ("%C3%A4%E6%9D%B1%F0%9F%90%9D", "ä東🐝"),
        // Not UTF-8: where it is not, one sees that.
        ("Caf%E9", "Caf\u{fffd}"),
        ("%", "%"),
        ("%3Cscript%3E%22%27%26", "<script>\"'&"),
        ("%20%20a%20%09%0D%0A%20b%E3%80%80%20", "a b"),
        ("a%00%1B%7F%C2%85b", "a b"),
        ("a%E2%80%A8b", "a b"),
    ] {
        let cleaned = clean(encoded.as_bytes());
        assert_eq!(cleaned.as_deref(), Some(name), "{encoded}");
    }
    for encoded in ["", "+", "%20%09", "%00", "%E2%80%AE", "%E2%80%8B+%EF%BB%BF"] {
        assert_eq!(clean(encoded.as_bytes()), None, "{encoded}");
    }
}

/// What Unicode calls Bidi_Control and Default_Ignorable_Code_Point.
#[test]
fn nothing_turns_the_text_round_or_cannot_be_seen() {
    let invisible = [
        0xad..=0xad,
        0x34f..=0x34f,
        0x61c..=0x61c,
        0x115f..=0x1160,
        0x17b4..=0x17b5,
        0x180b..=0x180f,
        0x200b..=0x200f,
        0x202a..=0x202e,
        0x2060..=0x206f,
        0x3164..=0x3164,
        0xfe00..=0xfe0f,
        0xfeff..=0xfeff,
        0xffa0..=0xffa0,
        0xfff0..=0xfff8,
        0x1bca0..=0x1bca3,
        0x1d173..=0x1d17a,
        0xe0000..=0xe0fff,
        0..=8,
        0xe..=0x1f,
        0x7f..=0x84,
        0x86..=0x9f,
    ];
    let letters = ["a", "é", "ש", "ع", "東", "क", "🐝", "~"];
    for char in invisible.into_iter().flatten().filter_map(char::from_u32) {
        let name = clean(format!("x{char}y").as_bytes());
        assert_eq!(name.as_deref(), Some("xy"), "{:x}", u32::from(char));
    }
    for letter in letters {
        assert_eq!(clean(letter.as_bytes()).as_deref(), Some(letter));
    }
}

#[test]
fn a_name_has_100_characters_at_most() {
    for letter in ["a", "ä", "🐝"] {
        let cleaned = clean(letter.repeat(10_000).as_bytes()).unwrap();
        assert_eq!(cleaned, letter.repeat(100));
    }
    // What is taken out does not count.
    let rest = "\u{202e}".repeat(1_000) + &"b".repeat(100);
    assert_eq!(clean(rest.as_bytes()).unwrap(), "b".repeat(100));
    let spaced = clean("ab ".repeat(200).as_bytes()).unwrap();
    assert_eq!(spaced.len(), 100);
    // No space at the end.
    let spaced = clean("a ".repeat(200).as_bytes()).unwrap();
    assert_eq!((spaced.len(), spaced.ends_with('a')), (99, true));
}
