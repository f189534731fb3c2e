//! The hazards that come over UDP: packets from addresses that nobody has, odd ones, and announces
//! with connection ids that the tracker never gave.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::hazards::Stage;
use crate::support::random::Random;
use crate::support::udp::Client;

/// Linux's numbers for a socket to which whole IPv4 packets are given.
const SOCK_RAW: i32 = 3;
const IPPROTO_RAW: i32 = 255;

/// So many packets, however long that takes, whose senders are made up.
pub fn spoofed(stage: &Stage, packets: usize) -> String {
    let raw = Socket::new(
        Domain::IPV4,
        Type::from(SOCK_RAW),
        Some(Protocol::from(IPPROTO_RAW)),
    );
    let raw = raw.expect("root may have it");
    let own = Client::between(stage.sources[0], stage.to[0]);
    let to = SockAddr::from(stage.to[0]);
    let mut random = Random(0x7370_6f6f_6600);
    let mut sent = 0;
    for n in 0..packets {
        // The pace of a flood that leaves something to others: 100,000 a second at most.
        if n % 1000 == 999 {
            thread::sleep(Duration::from_millis(10));
        }
        let mut packet = match n % 4 {
            0 => Client::connect_packet(),
            1 => random.bytes(200),
            // The id is 0, or anything.
            2 => own.announce_packet(&[b's'; 20], 1, 1, 2),
            _ => own.announce_packet(&[n as u8; 20], n as u16, 1, 2),
        };
        if n % 4 == 3 {
            packet[..8].copy_from_slice(&random.number().to_be_bytes());
        }
        let source = public_address(&mut random);
        let port = random.number() as u16;
        let packet = enveloped(source, port, stage.to[0], &packet);
        sent += usize::from(raw.send_to(&packet, &to).is_ok());
    }
    format!("{sent} packets from as many made-up addresses")
}

/// Somewhere on the internet.
fn public_address(random: &mut Random) -> Ipv4Addr {
    loop {
        let ip = Ipv4Addr::from(random.number() as u32);
        let is_special = ip.is_private() || ip.is_loopback() || ip.is_link_local();
        if !is_special && (1..224).contains(&ip.octets()[0]) {
            return ip;
        }
    }
}

/// An IPv4 packet with a UDP packet in it. The system fills in lengths and the checksum of the
/// former, and the latter need not have one.
fn enveloped(source: Ipv4Addr, port: u16, to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let IpAddr::V4(destination) = to.ip() else {
        unreachable!("the socket is one of IPv4");
    };
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(port.to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend((8 + bytes.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(bytes);
    packet
}

/// Random and mutated packets of a client that knows its connection id.
pub fn odd(stage: &Stage, a_second: usize) -> String {
    let mut client = Client::between(stage.sources[0], stage.to[0]);
    let connected = client.ask_within(&Client::connect_packet(), Duration::from_secs(2));
    if let Some(connected) = connected {
        client.id = connected[8..].try_into().unwrap();
    }
    client.socket.set_nonblocking(true).unwrap();
    let mut random = Random(0x006f_6464);
    let ordinary = client.announce_packet(&[b'o'; 20], 1, 1, 0);
    let mut answers = 0;
    let sent = stage.pace(a_second, |_| {
        // A full buffer loses one.
        let _ = client.socket.send(&random.mutated_packet(&ordinary));
        let mut answer = [0; 2048];
        while client.socket.recv(&mut answer).is_ok() {
            answers += 1;
        }
    });
    format!("{sent} packets, {answers} of them answered")
}

pub fn wrong_ids(stage: &Stage, a_second: usize) -> String {
    let client = Client::between(stage.sources[0], stage.to[0]);
    client.socket.set_nonblocking(true).unwrap();
    let mut random = Random(0x6964_7321);
    let (mut answers, mut longest) = (0, 0);
    let sent = stage.pace(a_second, |_| {
        let mut packet = client.announce_packet(&[b'w'; 20], 1, 1, 0);
        packet[..8].copy_from_slice(&random.number().to_be_bytes());
        let _ = client.socket.send(&packet);
        let mut answer = [0; 2048];
        while let Ok(length) = client.socket.recv(&mut answer) {
            answers += 1;
            longest = longest.max(length);
        }
    });
    format!("{sent} announces, {answers} of them answered, by {longest} bytes at most")
}
