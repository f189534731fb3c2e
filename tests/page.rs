//! The page at `/`, what it polls, `/metrics`, and who gets to see them. What a browser makes of
//! the page is tested in `browser.rs`.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use serde_json::Value;

use crate::support::http::{self, Answer, Connection, TORRENT, ask, get, ipv4, ipv6, send};
use crate::support::netns::is_on_a_machine_of_its_own;
use crate::support::tracker::Tracker;
use crate::support::{TempDir, output_of};

const ALL: [&str; 3] = ["/", "/status.json", "/metrics"];
const WITH_LIST: [&str; 4] = ["/", "/status.json", "/metrics", "/torrents.json"];

fn start() -> Tracker {
    Tracker::start(&["-p", "0"])
}

/// A GET with these lines of headers.
fn get_with(at: SocketAddr, target: &str, headers: &str) -> Answer {
    send(
        at,
        format!("GET {target} HTTP/1.1\r\n{headers}\r\n").as_bytes(),
    )
}

fn status(at: SocketAddr) -> Value {
    let answer = get(at, "/status.json");
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// The value of a sample of `/metrics`, named with its labels.
#[track_caller]
fn metric(at: SocketAddr, sample: &str) -> f64 {
    let text = get(at, "/metrics").text();
    let value = |line: &str| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok();
    let value = text.lines().find_map(value);
    value.unwrap_or_else(|| panic!("no {sample} in\n{text}"))
}

#[test]
fn the_numbers_of_both_families_and_all_kinds() {
    let tracker = start();
    let at = ipv4(&tracker);
    let silent = status(at)["silent"].to_string();
    let port = at.port();
    assert!(
        silent.contains(&format!("TCP and UDP port {port}")),
        "{silent}"
    );
    ask(&tracker, "port=1&left=0");
    ask(&tracker, "port=2&left=5");
    ask(&tracker, "port=2&left=0&event=completed");
    ask(&tracker, "port=3&left=5");
    ask(&tracker, "port=0&left=5");
    let with_ipv6 = u8::from(ipv6(&tracker).is_some());
    if let Some(at) = ipv6(&tracker) {
        http::announce(at, &format!("{TORRENT}&port=4&left=5"));
    }
    let now = status(at);
    for (id, text) in [
        ("torrents", "1".to_owned()),
        ("seeders", "2".to_owned()),
        ("leechers", (1 + with_ipv6).to_string()),
        ("announces", (4 + with_ipv6).to_string()),
        ("silent", String::new()),
    ] {
        assert_eq!(now[id], text, "{id} in {now}");
        // Without a script, the page says the same.
        let element = format!(" id=\"{id}\">{text}<");
        assert!(get(at, "/").text().contains(&element), "{element}");
    }
    let hint = now["zero"].as_str().unwrap();
    assert!(hint.contains("port was 0: 1 so far."), "{hint}");
    for (sample, value) in [
        ("mayfly_torrents", 1.0),
        (r#"mayfly_peers{kind="seeder",family="ipv4"}"#, 2.0),
        (r#"mayfly_peers{kind="leecher",family="ipv4"}"#, 1.0),
        (
            r#"mayfly_peers{kind="leecher",family="ipv6"}"#,
            with_ipv6.into(),
        ),
        (r#"mayfly_peers{kind="seeder",family="ipv6"}"#, 0.0),
        (
            r#"mayfly_announces_total{transport="http",outcome="answered"}"#,
            (4 + with_ipv6).into(),
        ),
        (
            r#"mayfly_announces_total{transport="http",outcome="refused"}"#,
            1.0,
        ),
        (
            r#"mayfly_announces_total{transport="udp",outcome="answered"}"#,
            0.0,
        ),
        (r#"mayfly_refusals_total{reason="port_zero"}"#, 1.0),
        ("mayfly_http_connections_turned_away_total", 0.0),
    ] {
        assert_eq!(metric(at, sample), value, "{sample}");
    }
}

#[test]
fn connections_and_refusals_of_the_gate_are_counted() {
    let tracker = start();
    let at = ipv4(&tracker);
    let open = "mayfly_http_connections";
    let _held: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = Connection::open(at);
            // It is counted before it is answered.
            assert_eq!(connection.get("/x").status, 404);
            connection
        })
        .collect();
    // Those that have ended are counted a moment later than their client learns of it; and the one
    // that asks is there too.
    let deadline = std::time::Instant::now() + http::PATIENCE;
    while metric(at, open) != 4.0 {
        assert!(std::time::Instant::now() < deadline, "{}", metric(at, open));
    }
    for (request, reason) in [
        (&b"POST /announce HTTP/1.1\r\n\r\n"[..], "not_a_get"),
        (b"\x16\x03", "bad_request"),
        (b"GET / HTTP/2.0\r\n\r\n", "bad_request"),
        (
            b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
            "request_body",
        ),
        (&[b'A'; 9000], "request_too_long"),
    ] {
        let sample = format!("mayfly_refusals_total{{reason=\"{reason}\"}}");
        let before = metric(at, &sample);
        send(at, request);
        assert_eq!(metric(at, &sample), before + 1.0, "{reason}");
    }
    assert!(metric(at, "mayfly_http_connections_opened_total") > 10.0);
}

#[test]
fn connections_that_make_room_are_counted() {
    let tracker = Tracker::start(&["-p", "0", "--max-connections", "100"]);
    // More than there may be, and silent.
    let _held: Vec<_> = (0..150).map(|_| Connection::open(ipv4(&tracker))).collect();
    let deadline = std::time::Instant::now() + http::PATIENCE;
    while metric(ipv4(&tracker), "mayfly_http_connections_evicted_total") == 0.0 {
        assert!(std::time::Instant::now() < deadline, "nobody was");
    }
}

/// An address of this machine that the whole internet could reach.
#[test]
fn this_machine_sees_the_page_by_whichever_of_its_addresses() {
    let name = "this_machine_sees_the_page_by_whichever_of_its_addresses";
    if !is_on_a_machine_of_its_own(module_path!(), name, &["203.0.113.5"]) {
        return;
    }
    let tracker = start();
    let at = SocketAddr::from((Ipv4Addr::new(203, 0, 113, 5), ipv4(&tracker).port()));
    assert_eq!(get(at, "/").status, 200);
    assert_eq!(get(at, "/metrics").status, 200);
}

#[test]
fn who_looks_from_this_machine_gets_a_url_for_others_too() {
    let tracker = Tracker::start(&["-p", "0", "-b", "127.0.0.1", "-b", "127.0.0.2"]);
    let at = ipv4(&tracker);
    assert!(!get(at, "/").text().contains("http2"), "there is none");
    let probe = start();
    let last = |line: &str| line.contains("how it is doing");
    probe.wait_for_line(last, http::PATIENCE);
    let first = probe.urls().remove(0);
    if first.contains("127.0.0.1") {
        // A machine without a network.
        return;
    }
    let shown = format!(" id=\"http2\">{first}<");
    let text = get(ipv4(&probe), "/").text();
    assert!(text.contains(&shown), "{shown} in {text}");
}

#[test]
fn requests_are_timed() {
    let tracker = start();
    let at = ipv4(&tracker);
    let count = r#"mayfly_request_duration_seconds_count{transport="http"}"#;
    let all = r#"mayfly_request_duration_seconds_bucket{transport="http",le="+Inf"}"#;
    let sum = r#"mayfly_request_duration_seconds_sum{transport="http"}"#;
    let before = metric(at, count);
    for port in 1..=10 {
        ask(&tracker, &format!("port={port}&left=5"));
    }
    // It is timed when its answer has been handed on, which may be a moment after it has come.
    let deadline = std::time::Instant::now() + http::PATIENCE;
    let after = loop {
        let after = metric(at, count);
        // The one that was asked for `before` has been counted meanwhile too.
        if after >= before + 11.0 {
            break after;
        }
        assert!(std::time::Instant::now() < deadline, "{before} {after}");
    };
    assert!(metric(at, all) >= after);
    assert!(metric(at, sum) > 0.0);
}

#[test]
fn promtool_has_nothing_to_say_against_the_metrics() {
    let Some(promtool) = crate::support::tools::tool("promtool") else {
        return;
    };
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    let answer = get(ipv4(&tracker), "/metrics");
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.header("Content-Type"), Some(kind));
    let directory = TempDir::new();
    let file = directory.path().join("metrics");
    std::fs::write(&file, &answer.body).expect("a new file");
    // It reads its standard input only.
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" check metrics < \"$1\""]);
    let output = output_of(command.arg(promtool).arg(file));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.is_empty(),
        "{said}\n{}",
        answer.text()
    );
}

