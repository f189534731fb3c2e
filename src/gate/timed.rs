//! Reading from and writing to a client within a time, however slowly it drips or takes. What is
//! read or written is not known here.

use super::connections::Place;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How often a reader on Windows looks whether it was evicted.
const WINDOWS_SLICE: Duration = Duration::from_millis(50);

/// Remembers the timeouts of a connection: setting one is a system call.
#[derive(Default)]
pub struct Timer {
    read: Duration,
    write: Duration,
}

impl Timer {
    /// Sets how long one read may wait.
    pub fn set_read(&mut self, stream: &TcpStream, timeout: Duration) {
        if self.read != timeout && stream.set_read_timeout(Some(timeout)).is_ok() {
            self.read = timeout;
        }
    }

    /// Sets how long one write may wait.
    pub fn set_write(&mut self, stream: &TcpStream, timeout: Duration) {
        if self.write != timeout && stream.set_write_timeout(Some(timeout)).is_ok() {
            self.write = timeout;
        }
    }
}

/// Reads once, waiting for at most `time`.
pub fn read_within(
    mut stream: &TcpStream,
    place: &Place,
    bytes: &mut [u8],
    time: Duration,
    timer: &mut Timer,
) -> io::Result<usize> {
    if cfg!(windows) {
        // There, a shutdown by another thread does not wake a reader. So look now and then
        // whether the place was given to another; by peeking, since a read that times out may
        // lose what comes at that moment.
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || place.was_evicted() {
                return Err(ErrorKind::TimedOut.into());
            }
            timer.set_read(stream, left.min(WINDOWS_SLICE));
            match stream.peek(&mut [0]) {
                Err(error) if is_timeout(&error) => {}
                Ok(_) => break,
                Err(error) => return Err(error),
            }
        }
    } else {
        timer.set_read(stream, time);
    }
    stream.read(bytes)
}

/// `WouldBlock` on Unix, `TimedOut` on Windows.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Writes all of `bytes` in at most `time`, however slowly the client takes them. The caller has
/// set a timeout for the first write, or knows that it does not wait.
pub fn write_within(
    mut stream: &TcpStream,
    mut bytes: &[u8],
    time: Duration,
    timer: &mut Timer,
) -> io::Result<()> {
    let begin = Instant::now();
    loop {
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let left = time.checked_sub(begin.elapsed()).filter(|t| !t.is_zero());
        timer.set_write(stream, left.ok_or(ErrorKind::TimedOut)?);
    }
}

#[cfg(test)]
#[path = "timed_tests.rs"]
mod tests;
