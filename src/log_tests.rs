//! Tests of `log.rs`.

use super::*;
use std::sync::mpsc::{Sender, channel};

/// Passes on what is written; each write waits until it may, if `gate` is there.
struct Sink(Sender<String>, Option<Receiver<io::Result<()>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(gate) = &self.1 {
            gate.recv().unwrap_or(Ok(()))?;
        }
        let _ = self.0.send(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn texts(lines: &Receiver<String>) -> Vec<String> {
    lines.try_iter().map(|line| line[21..].to_owned()).collect()
}

#[test]
fn timestamps() {
    let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
    assert_eq!(at(0), "1970-01-01T00:00:00Z");
    assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
    assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
    assert_eq!(at(951_868_800), "2000-03-01T00:00:00Z");
    assert_eq!(at(1_795_350_603), "2026-11-22T12:30:03Z");
    assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    let before = UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(
        timestamp(before),
        "1970-01-01T00:00:00Z",
        "a clock that is wrong"
    );
}

#[test]
fn a_line_is_one_line_of_printable_ascii_whatever_it_holds() {
    let line = line_of(
        Some(UNIX_EPOCH),
        format_args!("a\r\nb\u{1b}[2J\u{7f}é\u{202e}"),
    );
    assert_eq!(
        line,
        "1970-01-01T00:00:00Z a\\r\\nb\\u{1b}[2J\\u{7f}\\u{e9}\\u{202e}\n"
    );
    let long = line_of(Some(UNIX_EPOCH), format_args!("{}", "x".repeat(100_000)));
    assert_eq!(long.len(), LONGEST_LINE + 1);
}

#[test]
fn verbosity_decides_what_is_written() {
    for (verbosity, expected) in [
        (Verbosity::Quiet, &["always\n"][..]),
        (Verbosity::Normal, &["always\n", "trouble\n", "torrent\n"]),
        (
            Verbosity::Verbose,
            &["always\n", "trouble\n", "torrent\n", "announce\n"],
        ),
    ] {
        let (sink, lines) = channel();
        let log = Log::new(verbosity, Times::Written, Sink(sink, None)).unwrap();
        log.line(About::Always, format_args!("always"));
        log.line(About::Trouble, format_args!("trouble"));
        log.line(About::Torrent, format_args!("torrent"));
        log.line(About::Announce, format_args!("announce"));
        log.flush();
        assert_eq!(texts(&lines), expected);
    }
}

#[test]
fn a_flood_is_cut_counted_and_hides_nothing_else() {
    let (sink, lines) = channel();
    let log = Log::new(Verbosity::Verbose, Times::Written, Sink(sink, None)).unwrap();
    for n in 0..100_000 {
        log.line(About::Announce, format_args!("{n}"));
    }
    log.line(About::Trouble, format_args!("something else"));
    log.flush();
    let written = texts(&lines);
    let (others, announces): (Vec<_>, Vec<_>) =
        written.iter().partition(|text| text.contains("else"));
    assert_eq!(others.len(), 1);
    assert!(announces.len() >= 2_000 && announces.len() < 10_000);
    let left_out = log.0.take_left_out().join("");
    let count: usize = left_out[21..].split(' ').next().unwrap().parse().unwrap();
    assert_eq!(count + announces.len(), 100_000, "{left_out}");
}

#[test]
fn a_blocked_terminal_stops_the_lines_and_nothing_else() {
    let (sink, lines) = channel();
    let (open, gate) = channel();
    let log = Log::new(Verbosity::Verbose, Times::Written, Sink(sink, Some(gate))).unwrap();
    for kind in [About::Announce, About::Torrent, About::Trouble] {
        for n in 0..10_000 {
            log.line(kind, format_args!("{n}"));
        }
    }
    let queued = lock(&log.0.buckets)
        .iter()
        .map(|bucket| bucket.left_out)
        .sum::<u64>();
    drop(open);
    log.flush();
    let written = texts(&lines).len();
    // All that the rates let through fits into the queue; the rest was counted.
    assert!((2000..=QUEUE + 1).contains(&written), "{written}");
    assert_eq!(queued + written as u64, 30_000);
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_the_next_is_whole() {
    let (sink, lines) = channel();
    let (answer, gate) = channel();
    let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
    for result in [full(), full(), full(), Ok(()), Ok(())] {
        answer.send(result).unwrap();
    }
    drop(answer);
    let log = Log::new(Verbosity::Normal, Times::Written, Sink(sink, Some(gate))).unwrap();
    for n in 0..4 {
        log.line(About::Always, format_args!("{n}"));
    }
    log.flush();
    let written: String = lines.try_iter().collect();
    let written: Vec<_> = written.split('\n').collect();
    assert!(written[1].ends_with(" 3 lines before this one could not be written"));
    assert!(written[2].ends_with(" 3"), "{written:?}");
}
