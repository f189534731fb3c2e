//! DNS names in `ip=`, with a name server of the test's own: names that are never resolved are in
//! nobody's way.
#![cfg(target_os = "linux")]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::http::{Connection, TORRENT, decode};
use crate::support::netns::Machine;
use crate::support::tools;
use crate::support::tracker::Launch;

/// Where the honest client says that it is: what `box.test` resolves to. On the internet, since who
/// is on a LAN is shown where it was seen.
const HONEST: [u8; 4] = [203, 0, 113, 7];
/// Less than the system takes for two names that nobody answers for.
const IN_TIME: Duration = Duration::from_secs(10);

/// What `ip netns exec` puts in the place of /etc/resolv.conf; gone with the test.
struct ResolvConf(String);

impl ResolvConf {
    fn of(machine: &Machine) -> ResolvConf {
        let directory = format!("/etc/netns/{}", machine.prefix()[3]);
        std::fs::create_dir_all(&directory).expect(&directory);
        let file = format!("{directory}/resolv.conf");
        std::fs::write(&file, "nameserver 127.0.0.1\n").expect(&file);
        ResolvConf(directory)
    }
}

impl Drop for ResolvConf {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Answers questions for addresses, but for those about names that begin with "never".
fn serve_names(socket: &UdpSocket, is_over: &AtomicBool) {
    let time = Some(Duration::from_millis(50));
    socket.set_read_timeout(time).expect("a timeout");
    let mut packet = [0; 512];
    while !is_over.load(Relaxed) {
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
            answer.extend_from_slice(&HONEST);
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
    let _resolv_conf = ResolvConf::of(&machine);
    let socket = machine.inside(|| UdpSocket::bind("127.0.0.1:53").expect("a name server"));
    let is_over = Arc::new(AtomicBool::new(false));
    let name_server = thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || serve_names(&socket, &is_over)
    });

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
    is_over.store(true, Relaxed);
    name_server.join().expect("the name server");
}
