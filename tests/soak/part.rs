//! The players: this test in other processes, on other machines of the little network. Each is told
//! what to do by a line on its standard input, and answers by a line when that is done. What they
//! do is in `honest.rs` and in `hazards.rs`.

use std::cell::Cell;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::http::{Connection, ORDINARY, decode};
use crate::support::netns::Machine;
use crate::support::{Process, role};

/// Longer than anything that a part is told to do.
const TIME: Duration = Duration::from_secs(180);

/// A player, as who leads the play has it.
pub struct Part {
    process: Process,
    asked: Cell<u32>,
}

impl Part {
    pub fn start(on: Option<&Machine>, test: &str, role: &str) -> Part {
        Part {
            process: role::start(on, test, role),
            asked: Cell::new(0),
        }
    }

    /// Has it do something, and gives its answer.
    pub fn ask(&self, what: &str) -> String {
        let number = self.tell(what);
        self.answer(number, what)
    }

    /// Has it do something. Returns by what number its answer is known.
    pub fn tell(&self, what: &str) -> u32 {
        let number = self.asked.get() + 1;
        self.asked.set(number);
        self.process.tell(&format!("{number} {what}"));
        number
    }

    /// Waits for the answer of this number.
    pub fn answer(&self, number: u32, what: &str) -> String {
        let begin = format!("{number}:");
        let answer = self
            .process
            .wait_for_line(|line| line.starts_with(&begin), TIME);
        match answer {
            Some(line) => line[begin.len()..].trim().to_owned(),
            None => panic!("no answer to: {what}\n{}", self.process.report()),
        }
    }
}

/// The player's side: does what it is told until nobody is there any more to tell.
pub fn obey(mut play: impl FnMut(&str) -> String) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (number, what) = line.split_once(' ').expect("a number and what to do");
        let answer = play(what);
        let mut out = std::io::stdout();
        // The test harness has begun a line.
        let _ = out.write_all(format!("\n{number}: {answer}\n").as_bytes());
        let _ = out.flush();
    }
}

/// Waits for single announces, one after the other: the median and the worst, in microseconds.
pub fn probe(to: SocketAddr, announces: usize) -> String {
    let mut waits: Vec<_> = (0..announces)
        .map(|_| {
            let begin = Instant::now();
            let mut connection = Connection::open(to);
            let request = format!("GET /announce?{ORDINARY}&port=4242 HTTP/1.0\r\n\r\n");
            connection.send(request.as_bytes());
            assert_eq!(connection.answer().status, 200);
            let wait = begin.elapsed();
            // The pace of this client.
            std::thread::sleep(Duration::from_millis(20));
            wait.as_micros()
        })
        .collect();
    waits.sort();
    format!("{} {}", waits[waits.len() / 2], waits[waits.len() - 1])
}

/// Announces so many peers, 50 in each torrent, all within seconds. From this machine, since one
/// address elsewhere may not have so many.
pub fn fill(to: SocketAddr, peers: u32, event: &str) -> String {
    const AT_ONCE: u32 = 100;
    let announce = |peer: u32| {
        let [_, a, b, c] = (peer / 50).to_be_bytes();
        let hash = format!("%{a:02x}%{b:02x}%{c:02x}{}", "f".repeat(17));
        format!(
            "GET /announce?info_hash={hash}&peer_id=-MF1000-abcdefghijkl&left=1&numwant=0\
             &port={}&event={event} HTTP/1.1\r\n\r\n",
            1 + peer % 50
        )
    };
    let mut next = 0;
    while next < peers {
        let mut connection = Connection::open(to);
        // In a crowd it is not kept, and what was sent behind the first is not looked at.
        let mut is_kept = true;
        while is_kept && next < peers {
            let some = next..peers.min(next + AT_ONCE);
            let announces: String = some.clone().map(announce).collect();
            is_kept = connection.stream.write_all(announces.as_bytes()).is_ok();
            for _ in some {
                let Some(answer) = connection.try_answer(true) else {
                    is_kept = false;
                    break;
                };
                assert_eq!(decode(&answer.body).failure_reason, None);
                next += 1;
                if answer.header("Connection") == Some("close") {
                    is_kept = false;
                    break;
                }
            }
        }
    }
    format!("{peers} peers")
}
