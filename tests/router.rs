//! `--map-port`: a real router (miniupnpd) forwards the port and the internet gets in, or the log
//! says why not; and a hostile one does no harm. Which packets are what is tested beside the code.

#![cfg(target_os = "linux")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::clients::{self, Swarm};
use crate::support::http::{Connection, ORDINARY, PATIENCE};
use crate::support::internet::{Internet, PUBLIC};
use crate::support::netns::{Family, Machine};
use crate::support::output_of;
use crate::support::tools::tool;
use crate::support::tracker::{Launch, Tracker};
use crate::support::udp::Client;
use crate::support::vitals::{Vitals, eventually, found_in_time};

/// What hostile routers send.
mod hostile;

/// Longer than asking by all ways takes, on a busy machine.
const TO_ASK: Duration = Duration::from_secs(30);

/// A tracker at home, which has the router forward its port. In namespaces a port of one's own is
/// nobody else's.
fn start(net: &Internet) -> Tracker {
    start_with(net, &["--map-port", "-p", "9000"])
}

fn start_with(net: &Internet, args: &[&str]) -> Tracker {
    Launch::new().prefix(&net.home.prefix()).start(args)
}

fn expect_line(tracker: &Tracker, words: &str) -> String {
    let is_it = |line: &str| line.contains(words);
    let line = tracker.wait_for_line(is_it, TO_ASK);
    line.unwrap_or_else(|| panic!("no line with '{words}'\n{}", tracker.report()))
}

/// Asks the tracker from the internet, at these ports of the router, over HTTP and over UDP.
fn announce_from_the_internet(net: &Internet, http_port: u16, udp_port: u16) {
    net.internet4.inside(|| {
        let mut connection = Connection::open((PUBLIC, http_port));
        let answer = connection.get(&format!("/announce?{ORDINARY}&port=5005"));
        assert_eq!(answer.status, 200);
        assert!(answer.text().starts_with("d8:complete"), "{answer:?}");
        let to = SocketAddr::new(PUBLIC.into(), udp_port);
        // UDP is mapped behind TCP. From another port each time: a packet that came too early has
        // the router remember for a while that those from there are for itself.
        let mut client = found_in_time(|| {
            let mut client = Client::between(Ipv4Addr::UNSPECIFIED.into(), to);
            let packet = Client::connect_packet();
            let answer = client.ask_within(&packet, Duration::from_secs(1))?;
            client.id = answer[8..16].try_into().expect("a connection id");
            Some(client)
        });
        let client = client.as_mut().expect("an answer over UDP");
        client
            .socket
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket");
        client.announce(&[7; 20], 5005, 1);
    });
}

/// Whether this port of the router leads to a tracker.
fn is_open(from: &Machine, port: u16) -> bool {
    let to = SocketAddr::new(PUBLIC.into(), port);
    from.inside(|| TcpStream::connect_timeout(&to, Duration::from_secs(1)).is_ok())
}

fn urls_of(port: u16) -> [String; 2] {
    ["http", "udp"].map(|scheme| format!("{scheme}://{PUBLIC}:{port}/announce"))
}

fn is_reached_by_way_of(nat_pmp: bool, upnp: bool) {
    let Some(net) = Internet::new() else { return };
    let Some(_router) = net.miniupnpd(nat_pmp, upnp) else {
        return;
    };
    let tracker = start(&net);
    expect_line(
        &tracker,
        "the router at 192.168.77.1 forwards TCP and UDP port 9000 to this machine. Announce URLs \
         for the internet:",
    );
    urls_of(9000).iter().for_each(|url| tracker.expect_url(url));
    announce_from_the_internet(&net, 9000, 9000);
    let page = net.lan.inside(|| {
        let mut connection = Connection::open((Ipv4Addr::new(192, 168, 77, 2), 9000));
        connection.get("/").text()
    });
    for url in urls_of(9000) {
        assert!(page.contains(&format!(">{url}</code>")), "{url}\n{page}");
    }
}

#[test]
fn by_pcp_and_upnp_the_internet_reaches_the_tracker() {
    is_reached_by_way_of(true, true);
}

#[test]
fn by_pcp_alone_the_internet_reaches_the_tracker() {
    is_reached_by_way_of(true, false);
}

