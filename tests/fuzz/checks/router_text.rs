//! What a router answers in text: to the question where it is, over HTTP in whatever pieces, what
//! it says of itself, and what its service says of a mapping.

use super::Choices;
use mayfly::router::description::{self, KINDS};
use mayfly::router::http_answer::{self, Read};
use mayfly::router::place::Place;
use mayfly::router::xml::Pieces;
use mayfly::router::{soap, ssdp};
use std::net::Ipv4Addr;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

/// Checks what a text is taken for.
pub fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let what = choices.byte();
    let bytes = choices.0;
    let text = String::from_utf8_lossy(bytes);
    match what % 4 {
        0 => {
            if let Some(place) = ssdp::location(bytes, ROUTER) {
                check_place(&place);
            }
        }
        1 => check_description(&text),
        2 => check_http(bytes),
        _ => check_soap(&text),
    }
}

fn check_place(place: &Place) {
    assert_eq!(*place.socket.ip(), ROUTER, "it leads elsewhere");
    assert_ne!(place.socket.port(), 0);
    assert!(place.path.starts_with('/') && !place.path.starts_with("//"));
    assert!(place.path.len() <= 512);
    assert!(place.path.bytes().all(|byte| (b'!'..=b'~').contains(&byte)));
}

fn check_description(text: &str) {
    // There are no more pieces than there are bytes, so it ends.
    assert!(Pieces::of(text).count() <= text.len());
    let here = Place::parse("http://192.168.1.1:5000/dir/root.xml", ROUTER).expect("a place");
    let services = description::services(text, &here);
    assert!(services.len() <= 4);
    for service in services {
        check_place(&service.control);
        assert!(KINDS.contains(&service.kind) && text.contains(service.kind));
        let request = soap::request(&service, "X", &[]);
        // Nothing that the router has said begins a line of its own.
        assert_eq!(request.split("\r\n\r\n").count(), 2);
        assert_eq!(request.matches("\r\nHost: ").count(), 1);
    }
}

fn check_http(bytes: &[u8]) {
    let whole = http_answer::read(bytes, true);
    assert_ne!(whole, Read::Part, "nothing will follow");
    if let Read::Whole(answer) = &whole {
        // A byte that is no text takes three.
        assert!(answer.body.len() <= 3 * bytes.len());
    }
    // What a part of it already is, all of it is.
    for end in [bytes.len() / 2, bytes.len()] {
        let part = http_answer::read(&bytes[..end], false);
        if part != Read::Part {
            assert_eq!(part, whole);
        }
    }
}

fn check_soap(text: &str) {
    for status in [200, 500] {
        let is_done = soap::outcome(status, text).is_ok();
        assert!(!is_done || status == 200);
    }
    if let Some(address) = soap::outside_address(text) {
        assert!(text.contains(&address.to_string()));
    }
    assert_ne!(soap::reserved_port(text), Some(0));
    if let Some(entry) = soap::entry(text) {
        assert_ne!(entry.left, Some(0));
        let client = entry.client.map(|client| client.to_string());
        assert!(client.is_none_or(|client| text.contains(&client)));
    }
}
