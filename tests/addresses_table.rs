//! Which address of a peer works depends on who asks. Here everybody asks for everybody, in the
//! little internet of `support/internet.rs`, over HTTP and over UDP, and what counts is not the
//! text of an answer: a TCP connection from the asker to each address that it was shown has to
//! arrive at the very peer that it asked for.

#![cfg(target_os = "linux")]

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::process::Command;

use crate::support::http::{self, PATIENCE};
use crate::support::internet::{Internet, OpenPort, peer_at};
use crate::support::netns::{Family, Machine};
use crate::support::output_of;
use crate::support::tools::tool;
use crate::support::tracker::{Launch, Tracker};
use crate::support::udp::Client;

/// Who asks whom. A cell says by which families of addresses the asker gets to the peer: at least
/// by these, over UDP those of them that the asker itself asked by. Where `-` stands, it is not
/// shown the peer, or by addresses of a family alone that its machine does not have. A family that
/// works and is not wanted here is no failure; an address that leads nowhere always is one, but
/// where `?` stands: nobody can tell which ports of a container are published, and these are not.
///
/// Columns, and the rows' first words: who, as in `machine_of` and `ask_at`. `public` is
/// `internet4` where the tracker was told `--public-address`.
const TABLE: &str = "
client      beside own own6 container lan ula lan6 link second internet4 internet6 public claims
beside      4      4   6    4         4   6   6    -    4      -         6         4      -
beside      46     46  6    4         46  6   6    -    46     4         6         4      ip=203.0.114.1&ipv6=2a0f:77:0:1::2
own         4      4   4    4         4   4   4    4    4      -         -         4      -
container   4      4   4    4         4   6   6    -    4      -         6         4      -
container   46     46  46   4         46  6   6    -    46     4         6         4      ip=203.0.114.1&ipv6=2a0f:77:0:1::2
unpublished 4      4   4    4         ?   ?   ?    ?    ?      ?         ?         ?      -
lan         4      4   4    4         4   4   4    4    4      -         -         4      -
lan         46     46  46   4         46  46  46   46   46     4         6         4      ip=203.0.114.1&ipv6=2a0f:77:0:1::3
lan         46     46  46   4         46  46  46   46   46     -         6         4      ipv6=2a0f:77:0:1::3
lan         4      4   4    4         4   4   4    4    4      -         -         4      ip=10.9.9.9
ula         6      6   6    -         6   6   6    6    6      -         -         -      -
ula         6      6   6    -         6   6   6    6    6      -         6         -      ipv6=2a0f:77:0:1::3
link        -      -   -    -         -   -   -    -    -      -         -         -      -
link        4      4   4    4         4   4   4    4    4      -         -         4      ip=192.168.77.3
second      4      4   4    4         4   4   4    4    4      -         -         4      -
second      4      4   4    4         4   4   4    4    4      4         -         4      ip=203.0.114.1
internet4   4      4   4    4         4   4   4    4    4      4         -         4      -
internet4   4      4   4    4         4   4   4    4    4      4         -         4      ip=203.0.114.77
internet6   6      6   6    -         6   6   6    6    6      -         6         -      -
internet6   6      6   6    -         6   6   6    6    6      -         6         -      ipv6=2a0f:99::77
";

/// Peers' ports, by the machine that they are on.
const PORTS: [(&str, u16); 7] = [
    ("beside", 5001),
    ("container", 5002),
    ("lan", 5003),
    ("second", 5004),
    ("internet4", 5005),
    ("internet6", 5006),
    ("unpublished", 5007),
];

/// The port that an asker announces: another, or its own machine's peer would be itself.
const ASKER: u16 = 6000;