#[test]
fn by_upnp_alone_the_internet_reaches_the_tracker() {
    is_reached_by_way_of(false, true);
}

#[test]
fn by_nat_pmp_alone_the_internet_reaches_the_tracker() {
    let Some(net) = Internet::new() else { return };
    // miniupnpd speaks both or neither: so PCP, which begins with a 2, is lost on its way.
    net.drop_at_router(5351, 2);
    let Some(_router) = net.miniupnpd(true, false) else {
        return;
    };
    let tracker = start(&net);
    urls_of(9000).iter().for_each(|url| tracker.expect_url(url));
    announce_from_the_internet(&net, 9000, 9000);
}

#[test]
fn without_a_router_that_can_be_asked_it_says_so_and_serves_the_lan() {
    let Some(net) = Internet::new() else { return };
    let began = Instant::now();
    let tracker = start(&net);
    // From the first moment: the router is still being asked.
    tracker.expect_url("http://192.168.77.2:9000/announce");
    announce_from_the_lan(&net);
    let line = expect_line(&tracker, "the router at 192.168.77.1 does not answer");
    assert!(line.contains("to 192.168.77.2 there by hand"), "{line}");
    assert!(
        began.elapsed() > Duration::from_secs(2),
        "SSDP takes longer"
    );
    assert!(!is_open(&net.internet4, 9000));
    let told = tracker
        .lines()
        .into_iter()
        .filter(|line| line.contains(&PUBLIC.to_string()));
    assert_eq!(told.count(), 0);
}

fn announce_from_the_lan(net: &Internet) {
    net.lan.inside(|| {
        let mut connection = Connection::open((Ipv4Addr::new(192, 168, 77, 2), 9000));
        let answer = connection.get(&format!("/announce?{ORDINARY}&port=5003"));
        assert_eq!(answer.status, 200);
    });
}

/// aria2 listens at one of these, whichever it likes.
const ARIA2: Range<u16> = 20000..20020;

/// A seeder at home announces to `its_url`; somebody on the internet, who knows the tracker by a
/// URL that it printed for the internet, downloads from it.
fn a_file_moves(seeder: fn(&Internet) -> &Machine, its_url: &str, scheme: &str) {
    let Some(net) = Internet::new() else { return };
    let Some(_router) = net.miniupnpd(true, true) else {
        return;
    };
    if tool("aria2c").is_none() {
        return;
    }
    // A long interval: the seeder does not ask again, so it cannot be the one who connects.
    let tracker = start_with(&net, &["--map-port", "-p", "9000", "-v", "-i", "30"]);
    urls_of(9000).iter().for_each(|url| tracker.expect_url(url));
    let seeder = seeder(&net);
    let IpAddr::V4(at) = seeder.address(Family::V4) else {
        panic!("not of IPv4");
    };
    ARIA2.for_each(|port| net.forward(port, at));
    let mut swarm = Swarm::new();
    swarm.seed(aria2(), Some(seeder), &[its_url]);
    expect_line(&tracker, "first peer");
    let url = format!("{scheme}://{PUBLIC}:9000/announce");
    swarm.download(aria2(), Some(&net.internet4), &[&url]);
    swarm.wait(&tracker);
}

fn aria2() -> clients::Client {
    clients::Client::Aria2
}

#[test]
fn a_file_moves_from_the_trackers_machine_to_the_internet() {
    a_file_moves(|net| &net.home, "http://127.0.0.1:9000/announce", "http");
}

#[test]
fn a_file_moves_from_the_lan_to_the_internet_over_udp() {
    a_file_moves(|net| &net.lan, "http://192.168.77.2:9000/announce", "udp");
}

#[test]
fn nobodys_router_is_asked_unasked() {
    let Some(net) = Internet::new() else { return };
    let Some(router) = net.miniupnpd(true, true) else {
        return;
    };
    let tracker = start_with(&net, &["-p", "9000"]);
    announce_from_the_lan(&net);
    // Long enough for what would have been forwarded in milliseconds.
    let never = tracker.wait_for_line(|line| line.contains("router"), Duration::from_secs(2));
    assert_eq!(never, None);
    let asked = router
        .process
        .lines()
        .into_iter()
        .filter(|line| line.contains("192.168.77.2"));
    assert_eq!(asked.count(), 0);
}

