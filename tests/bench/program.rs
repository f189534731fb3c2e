//! The program as a whole: its size, its memory, and how soon it answers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::contenders;

pub fn bench() {
    println!("The program:");
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_mayfly")).map_or(0, |file| file.len());
    println!("    size of the executable: {} KB", size / 1000);
    let tracker = contenders::mayfly();
    println!("    resident memory, idle: {} KiB", resident(tracker.id()));
    fill(&tracker);
    println!(
        "    resident memory, 100,000 peers: {} KiB",
        resident(tracker.id())
    );
    let mut starts: Vec<Duration> = (0..9).map(|_| start_to_first_answer()).collect();
    starts.sort();
    println!(
        "    start to first answer: {:?} (median of 9; {:?} at most)",
        starts[4], starts[8]
    );
    for torrents in ["1", "1000", "100000"] {
        let this = std::env::current_exe().expect("this program's path");
        let output = Command::new(this)
            .args(["--measure-memory", torrents])
            .output();
        let output = output.expect("this program runs");
        let bytes = String::from_utf8_lossy(&output.stdout);
        println!(
            "    bytes for a peer, 1,000,000 in {torrents}: {}",
            bytes.trim()
        );
    }
}

/// 100,000 peers in 1,000 torrents over one connection.
fn fill(tracker: &contenders::Contender) {
    let mut stream = TcpStream::connect(tracker.address).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let mut answer = [0; 8192];
    for n in 0..100_000_u32 {
        let hash = contenders::info_hash(n % 1_000);
        let hash = String::from_utf8_lossy(&hash);
        let port = 1_024 + n / 1_000;
        let request = format!(
            "GET /announce?info_hash={hash}&peer_id=-MB1000-abcdefghijkl&port={port}&left=1\
             &numwant=0&key={n:x} HTTP/1.1\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("to send");
        let length = stream.read(&mut answer).expect("an answer");
        assert!(answer[..length].ends_with(b"e"), "a whole answer");
    }
}

fn start_to_first_answer() -> Duration {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr());
    let port = port.expect("a free port").port();
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mayfly"))
        .args(["-q", "-b", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("mayfly starts");
    let request = b"GET /announce HTTP/1.0\r\n\r\n";
    let mut answer = Vec::new();
    while answer.is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(10), "no answer");
        // Refused until it listens: try at once again, that is what is measured.
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            stream.write_all(request).expect("to send");
            let _ = stream.read_to_end(&mut answer);
        }
    }
    let took = begin.elapsed();
    let _ = child.kill();
    let _ = child.wait();
    took
}

/// KiB of resident memory of a process; 0 where the system does not tell.
pub fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.unwrap_or(0)
}
