use super::super::description::KINDS;
use super::*;
use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

const WISH: Wish = Wish {
    port: 9000,
    udp: false,
};

/// A server that answers each request, of which it gives the first line, the action and the body.
fn server(
    mut answer: impl FnMut(&str, &str, &str) -> (u16, String) + Send + 'static,
) -> SocketAddrV4 {
    let listener = TcpListener::bind((LOCAL, 0)).expect("a port");
    let SocketAddr::V4(address) = listener.local_addr().expect("an address") else {
        panic!("not of IPv4");
    };
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let time = Some(Duration::from_secs(20));
            stream.set_read_timeout(time).expect("a timeout");
            let mut bytes = Vec::new();
            let (head, body) = loop {
                let mut buffer = [0; 4096];
                let count = stream.read(&mut buffer).expect("a request");
                assert!(count > 0, "the client has left early");
                bytes.extend_from_slice(&buffer[..count]);
                let text = std::str::from_utf8(&bytes).expect("text");
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head.split_once("Content-Length: ").map_or(0, |(_, rest)| {
                    let length = rest.lines().next().expect("a line");
                    length.parse().expect("a length")
                });
                if body.len() >= length {
                    break (head.to_owned(), body.to_owned());
                }
            };
            let line = head.lines().next().unwrap_or_default();
            let action = head
                .split_once('#')
                .map_or("", |(_, rest)| rest.split('"').next().expect("a quote"));
            let (status, body) = answer(line, action, &body);
            let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n");
            stream
                .write_all(format!("{head}{body}").as_bytes())
                .expect("an answer");
        }
    });
    address
}

fn service(kind: &'static str, socket: SocketAddrV4) -> Service {
    let url = format!("http://{socket}/ctl");
    Service {
        kind,
        control: Place::parse(&url, *socket.ip()).expect("a place"),
    }
}

fn error(code: u16) -> (u16, String) {
    (500, format!("<errorCode>{code}</errorCode>"))
}

fn done(inner: &str) -> (u16, String) {
    (200, format!("<x>{inner}</x>"))
}

/// A router of a kind, which knows the mappings that are in `known`, by their outside ports: whose
/// they are and for how long. It notes what it is asked.
struct Igd {
    known: Vec<(u16, Ipv4Addr, u32)>,
    permanent_only: bool,
    calls: Vec<String>,
}

impl Igd {
    fn start(kind: &'static str, igd: Igd) -> (Service, Arc<Mutex<Igd>>) {
        let igd = Arc::new(Mutex::new(igd));
        let shared = Arc::clone(&igd);
        let answer = move |_: &str, action: &str, body: &str| {
            shared.lock().expect("no panic").answer(action, body)
        };
        (service(kind, server(answer)), igd)
    }

    fn knows(known: &[(u16, Ipv4Addr, u32)]) -> Igd {
        Igd {
            known: known.to_vec(),
            permanent_only: false,
            calls: Vec::new(),
        }
    }

    fn answer(&mut self, action: &str, body: &str) -> (u16, String) {
        let number = |name| {
            let text = super::super::xml::text_of(body, name)?;
            text.parse::<u32>().ok()
        };
        let port = number("NewExternalPort").unwrap_or_default() as u16;
        let lease = number("NewLeaseDuration").unwrap_or_default();
        self.calls.push(match port {
            0 => action.to_owned(),
            port => format!("{action} {port} {lease}"),
        });
        let known = self
            .known
            .iter()
            .find(|(other, ..)| *other == port)
            .copied();
        match action {
            "GetExternalIPAddress" => {
                done("<NewExternalIPAddress>203.0.114.1</NewExternalIPAddress>")
            }
            "GetSpecificPortMappingEntry" => match known {
                None => error(714),
                Some((_, client, left)) => done(&format!(
                    "<NewInternalPort>9000</NewInternalPort>\
                     <NewInternalClient>{client}</NewInternalClient>\
                     <NewLeaseDuration>{left}</NewLeaseDuration>"
                )),
            },
            "AddPortMapping" if self.permanent_only && lease > 0 => error(725),
            "AddPortMapping" => {
                self.known.retain(|(other, ..)| *other != port);
                self.known.push((port, LOCAL, lease));
                done("")
            }
            "AddAnyPortMapping" => {
                self.known.push((9123, LOCAL, lease));
                done("<NewReservedPort>9123</NewReservedPort>")
            }
            _ => error(401),
        }
    }
}

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

