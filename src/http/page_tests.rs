//! The pages, on values.

use super::*;
use sha2::{Digest, Sha256};
use std::sync::Arc;

fn local() -> SocketAddr {
    "192.168.1.5:9000".parse().unwrap()
}

/// What the page is made of, for a visitor from the LAN.
struct Given {
    settings: Settings,
    counters: Arc<Counters>,
    totals: Totals,
    one_address: OneAddress,
    host: Option<&'static str>,
}

impl Given {
    fn new() -> Given {
        Given {
            settings: Settings {
                has_udp: true,
                ..Settings::default()
            },
            counters: Counters::new(),
            totals: Totals::default(),
            one_address: OneAddress::default(),
            host: Some("box.lan:9000"),
        }
    }

    fn front(&self) -> Front<'_> {
        Front {
            settings: &self.settings,
            counters: &self.counters,
            totals: self.totals,
            one_address: self.one_address,
            uptime: Duration::from_millis(3_725_999),
            host: self.host,
            local: local(),
            is_for_proxy: false,
            for_others: Vec::new(),
            for_the_internet: Vec::new(),
        }
    }
}

/// What the element with this id contains.
fn shown(page: &str, id: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!(" id=\"{id}\""))?;
    let (_, rest) = rest.split_once('>')?;
    Some(rest.split_once('<')?.0.to_owned())
}

#[test]
fn the_policy_names_the_style_and_the_script() {
    let between = |begin, end| {
        let (_, rest) = PAGE.split_once(begin).expect(begin);
        rest.split_once(end).expect(end).0
    };
    assert_eq!(between("<style>", "</style>"), "@style@");
    assert!(FOR_PEOPLE.contains("<style>@style@</style>"));
    let policy = HTML.iter().find(|(name, _)| name.ends_with("Policy"));
    let (_, policy) = policy.unwrap();
    for (directive, text) in [
        ("style-src", STYLE),
        ("script-src", between("<script>", "</script>")),
    ] {
        let sum = base64(&Sha256::digest(text));
        let expected = format!("{directive} 'sha256-{sum}';");
        assert!(policy.contains(&expected), "{expected} in {policy}");
    }
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let [a, b, c] = three.map(u32::from);
        let bits = a << 16 | b << 8 | c;
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            let is_there = digit <= chunk.len();
            out.push(if is_there {
                DIGITS[value as usize].into()
            } else {
                '='
            });
        }
    }
    out
}

#[test]
fn every_place_of_the_templates_is_filled() {
    let mut given = Given::new();
    given.one_address = OneAddress {
        of: 2,
        on_this_machine: 1,
        elsewhere: 1,
    };
    given.counters.refuse(Reason::PortZero);
    given.counters.refuse(Reason::StoreIsFull);
    given.counters.shown_nobody.add();
    let ten_seconds = Duration::from_secs(10);
    given.counters.advance(ten_seconds, || 1);
    let mut texts = given.front().texts();
    for name in ["urls", "name", "list", "home", "version"] {
        texts.push((name, "something".to_owned()));
    }
    for template in [PAGE, FOR_PEOPLE] {
        let parts: Vec<_> = template.split('@').collect();
        assert!(parts.len() % 2 == 1, "an @ without another");
        for name in parts.into_iter().skip(1).step_by(2) {
            let is_there = |text: &Text| text.0 == name && !text.1.is_empty();
            assert!(name == "style" || texts.iter().any(is_there), "{name}");
        }
    }
    assert!(given.front().page().contains("<style>:root"));
}

#[test]
fn numbers_however_large() {
    let mut given = Given::new();
    given.totals = Totals {
        torrents: 1_234_567,
        clients: [[u32::MAX - 1, 1], [12, 34]],
        swept: 0,
    };
    given.counters.http.announces.answered.add();
    given.counters.udp.announces.answered.add();
    let page = given.front().page();
    for (id, text) in [
        ("torrents", "1,234,567"),
        ("seeders", "46"),
        ("leechers", "4,294,967,295"),
        ("announces", "2"),
        ("uptime", "1 h 2 min"),
    ] {
        assert_eq!(shown(&page, id).as_deref(), Some(text), "{id}");
    }
    let json: serde_json::Value = serde_json::from_str(&given.front().json()).unwrap();
    for (id, text) in [
        ("torrents", "1,234,567"),
        ("answered", "2"),
        ("ms", "3725999"),
        ("silent", ""),
    ] {
        assert_eq!(json[id], text, "{id}");
    }
    assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    assert_eq!([0, 999, 1_000].map(grouped), ["0", "999", "1,000"]);
}

#[test]
fn uptimes() {
    for (seconds, text) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h 0 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 0 h"),
        (8_640_000 + 7_300, "100 d 2 h"),
    ] {
        assert_eq!(uptime(seconds), text);
    }
}

#[test]
fn urls_as_the_visitor_reaches_the_tracker() {
    for (host, http, udp) in [
        (
            Some("box.lan:9000"),
            "http://box.lan:9000/announce",
            "box.lan",
        ),
        (Some("box.lan"), "http://box.lan/announce", "box.lan"),
        (
            Some("[fd00::5]:80"),
            "http://[fd00::5]:80/announce",
            "[fd00::5]",
        ),
        (Some("[fd00::5]"), "http://[fd00::5]/announce", "[fd00::5]"),
        (None, "http://192.168.1.5:9000/announce", "192.168.1.5"),
    ] {
        let given = Given {
            host,
            ..Given::new()
        };
        let page = given.front().page();
        let udp = format!("udp://{udp}:9000/announce");
        assert_eq!(shown(&page, "http").as_deref(), Some(http));
        assert_eq!(shown(&page, "udp"), Some(udp));
    }
    let mut given = Given::new();
    given.settings.has_udp = false;
    assert_eq!(shown(&given.front().page(), "udp"), None);
}

