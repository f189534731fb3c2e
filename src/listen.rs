//! Opening the public TCP listeners, on the same terms on every platform.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

/// How often a free port is tried when port 0 was asked for and there is more than one address:
/// what one address has free may be taken on another.
const TRIES: usize = 20;

/// The address that could not be listened on, and why.
#[derive(Debug)]
pub struct Failed {
    /// With the port that was asked for.
    pub address: SocketAddr,
    /// The system's reason.
    pub error: io::Error,
}

/// Listens on `port` of each of `addresses`, which are distinct, or of every address this machine
/// has if there are none. With port 0 all get the same free one.
pub fn open(addresses: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, Failed> {
    let mut tries = 0;
    loop {
        tries += 1;
        let opened = match addresses {
            [] => open_all(port),
            _ => open_these(addresses, port),
        };
        match opened {
            Err(failed)
                if port == 0
                    && failed.address.port() != 0
                    && failed.error.kind() == ErrorKind::AddrInUse
                    && tries < TRIES => {}
            _ => return opened,
        }
    }
}

fn open_these(addresses: &[IpAddr], mut port: u16) -> Result<Vec<TcpListener>, Failed> {
    let any = [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()];
    if any.iter().all(|any| addresses.contains(any)) {
        return open_all(port);
    }
    let is_covered = |ip: &IpAddr, by: &IpAddr| by.is_unspecified() && by.is_ipv6() == ip.is_ipv6();
    let mut listeners = Vec::new();
    // The wildcards first, since they may cover others.
    let mut addresses = addresses.to_vec();
    addresses.sort_by_key(|ip| !ip.is_unspecified());
    for (i, ip) in addresses.iter().enumerate() {
        let mut before = addresses[..i].iter();
        if before.any(|other| is_covered(ip, other)) {
            continue;
        }
        let listener = match listen(*ip, port) {
            // On Linux, :: may have it.
            Err(failed)
                if failed.error.kind() == ErrorKind::AddrInUse
                    && ip.is_ipv4()
                    && addresses[0] == any[0]
                    && takes_ipv4(&listeners[0], port) =>
            {
                continue;
            }
            opened => opened?,
        };
        if port == 0 {
            port = port_of(&listener)?;
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Every address: by one socket for both families where the system has such (Linux), by one for
/// each where it has not (Windows), by IPv4 alone where there is no IPv6.
fn open_all(port: u16) -> Result<Vec<TcpListener>, Failed> {
    let ipv6 = match listen(Ipv6Addr::UNSPECIFIED.into(), port) {
        Err(failed) if lacks_family(&failed.error) => {
            return Ok(vec![listen(Ipv4Addr::UNSPECIFIED.into(), port)?]);
        }
        opened => opened?,
    };
    let port = port_of(&ipv6)?;
    match listen(Ipv4Addr::UNSPECIFIED.into(), port) {
        Ok(ipv4) => Ok(vec![ipv6, ipv4]),
        // Taken by our own socket, or by another program?
        Err(failed) if failed.error.kind() == ErrorKind::AddrInUse => {
            match takes_ipv4(&ipv6, port) {
                true => Ok(vec![ipv6]),
                false => Err(failed),
            }
        }
        Err(failed) if lacks_family(&failed.error) => Ok(vec![ipv6]),
        Err(failed) => Err(failed),
    }
}

/// Whether the error says that this machine does not speak IPv6, or not IPv4.
fn lacks_family(error: &io::Error) -> bool {
    /// `EAFNOSUPPORT` of Linux, of the BSDs with macOS, and of Windows; std has no name for it.
    const NO_FAMILY: [i32; 3] = [97, 47, 10047];
    let kinds = [ErrorKind::AddrNotAvailable, ErrorKind::Unsupported];
    kinds.contains(&error.kind()) || error.raw_os_error().is_some_and(|e| NO_FAMILY.contains(&e))
}

/// Whether an IPv6 listener gets IPv4 connections too. Found out by trying, since std has no
/// way to ask.
fn takes_ipv4(listener: &TcpListener, port: u16) -> bool {
    let ipv4 = match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        Ok(ipv4) => ipv4,
        // Nobody has the port, or somebody who has it for another address.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return false,
        // No loopback at all: nobody to ask, so the usual case is assumed.
        Err(_) => return true,
    };
    // This one comes to our listener for certain, so that accept below has an end. A machine
    // with a loopback of IPv4 only has nobody to ask; then the usual case is assumed.
    let Ok(ipv6) = TcpStream::connect((Ipv6Addr::LOCALHOST, port)) else {
        return true;
    };
    let (Ok(ipv4), Ok(ipv6)) = (ipv4.local_addr(), ipv6.local_addr()) else {
        return true;
    };
    loop {
        match listener.accept() {
            Ok((_, from)) if from == ipv6 => return false,
            Ok((_, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                if from == ipv4 {
                    return true;
                }
                // Somebody else was quick; they will try again.
            }
            Err(_) => return true,
        }
    }
}

fn listen(ip: IpAddr, port: u16) -> Result<TcpListener, Failed> {
    let address = SocketAddr::new(ip, port);
    TcpListener::bind(address)
        .and_then(without_delay)
        .map_err(|error| Failed { address, error })
}

fn port_of(listener: &TcpListener) -> Result<u16, Failed> {
    match listener.local_addr() {
        Ok(address) => Ok(address.port()),
        Err(error) => Err(Failed {
            address: SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
            error,
        }),
    }
}

/// Sets TCP_NODELAY on a listener, whose connections inherit it: an answer that takes two
/// segments would otherwise wait up to 40 ms for the first to be acknowledged. std offers it for
/// streams only, and a listener is a socket like them.
pub fn without_delay(listener: TcpListener) -> io::Result<TcpListener> {
    #[cfg(unix)]
    type Socket = std::os::fd::OwnedFd;
    #[cfg(windows)]
    type Socket = std::os::windows::io::OwnedSocket;

    let stream = TcpStream::from(Socket::from(listener));
    stream.set_nodelay(true)?;
    Ok(TcpListener::from(Socket::from(stream)))
}

#[cfg(test)]
#[path = "listen_tests.rs"]
mod tests;