fn other() -> Ipv4Addr {
    "192.168.1.9".parse().expect("an address")
}

#[test]
fn a_mapping_is_added_watched_and_renewed() {
    let (service, igd) = Igd::start(KINDS[1], Igd::knows(&[]));
    let held = ask(&service, LOCAL, WISH, None, at(10)).expect("a mapping");
    assert_eq!(held.outside.ip, Ipv4Addr::new(203, 0, 114, 1));
    assert_eq!((held.outside.tcp_port, held.outside.udp_port), (9000, None));
    assert_eq!((held.lease, held.since), (Some(at(3600)), at(10)));
    let look = "GetSpecificPortMappingEntry 9000 0";
    let first = ["GetExternalIPAddress", look, "AddPortMapping 9000 3600"];
    let calls = || std::mem::take(&mut igd.lock().expect("no panic").calls);
    assert_eq!(calls(), first);
    // It is there: nothing to do until half of the lease has passed.
    let held = ask(&service, LOCAL, WISH, Some(&held), at(1809)).expect("a mapping");
    assert_eq!((held.has_forgotten, held.since), (false, at(10)));
    assert_eq!(calls(), ["GetExternalIPAddress", look]);
    let held = ask(&service, LOCAL, WISH, Some(&held), at(1810)).expect("a mapping");
    assert_eq!((held.has_forgotten, held.since), (false, at(1810)));
    assert_eq!(calls(), first);
    // The router was restarted.
    igd.lock().expect("no panic").known.clear();
    let held = ask(&service, LOCAL, WISH, Some(&held), at(1840)).expect("a mapping");
    assert_eq!((held.has_forgotten, held.since), (true, at(1840)));
    assert_eq!(calls(), first);
    // The router gave it for a shorter time than was asked for.
    igd.lock().expect("no panic").known[0].2 = 100;
    ask(&service, LOCAL, WISH, Some(&held), at(1870)).expect("a mapping");
    assert_eq!(calls(), first);
}

#[test]
fn a_router_that_never_tells_what_it_has_is_not_said_to_have_forgotten() {
    let answer = |_: &str, action: &str, _: &str| match action {
        "GetExternalIPAddress" => done("<NewExternalIPAddress>203.0.114.1</NewExternalIPAddress>"),
        "AddPortMapping" => done(""),
        _ => error(401),
    };
    let service = service(KINDS[1], server(answer));
    let held = ask(&service, LOCAL, WISH, None, at(0)).expect("a mapping");
    let held = ask(&service, LOCAL, WISH, Some(&held), at(30)).expect("a mapping");
    assert!(!held.has_forgotten);
}

#[test]
fn the_port_of_another_is_left_to_it() {
    let taken = [(9000, other(), 0), (9001, other(), 0)];
    // The first generation has to be asked for port after port, the second offers one itself.
    for (kind, port) in [(KINDS[1], 9002), (KINDS[2], 9002), (KINDS[0], 9123)] {
        let (service, igd) = Igd::start(kind, Igd::knows(&taken));
        let held = ask(&service, LOCAL, WISH, None, at(0)).expect("a mapping");
        assert_eq!(held.outside.tcp_port, port, "{kind}");
        assert_eq!(igd.lock().expect("no panic").known[..2], taken);
        let again = ask(&service, LOCAL, WISH, Some(&held), at(30)).expect("a mapping");
        assert_eq!(again.outside.tcp_port, port, "{kind}");
    }
}

#[test]
fn where_five_ports_are_taken_it_says_by_whom() {
    let taken: Vec<_> = (9000..9005).map(|port| (port, other(), 0)).collect();
    let (service, _) = Igd::start(KINDS[1], Igd::knows(&taken));
    let refusal = ask(&service, LOCAL, WISH, None, at(0));
    assert_eq!(refusal, Err(Refusal::Taken(Some(other()))));
}

