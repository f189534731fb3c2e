//! The programs: how each is started, and told to do nothing but what a test wants of it.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Task;
use crate::support::Process;
use crate::support::http::Connection;
use crate::support::netns::Machine;
use crate::support::tools::{skip, tool};
use crate::support::vitals::eventually;

#[derive(Clone, Copy, Debug)]
pub enum Client {
    /// It announces by HTTP over IPv4 and IPv6, but by UDP over IPv4 only.
    Aria2,
    /// The same; and it looks at who is worth asking every 10 seconds, so a download takes 12 to 18
    /// of them.
    Transmission,
    /// The library that qBittorrent and Deluge are made of, as Python has it.
    Libtorrent,
    QBittorrent,
    RTorrent,
    WebTorrent,
}

impl Client {
    /// Whether it is installed; prints the line "skipped" if not.
    pub fn is_here(self) -> bool {
        match self {
            Client::Aria2 => tool("aria2c").is_some(),
            Client::Transmission => tool("transmission-cli").is_some(),
            Client::QBittorrent => tool("qbittorrent-nox").is_some(),
            Client::RTorrent => tool("rtorrent").is_some(),
            Client::Libtorrent => {
                // Debian's, whichever other Python there may be.
                let module = Path::new("/usr/lib/python3/dist-packages");
                let is_it = |name: &str| name.starts_with("libtorrent.");
                let mut files = std::fs::read_dir(module).into_iter().flatten().flatten();
                let found = files.any(|file| file.file_name().to_str().is_some_and(is_it));
                if !found {
                    skip("there is no libtorrent (apt-get install python3-libtorrent)");
                }
                found
            }
            Client::WebTorrent => {
                let is_here = webtorrent().join("node_modules/webtorrent").is_dir();
                if !is_here {
                    skip(
                        "there is no WebTorrent (npm --prefix target/webtorrent install webtorrent)",
                    );
                }
                is_here && tool("node").is_some()
            }
        }
    }

    /// The words of its command.
    pub(super) fn command(self, task: &Task) -> Vec<String> {
        match self {
            Client::Aria2 => aria2(task),
            Client::Transmission => transmission(task),
            Client::Libtorrent => script("/usr/bin/python3", "run_libtorrent.py", task),
            Client::WebTorrent => script("node", "run_webtorrent.mjs", task),
            Client::QBittorrent => qbittorrent(task),
            Client::RTorrent => rtorrent(task),
        }
    }

    /// What is to be done when it runs.
    pub(super) fn finish(self, task: &Task, on: Option<&Machine>, process: &Process) {
        if let Client::QBittorrent = self {
            let on = on.expect("qBittorrent is run on a machine of its own");
            on.inside(|| add_to_qbittorrent(task, process));
        }
    }
}

/// It takes ports that are free in the given ranges, so several of them can share a machine. The
/// ranges are short because without IPv4 it tries, in vain, every port of them for that.
fn aria2(task: &Task) -> Vec<String> {
    let words = [
        "aria2c",
        "--no-conf",
        "--log=-",
        "--log-level=info",
        "--console-log-level=error",
        "--show-console-readout=false",
        "--listen-port=20000-20019",
        "--dht-listen-port=20000-20019",
        // It speaks to UDP trackers through the socket of its DHT. Without an entry point and with
        // an empty routing table that DHT knows nobody.
        if task.over_udp {
            "--enable-dht=true"
        } else {
            "--enable-dht=false"
        },
        "--enable-dht6=false",
        "--enable-peer-exchange=false",
        "--bt-enable-lpd=false",
        // Look at the data that is there, and seed it for ever.
        "--check-integrity=true",
        "--seed-ratio=0.0",
        "--allow-overwrite=true",
        "--file-allocation=none",
    ];
    let mut words: Vec<String> = words.map(str::to_string).into();
    let home = task.home.display();
    words.push(format!("--dir={home}"));
    words.push(format!("--dht-file-path={home}/dht.dat"));
    // Should the tests be killed, it ends by itself.
    words.push(format!("--stop-with-process={}", std::process::id()));
    words.push(task.torrent.to_owned());
    words
}

