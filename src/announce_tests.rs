//! Tests of `announce.rs`.

use super::*;

fn claim(text: &str) -> Option<(String, Option<u16>)> {
    Claim::parse(text).map(|claim| match claim.host {
        Host::Address(ip) => (ip.to_string(), claim.port),
        Host::Name(name) => (format!("name {name}"), claim.port),
    })
}

#[test]
fn claims_in_all_their_forms() {
    let some = |host: &str, port| Some((host.to_owned(), port));
    assert_eq!(claim("192.0.2.7"), some("192.0.2.7", None));
    assert_eq!(claim("192.0.2.7:6881"), some("192.0.2.7", Some(6881)));
    assert_eq!(claim("2001:db8::7"), some("2001:db8::7", None));
    assert_eq!(claim("[2001:db8::7]"), some("2001:db8::7", None));
    assert_eq!(claim("[2001:db8::7]:6881"), some("2001:db8::7", Some(6881)));
    assert_eq!(claim("::ffff:192.0.2.7"), some("192.0.2.7", None));
    assert_eq!(claim("fe80::7%eth0"), some("fe80::7", None));
    assert_eq!(claim("Box.Example"), some("name box.example", None));
    assert_eq!(claim("box"), some("name box", None));
}

#[test]
fn what_is_no_claim() {
    for text in [
        "",
        ".",
        "a..b",
        "-a",
        "a b",
        "192.0.2.300",
        "10",
        "x\n",
        "é",
        "[::1",
        "<b>",
    ] {
        assert_eq!(claim(text), None, "{text:?}");
    }
    assert_eq!(claim(&"a.".repeat(128)), None, "255 characters");
}
