//! The list of the torrents in a real browser, and that its magnet links lead to the torrents. What
//! is in the list is tested in `torrents.rs`.

use std::path::Path;

use serde_json::{Value, json};

use crate::browser::{assert_clean, shows};
use crate::support::browser::Browser;
use crate::support::clients::{Client as Peer, Swarm};
use crate::support::http::{Connection, announce, decode, get, ipv4};
use crate::support::tools::tool;
use crate::support::tracker::Tracker;
use crate::support::udp::Client;
use crate::support::vitals::found_in_time;

/// What the rows show, from left to right, without the ages and the buttons.
const ROWS: &str = "[...document.getElementById('rows').rows].map(row =>
    [...row.cells].slice(0, 4).map(cell => cell.textContent).join(' '))";

fn ask(tracker: &Tracker, letter: char, rest: &str) {
    let hash = letter.to_string().repeat(20);
    let query = format!("info_hash={hash}&peer_id=-MF1000-abcdefghijkl&downloaded=5&{rest}");
    assert!(announce(ipv4(tracker), &query).peers.is_some());
}

fn wait_for_rows(browser: &Browser, rows: &[&str]) {
    browser.wait_until(&format!(
        "JSON.stringify({ROWS}) === JSON.stringify({})",
        json!(rows)
    ));
}

/// Types into a field, or chooses, as a person.
fn enter(browser: &Browser, id: &str, value: &str) {
    let value = json!(value);
    browser.run(&format!(
        "const field = document.getElementById('{id}'); field.value = {value};
         for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind))"
    ));
}

#[test]
fn the_list_fills_sorts_and_searches_by_itself() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0", "--list"]);
    let origin = format!("http://{}", ipv4(&tracker));
    browser.open(&origin);
    browser.wait_until(&shows("count", "None."));
    ask(&tracker, 'a', "port=1&left=5&dn=Zebra");
    // The newest is told by the second in which it began. "Not yet" is an answer without a time.
    let now = || {
        let text = get(ipv4(&tracker), "/torrents.json").text();
        let list = serde_json::from_str::<Value>(&text).ok()?;
        list["now"].as_u64()
    };
    let first = found_in_time(now).expect("a list");
    // Two, since a time may be rounded up to the next.
    let later = || now().filter(|&now| now > first + 1);
    found_in_time(later).expect("time goes on");
    ask(&tracker, 'b', "port=1&left=0&dn=apple");
    for port in 1..=3 {
        ask(&tracker, 'c', &format!("port={port}&left=5"));
    }
    let hash = "63".repeat(20);
    let (zebra, apple, unnamed) = ("Zebra 0 1 0", "apple 1 0 0", &*format!("{hash} 0 3 0"));
    wait_for_rows(&browser, &[apple, unnamed, zebra]);
    browser.wait_until(&shows("count", "3 in all."));
    enter(&browser, "order", "largest");
    wait_for_rows(&browser, &[unnamed, zebra, apple]);
    enter(&browser, "order", "name");
    wait_for_rows(&browser, &[apple, zebra, unnamed]);
    // The rows stay the same elements, whatever changes in them: a person may have selected one.
    browser.run("window.zebra = document.getElementById('rows').rows[1]");
    enter(&browser, "search", "EBR");
    wait_for_rows(&browser, &[zebra]);
    ask(&tracker, 'a', "port=2&left=0");
    wait_for_rows(&browser, &["Zebra 1 1 0"]);
    let same = "return window.zebra === document.getElementById('rows').rows[0]";
    assert_eq!(browser.run(same), true);
    enter(&browser, "search", "6363");
    wait_for_rows(&browser, &[unnamed]);
    enter(&browser, "search", "nothing");
    browser.wait_until(&shows("count", "None."));
    let buttons =
        "document.getElementById('first').hidden && document.getElementById('next').hidden";
    assert_eq!(browser.run(&format!("return {buttons}")), true);
    assert_clean(&browser, &origin);
}

