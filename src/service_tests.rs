//! Tests of `service.rs`.

use super::*;
use crate::log::Verbosity;
use crate::tracker::Settings;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Passes on what is written.
struct Lines(Sender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8(bytes.to_vec()).expect("ASCII");
        self.0.send(line).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A service that answers scrapes or does not, and the lines of its log.
pub fn service(scrape: bool) -> (Service, Receiver<String>) {
    let (sender, lines) = channel();
    let service = Service {
        tracker: Tracker::new(Settings {
            interval: Duration::from_secs(240),
            numwant: 200,
            bounds: crate::swarms::Bounds {
                per_block_in_swarm: 400,
                ..Default::default()
            },
        }),
        began: Instant::now(),
        scrape,
        public: Arc::default(),
        shown_nobody: Seldom::default(),
        counters: Counters::new(),
        log: Log::new(Verbosity::Normal, crate::log::Times::Written, Lines(sender)).unwrap(),
    };
    (service, lines)
}

/// What was logged so far, without the time.
pub fn logged(service: &Service, lines: &Receiver<String>) -> Vec<String> {
    service.log.flush();
    let lines = lines.try_iter();
    lines.map(|line| line[21..].trim_end().to_owned()).collect()
}

/// (transport, asked for) → (announces refused, scrapes refused) over HTTP and UDP, what is logged.
#[test]
fn a_refusal_is_counted_where_it_belongs_and_logged() {
    type Over = fn(&Counters) -> &Transport;
    let (http, udp): (Over, Over) = (|c| &c.http, |c| &c.udp);
    for (over, asked, expected, begin) in [
        (
            http,
            Asked::Announce,
            [1, 0, 0, 0],
            "refused an announce by ",
        ),
        (http, Asked::Scrape, [0, 1, 0, 0], "refused a scrape by "),
        (http, Asked::Unknown, [0; 4], "refused "),
        (
            udp,
            Asked::Announce,
            [0, 0, 1, 0],
            "refused an announce by ",
        ),
        (udp, Asked::Scrape, [0, 0, 0, 1], "refused a scrape by "),
        (udp, Asked::Unknown, [0; 4], "refused "),
    ] {
        let (service, lines) = service(false);
        let source = "203.0.113.7".parse().unwrap();
        let transport = over(&service.counters);
        service.refused(transport, asked, source, &Refusal::PortZero);
        let of = |t: &Transport| [t.announces.refused.get(), t.scrapes.refused.get()];
        let counted = [of(&service.counters.http), of(&service.counters.udp)].concat();
        assert_eq!(counted, expected, "{asked:?}");
        assert_eq!(service.counters.refused(Reason::PortZero), 1);
        let line = format!(
            "{begin}203.0.113.7: {} ({})",
            Refusal::PortZero,
            Refusal::PortZero.fault()
        );
        assert_eq!(logged(&service, &lines), [line]);
    }
}

#[test]
fn a_panic_is_counted_and_logged_and_goes_no_further() {
    let (service, lines) = service(false);
    assert_eq!(service.without_panic(|| 7), Some(7));
    assert!(logged(&service, &lines).is_empty());
    let panicked: Option<u8> = service.without_panic(|| panic!("on purpose"));
    assert_eq!(panicked, None);
    assert_eq!(service.counters.refused(Reason::Internal), 1);
    let expected = "a request could not be answered (a defect of mayfly: please report it)";
    assert_eq!(logged(&service, &lines), [expected]);
}

#[test]
fn a_request_takes_from_its_arrival_until_now() {
    let (service, _lines) = service(false);
    let since = service.now();
    service.took(&service.counters.udp, since);
    let durations = &service.counters.udp.durations;
    assert_eq!(durations.cumulative().last(), Some(&1));
    assert!(durations.nanoseconds() <= service.now().as_nanos() as u64);
    assert_eq!(
        service.counters.http.durations.cumulative().last(),
        Some(&0)
    );
}

/// Who asks, and how → whether that it was shown nobody is told.
#[test]
fn somebody_on_the_internet_who_is_shown_nobody_is_told_of() {
    let hash = InfoHash(*b"aaaaaaaaaaaaaaaaaaaa");
    let announce = |source: &str, port: u16, rest: &str| {
        let query = format!(
            "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-MF1000-00000000{port:04}&port={port}&{rest}"
        );
        let path = crate::http::announce::Path {
            source: source.parse().unwrap(),
            local: "192.168.1.1".parse().unwrap(),
        };
        let (announce, _) = crate::http::announce::read(query.as_bytes(), path).unwrap();
        assert_eq!(announce.info_hash, hash);
        announce
    };
    let told = |service: &Service, announce: &Announce, now: u64| {
        let before = service.counters.shown_nobody.get();
        let (transport, mut reply) = (&service.counters.http, Reply::default());
        let now = Duration::from_secs(now);
        service
            .announce(transport, announce, now, &mut reply)
            .unwrap();
        service.counters.shown_nobody.get() - before
    };
    for (source, rest, expected) in [
        ("203.0.113.1", "left=5", 1),
        ("203.0.113.1", "left=0", 1),
        ("203.0.113.1", "left=5&numwant=0", 0),
        ("203.0.113.1", "left=5&event=stopped", 0),
        ("192.168.1.6", "left=5", 0),
    ] {
        let (service, _lines) = service(false);
        let first = announce("203.0.113.9", 1, "left=5");
        assert_eq!(told(&service, &first, 1), 0, "there is nobody");
        told(&service, &announce("203.0.113.9", 1, "event=stopped"), 1);
        told(&service, &announce("192.168.1.5", 2, "left=5"), 1);
        assert_eq!(
            told(&service, &announce(source, 3, rest), 1),
            expected,
            "{source} {rest}"
        );
    }
    // Often, but not in the log.
    let (service, lines) = service(false);
    told(&service, &announce("192.168.1.5", 2, "left=5"), 1);
    for port in 10..20 {
        assert_eq!(
            told(&service, &announce("203.0.113.1", port, "left=5"), 1),
            1
        );
        told(&service, &announce("203.0.113.1", port, "event=stopped"), 1);
    }
    let lines = logged(&service, &lines);
    let about_it = lines.iter().filter(|line| line.contains("shown nobody"));
    assert_eq!(about_it.count(), 1, "{lines:?}");
    // Where the public address is known, nothing is missing.
    let (mut service, _lines) = self::service(false);
    let public = crate::public_address::PublicHost::Address("203.0.113.7".parse().unwrap());
    service.public = Arc::new(PublicAddress::new(vec![public], 9000, true));
    told(&service, &announce("192.168.1.5", 2, "left=5"), 1);
    assert_eq!(told(&service, &announce("203.0.113.1", 3, "left=5"), 1), 0);
}
