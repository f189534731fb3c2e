//! Which packages are in the executable. Whoever takes one in, or another version, looks up what
//! is known against it and writes that down.

use std::collections::BTreeSet;
use std::process::Command;

/// The lines `name version what for` of the section "Supply chain" of dont_readme.txt.
fn listed() -> BTreeSet<String> {
    let text = include_str!("../dont_readme.txt");
    let (_, section) = text.split_once("\nSupply chain\n").expect("the section");
    let lines = section.lines().skip_while(|line| !line.starts_with("    "));
    lines
        .map_while(|line| line.strip_prefix("    "))
        .map(first_two_words)
        .collect()
}

/// What cargo builds into the executable, for whichever platform.
fn built_in() -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--locked", "--target", "all"])
        .args(["--edges", "normal", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = crate::support::output_of(&mut tree);
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).expect("names and versions");
    let packages = lines.lines().map(|line| line.replace(" v", " "));
    // The first is the tracker itself.
    packages
        .skip(1)
        .map(|line| first_two_words(&line))
        .collect()
}

fn first_two_words(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().take(2).collect();
    words.join(" ")
}

#[test]
fn the_packages_in_the_executable_are_those_in_dont_readme() {
    let built_in = built_in();
    assert!(built_in.iter().any(|line| line.starts_with("tiny_http ")));
    assert_eq!(listed(), built_in);
}
