//! What fuzzing found worth keeping, run again without a fuzzer: each file in `fuzz/seeds/` goes
//! through the check of its fuzz target (`make fuzz`). They are the smallest inputs that together
//! reach what was reached in hours, and those that once failed.

/// What has to hold, shared with the fuzz targets.
mod checks;

use crate::support::random::Random;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Fewer would mean that files got lost.
const LEAST: usize = 10;

fn run_seeds(target: &str, check: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(target);
    let files: Vec<_> = fs::read_dir(&seeds)
        .unwrap_or_else(|e| panic!("{}: {e}", seeds.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(files.len() >= LEAST, "{} in {target}", files.len());
    for file in files {
        let bytes = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let checked = catch_unwind(AssertUnwindSafe(|| check(&bytes)));
        assert!(checked.is_ok(), "{} does not pass", file.display());
    }
}

macro_rules! seeds_pass {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                run_seeds(stringify!($target), checks::$target::check);
            }
        )*
    };
}

seeds_pass!(head options query router_packet router_text tracker udp);

/// Without coverage to guide it, but always: the announces of some clients in random order.
#[test]
fn random_announces() {
    let mut random = Random(2026);
    for length in (0..60).map(|n| 30 * n) {
        let bytes: Vec<_> = (0..length).map(|_| random.below(256) as u8).collect();
        checks::tracker::check(&bytes);
    }
}

/// A name that is none is answered with those that are, before anything is compiled.
#[test]
fn make_fuzz_knows_its_targets() {
    if crate::support::tools::tool("make").is_none() {
        return;
    }
    let root = env!("CARGO_MANIFEST_DIR");
    let mut make = std::process::Command::new("make");
    make.args(["--silent", "fuzz", "ARGS=nosuch"])
        .current_dir(root);
    let output = crate::support::output_of(&mut make);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let (_, named) = said.split_once("the targets are ").expect("the targets");
    let mut named: Vec<_> = named.split_whitespace().map(str::to_owned).collect();
    named.sort();
    let files = fs::read_dir(Path::new(root).join("tests/fuzz/targets")).expect("targets");
    let mut targets: Vec<_> = files
        .map(|file| file.expect("an entry").path())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    targets.sort();
    assert_eq!(named, targets);
}
