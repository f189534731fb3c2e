//! The kind of socket between the gate and tiny_http.
//!
//! On Linux a Unix socket with an abstract name, which works on a machine whose loopback is down
//! (and costs the same). Elsewhere TCP on loopback, which every system has. What is
//! said over it is in `upstream.rs`.

pub use system::{Kept, Stream, UpstreamListener};

#[cfg(target_os = "linux")]
mod system {
    use std::hash::{BuildHasher, RandomState};
    use std::io;
    use std::mem::ManuallyDrop;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    use tiny_http::{Listener, Server};

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

    /// Where tiny_http listens.
    pub struct UpstreamListener(UnixListener);

    impl UpstreamListener {
        pub fn open() -> io::Result<(UpstreamListener, Listener)> {
            // Its one property is that no other program has it.
            let name = RandomState::new().hash_one("name of the listener");
            let name = format!("mayfly-{}-{name:016x}", std::process::id());
            let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
            Ok((
                UpstreamListener(listener.try_clone()?),
                Listener::Unix(listener),
            ))
        }

        pub fn connect(&self) -> io::Result<Stream> {
            Stream::connect_addr(&self.0.local_addr()?)
        }

        pub fn set_nonblocking(&self) -> io::Result<()> {
            self.0.set_nonblocking(true)
        }
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

    /// Where tiny_http listens.
    pub struct UpstreamListener(TcpListener);

    impl UpstreamListener {
        pub fn open() -> io::Result<(UpstreamListener, Listener)> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let listener = crate::listen::without_delay(listener)?;
            Ok((
                UpstreamListener(listener.try_clone()?),
                Listener::Tcp(listener),
            ))
        }

        pub fn connect(&self) -> io::Result<Stream> {
            let stream = Stream::connect(self.0.local_addr()?)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        }

        pub fn set_nonblocking(&self) -> io::Result<()> {
            self.0.set_nonblocking(true)
        }
    }
}