#[test]
fn a_magnet_link_is_there_to_click_and_to_copy() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0", "--list", "-b", "127.0.0.1"]);
    let port = tracker.port();
    ask(&tracker, 'a', "port=1&left=5&dn=Two%20words%20%26%20%C3%A4");
    let magnet = |host: &str| {
        format!(
            "magnet:?xt=urn:btih:{}&dn=Two%20words%20%26%20%C3%A4\
             &tr=http%3A%2F%2F{host}%3A{port}%2Fannounce&tr=udp%3A%2F%2F{host}%3A{port}%2Fannounce",
            "61".repeat(20)
        )
    };
    let origin = format!("http://127.0.0.1:{port}");
    let permissions = json!({
        "origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"],
    });
    browser.cdp("Browser.grantPermissions", permissions);
    browser.open(&origin);
    browser.wait_until(&shows("count", "1 in all."));
    browser.click("#rows button");
    browser.wait_until(&shows("said", "copied"));
    let copied = browser.run("return navigator.clipboard.readText()");
    assert_eq!(copied, magnet("127.0.0.1"));
    let link = "return document.querySelector('#rows a').href";
    assert_eq!(browser.run(link), magnet("127.0.0.1"));
    assert_clean(&browser, &origin);

    // By plain HTTP from another machine there is no clipboard but the old one.
    let origin = format!("http://tracker.lan:{port}");
    browser.open(&origin);
    browser.wait_until(&shows("count", "1 in all."));
    browser.run("document.oncopy = () => { window.copied = getSelection().toString() }");
    browser.click("#rows button");
    browser.wait_until(&format!(
        "window.copied === {}",
        json!(magnet("tracker.lan"))
    ));
    browser.wait_until(&shows("said", "copied"));
    assert_clean(&browser, &origin);
}

/// A person who has nothing but a client and looks at the page.
#[test]
fn a_magnet_link_copied_from_the_page_is_all_that_aria2_needs() {
    let (Some(browser), Some(_)) = (Browser::start(), tool("aria2c")) else {
        return;
    };
    // 3 seconds: whoever hears of nobody soon asks again.
    let args = ["-p", "0", "-i", "0.05", "-v", "--list", "-b", "127.0.0.1"];
    let tracker = Tracker::start(&args);
    let origin = format!("http://{}", ipv4(&tracker));
    let mut swarm = Swarm::new();
    let url = format!("{origin}/announce?dn=Holiday");
    swarm.seed(Peer::Aria2, None, &[&url]);
    let permissions = json!({
        "origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"],
    });
    browser.cdp("Browser.grantPermissions", permissions);
    browser.open(&origin);
    let name = "document.querySelector('#rows a')?.textContent";
    browser.wait_until(&format!("{name} === 'Holiday'"));
    browser.click("#rows button");
    browser.wait_until(&shows("said", "copied"));
    let copied = browser.run("return navigator.clipboard.readText()");
    let magnet = copied.as_str().expect("a text");
    let begin = format!("magnet:?xt=urn:btih:{}&dn=Holiday&tr=", swarm.info_hash());
    assert!(magnet.starts_with(&begin), "{magnet}");
    swarm.download_by(Peer::Aria2, None, magnet);
    swarm.wait(&tracker);
    assert_clean(&browser, &origin);
}

/// What the page yields is what the tracker takes, and shows.
#[test]
fn a_name_typed_beside_the_url_goes_into_it() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0", "--list", "-b", "127.0.0.1"]);
    let origin = format!("http://{}", ipv4(&tracker));
    browser.open(&origin);
    let name = "C++ & \"more\"? 100% #1 ä🐝";
    enter(&browser, "name", &format!(" {name} "));
    let url = browser.run("return document.getElementById('http').textContent");
    let url = url.as_str().expect("a URL");
    let (begin, query) = url.split_once('?').expect("a name in it");
    assert_eq!(begin, format!("{origin}/announce"));
    assert!(
        query.is_ascii() && !query.contains([' ', '"', '&']),
        "{query}"
    );
    ask(&tracker, 'a', &format!("port=1&left=5&{query}"));
    wait_for_rows(&browser, &[&format!("{name} 0 1 0")]);
    enter(&browser, "name", "");
    browser.wait_until(&shows("http", begin));
    assert_clean(&browser, &origin);
}