/// transmission-cli rather than the daemon: on Debian installing that starts it.
fn transmission(task: &Task) -> Vec<String> {
    let settings = r#"{
        "dht-enabled": false,
        "pex-enabled": false,
        "lpd-enabled": false,
        "utp-enabled": false,
        "port-forwarding-enabled": false,
        "rpc-enabled": false,
        "peer-port-random-on-start": true,
        "message-level": 5
    }"#;
    std::fs::write(task.home.join("settings.json"), settings).expect("a new file");
    let home = task.home.display().to_string();
    let words = [
        "transmission-cli",
        "--config-dir",
        &home,
        "--download-dir",
        &home,
        task.torrent,
    ];
    words.map(str::to_string).into()
}

/// A script beside this file, which says what it wants to be told.
fn script(interpreter: &str, name: &str, task: &Task) -> Vec<String> {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clients");
    let told = json!({
        "modules": webtorrent(),
        "directory": task.home,
        "port": task.port,
        "torrent": task.torrent,
        "settings": task.settings,
    });
    vec![
        interpreter.to_owned(),
        format!("{scripts}/{name}"),
        told.to_string(),
    ]
}

/// Where .ci/run has npm install it.
fn webtorrent() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/webtorrent")
}

/// It has no other way to be told what it must not do than its own settings file; the torrent comes
/// by its Web API (`add_to_qbittorrent`).
fn qbittorrent(task: &Task) -> Vec<String> {
    let settings = format!(
        "[LegalNotice]\nAccepted=true\n\
         [Preferences]\nWebUI\\Address=127.0.0.1\nWebUI\\Port={}\nWebUI\\UseUPnP=false\n\
         WebUI\\LocalHostAuth=false\n\
         [Network]\nPortForwardingEnabled=false\n\
         [BitTorrent]\nSession\\Port={}\nSession\\DHTEnabled=false\nSession\\PeXEnabled=false\n\
         Session\\LSDEnabled=false\n",
        web_port(task),
        task.port
    );
    let directory = task.home.join("qBittorrent/config");
    std::fs::create_dir_all(&directory).expect("a new directory");
    std::fs::write(directory.join("qBittorrent.conf"), settings).expect("a new file");
    let profile = format!("--profile={}", task.home.display());
    vec!["qbittorrent-nox".to_owned(), profile]
}

fn web_port(task: &Task) -> u16 {
    task.port + 10_000
}

fn add_to_qbittorrent(task: &Task, process: &Process) {
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, web_port(task)));
    let is_up = eventually(|| TcpStream::connect(at).is_ok());
    assert!(is_up, "no Web API\n{}", process.report());
    const BOUNDARY: &str = "------------------------mayfly";
    let mut body = Vec::new();
    let mut part = |head: &str, value: &[u8]| {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        body.extend([head.as_bytes(), value, b"\r\n"].concat());
    };
    part(
        "name=\"savepath\"",
        task.home.display().to_string().as_bytes(),
    );
    match std::fs::read(task.torrent) {
        Ok(file) => part(
            "name=\"torrents\"; filename=\"it.torrent\"\r\n\
             Content-Type: application/x-bittorrent",
            &file,
        ),
        Err(_) => part("name=\"urls\"", task.torrent.as_bytes()),
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    let mut connection = Connection::open(at);
    let head = format!(
        "POST /api/v2/torrents/add HTTP/1.1\r\nHost: {at}\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        body.len()
    );
    connection.stream.write_all(head.as_bytes()).expect("room");
    connection.stream.write_all(&body).expect("room");
    let answer = connection.answer();
    assert_eq!(answer.text(), "Ok.", "{}", process.report());
}

/// As a daemon, which needs no terminal.
fn rtorrent(task: &Task) -> Vec<String> {
    let home = task.home.display();
    let session = task.home.join("session");
    std::fs::create_dir(&session).expect("a new directory");
    let settings = format!(
        "system.daemon.set = true\n\
         directory.default.set = {home}\n\
         session.path.set = {home}/session\n\
         network.port_range.set = {port}-{port}\n\
         network.port_random.set = no\n\
         dht.mode.set = disable\n\
         protocol.pex.set = no\n\
         trackers.use_udp.set = yes\n\
         log.open_file = \"log\", /dev/stdout\n\
         log.add_output = \"info\", \"log\"\n\
         log.add_output = \"tracker_debug\", \"log\"\n\
         schedule2 = load, 0, 0, \"load.start={torrent}\"\n",
        port = task.port,
        torrent = task.torrent
    );
    let file = task.home.join("rtorrent.rc");
    std::fs::write(&file, settings).expect("a new file");
    let import = format!("import={}", file.display());
    let words = ["rtorrent", "-n", "-o", &import];
    words.map(str::to_string).into()
}