/// `lan6`, `ula` and `link` are the host of `lan`, which speaks to the tracker by its global, its
/// unique local or its link-local IPv6 address, and `own` and `own6` are `beside` where that uses
/// addresses that its machine has on the LAN.
fn machine_of<'a>(net: &'a Internet, who: &str) -> (&'a Machine, &'static str, u16) {
    let (machine, name) = match who {
        "beside" | "own" | "own6" => (&net.home, "beside"),
        "container" => (&net.container, "container"),
        "unpublished" => (&net.container, "unpublished"),
        "lan" | "lan6" | "ula" | "link" => (&net.lan, "lan"),
        "second" => (&net.second, "second"),
        "internet4" | "public" => (&net.internet4, "internet4"),
        "internet6" => (&net.internet6, "internet6"),
        _ => panic!("nobody is {who}"),
    };
    let port = PORTS.iter().find(|(n, _)| *n == name).expect("a port").1;
    (machine, name, port)
}

/// The tracker's address that one speaks to.
fn ask_at(net: &Internet, who: &str, port: u16) -> SocketAddr {
    let ip = match who {
        "beside" => "127.0.0.1",
        "own" | "container" | "unpublished" | "lan" => "192.168.77.2",
        "ula" => "fd77::2",
        "second" => "192.168.78.2",
        "internet4" | "public" => "203.0.114.1",
        "own6" | "lan6" | "internet6" => "2a0f:77:0:1::2",
        "link" => {
            let (ip, _) = net.home.link_local("eth0");
            let (_, interface) = net.lan.link_local("eth0");
            return SocketAddrV6::new(ip, port, 0, interface).into();
        }
        _ => panic!("nobody is {who}"),
    };
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// Whether their machine has that family.
fn speaks(who: &str, is_ipv6: bool) -> bool {
    match who {
        "container" | "internet4" | "public" => !is_ipv6,
        "internet6" => is_ipv6,
        _ => true,
    }
}

/// What one asks: who is at this torrent?
struct Question<'a> {
    asker: &'a str,
    /// The only other peer of it.
    client: &'a str,
    claims: &'a str,
    over_udp: bool,
    hash: [u8; 20],
}

struct Lab {
    // In the order in which they end.
    tracker: Tracker,
    /// Those who ask over UDP, by who they are; `None` if they got no answer.
    over_udp: HashMap<String, Option<Client>>,
    _ports: Vec<OpenPort>,
    net: Internet,
}

impl Lab {
    fn new(options: &[&str]) -> Option<Lab> {
        let net = Internet::new()?;
        let arguments = [&["-p", "0"], options].concat();
        let tracker = Launch::new().prefix(&net.home.prefix());
        let tracker = tracker.start(&arguments);
        let mut ports = vec![net.publish(5002)];
        for (name, port) in PORTS {
            ports.push(OpenPort::of_peer(machine_of(&net, name).0, port, name));
        }
        for (port, to) in [
            (tracker.port(), [192, 168, 77, 2]),
            (5001, [192, 168, 77, 2]),
            (5002, [192, 168, 77, 2]),
            (5003, [192, 168, 77, 3]),
            (5004, [192, 168, 78, 3]),
        ] {
            net.forward(port, to.into());
        }
        Some(Lab {
            tracker,
            over_udp: HashMap::new(),
            _ports: ports,
            net,
        })
    }

    /// Asks what the table asks, in these columns of it; panics with all that is wrong.
    fn ask_all(&mut self, is_asked: impl Fn(&str) -> bool) {
        let mut lines = TABLE.trim().lines();
        let askers: Vec<_> = lines.next().unwrap().split_whitespace().collect();
        let mut asked = 0;
        let mut wrong = String::new();
        for line in lines {
            let words: Vec<_> = line.split_whitespace().collect();
            let (client, claims) = (words[0], words[words.len() - 1]);
            let columns = askers
                .iter()
                .zip(&words)
                .filter(|(asker, wanted)| is_asked(asker) && **wanted != "?");
            for ((&asker, &wanted), over_udp) in
                columns.flat_map(|cell| [(cell, false), (cell, true)])
            {
                asked += 1;
                let hash = format!("{asked:020}").into_bytes().try_into().unwrap();
                let question = Question {
                    asker,
                    client,
                    claims,
                    over_udp,
                    hash,
                };
                if let Err(why) = self.ask(&question, wanted) {
                    let transport = if over_udp { "udp" } else { "http" };
                    wrong += &format!("{asker} over {transport} for {client} {claims}: {why}\n");
                }
            }
        }
        let count = wrong.lines().count();
        assert!(asked > 200, "only {asked} questions");
        assert!(count == 0, "{count} of {asked} questions:\n{wrong}");
    }