#[test]
fn names_of_all_kinds_do_no_harm() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0", "--list"]);
    let marks = "a\u{301}".repeat(50);
    let names = [
        (
            'a',
            "<img src=x onerror=document.title='harm'><script>document.title='harm'</script>",
        ),
        (
            'b',
            "\"'></td></tr></table><h1 id=rows>&lt;b&gt;&amp; javascript:alert(1) \\\" ${1} `x`",
        ),
        ('c', "\u{202e}exe.txt\u{2066}\u{200f} שלום עולם"),
        ('d', &"x".repeat(7_000)),
        ('e', &marks),
    ];
    for (letter, name) in names {
        let escaped: String = name
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        ask(&tracker, letter, &format!("port=1&left=5&dn={escaped}"));
    }
    let origin = format!("http://tracker.lan:{}", tracker.port());
    browser.open(&origin);
    browser.wait_until(&shows("count", "5 in all."));
    let elements = "[...document.querySelectorAll('#rows *')].map(e => e.tagName)";
    let row = "TR,TD,A,TD,TD,TD,TD,TD,BUTTON";
    let expected = format!("{elements}.join() === Array(5).fill('{row}').join()");
    assert_eq!(browser.run(&format!("return {expected}")), true);
    let texts =
        browser.run("return [...document.querySelectorAll('#rows a')].map(a => a.textContent)");
    let mut texts: Vec<_> = texts
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect();
    texts.sort();
    let mut expected = [
        names[0].1,
        names[1].1,
        "exe.txt שלום עולם",
        &"x".repeat(100),
        &marks,
    ]
    .map(str::to_owned);
    expected.sort();
    assert_eq!(texts, expected);
    for width in [360, 1280] {
        browser.resize(width, "light");
        assert_eq!(browser.run(SCROLLS), false, "{width}");
        let file = format!("names-{width}.png");
        browser.screenshot(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(file));
    }
    assert_eq!(
        browser.run("return document.title"),
        "mayfly, a BitTorrent tracker"
    );
    assert_clean(&browser, &origin);
}

/// Whether one has to scroll sideways.
const SCROLLS: &str = "const {scrollWidth, clientWidth} = document.documentElement;
    return scrollWidth > clientWidth";

#[test]
fn a_list_of_100_000_is_read_500_at_a_time() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0", "--list"]);
    // By UDP, which takes less time, but has no names.
    let client = Client::connect("127.0.0.1", tracker.port());
    let hash = |n: usize| format!("torrent-number{n:06}");
    for batch in (0..100_000).step_by(50) {
        for n in batch..batch + 50 {
            let hash = hash(n).into_bytes().try_into().expect("20 bytes");
            let packet = client.announce_packet(&hash, 1, 5, 0);
            client.socket.send(&packet).expect("sent");
        }
        for _ in 0..50 {
            client
                .socket
                .recv(&mut [0; 100])
                .expect("an answer in time");
        }
    }
    let mut connection = Connection::open(ipv4(&tracker));
    for n in (0..100_000).step_by(100) {
        let hash = hash(n);
        let query = format!("info_hash={hash}&peer_id=-MF1000-abcdefghijkl&port=1&left=5");
        let answer = connection.get(&format!("/announce?{query}&dn=Number%20{n:06}"));
        assert_eq!(decode(&answer.body).incomplete, Some(1));
    }
    let origin = format!("http://tracker.lan:{}", tracker.port());
    browser.resize(360, "light");
    browser.open(&origin);
    browser.wait_until(&shows("count", "500 of 100,000; 99,500 more."));
    enter(&browser, "order", "name");
    let first = "document.querySelector('#rows a').textContent";
    browser.wait_until(&format!("{first} === 'Number 000000'"));
    for (width, scheme) in [(1280, "dark"), (360, "light")] {
        browser.resize(width, scheme);
        assert_eq!(browser.run(SCROLLS), false, "{width}");
        let rows = "return document.getElementById('rows').rows.length";
        assert_eq!(browser.run(rows), 500);
        let file = format!("list-{width}.png");
        browser.screenshot(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(file));
    }
    browser.click("#next");
    browser.wait_until(&format!("{first} === 'Number 050000'"));
    browser.wait_until(&shows("count", "500 of 100,000; 99,000 more."));
    browser.click("#first");
    browser.wait_until(&format!("{first} === 'Number 000000'"));
    // There are more than one answer has room for, so it takes a look of its own.
    enter(&browser, "search", "number 0999");
    browser.wait_until(&shows("count", "1 in all."));
    assert_eq!(browser.run(&format!("return {first}")), "Number 099900");
    assert_clean(&browser, &origin);
}
