//! The page in a real browser: what a person sees, and that nothing goes wrong behind it. What the
//! page says in which case is tested in `src/http/page_tests.rs`, and who gets it in `page.rs`.

use std::path::Path;

use crate::support::browser::Browser;
use crate::support::http::{ask, get, ipv4};
use crate::support::tracker::Tracker;

/// Whether the element with this id shows this text.
pub fn shows(id: &str, text: &str) -> String {
    format!("document.getElementById('{id}').textContent === '{text}'")
}

/// Every request since the last call went to the tracker; and nothing is in the console.
#[track_caller]
pub fn assert_clean(browser: &Browser, origin: &str) {
    let requests = browser.requests();
    assert!(
        requests.iter().any(|url| url.starts_with(origin)),
        "{requests:?}"
    );
    let is_own = |url: &String| url.starts_with(origin) || url.starts_with("data:");
    assert!(requests.iter().all(is_own), "{requests:?}");
    let console = browser.log("browser");
    assert!(console.is_empty(), "{console:?}");
}

#[test]
fn the_page_shows_what_goes_on_and_stays_up_to_date_by_itself() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0"]);
    let origin = format!("http://{}", ipv4(&tracker));
    ask(&tracker, "port=1&left=5");
    ask(&tracker, "port=2&left=0");
    browser.open(&origin);
    for (id, text) in [
        ("torrents", "1"),
        ("seeders", "1"),
        ("leechers", "1"),
        ("announces", "2"),
        ("http", &format!("{origin}/announce")),
        ("udp", &format!("udp://{}/announce", ipv4(&tracker))),
    ] {
        browser.wait_until(&shows(id, text));
    }
    browser.wait_until("document.getElementById('here').textContent.includes('1 of 1')");
    assert_eq!(
        browser.run("return document.title"),
        "mayfly, a BitTorrent tracker"
    );

    browser.run("window.isTheSameDocument = true; window.dd = document.querySelector('dd')");
    ask(&tracker, "port=3&left=0");
    browser.wait_until(&shows("seeders", "2"));
    browser.wait_until(&shows("announces", "3"));
    browser.wait_until("+document.getElementById('rate').textContent > 0");
    let same = "return window.isTheSameDocument && window.dd.isConnected";
    assert_eq!(browser.run(same), true, "it was loaded anew");
    assert_clean(&browser, &origin);
}

#[test]
fn the_button_copies_the_url() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0"]);
    let port = tracker.port();
    // In a secure context, which this machine is, there is a clipboard to write to and read from.
    let origin = format!("http://127.0.0.1:{port}");
    let permissions = serde_json::json!({
        "origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"],
    });
    browser.cdp("Browser.grantPermissions", permissions);
    browser.open(&origin);
    for (id, scheme) in [("udp", "udp"), ("http", "http")] {
        browser.click(&format!("button[data-of={id}]"));
        browser.wait_until(&shows("said", "copied"));
        let copied = browser.run("return navigator.clipboard.readText()");
        assert_eq!(copied, format!("{scheme}://127.0.0.1:{port}/announce"));
        let text = format!("return document.querySelector('[data-of={id}]').textContent");
        assert_eq!(browser.run(&text), "Copied");
        browser.wait_until(&shows("said", ""));
        assert_eq!(browser.run(&text), "Copy");
    }
    assert_clean(&browser, &origin);

    // By plain HTTP from another machine there is none.
    let origin = format!("http://tracker.lan:{port}");
    browser.open(&origin);
    assert_eq!(
        browser.run("return isSecureContext || !!navigator.clipboard"),
        false
    );
    browser.run("document.oncopy = () => { window.copied = getSelection().toString() }");
    for scheme in ["udp", "http"] {
        browser.click(&format!("button[data-of={scheme}]"));
        let expected = format!("{scheme}://tracker.lan:{port}/announce");
        browser.wait_until(&format!("window.copied === '{expected}'"));
        browser.wait_until(&shows("said", "copied"));
    }
    assert_clean(&browser, &origin);
}

#[test]
fn the_page_says_when_the_tracker_is_gone_and_recovers() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0"]);
    let (port, origin) = (
        tracker.port().to_string(),
        format!("http://{}", ipv4(&tracker)),
    );
    ask(&tracker, "port=1&left=5");
    browser.open(&origin);
    browser.wait_until(&shows("torrents", "1"));
    let state = "document.getElementById('state').textContent";
    browser.wait_until(&format!("{state}.endsWith('is running.')"));
    drop(tracker);
    browser.wait_until(&format!(
        "{state}.startsWith('The tracker does not answer.')"
    ));
    assert_eq!(browser.run("return document.body.className"), "lost");
    let _again = Tracker::start(&["-p", &port]);
    browser.wait_until(&format!("{state}.endsWith('is running.')"));
    browser.wait_until(&shows("torrents", "0"));
    let silent = "document.getElementById('silent').textContent";
    browser.wait_until(&format!("{silent}.startsWith('Nobody has announced yet.')"));
    assert_eq!(browser.run("return document.body.className"), "");
}