fn comes_back_after_a_restart(nat_pmp: bool, upnp: bool) {
    let Some(net) = Internet::new() else { return };
    let Some(router) = net.miniupnpd(nat_pmp, upnp) else {
        return;
    };
    let tracker = start(&net);
    urls_of(9000).iter().for_each(|url| tracker.expect_url(url));
    announce_from_the_internet(&net, 9000, 9000);
    drop(router);
    net.forget_mappings();
    assert!(!is_open(&net.internet4, 9000), "all is forgotten");
    let _router = net.miniupnpd(nat_pmp, upnp);
    let began = Instant::now();
    // Longer than the minute that is looked for.
    let is_back =
        (0..4).any(|_| found_in_time(|| is_open(&net.internet4, 9000).then_some(())).is_some());
    assert!(is_back, "{}", tracker.report());
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(60),
        "{took:?}\n{}",
        tracker.report()
    );
    announce_from_the_internet(&net, 9000, 9000);
}

#[test]
fn after_a_restart_of_the_router_pcp_has_it_forward_again_within_a_minute() {
    comes_back_after_a_restart(true, false);
}

#[test]
fn after_a_restart_of_the_router_upnp_has_it_forward_again_within_a_minute() {
    comes_back_after_a_restart(false, true);
}

#[test]
fn a_mayfly_that_is_started_again_gets_its_port_again() {
    let Some(net) = Internet::new() else { return };
    let Some(_router) = net.miniupnpd(true, true) else {
        return;
    };
    for _ in 0..2 {
        let tracker = start(&net);
        urls_of(9000).iter().for_each(|url| tracker.expect_url(url));
        announce_from_the_internet(&net, 9000, 9000);
    }
}

/// Runs a program on a machine to its end.
fn run(machine: &Machine, words: &[&str]) {
    let prefix = machine.prefix();
    let mut command = Command::new(prefix[0]);
    let output = output_of(command.args(&prefix[1..]).args(words));
    assert!(output.status.success(), "{words:?}: {output:?}");
}

#[test]
fn where_the_port_is_anothers_the_urls_name_the_one_that_the_router_gave() {
    let Some(net) = Internet::new() else { return };
    let Some(_router) = net.miniupnpd(true, true) else {
        return;
    };
    if tool("natpmpc").is_none() {
        return;
    }
    run(&net.lan, &["natpmpc", "-a", "9000", "9000", "tcp", "3600"]);
    let tracker = start(&net);
    expect_line(
        &tracker,
        "forwards TCP and UDP port 9001 to this machine's 9000, since its own 9000 is taken",
    );
    urls_of(9001).iter().for_each(|url| tracker.expect_url(url));
    announce_from_the_internet(&net, 9001, 9001);
}

#[test]
fn where_the_port_is_anothers_upnp_gets_another_one_too() {
    let Some(net) = Internet::new() else { return };
    let Some(_router) = net.miniupnpd(false, true) else {
        return;
    };
    if tool("upnpc").is_none() {
        return;
    }
    run(
        &net.lan,
        &["upnpc", "-a", "192.168.77.3", "9000", "9000", "TCP"],
    );
    let tracker = start(&net);
    urls_of(9001).iter().for_each(|url| tracker.expect_url(url));
    announce_from_the_internet(&net, 9001, 9001);
}

#[test]
fn a_shared_outside_address_is_said_to_be_beyond_help() {
    for (nat_pmp, upnp) in [(true, false), (false, true)] {
        let Some(net) = Internet::with_outside(Ipv4Addr::new(100, 64, 3, 4)) else {
            return;
        };
        let Some(_router) = net.miniupnpd(nat_pmp, upnp) else {
            return;
        };
        let tracker = start(&net);
        // miniupnpd does not tell the address then.
        expect_line(
            &tracker,
            "the router at 192.168.77.1 has no public address: it is offline, or its provider has \
             it share one with other customers. Then no forwarding can help; only IPv6 may",
        );
        announce_from_the_lan(&net);
    }
}

