//! The sockets between the gate and tiny_http, and how nobody else gets one.
//!
//! On Linux Unix sockets with an abstract name, which work on a machine whose loopback is down
//! (and cost the same). Elsewhere TCP on loopback, which every system has. What is said over them
//! is in `upstream.rs`.
//!
//! tiny_http takes connections from a listener, and nothing else; and every listener can be
//! connected to by every program on the machine, from its first moment: an abstract name is in
//! `/proc/net/unix`. Whoever got in would stay in, and could take all the memory, since
//! tiny_http's queue has no bound. So the gate connects its own ends first, closes the listener,
//! which leaves what is queued in it, and looks how many are queued. Only a listener that holds
//! the gate's own, and can get no others, comes to tiny_http.

pub use system::{Kept, Stream, open};

#[cfg(target_os = "linux")]
mod system {
    use std::hash::{BuildHasher, RandomState};
    use std::io;
    use std::mem::ManuallyDrop;
    use std::net::Shutdown;
    use std::os::fd::OwnedFd;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    use tiny_http::{Listener, Server};

    /// How often it is tried to be alone. Somebody who does nothing but look for new names gets in
    /// most of the time where four connect, and seldom where one does.
    const TRIES: usize = 200;
    /// After so many tries it is half as many connections.
    const TRIES_OF_A_SIZE: usize = 20;

    /// A connection.
    pub type Stream = std::os::unix::net::UnixStream;

    /// tiny_http, never dropped: it takes every Unix socket for a file that it has to remove, and
    /// panics over one that is none. What it keeps is some hundred bytes, once its queue is empty;
    /// its accepting thread has ended when its listener was closed.
    pub struct Kept(pub ManuallyDrop<Server>);

    impl Kept {
        pub fn new(server: Server) -> Kept {
            Kept(ManuallyDrop::new(server))
        }
    }

    /// A listener whose queue holds the other ends of these connections and nothing else.
    pub struct Opened {
        pub listener: Listener,
        pub streams: Vec<Stream>,
        /// Closes the listener when tiny_http has taken them from there; `None` where it is closed.
        pub close: Option<Box<dyn FnOnce()>>,
    }

    /// Opens up to `most` connections, fewer where others keep getting in between.
    pub fn open(most: usize) -> io::Result<Opened> {
        open_beside(&mut |_| (), most)
    }

    /// The same; while others may get in, `others` is called with the address.
    pub fn open_beside(others: &mut dyn FnMut(&SocketAddr), most: usize) -> io::Result<Opened> {
        for tries in 0..TRIES {
            let count = (most >> (tries / TRIES_OF_A_SIZE)).max(1);
            let mut streams = Vec::with_capacity(count);
            // Its one property is that no other program has it.
            let name = RandomState::new().hash_one("name of the listener");
            let name = format!("mayfly-{}-{name:016x}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name)?;
            // From here on others may get in ...
            let listener = UnixListener::bind_addr(&address)?;
            while streams.len() < count {
                streams.push(Stream::connect_addr(&address)?);
            }
            others(&address);
            // ... to here. std has no shutdown for listeners; to the system it is a socket like
            // others. Connecting fails from now on, and so does accepting, once the queue is empty.
            let socket = Stream::from(OwnedFd::from(listener));
            socket.shutdown(Shutdown::Read)?;
            let listener = UnixListener::from(OwnedFd::from(socket));
            if queued(&name).is_none_or(|queued| queued == count) {
                return Ok(Opened {
                    listener: Listener::Unix(listener),
                    streams,
                    close: None,
                });
            }
            // Whoever has got in is disconnected with it, unread.
        }
        Err(io::Error::other(
            "another program on this machine keeps connecting to the tracker's own sockets",
        ))
    }

    /// How many connections are in the queue of the listener of this name, which nobody accepts
    /// from. `None` where the system does not tell, which means that it does not tell others the
    /// name either.
    pub fn queued(name: &str) -> Option<usize> {
        let sockets = std::fs::read("/proc/net/unix").ok()?;
        let of_name = |line: &&[u8]| line.ends_with(name.as_bytes());
        let count = sockets.split(|&byte| byte == b'\n').filter(of_name).count();
        // One is the listener.
        count.checked_sub(1)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::net::{Ipv4Addr, TcpListener};
    use tiny_http::{Listener, Server};

    /// A connection.
    pub type Stream = std::net::TcpStream;

    /// tiny_http.
    pub struct Kept(pub Server);

    impl Kept {
        pub fn new(server: Server) -> Kept {
            Kept(server)
        }
    }

    /// A listener whose queue holds the other ends of these connections.
    pub struct Opened {
        pub listener: Listener,
        pub streams: Vec<Stream>,
        /// Closes the listener when tiny_http has taken them from there; `None` where it is closed.
        pub close: Option<Box<dyn FnOnce()>>,
    }

    /// Opens `most` connections.
    ///
    /// These systems neither close a listener whose queue is not empty nor tell what is in it. So
    /// another program may get in for a millisecond, as long as a new tiny_http takes to make; what
    /// it asks is not answered (see `upstream.rs`).
    pub fn open(most: usize) -> io::Result<Opened> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let listener = crate::listen::without_delay(listener)?;
        let address = listener.local_addr()?;
        let connect = || {
            let stream = Stream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let streams = (0..most).map(|_| connect()).collect::<io::Result<_>>()?;
        let ours = listener.try_clone()?;
        Ok(Opened {
            listener: Listener::Tcp(listener),
            streams,
            close: Some(Box::new(move || {
                // An accept that fails ends tiny_http's accepting thread, and that closes the
                // listener.
                if ours.set_nonblocking(true).is_ok() {
                    // It may be waiting already, in the mode of before.
                    drop(Stream::connect(address));
                }
            })),
        })
    }
}

#[cfg(test)]
#[path = "upstream_socket_tests.rs"]
mod tests;
