use super::*;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

fn place(port: u16, path: &str) -> Option<Place> {
    Some(Place {
        socket: SocketAddrV4::new(ROUTER, port),
        path: path.to_owned(),
    })
}

#[test]
fn a_url_of_the_router_is_read() {
    let cases = [
        ("http://192.168.1.1:5000/root.xml", place(5000, "/root.xml")),
        ("HTTP://192.168.1.1/a?b=c", place(80, "/a?b=c")),
        ("http://192.168.1.1:49152", place(49152, "/")),
    ];
    for (url, expected) in cases {
        assert_eq!(Place::parse(url, ROUTER), expected, "{url}");
    }
}

#[test]
fn a_url_that_leads_elsewhere_is_none() {
    for url in [
        "",
        "http://",
        "http:///",
        "http://192.168.1.2:5000/root.xml",
        "http://203.0.113.9/",
        "http://router.example:5000/",
        "http://192.168.1.1@203.0.113.9/",
        "http://192.168.1.1:80@203.0.113.9/",
        "https://192.168.1.1/",
        "ftp://192.168.1.1/",
        "http://[::1]/",
        "http://192.168.1.1:0/",
        "http://192.168.1.1:+80/",
        "http://192.168.1.1:65536/",
        "http://192.168.1.1:/",
        "http://192.168.1.1/a b",
        "http://192.168.1.1/a\r\nHost: b",
        "http://192.168.1.1//203.0.113.9/",
        "http://192.168.1.1/\u{e9}",
        "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
    ] {
        assert_eq!(Place::parse(url, ROUTER), None, "{url:?}");
    }
    let long = |length| format!("http://192.168.1.1/{}", "a".repeat(length));
    assert!(Place::parse(&long(511), ROUTER).is_some());
    assert!(Place::parse(&long(512), ROUTER).is_none());
}

#[test]
fn a_reference_leads_on_from_where_it_stands() {
    let here = place(5000, "/dir/root.xml").expect("a place");
    let cases = [
        ("/ctl", place(5000, "/ctl")),
        ("ctl", place(5000, "/dir/ctl")),
        ("http://192.168.1.1:6000/ctl", place(6000, "/ctl")),
        ("http://192.168.1.2:5000/ctl", None),
        ("//203.0.113.9/ctl", None),
        ("https://192.168.1.1/ctl", None),
        ("a\nb", None),
    ];
    for (reference, expected) in cases {
        assert_eq!(here.join(reference), expected, "{reference:?}");
    }
}