#[test]
fn a_router_that_knows_no_leases_is_asked_without_one() {
    let mut igd = Igd::knows(&[]);
    igd.permanent_only = true;
    let (service, igd) = Igd::start(KINDS[1], igd);
    let held = ask(&service, LOCAL, WISH, None, at(0)).expect("a mapping");
    assert_eq!(held.lease, None);
    let calls = std::mem::take(&mut igd.lock().expect("no panic").calls);
    assert_eq!(
        calls[2..],
        ["AddPortMapping 9000 3600", "AddPortMapping 9000 0"]
    );
    // There is nothing to renew, ever.
    let again = ask(&service, LOCAL, WISH, Some(&held), at(1_000_000)).expect("a mapping");
    assert_eq!(again.lease, None);
    assert_eq!(igd.lock().expect("no panic").calls.len(), 2);
}

#[test]
fn a_router_without_an_address_or_without_sense_is_refused() {
    for (answer, expected) in [
        (
            done("<NewExternalIPAddress></NewExternalIPAddress>"),
            Refusal::NoAddress,
        ),
        (
            done("<NewExternalIPAddress>soon</NewExternalIPAddress>"),
            Refusal::NoAddress,
        ),
        (error(501), Refusal::Other(501)),
        (error(606), Refusal::NotAuthorized),
        ((301, String::new()), Refusal::Unsupported),
        ((200, "\u{0}".to_owned()), Refusal::NoAddress),
    ] {
        let service = service(KINDS[1], server(move |_, _, _| answer.clone()));
        assert_eq!(ask(&service, LOCAL, WISH, None, at(0)), Err(expected));
    }
}

/// A router that is found by SSDP, at each of these places.
fn found_at(places: impl Iterator<Item = SocketAddrV4> + Clone + Send + 'static) -> Router {
    let socket = UdpSocket::bind((LOCAL, 0)).expect("a port");
    let SocketAddr::V4(ssdp) = socket.local_addr().expect("an address") else {
        panic!("not of IPv4");
    };
    thread::spawn(move || {
        let mut buffer = [0; 1200];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            for place in places.clone() {
                let _ = socket.send_to(located(place).as_bytes(), from);
            }
        }
    });
    Router {
        address: LOCAL,
        is_guess: false,
        local: LOCAL,
        networks: Vec::new(),
        port: 9,
        ssdp: [ssdp; 2],
    }
}

fn located(place: SocketAddrV4) -> String {
    let kind = ssdp::KINDS[0];
    format!("HTTP/1.1 200 OK\r\nST: {kind}\r\nLOCATION: http://{place}/root.xml\r\n\r\n")
}

fn described(kind: &str) -> String {
    format!(
        "<root><service><serviceType>{kind}</serviceType><controlURL>/ctl</controlURL></service>\
         </root>"
    )
}

#[test]
fn a_router_is_found_by_its_answer() {
    let place = server(|line, _, _| match line {
        "GET /root.xml HTTP/1.1" => (200, described(KINDS[0])),
        _ => (404, String::new()),
    });
    assert_eq!(
        find(&found_at([place].into_iter())),
        [service(KINDS[0], place)]
    );
}

#[test]
fn redirections_are_not_followed() {
    let elsewhere = server(|_, _, _| panic!("somebody was sent here"));
    let place = server(move |_, _, _| (302, format!("Location: http://{elsewhere}/root.xml")));
    assert_eq!(find(&found_at([place].into_iter())), []);
}

#[test]
fn an_answer_of_nobody_that_is_trusted_is_not_listened_to() {
    let place = server(|_, _, _| panic!("a stranger was asked"));
    let mut router = found_at([place].into_iter());
    // The gateway is another, and no network is this machine's.
    router.address = other();
    let began = Instant::now();
    assert_eq!(find(&router), []);
    assert!(began.elapsed() >= SEARCH);
    // Only by being trusted does the same answer count.
    router.networks = this_machine();
    assert_eq!(devices(&router).len(), 1);
}

#[test]
fn of_many_devices_few_are_asked() {
    let places = (1..100).map(|port| SocketAddrV4::new(LOCAL, port));
    let mut router = found_at(places);
    router.address = other();
    router.networks = this_machine();
    assert_eq!(devices(&router).len(), MOST_DEVICES);
}

/// The network in which the tests' routers are.
fn this_machine() -> Vec<(u32, u32)> {
    vec![(0x7f00_0000, 0xff00_0000)]
}
