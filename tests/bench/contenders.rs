//! The programs that are compared: how each is started, found to be ready, and ended (aquatic's are
//! in `aquatic.rs`). What they are asked is in `http.rs` and `udp.rs`.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Torrents in the load: opentracker's Debian package serves only those in a file.
pub const TORRENTS: u32 = 1_000;

/// Ports that peers announce, so that there are 200,000 of them: of a tracker's announces, most
/// are by peers that it knows.
pub const FIRST_PORT: u32 = 10_000;
pub const PORTS: u32 = 200;

/// The info_hash of torrent `n`: lower-case letters and digits, so that it is the same in a URL.
pub fn info_hash(n: u32) -> [u8; 20] {
    format!("benchmark{n:011}")
        .into_bytes()
        .try_into()
        .expect("20 bytes")
}

/// A running program; ended when dropped.
pub struct Contender {
    pub name: &'static str,
    pub address: SocketAddr,
    child: Child,
    directory: Option<PathBuf>,
}

impl Contender {
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(directory) = &self.directory {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// mayfly, as it is used: nothing but a port, and a short log.
pub fn mayfly() -> Contender {
    start_mayfly("mayfly", env!("CARGO_BIN_EXE_mayfly").as_ref())
}

/// Another executable of it, that of the version before perhaps, whose path is in `BEFORE`.
pub fn mayfly_before() -> Option<Result<Contender, String>> {
    let program = std::env::var_os("BEFORE")?;
    Some(Ok(start_mayfly("mayfly before", &program)))
}

fn start_mayfly(name: &'static str, program: &OsStr) -> Contender {
    let mut command = Command::new(program);
    command.args(["-p", "0", "-q", "-b", "127.0.0.1"]);
    until_it_names_its_port(name, &mut command)
}

/// This program in another role (see `main.rs`).
pub fn role(name: &'static str, role: &str) -> Contender {
    let this = std::env::current_exe().expect("this program's path");
    until_it_names_its_port(name, Command::new(this).arg(role))
}

/// A bare Tornado, or why not.
pub fn tornado() -> Result<Contender, String> {
    // Debian's own, which need not be the one that the shell finds.
    let python = "/usr/bin/python3";
    let has_tornado = Command::new(python)
        .args(["-c", "import tornado"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_tornado {
        return Err("Tornado is not installed (apt-get install python3-tornado)".into());
    }
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/bench/tornado_constant.py"
    );
    let body = crate::http::FULL_BODY.to_string();
    Ok(until_it_names_its_port(
        "bare Tornado",
        Command::new(python).args([script, &body]),
    ))
}

/// opentracker of Debian, or why not.
pub fn opentracker() -> Result<Contender, String> {
    let directory = directory("opentracker")?;
    let mut list = String::new();
    for n in 0..TORRENTS {
        for byte in info_hash(n) {
            list.push_str(&format!("{byte:02x}"));
        }
        list.push('\n');
    }
    fs::write(directory.join("whitelist"), list).map_err(|error| error.to_string())?;
    let address = free_address()?;
    let port = address.port().to_string();
    let mut command = Command::new("opentracker");
    command
        .args(["-i", "127.0.0.1", "-p", &port, "-P", &port])
        .args(["-w", "whitelist", "-d"])
        .arg(&directory)
        .stderr(Stdio::null());
    until_it_answers("opentracker", address, directory, &mut command, answers_tcp)
}

/// A directory for a program's files.
pub fn directory(name: &str) -> Result<PathBuf, String> {
    let name = format!("mayfly-bench-{}-{name}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    Ok(directory)
}

/// For a program that cannot take a free port by itself.
pub fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| error.to_string())
}

/// Whether connections are taken at `address`.
pub fn answers_tcp(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

/// Whether a connect packet is answered at `address`.
pub fn answers_udp(address: SocketAddr) -> bool {
    let connected = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        socket.connect(address)?;
        socket.send(&crate::udp::connect_packet())?;
        socket.recv(&mut [0; 16])
    };
    connected().is_ok_and(|length: usize| length == 16)
}

/// Starts a program that does not say when it is ready. `directory` is removed at its end.
pub fn until_it_answers(
    name: &'static str,
    address: SocketAddr,
    directory: PathBuf,
    command: &mut Command,
    is_ready: fn(SocketAddr) -> bool,
) -> Result<Contender, String> {
    let child = command.stdout(Stdio::null()).spawn();
    let child = child.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{name} is not installed (apt-get install {name})"),
        _ => error.to_string(),
    })?;
    let contender = Contender {
        name,
        address,
        child,
        directory: Some(directory),
    };
    let begin = Instant::now();
    while !is_ready(address) {
        if begin.elapsed() > Duration::from_secs(5) {
            return Err(format!("{name} did not start"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(contender)
}

/// Starts a program that prints a line with `:PORT/` or `:PORT` at its end.
fn until_it_names_its_port(name: &'static str, command: &mut Command) -> Contender {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a first line");
    let after_colon = line.trim_end().rsplit(':').next().unwrap_or_default();
    let digits = after_colon.split('/').next().unwrap_or_default();
    let port: u16 = digits.parse().unwrap_or_else(|_| panic!("{name}: {line}"));
    // The rest is read, so that it is never blocked by a full pipe.
    thread::spawn(move || io::copy(&mut out, &mut io::sink()));
    Contender {
        name,
        address: (Ipv4Addr::LOCALHOST, port).into(),
        child,
        directory: None,
    }
}

/// The role of a bare UDP echo: what std's sockets can do at most, with the number of threads that
/// is best for it on two processors. It answers an announce with as many bytes as a full answer has.
pub fn serve_udp_echo() -> ! {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    announce_port(socket.local_addr());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut packet = [0; 2048];
                let mut answer = [0; crate::udp::FULL_ANSWER];
                loop {
                    let Ok((length, from)) = socket.recv_from(&mut packet) else {
                        continue;
                    };
                    let answer = &mut answer[..if length > 16 {
                        crate::udp::FULL_ANSWER
                    } else {
                        16
                    }];
                    answer[..8].copy_from_slice(&packet[8..16]);
                    let _ = socket.send_to(answer, from);
                }
            });
        }
    });
    unreachable!("the threads go on for ever")
}

/// The role of a bare tiny_http: the limit of the choice of library. It answers everything with a
/// constant as long as a full answer.
pub fn serve_tiny_http() -> ! {
    let server = tiny_http::Server::http((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    announce_port(Ok(server.server_addr().to_ip().expect("a TCP listener")));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    if let Ok(request) = server.recv() {
                        let body = vec![b'x'; crate::http::FULL_BODY];
                        let _ = request.respond(tiny_http::Response::from_data(body));
                    }
                }
            });
        }
    });
    unreachable!("the threads go on for ever")
}

fn announce_port(address: io::Result<SocketAddr>) {
    println!("{}", address.expect("a bound address"));
    let _ = io::stdout().flush();
}