#[test]
fn urls_for_others_where_this_one_is_of_no_use_to_them() {
    let given = Given::new();
    let front = Front {
        for_others: vec!["fd00::5".parse().unwrap()],
        ..given.front()
    };
    let page = front.page();
    let url = |scheme| Some(format!("{scheme}://[fd00::5]:9000/announce"));
    assert_eq!(shown(&page, "http2"), url("http"));
    assert_eq!(shown(&page, "udp2"), url("udp"));
    assert_eq!(
        (shown(&page, "http3"), page.contains("By other addresses")),
        (None, false)
    );
    let front = Front {
        for_others: vec!["192.168.1.5".parse().unwrap(), "fd00::5".parse().unwrap()],
        ..given.front()
    };
    let page = front.page();
    let (likeliest, rest) = page.split_once("By other addresses").expect("two");
    assert_eq!(
        shown(likeliest, "http2").as_deref(),
        Some("http://192.168.1.5:9000/announce")
    );
    assert_eq!(shown(rest, "http3"), url("http"));
    assert_eq!(shown(rest, "udp3"), url("udp"));
    let main = page.matches("class=\"url main\"").count();
    assert_eq!((main, page.contains("On this machine only")), (1, true));
    let page = given.front().page();
    assert_eq!((shown(&page, "http2"), shown(&page, "udp2")), (None, None));
}

#[test]
fn urls_for_the_internet_where_they_are_known() {
    let given = Given::new();
    let page = |urls: [&str; 2]| {
        let front = Front {
            for_the_internet: urls.map(str::to_owned).to_vec(),
            ..given.front()
        };
        front.page()
    };
    let urls = [
        "http://203.0.114.1:9001/announce",
        "udp://203.0.114.1:9000/announce",
    ];
    let page_of_others = page(urls);
    assert!(page_of_others.contains("<h2>From the internet</h2>"));
    assert_eq!(
        shown(&page_of_others, "internet0").as_deref(),
        Some(urls[0])
    );
    assert_eq!(
        shown(&page_of_others, "internet1").as_deref(),
        Some(urls[1])
    );
    // Not twice for who has come by them, and nothing where they are not known.
    let own = page([
        "http://box.lan:9000/announce",
        "udp://box.lan:9000/announce",
    ]);
    for page in [own, given.front().page()] {
        assert!(!page.contains("From the internet"), "{page}");
    }
}

#[test]
fn hints_say_what_looks_wrong_and_nothing_else() {
    const HINTS: [&str; 5] = ["silent", "here", "one", "zero", "full"];
    let hints = |given: &Given| {
        let page = given.front().page();
        HINTS.map(|id| shown(&page, id).unwrap())
    };
    let given = Given::new();
    let silent = hints(&given);
    assert!(silent[0].starts_with("Nobody has announced yet."));
    assert_eq!(silent[1..], [""; 4]);
    given.counters.http.announces.answered.add();
    assert_eq!(hints(&given), [""; 5]);
    let given = Given {
        one_address: OneAddress {
            of: 4_000,
            on_this_machine: 1,
            elsewhere: 2_000,
        },
        ..given
    };
    given.counters.refuse(Reason::PortZero);
    given.counters.refuse(Reason::StoreIsFull);
    let expected = [
        "",
        "Torrents whose peers are all on this very machine: 1 of 4,000 looked at. That is ",
        "Torrents whose peers all have one address: 2,000 of 4,000 looked at. If they ",
        "Announces refused because their port was 0: 1 so far. The client listens ",
        "Announces refused because the tracker is full: 1 so far. The option ",
    ];
    let json: serde_json::Value = serde_json::from_str(&given.front().json()).unwrap();
    for ((hint, expected), id) in hints(&given).iter().zip(expected).zip(HINTS) {
        assert!(hint.starts_with(expected), "{hint}");
        assert_eq!(hint.is_empty(), expected.is_empty(), "{hint}");
        assert_eq!(json[id], hint[..]);
    }
}

#[test]
fn while_nobody_announces_the_ports_are_named_that_a_firewall_may_close() {
    for (has_udp, bind, ports) in [
        (true, &[][..], Some("let TCP and UDP port 9000 in.")),
        (false, &[], Some("let TCP port 9000 in.")),
        (
            true,
            &["127.0.0.1", "10.0.0.1"],
            Some("TCP and UDP port 9000"),
        ),
        (true, &["127.0.0.1", "::1"], None),
    ] {
        let mut given = Given::new();
        given.settings.has_udp = has_udp;
        given.settings.bind = bind.iter().map(|ip| ip.parse().unwrap()).collect();
        let silent = shown(&given.front().page(), "silent").unwrap();
        assert_eq!(silent.contains("firewall"), ports.is_some(), "{silent}");
        assert!(silent.contains(ports.unwrap_or_default()), "{silent}");
    }
}

/// The gate lets no such host through. Should it ever, this is the second door.
#[test]
fn a_host_with_markup_is_not_shown() {
    for host in [
        "<b onclick='x'>",
        "\"><b >",
        "&lt;b >",
        "x'b ",
        "javascript:alert(1)",
    ] {
        let given = Given {
            host: Some(host),
            ..Given::new()
        };
        let page = given.front().page();
        assert!(!page.contains("<b ") && !page.contains(host), "{page}");
        assert!(page.contains("http://192.168.1.5:9000/announce"), "{page}");
    }
}

#[test]
fn who_opens_an_announce_url_is_led_to_the_page_if_it_is_shown_to_them() {
    assert!(what_it_is_for(true).contains("<a href=\"/\">"));
    assert!(!what_it_is_for(false).contains("<a "));
}
