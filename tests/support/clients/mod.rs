//! Real BitTorrent clients that share one torrent through the tracker alone: every other way to
//! find peers (DHT, PEX, LPD) is off. The network that they run in comes from `netns`, how each of
//! them is told what to do is in `programs`.

mod programs;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::netns::Machine;
use super::torrent::Torrent;
use super::tracker::Tracker;
use super::{Process, TempDir};

pub use programs::Client;

/// Clients that share the same data; dropping it ends them and removes their files.
pub struct Swarm {
    // Before the directory: they must be gone when it is removed.
    members: Vec<Member>,
    directory: TempDir,
    pub torrent: Torrent,
    /// Of https:// trackers, where it is not one that the system trusts.
    certificate: Option<PathBuf>,
}

struct Member {
    process: Process,
    file: PathBuf,
}

/// What a client starts with.
#[derive(Clone, Copy, PartialEq)]
enum Start<'a> {
    Data,
    TorrentFile,
    MagnetLink(&'a str),
}

/// What a program is told.
struct Task<'a> {
    /// A directory of its own, for everything.
    home: &'a Path,
    /// A .torrent file or a magnet link.
    torrent: &'a str,
    /// A port that no other client of the tests has, where it has to be told one. Such clients are
    /// run on machines made for the test alone.
    port: u16,
    over_udp: bool,
    /// Further settings, in libtorrent's names.
    settings: serde_json::Value,
}

impl Swarm {
    pub fn new() -> Swarm {
        Swarm::sharing(4 << 20, 0x6d61_7966_6c79)
    }

    /// So many bytes, the same for the same (non-zero) seed.
    pub fn sharing(length: usize, seed: u64) -> Swarm {
        Swarm {
            members: vec![],
            directory: TempDir::new(),
            torrent: Torrent::random("data.bin", length, seed),
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
        self.start(client, on, announce, Start::Data, "{}");
    }

    /// Starts a client that lacks the data.
    pub fn download(&mut self, client: Client, on: Option<&Machine>, announce: &[&str]) {
        self.start(client, on, announce, Start::TorrentFile, "{}");
    }

    /// Starts a client that lacks the torrent too and has to get it from others.
    pub fn download_magnet(&mut self, client: Client, on: Option<&Machine>, announce: &[&str]) {
        let link = self.torrent.magnet_link(announce);
        self.start(client, on, announce, Start::MagnetLink(&link), "{}");
    }

    /// The same by a link that somebody else has made.
    pub fn download_by(&mut self, client: Client, on: Option<&Machine>, link: &str) {
        self.start(client, on, &[], Start::MagnetLink(link), "{}");
    }

    /// The info_hash in hexadecimal.
    pub fn info_hash(&self) -> String {
        let hash = self.torrent.info_hash();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Starts a libtorrent that lacks the data, with these settings of its own (JSON).
    pub fn download_with(&mut self, on: Option<&Machine>, announce: &[&str], settings: &str) {
        let client = Client::Libtorrent;
        self.start(client, on, announce, Start::TorrentFile, settings);
    }

    /// Waits until all have the data; panics if that takes too long, or if one of them or
    /// the tracker ends.
    pub fn wait(&self, tracker: &Tracker) {
        let arrived = || self.members.iter().all(|m| self.is_complete(m));
        self.wait_until("the data did not arrive everywhere", tracker, arrived);
    }

    /// Waits until something is so that shows itself in no event that one could wait for; panics
    /// like `wait`.
    pub fn wait_until(&self, otherwise: &str, tracker: &Tracker, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            let ended =
                !tracker.is_running() || self.members.iter().any(|m| !m.process.is_running());
            if ended || Instant::now() > deadline {
                panic!("{otherwise}\n{}{}", tracker.report(), self.report());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The end of what its clients wrote, for the message of a panic.
    pub fn report(&self) -> String {
        self.members.iter().map(|m| m.process.report()).collect()
    }

    /// How many lines of the latest client there are that are wanted.
    pub fn count_lines(&self, wanted: impl Fn(&str) -> bool) -> usize {
        let latest = self.members.last().expect("a client");
        let lines = latest.process.lines();
        lines.iter().filter(|line| wanted(line)).count()
    }

    fn is_complete(&self, member: &Member) -> bool {
        std::fs::read(&member.file).is_ok_and(|data| data == self.torrent.data)
    }

    fn start(
        &mut self,
        client: Client,
        on: Option<&Machine>,
        announce: &[&str],
        start: Start<'_>,
        settings: &str,
    ) {
        static PORT: AtomicU16 = AtomicU16::new(21_000);
        let role = match start {
            Start::Data => "seeds",
            Start::TorrentFile => "downloads",
            Start::MagnetLink(_) => "downloads by a magnet link",
        };
        let name = format!("{client:?} {}, {role}", self.members.len());
        let home = self.directory.path().join(self.members.len().to_string());
        std::fs::create_dir(&home).expect("a new directory");
        let file = home.join(self.torrent.name);
        if start == Start::Data {
            std::fs::write(&file, &self.torrent.data).expect("room for the data");
        }
        let torrent = match start {
            Start::MagnetLink(link) => link.to_owned(),
            _ => {
                let file = home.join("it.torrent");
                self.torrent.write(&file, announce);
                file.display().to_string()
            }
        };
        let task = Task {
            home: &home,
            torrent: &torrent,
            port: PORT.fetch_add(1, Ordering::Relaxed),
            over_udp: announce.iter().any(|url| url.starts_with("udp://")),
            settings: serde_json::from_str(settings).expect("JSON"),
        };

        let mut words: Vec<String> = vec![];
        if let Some(machine) = on {
            words.extend(machine.prefix().map(str::to_string));
        }
        words.extend(client.command(&task));
        if let Some(certificate) = &self.certificate {
            words.push(format!("--ca-certificate={}", certificate.display()));
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        // No proxy and no settings of the user who runs the tests.
        command.env_clear().env("HOME", &home);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        command.stdout(match client {
            // It redraws one endless line there; its log goes to standard error.
            Client::Transmission => Stdio::null(),
            _ => Stdio::piped(),
        });
        let process = Process::spawn(&name, &mut command);
        client.finish(&task, on, &process);
        self.members.push(Member { process, file });
    }
}
