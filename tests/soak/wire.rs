//! How the honest clients ask: until there is an answer, as clients do, over connections that are
//! kept or not and over UDP. What they ask and what they make of it is not known here.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::model::Span;
use crate::support::http::{Answer, Connection, PATIENCE};
use crate::support::udp;

/// For how long a connection id is used: BEP 15 wants a minute.
const ID_LIFE: Duration = Duration::from_secs(60);
/// A packet may be lost; then it is sent again, sooner than BEP 15 has it.
const TO_ANSWER: Duration = Duration::from_millis(500);

/// One client's connections to a tracker, by the index of the address family: IPv4, IPv6.
pub struct Wire {
    to: [SocketAddr; 2],
    kept: [Option<Connection>; 2],
    /// With the time of their connection ids.
    udp: [Option<(udp::Client, Option<Instant>)>; 2],
    transactions: u32,
}

/// An answer, and how it was got.
pub struct Got<T> {
    pub answer: T,
    /// Of the time when it was asked for that brought it.
    pub span: Span,
    /// How many times before that were in vain.
    pub lost: usize,
    /// How many times a kept connection turned out to be closed. That may happen at any time, and
    /// every client has to do with it.
    pub reopened: usize,
}

impl<T> Got<T> {
    /// The same with what was made of the answer.
    pub fn with<U>(self, answer: U) -> Got<U> {
        Got {
            answer,
            span: self.span,
            lost: self.lost,
            reopened: self.reopened,
        }
    }
}

impl Wire {
    pub fn new(to: [SocketAddr; 2]) -> Wire {
        Wire {
            to,
            kept: [None, None],
            udp: [None, None],
            transactions: 0,
        }
    }

    /// The answer to a GET, on a connection that is kept or not.
    pub fn get(&mut self, target: &str, family: usize, keep: bool) -> Got<Answer> {
        let end = Instant::now() + PATIENCE;
        let version = if keep { "1.1" } else { "1.0" };
        let request = format!("GET {target} HTTP/{version}\r\n\r\n");
        let (mut lost, mut reopened) = (0, 0);
        loop {
            let kept = self.kept[family].take_if(|_| keep);
            let was_kept = kept.is_some();
            let mut connection = kept.unwrap_or_else(|| Connection::open(self.to[family]));
            let asked = Instant::now();
            let is_sent = connection.stream.write_all(request.as_bytes()).is_ok();
            let answer = is_sent.then(|| connection.try_answer(true)).flatten();
            let span = Span {
                asked,
                answered: Instant::now(),
            };
            match answer {
                Some(answer) if answer.status == 200 => {
                    if keep && answer.header("Connection") != Some("close") {
                        self.kept[family] = Some(connection);
                    }
                    return Got {
                        answer,
                        span,
                        lost,
                        reopened,
                    };
                }
                Some(answer) => {
                    // The tracker may say that it is busy.
                    assert_eq!(answer.status, 503, "{}", answer.text());
                    lost += 1;
                }
                None if was_kept => reopened += 1,
                None => lost += 1,
            }
            assert!(Instant::now() < end, "in vain {lost} times: {target}");
        }
    }

    /// The answer to a packet, which has a transaction id of its own each time that it is sent.
    pub fn send(&mut self, make: impl Fn(&udp::Client) -> Vec<u8>, family: usize) -> Got<Vec<u8>> {
        let end = Instant::now() + PATIENCE;
        let (mut client, mut since) = self.udp[family].take().unwrap_or_else(|| {
            let from: IpAddr = match family {
                0 => Ipv4Addr::UNSPECIFIED.into(),
                _ => Ipv6Addr::UNSPECIFIED.into(),
            };
            (udp::Client::between(from, self.to[family]), None)
        });
        let mut lost = 0;
        loop {
            assert!(Instant::now() < end, "{lost} packets in vain");
            let has_id = since.is_some_and(|since: Instant| since.elapsed() < ID_LIFE);
            let mut packet = match has_id {
                true => make(&client),
                false => udp::Client::connect_packet(),
            };
            self.transactions += 1;
            packet[12..16].copy_from_slice(&self.transactions.to_be_bytes());
            let asked = Instant::now();
            match client.ask_within(&packet, TO_ANSWER) {
                None => lost += 1,
                Some(answer) if has_id => {
                    let span = Span {
                        asked,
                        answered: Instant::now(),
                    };
                    self.udp[family] = Some((client, since));
                    return Got {
                        answer,
                        span,
                        lost,
                        reopened: 0,
                    };
                }
                Some(answer) => {
                    client.id = answer[8..].try_into().unwrap();
                    since = Some(asked);
                }
            }
        }
    }
}
