//! Opening the public sockets, TCP and UDP, on the same terms on every platform; and saying why
//! not, in a line for a person. What is done with them is for the gate and for `udp/`.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

/// How often a free port is tried when port 0 was asked for: what is free for one address, or for
/// TCP, may be taken for another.
const TRIES: usize = 20;

/// The public sockets, all of one port.
#[derive(Debug)]
pub struct Sockets {
    /// At least one.
    pub tcp: Vec<TcpListener>,
    /// Those for UDP.
    pub udp: Udp,
    /// The port that they really have.
    pub port: u16,
    /// The addresses that are listened on; none means all. Where IPv6's wildcard takes IPv4 too,
    /// that of IPv4 is here with it.
    pub bind: Vec<IpAddr>,
}

/// What there is for UDP.
#[derive(Debug)]
pub enum Udp {
    /// It is not wanted.
    Off,
    /// Why it is not to be had, though it is wanted.
    Refused(String),
    /// A socket for each address that TCP listens on; a wildcard where it has one.
    AsTcp(Vec<UdpSocket>),
    /// A socket for each of this machine's addresses.
    Each(Vec<UdpSocket>),
}

impl Udp {
    /// How many sockets there are.
    pub fn count(&self) -> usize {
        match self {
            Udp::Off | Udp::Refused(_) => 0,
            Udp::AsTcp(sockets) | Udp::Each(sockets) => sockets.len(),
        }
    }
}

/// Which of this machine's addresses are behind `bind`, the ports being 0. `None` if they are
/// those of `bind` itself, wildcards included.
pub type Each<'a> = &'a dyn Fn(&[IpAddr]) -> Option<Vec<SocketAddr>>;

/// Listens on `port` of each of `bind`, which are distinct, or of every address this machine has
/// if there are none: over TCP, and UDP if it is wanted, at `each` address. With port 0 all get the
/// same free one. The error is one line for a person.
pub fn open(bind: &[IpAddr], port: u16, each: Option<Each<'_>>) -> Result<Sockets, String> {
    let mut tries = 0;
    loop {
        tries += 1;
        let sockets = open_once(bind, port, each);
        // Of a port that is free for TCP, UDP may be taken: then another may do.
        let is_whole = matches!(&sockets, Ok(sockets) if !matches!(sockets.udp, Udp::Refused(_)));
        if is_whole || port != 0 || tries >= TRIES {
            return sockets;
        }
    }
}

fn open_once(bind: &[IpAddr], port: u16, each: Option<Each<'_>>) -> Result<Sockets, String> {
    let tcp = open_tcp(bind, port).map_err(explain)?;
    let addresses: io::Result<Vec<_>> = tcp.iter().map(TcpListener::local_addr).collect();
    let addresses = addresses.map_err(|error| format!("the tracker could not start: {error}"))?;
    // There is at least one.
    let port = addresses[0].port();
    let bind = listened_on(bind, &tcp[0], port);
    let udp = match each.map(|each| open_udp(&addresses, each(&bind), port)) {
        None => Udp::Off,
        Some(Ok(udp)) => udp,
        Some(Err(error)) => Udp::Refused(explain_udp(port, &error)),
    };
    Ok(Sockets {
        tcp,
        udp,
        port,
        bind,
    })
}

fn open_udp(of_tcp: &[SocketAddr], each: Option<Vec<SocketAddr>>, port: u16) -> io::Result<Udp> {
    let as_tcp = || {
        let sockets: io::Result<_> = of_tcp.iter().map(UdpSocket::bind).collect();
        sockets.map(Udp::AsTcp)
    };
    let Some(each) = each else {
        return as_tcp();
    };
    let mut sockets = Vec::new();
    for mut at in each {
        at.set_port(port);
        match UdpSocket::bind(at) {
            Ok(socket) => sockets.push(socket),
            // By another program; under wine, by the socket for the address before it.
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                drop(sockets);
                return if cfg!(windows) { as_tcp() } else { Err(error) };
            }
            // Gone again, or not quite there yet: it will be tried again.
            Err(_) => {}
        }
    }
    if cfg!(windows) {
        // Its list may lack some, and there, unlike elsewhere, a wildcard may be beside them.
        sockets.extend(of_tcp.iter().filter_map(|at| UdpSocket::bind(at).ok()));
    }
    Ok(Udp::Each(sockets))
}

/// The addresses that are listened on, if these were asked for and `first` is the first of the
/// listeners.
fn listened_on(bind: &[IpAddr], first: &TcpListener, port: u16) -> Vec<IpAddr> {
    let mut bind = bind.to_vec();
    let [any_ipv6, any_ipv4] = ANY;
    if bind.contains(&any_ipv6) && !bind.contains(&any_ipv4) {
        // If that is to be had, the other has not got it.
        let is_taken = matches!(
            listen(any_ipv4, port),
            Err(Failed { error, .. }) if error.kind() == ErrorKind::AddrInUse
        );
        if is_taken && takes_ipv4(first, port) {
            bind.push(any_ipv4);
        }
    }
    bind
}

/// All addresses, of each family.
const ANY: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
];

/// The address that could not be listened on, with the port that was asked for, and why.
#[derive(Debug)]
struct Failed {
    address: SocketAddr,
    error: io::Error,
}

fn explain(failed: Failed) -> String {
    let Failed { address, error } = failed;
    let (ip, port) = (address.ip(), address.port());
    match error.kind() {
        ErrorKind::AddrInUse => {
            let other = if port < u16::MAX { port + 1 } else { 9001 };
            format!(
                "port {port} is in use by another program (or another mayfly): \
                 stop that one, or choose another port, such as: mayfly -p {other}"
            )
        }
        // Windows keeps ranges of ports for itself.
        ErrorKind::PermissionDenied if port > 1023 => format!(
            "the system does not let anybody listen on port {port}: \
             choose another one, such as: mayfly -p 6969"
        ),
        ErrorKind::PermissionDenied => format!(
            "this user may not listen on port {port}: \
             choose one above 1023, such as: mayfly -p 9000 \
             (or on Linux allow it: setcap cap_net_bind_service=+ep on the executable; \
             for a service of systemd, dont_readme.txt has what it needs)"
        ),
        ErrorKind::AddrNotAvailable => format!(
            "--bind '{ip}': this machine has no such address; \
             leave -b out to listen on all that it has"
        ),
        _ => format!("cannot listen on {address}: {error}"),
    }
}

fn explain_udp(port: u16, error: &io::Error) -> String {
    let why = match error.kind() {
        ErrorKind::AddrInUse => "is in use by another program".to_owned(),
        _ => format!("cannot be opened ({error})"),
    };
    format!(
        "UDP port {port} {why}: serving HTTP alone; \
         another port (-p) serves both, and --no-udp asks for HTTP alone"
    )
}

fn open_tcp(bind: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, Failed> {
    match bind {
        [] => open_all(port),
        _ => open_these(bind, port),
    }
}

fn open_these(addresses: &[IpAddr], mut port: u16) -> Result<Vec<TcpListener>, Failed> {
    if ANY.iter().all(|any| addresses.contains(any)) {
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
                    && addresses[0] == ANY[0]
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