    fn ask(&mut self, question: &Question, wanted: &str) -> Result<(), String> {
        // A claim is a matter of HTTP.
        let over_udp = question.over_udp && question.claims == "-";
        let claims = question.claims.trim_start_matches('-');
        let (_, name, port) = machine_of(&self.net, question.client);
        self.announce(question.client, port, over_udp, &question.hash, claims)
            .ok_or("the peer itself got no answer")?;
        let shown = self
            .announce(question.asker, ASKER, question.over_udp, &question.hash, "")
            .ok_or("no answer")?;

        let (machine, _, _) = machine_of(&self.net, question.asker);
        let mut reached = BTreeSet::new();
        for address in &shown {
            if !speaks(question.asker, address.is_ipv6()) {
                continue;
            }
            let found = peer_at(machine, *address);
            if found.as_deref() != Some(name) {
                return Err(format!("{address} leads to {found:?}; shown {shown:?}"));
            }
            reached.insert(address.is_ipv6());
        }
        for (family, is_ipv6) in [('4', false), ('6', true)] {
            let is_asked =
                !question.over_udp || ask_at(&self.net, question.asker, 0).is_ipv6() == is_ipv6;
            let is_wanted = wanted.contains(family) && speaks(question.asker, is_ipv6);
            if is_asked && is_wanted && !reached.contains(&is_ipv6) {
                return Err(format!("nothing of IPv{family}; shown {shown:?}"));
            }
        }
        Ok(())
    }

    /// Announces one of them, and gives the addresses that it is shown; `None` without an answer.
    fn announce(
        &mut self,
        who: &str,
        port: u16,
        over_udp: bool,
        hash: &[u8; 20],
        claims: &str,
    ) -> Option<Vec<SocketAddr>> {
        let (machine, _, _) = machine_of(&self.net, who);
        let at = ask_at(&self.net, who, self.tracker.port());
        if over_udp {
            let client = self.over_udp.entry(who.to_owned());
            let client = client.or_insert_with(|| machine.inside(|| Client::reach(at)));
            let client = client.as_ref()?;
            let answer = client.ask_within(&client.announce_packet(hash, port, 5, 0), PATIENCE)?;
            assert_eq!(answer[3], 1, "{}", answer.escape_ascii());
            return Some(compact(&answer[20..], at.is_ipv6()));
        }
        let hash = std::str::from_utf8(hash).expect("digits");
        let query = format!("info_hash={hash}&peer_id={port:->20}&port={port}&left=5&{claims}");
        let announced = machine.inside(|| http::announce(at, &query));
        let peers = [announced.peers, announced.peers6].into_iter().flatten();
        Some(peers.flatten().map(|peer| peer.address).collect())
    }
}

fn compact(bytes: &[u8], is_ipv6: bool) -> Vec<SocketAddr> {
    let length = if is_ipv6 { 16 } else { 4 };
    let peers = bytes.chunks(length + 2).map(|peer| {
        let port = u16::from_be_bytes([peer[length], peer[length + 1]]);
        match <[u8; 4]>::try_from(&peer[..length]) {
            Ok(ip) => SocketAddr::from((ip, port)),
            Err(_) => SocketAddr::from((<[u8; 16]>::try_from(&peer[..16]).unwrap(), port)),
        }
    });
    peers.collect()
}

