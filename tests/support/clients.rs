//! Real BitTorrent clients that share one torrent through the tracker alone: every other way to
//! find peers (DHT, PEX, LPD) is off. The network that they run in comes from `netns`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::netns::Machine;
use super::torrent::Torrent;
use super::tracker::Tracker;
use super::{Process, TempDir};

/// Both announce by HTTP over IPv4 and IPv6, but by UDP over IPv4 only.
#[derive(Clone, Copy, Debug)]
pub enum Client {
    Aria2,
    /// It looks at who is worth asking every 10 seconds, so a download takes 12 to 18 of them.
    Transmission,
}

/// Clients that share the same data; dropping it ends them and removes their files.
pub struct Swarm {
    // Before the directory: they must be gone when it is removed.
    members: Vec<Member>,
    directory: TempDir,
    torrent: Torrent,
    /// Of https:// trackers, where it is not one that the system trusts.
    certificate: Option<PathBuf>,
}

struct Member {
    process: Process,
    file: PathBuf,
}

impl Swarm {
    pub fn new() -> Swarm {
        Swarm {
            members: vec![],
            directory: TempDir::new(),
            torrent: Torrent::random("data.bin", 4 << 20, 0x6d61_7966_6c79),
            certificate: None,
        }
    }

    /// Its clients, aria2 alone, trust a tracker with this certificate.
    pub fn trusting(certificate: &Path) -> Swarm {
        Swarm {
            certificate: Some(certificate.into()),
            ..Swarm::new()
        }
    }

    /// Starts a client that has the data. It announces to these URLs, each a tier of its own, from
    /// this machine or, without one, from the host.
    pub fn seed(&mut self, client: Client, on: Option<&Machine>, announce: &[&str]) {
        self.start(client, on, announce, true);
    }

    /// Starts a client that lacks the data.
    pub fn download(&mut self, client: Client, on: Option<&Machine>, announce: &[&str]) {
        self.start(client, on, announce, false);
    }

    /// Waits until all have the data; panics if that takes too long, or if one of them or
    /// the tracker ends.
    pub fn wait(&self, tracker: &Tracker) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.members.iter().all(|m| self.is_complete(m)) {
            let ended =
                !tracker.is_running() || self.members.iter().any(|m| !m.process.is_running());
            if ended || Instant::now() > deadline {
                let reports = self.members.iter().map(|m| m.process.report());
                panic!(
                    "the data did not arrive everywhere\n{}{}",
                    tracker.report(),
                    reports.collect::<String>()
                );
            }
            // Neither client has an event in common with the other, and what counts is the file:
            // so look at it now and then.
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn is_complete(&self, member: &Member) -> bool {
        std::fs::read(&member.file).is_ok_and(|data| data == self.torrent.data)
    }

    fn start(&mut self, client: Client, on: Option<&Machine>, announce: &[&str], seeds: bool) {
        let role = if seeds { "seeds" } else { "downloads" };
        let name = format!("{client:?} {}, {role}", self.members.len());
        let home = self.directory.path().join(self.members.len().to_string());
        std::fs::create_dir(&home).expect("a new directory");
        let file = home.join(self.torrent.name);
        if seeds {
            std::fs::write(&file, &self.torrent.data).expect("room for the data");
        }
        let torrent = home.join("it.torrent");
        self.torrent.write(&torrent, announce);

        let mut words: Vec<String> = vec![];
        if let Some(machine) = on {
            words.extend(machine.prefix().map(str::to_string));
        }
        let udp = announce.iter().any(|url| url.starts_with("udp://"));
        words.extend(match client {
            Client::Aria2 => aria2(&home, udp),
            Client::Transmission => transmission(&home),
        });
        if let Some(certificate) = &self.certificate {
            words.push(format!("--ca-certificate={}", certificate.display()));
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(&torrent);
        // No proxy and no settings of the user who runs the tests.
        command.env_clear().env("HOME", &home);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        command.stdout(match client {
            Client::Aria2 => Stdio::piped(),
            // It redraws one endless line there; its log goes to standard error.
            Client::Transmission => Stdio::null(),
        });
        let process = Process::spawn(&name, &mut command);
        self.members.push(Member { process, file });
    }
}

/// It takes ports that are free in the given ranges, so several of them can share a machine. The
/// ranges are short because without IPv4 it tries, in vain, every port of them for that.
fn aria2(home: &Path, udp: bool) -> Vec<String> {
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
        if udp {
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
    words.push(format!("--dir={}", home.display()));
    words.push(format!("--dht-file-path={}/dht.dat", home.display()));
    // Should the tests be killed, it ends by itself.
    words.push(format!("--stop-with-process={}", std::process::id()));
    words
}

/// transmission-cli rather than the daemon: on Debian installing that starts it.
fn transmission(home: &Path) -> Vec<String> {
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
    std::fs::write(home.join("settings.json"), settings).expect("a new file");
    let home = home.display().to_string();
    let words = [
        "transmission-cli",
        "--config-dir",
        &home,
        "--download-dir",
        &home,
    ];
    words.map(str::to_string).into()
}