#[test]
fn another_outside_address_is_printed() {
    let Some(net) = Internet::new() else { return };
    let Some(router) = net.miniupnpd(false, true) else {
        return;
    };
    let tracker = start(&net);
    tracker.expect_url(&urls_of(9000)[0]);
    let words = format!("address delete {PUBLIC}/24 dev wan");
    net.router.ip(&words);
    net.router.ip("address add 203.0.114.50/24 dev wan");
    let is_told = |line: &str| line.ends_with("http://203.0.114.50:9000/announce");
    // The next look at it comes in half a minute.
    let told = tracker.wait_for_line(is_told, 2 * TO_ASK);
    assert!(
        told.is_some(),
        "{}{}",
        tracker.report(),
        router.process.report()
    );
    expect_line(
        &tracker,
        "the public address is 203.0.114.50 now and no longer 203.0.114.1",
    );
}

#[test]
fn where_it_does_not_listen_nothing_is_forwarded_to() {
    let Some(net) = Internet::new() else { return };
    let Some(_router) = net.miniupnpd(true, true) else {
        return;
    };
    let tracker = start_with(&net, &["--map-port", "-p", "9000", "-b", "192.168.78.2"]);
    expect_line(
        &tracker,
        "a router would forward to 192.168.77.2, where mayfly does not listen: leave -b out, or \
         add -b 192.168.77.2",
    );
    assert!(!is_open(&net.internet4, 9000));
}

/// A router that sends all that it can think of: whatever it is, nothing is printed but that it
/// does not answer, nothing is kept, and the LAN is served.
fn does_no_harm(describe: hostile::Describe) {
    let Some(net) = Internet::new() else { return };
    let router = hostile::Router::start(&net, describe);
    let tracker = start(&net);
    let before = Vitals::of(tracker.id()).expect("a process");
    // It asks by all ways, and gives up.
    let began = Instant::now();
    while tracker
        .lines()
        .iter()
        .all(|line| !line.contains("does not answer"))
    {
        assert!(began.elapsed() < TO_ASK, "{}", tracker.report());
        announce_from_the_lan(&net);
    }
    // It may still be sending the last ones.
    let has_sent = || router.sent().iter().all(|(_, count)| *count >= 10_000);
    assert!(eventually(has_sent), "{:?}", router.sent());
    assert!(router.described() > 0);
    assert_eq!(router.elsewhere(), 0);
    let said: Vec<_> = tracker
        .lines()
        .into_iter()
        .filter(|l| l.contains("router"))
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
    let after = Vitals::of(tracker.id()).expect("a process");
    // The gate starts a thread where it needs one, and that is no matter of the router.
    let others = |vitals: &Vitals| vitals.threads - vitals.gate_threads;
    assert!(others(&after) <= others(&before), "{before:?} {after:?}");
    assert!(
        after.descriptors <= before.descriptors + 2,
        "{before:?} {after:?}"
    );
    assert!(
        after.resident <= before.resident + 4096,
        "{before:?} {after:?}"
    );
    println!("\n{describe:?}: {:?}, {before:?}, {after:?}", router.sent());
}

#[test]
fn a_router_that_describes_itself_without_an_end_does_no_harm() {
    does_no_harm(hostile::Describe::WithoutEnd);
}

#[test]
fn a_router_that_describes_itself_slowly_does_no_harm() {
    does_no_harm(hostile::Describe::Slowly);
}

#[test]
fn a_router_that_redirects_elsewhere_does_no_harm() {
    does_no_harm(hostile::Describe::Redirected);
}

#[test]
fn a_router_whose_services_are_elsewhere_does_no_harm() {
    does_no_harm(hostile::Describe::Elsewhere);
}

#[test]
fn a_router_that_describes_nonsense_does_no_harm() {
    does_no_harm(hostile::Describe::Nonsense);
}

#[test]
fn answers_from_another_address_are_not_heard() {
    let Some(net) = Internet::new() else { return };
    // By all protocols as they should be, but from the router's outside address.
    let router = hostile::Router::start(&net, hostile::Describe::FromElsewhere);
    let tracker = start(&net);
    expect_line(&tracker, "the router at 192.168.77.1 does not answer");
    for (protocol, count) in router.sent() {
        assert!(count > 0, "{protocol}");
    }
    assert_eq!(router.described(), 0);
}
