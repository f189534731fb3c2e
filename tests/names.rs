//! DNS names, with a name server of the test's own: those in `ip=` that are never resolved are in
//! nobody's way, and that of `--public-address` is resolved again and again.
#![cfg(target_os = "linux")]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::http::{Connection, TORRENT, decode};
use crate::support::netns::{EtcFile, Family, Lan, Machine};
use crate::support::tools;
use crate::support::tracker::Launch;
use crate::support::udp::Client;

/// Where the honest client says that it is: what `box.test` resolves to. On the internet, since who
/// is on a LAN is shown where it was seen.
const HONEST: [u8; 4] = [203, 0, 113, 7];
/// Less than the system takes for two names that nobody answers for.
const IN_TIME: Duration = Duration::from_secs(10);

/// Has programs on this machine ask its own name server.
fn resolv_conf(machine: &Machine) -> EtcFile {
    EtcFile::of(machine, "resolv.conf", "nameserver 127.0.0.1\n")
}

/// A name server on a machine; dropping it ends it.
struct NameServer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// What all names lead to, but those that begin with "never".
    address: Mutex<[u8; 4]>,
    is_over: AtomicBool,
}

impl NameServer {
    fn on(machine: &Machine, address: [u8; 4]) -> NameServer {
        let socket = machine.inside(|| UdpSocket::bind("127.0.0.1:53").expect("a name server"));
        let shared = Arc::new(Shared {
            address: Mutex::new(address),
            is_over: AtomicBool::new(false),
        });
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve_names(&socket, &shared)
        });
        NameServer {
            shared,
            thread: Some(thread),
        }
    }

    fn set(&self, address: [u8; 4]) {
        *self.shared.address.lock().unwrap() = address;
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Relaxed);
        let _ = self.thread.take().expect("ended once").join();
    }
}

/// Answers questions for addresses.
fn serve_names(socket: &UdpSocket, shared: &Shared) {
    let time = Some(Duration::from_millis(50));
    socket.set_read_timeout(time).expect("a timeout");
    let mut packet = [0; 512];
    while !shared.is_over.load(Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut packet) else {
            continue;
        };
        let question = &packet[12..length];
        if question[1..].starts_with(b"never") {
            continue;
        }
        let name = question.iter().position(|&byte| byte == 0).expect("an end");
        let question = &question[..name + 5];
        let is_ipv4 = question[name + 2] == 1;
        let counts = [0, 1, 0, u8::from(is_ipv4), 0, 0, 0, 0];
        let mut answer = [&packet[..2], &[0x81, 0x80], &counts, question].concat();
        if is_ipv4 {
            // The name as before, of type A and class IN, for a minute, with 4 bytes.
            answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend_from_slice(&*shared.address.lock().unwrap());
        }
        let _ = socket.send_to(&answer, from);
    }
}

#[test]
fn names_that_never_resolve_keep_no_honest_one_from_it() {
    if !tools::netns_possible() {
        return;
    }
    let mut machine = Machine::new();
    for n in 1..=4 {
        machine.add_address(&format!("10.77.0.{n}/24"), "lo");
    }
    machine.add_address("198.51.100.4/24", "lo");
    let _resolv_conf = resolv_conf(&machine);
    let _name_server = NameServer::on(&machine, HONEST);

    let tracker = Launch::new().prefix(&machine.prefix());
    let tracker = tracker.start(&["-p", "0"]);
    let at = SocketAddr::new("10.77.0.1".parse().expect("an address"), tracker.port());
    let client = |ip: [u8; 4]| machine.inside(|| Connection::open_from(IpAddr::from(ip), at));
    let announce = |client: &mut Connection, rest: &str| {
        let answer = client.get(&format!("/announce?{TORRENT}&left=5&{rest}"));
        decode(&answer.body)
    };
    let (mut hostile, mut honest) = (client([10, 77, 0, 2]), client([10, 77, 0, 3]));
    let mut other = client([198, 51, 100, 4]);
    for n in 1..=40 {
        announce(&mut hostile, &format!("port={n}&ip=never{n}.test"));
    }
    let begin = Instant::now();
    loop {
        announce(&mut honest, "port=777&ip=box.test");
        let shown = announce(&mut other, "port=99&numwant=200").shown();
        if shown.contains(&"203.0.113.7:777".to_owned()) {
            break;
        }
        assert!(begin.elapsed() < IN_TIME, "not resolved: {shown:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// An hour of the tracker's takes a minute here. Over UDP, since an HTTP request would have less
/// time than a busy machine may take.
#[test]
fn a_public_name_that_leads_elsewhere_is_followed() {
    let Some(library) = tools::libfaketime() else {
        return;
    };
    if !tools::netns_possible() {
        return;
    }
    let lan = Lan::new(2, &[Family::V4]);
    let (machine, other) = (lan.machine(0), lan.machine(1));
    machine.ip("address add 198.51.100.1/24 dev bridge");
    other.ip("address add 198.51.100.2/24 dev eth0");
    let _resolv_conf = resolv_conf(machine);
    let name_server = NameServer::on(machine, [203, 0, 113, 7]);
    let tracker = Launch::new()
        .env("LD_PRELOAD", library)
        .env("FAKETIME", "+0 x60")
        .prefix(&machine.prefix())
        .start(&["-p", "0", "--public-address", "box.test"]);
    // By one of the LAN, who is shown under the public address, and one of the internet.
    let announce = |ip: &str, port| {
        let at = SocketAddr::new(ip.parse().expect("an address"), tracker.port());
        let client = other.inside(|| Client::reach(at))?;
        client.ask_within(
            &client.announce_packet(b"a torrent for a name", port, 5, 0),
            IN_TIME,
        )
    };
    for address in [[203, 0, 113, 7], [203, 0, 113, 8]] {
        name_server.set(address);
        let begin = Instant::now();
        let mut last = None;
        while last != Some(address.to_vec()) {
            assert!(begin.elapsed() < Duration::from_secs(30), "still {last:?}");
            announce("10.77.0.1", 1);
            let answer = announce("198.51.100.1", 2).expect("an answer");
            last = answer.get(20..24).map(<[u8]>::to_vec);
        }
    }
}
