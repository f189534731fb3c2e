//! Tests of `start_lines.rs`.

use super::*;
use crate::options::{self, Command};

fn ips(text: &str) -> Vec<IpAddr> {
    let ips = text.split_whitespace();
    ips.map(|ip| ip.parse().unwrap()).collect()
}

fn place(bind: &str, has_udp: bool, has_each_udp: bool) -> Place {
    Place {
        bind: ips(bind),
        port: 9000,
        has_udp,
        has_each_udp,
    }
}

/// The lines for a tracker that was started with these arguments, listens there and is reached by
/// `addresses`.
fn written_at(place: &Place, arguments: &str, addresses: &str) -> String {
    let arguments = arguments.split_whitespace().map(str::to_owned);
    let Ok(Command::Run(options)) = options::parse(arguments) else {
        panic!("not to be run");
    };
    let lines = lines(&options, place, &ips(addresses), &[], true).into_iter();
    lines.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

fn written(arguments: &str, bind: &str, addresses: &str) -> String {
    let has_udp = !arguments.contains("--no-udp");
    written_at(&place(bind, has_udp, has_udp), arguments, addresses)
}

#[test]
fn urls_of_each_address_and_how_to_go_on() {
    assert_eq!(
        written("", "", "192.168.1.5 fd00::5"),
        concat!(
            "mayfly ",
            env!("CARGO_PKG_VERSION"),
            " is running. Announce URLs for your torrents:
  http://192.168.1.5:9000/announce
  udp://192.168.1.5:9000/announce
  http://[fd00::5]:9000/announce
  udp://[fd00::5]:9000/announce
Open http://localhost:9000/ in a browser to see how it is doing (on other machines: \
             http://192.168.1.5:9000/).
Press ctrl+c to stop."
        )
    );
}

#[test]
fn no_udp_no_udp_urls() {
    assert!(!written("--no-udp", "", "192.168.1.5").contains("udp:"));
}

#[test]
fn without_a_network_what_works_here() {
    let text = written("", "", "");
    assert!(text.contains("no network found"), "{text}");
    assert!(text.contains("http://127.0.0.1:9000/announce"), "{text}");
}

#[test]
fn what_is_bound_to_this_machine_is_said_to_be() {
    let here = "only programs on this machine";
    let proxy = "for the proxy on this machine";
    for (arguments, bind, expected) in [
        ("-b 127.0.0.1", "127.0.0.1", Some(here)),
        (
            "-b 127.0.0.1 --trust-proxy 127.0.0.1",
            "127.0.0.1",
            Some(proxy),
        ),
        ("-b 10.0.0.1", "10.0.0.1", None),
        ("-b 127.0.0.1 -b 10.0.0.1", "127.0.0.1 10.0.0.1", None),
    ] {
        let text = written(arguments, bind, bind);
        for said in [here, proxy] {
            assert_eq!(text.contains(said), expected == Some(said), "{text}");
        }
    }
}

#[test]
fn a_wildcard_that_takes_more_than_was_asked_for_is_told() {
    let told = "takes IPv4 too";
    assert!(written("-b ::", ":: 0.0.0.0", "10.0.0.1 fd00::1").contains(told));
    for (arguments, bind) in [
        ("-b ::", "::"),
        ("-b :: -b 0.0.0.0", ":: 0.0.0.0"),
        ("", ""),
    ] {
        assert!(
            !written(arguments, bind, "fd00::1").contains(told),
            "{arguments}"
        );
    }
}

#[test]
fn the_page_is_where_it_can_be_seen() {
    assert!(written("", "", "10.0.0.1").contains("Open http://localhost:9000/ "));
    let text = written("-b 10.0.0.1", "10.0.0.1", "10.0.0.1");
    assert!(text.contains("Open http://10.0.0.1:9000/ "), "{text}");
}

#[test]
fn where_there_is_no_browser_another_machine_has_one() {
    for (arguments, addresses, expected) in [
        ("", "10.0.0.1 10.0.0.2", Some("10.0.0.1:9000")),
        ("", "8.8.8.8 10.0.0.1", Some("10.0.0.1:9000")),
        ("", "8.8.8.8", None),
        ("--public-page", "8.8.8.8", Some("8.8.8.8:9000")),
        ("", "", None),
    ] {
        let text = written(arguments, "", addresses);
        let said = text.split_once("(on other machines: http://");
        let said = said.and_then(|(_, rest)| rest.split_once("/)."));
        assert_eq!(said.map(|(at, _)| at), expected, "{text}");
    }
    let bound = written("-b 10.0.0.1", "10.0.0.1", "10.0.0.1");
    assert!(!bound.contains("on other machines"), "{bound}");
}

#[test]
fn where_there_are_no_keys_nothing_is_said_of_keys_nor_of_a_screen() {
    let Ok(Command::Run(options)) = options::parse([]) else {
        panic!("not to be run");
    };
    for has_keys in [true, false] {
        let place = place("", true, true);
        let lines = lines(&options, &place, &ips("10.0.0.1"), &[], has_keys);
        for words in ["ctrl+c", "localhost"] {
            let is_said = lines.iter().any(|(_, line)| line.contains(words));
            assert_eq!(is_said, has_keys, "{lines:?}");
        }
        let page = "Open http://10.0.0.1:9000/ ";
        let is_elsewhere = lines.iter().any(|(_, line)| line.contains(page));
        assert_eq!(is_elsewhere, !has_keys, "{lines:?}");
    }
}

#[test]
fn one_udp_socket_for_several_addresses_is_told() {
    let told = "one socket for all addresses";
    for (has_udp, has_each_udp, bind, addresses, expected) in [
        (true, false, "", "10.0.0.1 10.0.0.2", true),
        (true, false, "::", "fd00::1 fd00::2", true),
        (true, false, "", "10.0.0.1 fd00::2", false),
        (true, true, "", "10.0.0.1 10.0.0.2", false),
        (false, false, "", "10.0.0.1 10.0.0.2", false),
        (true, false, "10.0.0.1 10.0.0.2", "10.0.0.1 10.0.0.2", false),
    ] {
        let place = place(bind, has_udp, has_each_udp);
        let text = written_at(&place, "", addresses);
        assert_eq!(text.contains(told), expected, "{text}");
    }
}

#[test]
fn public_urls_come_behind_those_of_the_network() {
    let Ok(Command::Run(options)) = options::parse([]) else {
        panic!("not to be run");
    };
    let public = ["http://a.example:9000/announce".to_owned()];
    let lines = lines(
        &options,
        &place("", true, true),
        &ips("10.0.0.1"),
        &public,
        true,
    );
    let texts: Vec<_> = lines.iter().map(|(_, line)| &line[..]).collect();
    let at = texts
        .iter()
        .position(|text| text.contains("on the internet"));
    let at = at.expect("a line about them");
    assert_eq!(texts[at - 1], "  udp://10.0.0.1:9000/announce");
    assert_eq!(texts[at + 1], "  http://a.example:9000/announce");
    assert_eq!(lines[at + 1].0, About::Always, "with -q too");
}
