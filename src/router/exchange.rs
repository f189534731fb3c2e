//! Asks a router something over a connection, and over the port of NAT-PMP and PCP; each with an
//! end in sight, whatever the router does. What the bytes mean is not known here.

use super::http_answer::{self, Answer, LONGEST, Read};
use std::io::{self, ErrorKind, Read as _, Write};
use std::net::{SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// How long an exchange over a connection takes at most, with all that belongs to it.
const LONGEST_EXCHANGE: Duration = Duration::from_secs(3);
/// How long is waited for an answer to each packet: RFC 6886 has it so, and goes on for a minute.
const TRIES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1000),
];

/// Sends a request over a connection of its own and reads the answer. Redirections are answers
/// like any other, and followed by nobody.
pub fn over_tcp(to: SocketAddrV4, request: &str) -> Option<Answer> {
    let deadline = Instant::now() + LONGEST_EXCHANGE;
    let left = || {
        deadline
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    };
    let mut stream = TcpStream::connect_timeout(&to.into(), LONGEST_EXCHANGE).ok()?;
    stream.set_write_timeout(Some(left()?)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left()?)).ok()?;
        let count = match stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        let room = LONGEST - bytes.len();
        bytes.extend_from_slice(&buffer[..count.min(room)]);
        match http_answer::read(&bytes, count == 0) {
            Read::Part => {}
            Read::Whole(answer) => return Some(answer),
            Read::Nonsense => return None,
        }
    }
}

/// Sends a packet to where the socket is connected, up to three times, until something arrives
/// that `read` takes for an answer. Packets from elsewhere the system keeps away.
pub fn over_udp<T>(
    socket: &UdpSocket,
    packet: &[u8],
    read: &dyn Fn(&[u8]) -> Option<T>,
) -> Option<T> {
    // More than any answer has, so that a longer one is not taken for one that fits.
    let mut buffer = [0; 1200];
    for patience in TRIES {
        let deadline = Instant::now() + patience;
        match socket.send(packet) {
            Err(error) if is_refused(&error) => return None,
            _ => {}
        }
        while let Some(length) = receive(socket, deadline, &mut buffer).ok()? {
            let answer = read(&buffer[..length]);
            if answer.is_some() {
                return answer;
            }
        }
    }
    None
}

/// The next packet, if one comes in time. The error is that nobody listens there.
fn receive(socket: &UdpSocket, deadline: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv(buffer) {
            Ok(length) => return Ok(Some(length)),
            Err(error) if is_refused(&error) => return Err(error),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(None);
            }
            // A packet that is longer than the buffer is an error on Windows.
            Err(_) => {}
        }
    }
}

/// Whether the other machine has said that nobody listens there; on Windows it is a reset.
fn is_refused(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