/// The ground that the tables stand on.
#[test]
fn the_little_internet_leads_where_it_says() {
    if tool("natpmpc").is_none() {
        return;
    }
    let Some(net) = Internet::new() else { return };
    let Some(_daemon) = net.miniupnpd(true, true) else {
        return;
    };
    let _published = net.publish(5002);
    let _ports = PORTS.map(|(name, port)| OpenPort::of_peer(machine_of(&net, name).0, port, name));
    net.forward(5003, [192, 168, 77, 3].into());
    // Mapped by the daemon, for who asks it.
    let prefix = net.home.prefix();
    let mut map = Command::new(prefix[0]);
    map.args(&prefix[1..])
        .args(["natpmpc", "-g", "192.168.77.1"]);
    map.args(["-a", "5001", "5001", "tcp", "60"]);
    let output = output_of(&mut map);
    assert!(output.status.success(), "{output:?}");

    for (from, to, leads_to) in [
        ("beside", "127.0.0.1:5002", Some("container")),
        ("beside", "203.0.114.9:5005", Some("internet4")),
        ("beside", "[2a0f:99::9]:5006", Some("internet6")),
        ("container", "172.17.0.1:5001", Some("beside")),
        ("container", "192.168.77.2:5002", Some("container")),
        ("container", "192.168.78.3:5004", Some("second")),
        ("container", "203.0.114.9:5005", Some("internet4")),
        ("lan", "192.168.77.22:5002", Some("container")),
        ("lan", "192.168.78.3:5004", Some("second")),
        ("lan", "[fd78::3]:5004", Some("second")),
        ("lan", "[2a0f:77:0:2::3]:5004", Some("second")),
        ("lan", "172.17.0.2:5002", None),
        ("lan", "203.0.114.1:5001", None),
        ("second", "192.168.77.3:5003", Some("lan")),
        ("second", "[2a0f:99::9]:5006", Some("internet6")),
        ("second", "203.0.114.9:5005", Some("internet4")),
        ("internet4", "203.0.114.1:5001", Some("beside")),
        ("internet4", "203.0.114.1:5003", Some("lan")),
        ("internet4", "203.0.114.1:5004", None),
        ("internet4", "192.168.77.2:5001", None),
        ("internet6", "[2a0f:77:0:1::22]:5001", Some("beside")),
        ("internet6", "[2a0f:77:0:2::3]:5004", Some("second")),
        ("internet6", "[fd77::2]:5001", None),
    ] {
        let found = peer_at(machine_of(&net, from).0, to.parse().unwrap());
        assert_eq!(found.as_deref(), leads_to, "from {from} to {to}");
    }
}

#[test]
fn everybody_gets_to_everybody_by_what_is_shown() {
    if let Some(mut lab) = Lab::new(&[]) {
        lab.ask_all(|asker| !["client", "claims", "public"].contains(&asker));
    }
}

#[test]
fn the_internet_gets_to_everybody_by_the_public_address() {
    if let Some(mut lab) = Lab::new(&["--public-address", "203.0.114.1"]) {
        lab.ask_all(|asker| !["client", "claims", "internet4"].contains(&asker));
    }
}

#[test]
fn each_address_answers_over_udp_and_from_itself() {
    let Some(net) = Internet::new() else { return };
    let tracker = Launch::new().prefix(&net.home.prefix());
    let tracker = tracker.start(&["-p", "0"]);
    let mut silent = Vec::new();
    for asker in [&net.home, &net.lan, &net.second, &net.container] {
        for family in [Family::V4, Family::V6] {
            if asker.addresses(family).count() == 0 {
                continue;
            }
            for address in net.home.addresses(family) {
                // Nobody has told the router of docker's network.
                let is_docker = address == IpAddr::from([172, 17, 0, 1]);
                if is_docker && std::ptr::eq(asker, &net.lan) {
                    continue;
                }
                let at = SocketAddr::new(address, tracker.port());
                if asker.inside(|| Client::reach(at)).is_none() {
                    silent.push(format!("{at} for {:?}", asker.addresses(family).next()));
                }
            }
        }
    }
    assert!(silent.is_empty(), "no answer from {silent:#?}");
}