#[test]
fn the_headers_keep_others_out_of_the_page() {
    let tracker = start();
    let at = ipv4(&tracker);
    let browser = "Accept: text/html,*/*;q=0.8\r\n";
    for target in ["/", "/announce"] {
        let answer = get_with(at, target, browser);
        assert_eq!(answer.status, 200);
        let header = |name| answer.header(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(header("Content-Type"), "text/html; charset=utf-8");
        assert_eq!(header("Cache-Control"), "no-store");
        assert_eq!(header("X-Content-Type-Options"), "nosniff");
        assert_eq!(header("Referrer-Policy"), "no-referrer");
        let policy = header("Content-Security-Policy");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
    }
}

#[test]
fn nothing_of_the_askers_gets_into_the_page_as_markup() {
    // Under any name, whoever made it up.
    let tracker = Tracker::start(&["-p", "0", "--public-page"]);
    let at = ipv4(&tracker);
    let hash = "%3Cscript%3Ealert(1)";
    for port in [1, 2] {
        http::announce(
            at,
            &format!("info_hash={hash}%3C&peer_id={hash}%3E&port={port}&left=99999999999999999999"),
        );
    }
    get(
        at,
        &format!("/announce?info_hash={hash}&port=<script>alert(1)"),
    );
    let accept = "Accept: text/html\r\n";
    for host in [
        "<script>alert(1)</script>",
        "\"><script>alert(1)",
        "x'onclick='alert(1)",
        "&lt;script>alert(1)",
        "javascript:alert(1)",
    ] {
        for target in ["/", "/announce", "/<script>alert(1)", "/?<script>alert(1)"] {
            let headers = format!("{accept}Host: {host}\r\nReferer: <script>alert(1)\r\n");
            let text = get_with(at, target, &headers).text();
            assert!(!text.contains("alert(1)"), "{host} {target}: {text}");
            // The address that was reached, instead of what is no name.
            let shows_it = target != "/announce";
            assert_eq!(text.contains(&format!("http://{at}/announce")), shows_it);
        }
    }
    assert!(!get(at, "/metrics").text().contains("alert"));
    assert!(!status(at).to_string().contains("alert"));
}

#[test]
fn no_info_hash_and_no_address_of_a_peer_is_shown() {
    let tracker = start();
    let at = ipv4(&tracker);
    for (port, claimed) in [(50_001, "10.98.76.54"), (50_002, "10.98.76.55")] {
        ask(&tracker, &format!("port={port}&left=5&ip={claimed}"));
    }
    assert_eq!(status(at)["leechers"], "2");
    for target in ALL {
        let text = get(at, target).text();
        for secret in [
            "10.98.76",
            "50001",
            "50002",
            "123456789abcdef",
            "4Vx",
            "MF1000",
        ] {
            assert!(!text.contains(secret), "{secret} in {target}\n{text}");
        }
    }
}

#[test]
fn the_urls_are_those_by_which_it_was_asked() {
    let tracker = start();
    let (at, port) = (ipv4(&tracker), tracker.port());
    let shown = |at, host: &str| {
        let text = get_with(at, "/", host).text();
        let urls = ["http", "udp"].map(|id| {
            let (_, rest) = text.split_once(&format!(" id=\"{id}\">"))?;
            Some(rest.split_once('<')?.0.to_owned())
        });
        urls.map(Option::unwrap_or_default)
    };
    let expected = [
        "http://box.lan:80/announce".to_owned(),
        format!("udp://box.lan:{port}/announce"),
    ];
    assert_eq!(shown(at, "Host: box.lan:80\r\n"), expected);
    for at in [Some(at), ipv6(&tracker)].into_iter().flatten() {
        let expected = ["http", "udp"].map(|scheme| format!("{scheme}://{at}/announce"));
        assert_eq!(shown(at, ""), expected);
    }
    let tracker = Tracker::start(&["-p", "0", "--no-udp"]);
    let expected = [format!("http://{}/announce", ipv4(&tracker)), String::new()];
    assert_eq!(shown(ipv4(&tracker), ""), expected);
}

/// DNS rebinding: to a browser, the tracker is a page of evil.example, if a name server says that
/// this lies here.
#[test]
fn the_numbers_are_shown_under_names_of_ones_own_network_only() {
    let tracker = Tracker::start(&["-p", "0", "--list"]);
    let at = ipv4(&tracker);
    let reached = format!("http://{at}/\n");
    for target in ALL.into_iter().chain(["/torrents.json"]) {
        for host in ["evil.example", "evil.example:9000", "a!b.evil.example"] {
            let answer = get_with(at, target, &format!("Host: {host}\r\n"));
            let text = answer.text();
            assert_eq!(answer.status, 421, "{host} {target}: {text}");
            assert_eq!(answer.header("Content-Type"), Some("text/plain"));
            assert!(text.contains(&reached) && !text.contains("evil"), "{text}");
        }
        for host in [
            at.to_string(),
            "[::1]:9000".into(),
            "localhost:9000".into(),
            "box".into(),
            "box.local".into(),
            "box.lan:9000".into(),
            "box.home.arpa".into(),
        ] {
            let answer = get_with(at, target, &format!("Host: {host}\r\n"));
            assert_eq!(answer.status, 200, "{host} {target}");
        }
        let nameless = send(at, format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
        assert_eq!(nameless.status, 200);
    }
    let target = format!("/announce?{}&port=1", http::ORDINARY);
    let answer = get_with(at, &target, "Host: tracker.example\r\n");
    assert_eq!(http::decode(&answer.body).incomplete, Some(1));
}

#[test]
fn under_any_name_if_everybody_may_see_them_or_a_trusted_proxy_asks() {
    let proxied = "Host: tracker.example\r\nX-Forwarded-For: 192.168.1.7\r\n";
    for (args, headers) in [
        (
            &["-p", "0", "--public-page"][..],
            "Host: tracker.example\r\n",
        ),
        (&["-p", "0", "--trust-proxy", "127.0.0.1"], proxied),
    ] {
        let tracker = Tracker::start(args);
        for target in ALL {
            let answer = get_with(ipv4(&tracker), target, headers);
            assert_eq!(answer.status, 200, "{target} {args:?}");
        }
    }
}

/// Whoever it is that a proxy brings, it is not the proxy; and nothing says where they are.
#[test]
fn who_comes_through_a_proxy_sees_it_with_public_page_only() {
    for (args, expected) in [
        (&["-p", "0", "--list"][..], 404),
        (&["-p", "0", "--list", "--public-page"], 200),
    ] {
        let tracker = Tracker::start(args);
        for target in WITH_LIST {
            let direct = get(ipv4(&tracker), target);
            assert_eq!(direct.status, 200, "{target}");
            for header in ["X-Forwarded-For: 127.0.0.1", "Via: 1.1 x"] {
                let answer = get_with(ipv4(&tracker), target, &format!("{header}\r\n"));
                assert_eq!(answer.status, expected, "{target}");
                if expected == 404 {
                    assert_eq!(answer.header("Content-Type"), Some("text/plain"));
                    assert!(answer.text().starts_with("There is nothing here."));
                }
            }
        }
    }
}

/// A trusted proxy on the tracker's own machine lives where the operator and Prometheus do.
#[test]
fn on_the_machine_of_a_trusted_proxy_the_numbers_are_shown_and_the_list_is_not() {
    let tracker = Tracker::start(&["-p", "0", "--list", "--trust-proxy", "127.0.0.1"]);
    let at = ipv4(&tracker);
    let port = at.port();
    for host in ["localhost", "127.0.0.1"] {
        let host = format!("Host: {host}:{port}\r\n");
        for target in ["/", "/status.json", "/metrics"] {
            assert_eq!(get_with(at, target, &host).status, 200, "{host}{target}");
        }
        assert_eq!(get_with(at, "/torrents.json", &host).status, 404);
        let page = get_with(at, "/", &host).text();
        assert!(!page.contains("id=\"list\""), "{page}");
        // An announce from here would be refused.
        assert!(!page.contains("<code"), "{page}");
        assert!(
            page.contains("announce by the proxy\u{2019}s URL"),
            "{page}"
        );
        // With whatever a proxy adds, it is the proxy's.
        for header in ["X-Forwarded-For: 8.8.8.8", "X-Forwarded-For:", "Via: 1.1 x"] {
            for target in WITH_LIST {
                let answer = get_with(at, target, &format!("{host}{header}\r\n"));
                assert_eq!(answer.status, 404, "{header}: {target}");
            }
        }
    }
    // What a proxy passes on, says for which name it was asked.
    for host in [
        "",
        "Host: tracker.example\r\n",
        "Host: mayfly\r\n",
        "Host: ?\r\n",
    ] {
        for target in WITH_LIST {
            let answer = get_with(at, target, host);
            assert_eq!(answer.status, 404, "{host}{target}");
            let text = answer.text();
            for words in [
                "asked for from 127.0.0.1, which mayfly trusts as a proxy",
                "has to set X-Forwarded-For",
                &format!("http://localhost:{port}/"),
            ] {
                assert!(text.contains(words), "{words}\n{text}");
            }
        }
    }
    // Strangers learn no more than they did.
    let stranger = get_with(at, "/", "X-Forwarded-For: 8.8.8.8\r\n");
    assert!(stranger.text().starts_with("There is nothing here."));
}

#[test]
fn an_announce_url_says_what_it_is_for_to_browsers_and_to_nobody_else() {
    let tracker = start();
    let at = ipv4(&tracker);
    let accept = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
    for target in ["/announce", "/announce.php", "/x/announce", "/announce?"] {
        // Not even that a proxy has brought it matters: it tells nothing.
        for more in ["", "X-Forwarded-For: 203.0.113.7\r\n"] {
            let text = get_with(at, target, &format!("{accept}{more}")).text();
            assert!(
                text.contains("This URL is for BitTorrent clients"),
                "{text}"
            );
        }
        for headers in ["", "Accept: */*\r\n", "Accept: text/plain\r\n"] {
            let answer = get_with(at, target, headers);
            assert_eq!(http::decode(&answer.body).failure_code, Some(101));
        }
    }
    let with_query = get_with(at, &format!("/announce?{TORRENT}&port=1"), accept);
    assert_eq!(http::decode(&with_query.body).incomplete, Some(1));
    let with_query = get_with(at, "/announce?x", accept);
    assert_eq!(http::decode(&with_query.body).failure_code, Some(101));
}

/// From 203.0.113.9 and from an address of the LAN, in a network of their own.
#[test]
#[cfg(target_os = "linux")]
fn strangers_see_it_with_public_page_only_and_the_lan_always() {
    use crate::support::netns::{Family, Lan};
    use crate::support::tools::{netns_possible, tool};
    use crate::support::tracker::Launch;

    if !netns_possible() || tool("bash").is_none() {
        return;
    }
    let lan = Lan::new(2, &[Family::V4]);
    let run = |machine: usize, words: &[&str]| {
        let prefix = lan.machine(machine).prefix();
        let mut command = Command::new(prefix[0]);
        let output = output_of(command.args(&prefix[1..]).args(words));
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    for (machine, address, interface) in [(0, "203.0.113.1", "bridge"), (1, "203.0.113.9", "eth0")]
    {
        let address = format!("{address}/24");
        run(
            machine,
            &["ip", "address", "add", &address, "dev", interface],
        );
    }
    for (args, strangers_get) in [
        (&["-p", "0", "--list"][..], "404"),
        (&["-p", "0", "--list", "--public-page"], "200"),
    ] {
        let tracker = Launch::new().prefix(&lan.machine(0).prefix()).start(args);
        let status_of = |address: &str, target: &str| {
            let port = tracker.port();
            let script = format!(
                "exec 3<>/dev/tcp/{address}/{port}; printf 'GET {target} HTTP/1.0\\r\\n\\r\\n' >&3; \
                 cat <&3"
            );
            let answer = run(1, &["bash", "-c", &script]);
            answer.split(' ').nth(1).expect("a status").to_owned()
        };
        let lan_address = lan.machine(0).address(Family::V4).to_string();
        for target in WITH_LIST {
            assert_eq!(status_of(&lan_address, target), "200", "{target}");
            assert_eq!(status_of("203.0.113.1", target), strangers_get, "{target}");
        }
    }
}