#[test]
fn a_hidden_page_asks_for_nothing_until_it_is_seen_again() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0"]);
    browser.open(&format!("http://{}", ipv4(&tracker)));
    browser.wait_until(&shows("rate", "0"));
    let hide = |is_hidden: bool| {
        browser.run(&format!(
            "Object.defineProperty(document, 'hidden', {{value: {is_hidden}, configurable: true}});
             document.dispatchEvent(new Event('visibilitychange'))"
        ));
    };
    hide(true);
    browser.requests();
    // That nothing happens can only be seen by waiting, for longer than it would take.
    browser.run("return new Promise(done => setTimeout(done, 2500))");
    // One may have been under way.
    let meanwhile = browser.requests();
    assert!(meanwhile.is_empty(), "{meanwhile:?}");
    ask(&tracker, "port=1&left=5");
    hide(false);
    browser.wait_until(&shows("torrents", "1"));
}

#[test]
fn the_graphs_are_there_at_once_after_a_reload() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0"]);
    let origin = format!("http://{}", ipv4(&tracker));
    for port in 1..=20 {
        ask(&tracker, &format!("port={port}&left=5"));
    }
    browser.open(&origin);
    // Ten seconds after the start the first step is over.
    let line = |id: &str| format!("document.getElementById('{id}line').getBBox().height");
    browser.wait_until(&format!("{} === 100", line("rates")));
    browser.open(&origin);
    // Not waited for: it comes with the page itself.
    for (id, begin) in [("rates", "Announces a second, "), ("peers", "Peers, ")] {
        assert_eq!(browser.run(&format!("return {}", line(id))), 100, "{id}");
        let title = format!("document.querySelector('[aria-labelledby={id}words] title')");
        let words = browser.run(&format!("return {title}.textContent"));
        let words = words.as_str().expect("text");
        let minutes = words.strip_prefix(begin).expect(begin);
        let newest = minutes.rsplit([' ', ',']).next().expect("a number");
        assert!(
            newest.parse::<f32>().is_ok_and(|value| value > 0.0),
            "{words}"
        );
    }
    browser.wait_until(&shows("peersmost", "20"));
    assert_clean(&browser, &origin);
}

/// Pictures for those who want to look at it, in `target/tmp`, and that nothing is cut off.
#[test]
fn the_page_fits_phones_and_the_dark() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0"]);
    for port in 1..=5 {
        ask(&tracker, &format!("port={port}&left={}", port % 2));
    }
    ask(&tracker, "port=0&left=5");
    let origin = format!("http://tracker.lan:{}", tracker.port());
    let mut backgrounds = vec![];
    for (path, name) in [("/", "page"), ("/announce", "announce")] {
        browser.open(&format!("{origin}{path}"));
        for width in [360, 1280] {
            for scheme in ["light", "dark"] {
                browser.resize(width, scheme);
                let scrolls = browser.run(
                    "const {scrollWidth, clientWidth} = document.documentElement;
                     return scrollWidth > clientWidth",
                );
                assert_eq!(scrolls, false, "{name} {width} {scheme}");
                let background = "return getComputedStyle(document.body).backgroundColor";
                backgrounds.push(browser.run(background).to_string());
                let file = format!("{name}-{width}-{scheme}.png");
                browser.screenshot(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(file));
            }
        }
    }
    for light_and_dark in backgrounds.chunks(2) {
        assert_ne!(light_and_dark[0], light_and_dark[1]);
    }
    assert_clean(&browser, &origin);
}

#[test]
fn an_announce_url_opened_in_a_browser_says_what_it_is_for() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let tracker = Tracker::start(&["-p", "0"]);
    let origin = format!("http://{}", ipv4(&tracker));
    browser.open(&format!("{origin}/announce"));
    let text = browser.run("return document.body.innerText").to_string();
    assert!(text.contains("for BitTorrent clients"), "{text}");
    assert!(text.contains("address bar"), "{text}");
    assert_clean(&browser, &origin);
    // What a client gets.
    assert!(
        get(ipv4(&tracker), "/announce")
            .body
            .starts_with(b"d12:failure code")
    );
}
