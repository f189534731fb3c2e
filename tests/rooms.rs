//! Which module imports which, by the paths that stand in `src/`: none imports one that imports it,
//! and the gate, which is a reverse proxy and no tracker, imports nothing of the tracker.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the gate may import: what would suit any server.
const FOR_THE_GATE: [&str; 10] = [
    "address",
    "counters",
    "eventually",
    "gate",
    "listen",
    "lock",
    "log",
    "network",
    "refusal",
    "threads",
];

/// A module by its path, `gate::head`.
type Module = String;

/// Whom each module imports.
struct Imports(BTreeMap<Module, BTreeSet<Module>>);

#[test]
fn the_gate_knows_nothing_of_trackers() {
    // Its unit tests as well.
    let imports = Imports::read(true);
    let of_gate = imports
        .0
        .iter()
        .filter(|(module, _)| room(module) == "gate");
    for (module, imported) in of_gate {
        for other in imported {
            assert!(
                FOR_THE_GATE.contains(&room(other)),
                "{module} imports {other}"
            );
        }
    }
    // That the paths are found at all.
    assert!(imports.0["gate::client"].contains("gate::head"), "super::");
    assert!(
        imports.0["http::server"].contains("gate::handler"),
        "crate::"
    );
}

#[test]
fn no_module_imports_one_that_imports_it() {
    assert_eq!(Imports::read(false).circle(), None);
}

#[test]
fn no_room_imports_one_that_imports_it() {
    let mut rooms = Imports(BTreeMap::new());
    for (module, imported) in Imports::read(false).0 {
        let others = imported.iter().map(|other| room(other).to_owned());
        let others = others.filter(|other| other != room(&module));
        let all = rooms.0.entry(room(&module).to_owned()).or_default();
        all.extend(others);
    }
    assert_eq!(rooms.circle(), None);
}

#[test]
fn a_circle_is_found() {
    let imports = |pairs: &[(&str, &str)]| {
        let mut imports = Imports(BTreeMap::new());
        for (module, other) in pairs {
            let all = imports.0.entry(module.to_string()).or_default();
            all.insert(other.to_string());
        }
        imports
    };
    assert_eq!(
        imports(&[("a", "b"), ("b", "c"), ("a", "c")]).circle(),
        None
    );
    let circle = imports(&[("a", "b"), ("b", "c"), ("c", "b")]).circle();
    assert_eq!(circle.as_deref(), Some("b -> c -> b"));
}

/// The first part of a module's path.
fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

impl Imports {
    fn read(with_tests: bool) -> Imports {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        find(&source, &mut Vec::new(), &mut files);
        let modules: BTreeSet<Module> = files.iter().map(|(path, _)| path.join("::")).collect();
        let mut imports = Imports(BTreeMap::new());
        for (path, text) in &files {
            let is_test = path.last().is_some_and(|name| name.ends_with("_tests"));
            if is_test && !with_tests {
                continue;
            }
            let mut paths = Vec::new();
            for (name, at) in paths_in(text) {
                let children = path.iter().map(String::as_str).chain([name]);
                let child = children.collect::<Vec<_>>().join("::");
                let mut begin = path.clone();
                match name {
                    "crate" => begin.clear(),
                    // A unit test is a module inside the one that it tests.
                    "super" if is_test => {}
                    "super" => drop(begin.pop()),
                    "self" => {}
                    // Of a module's own children, as in `pub use store::Swarms`.
                    _ if modules.contains(&child) => begin.push(name.to_owned()),
                    _ => continue,
                }
                let rest = text[at + name.len()..].trim_start();
                if let Some(rest) = rest.strip_prefix("::") {
                    branches(&mut rest.trim_start(), &begin, &mut paths);
                }
            }
            let own = path.join("::");
            let imported = paths.iter().filter_map(|path| {
                let prefixes = (1..=path.len())
                    .rev()
                    .map(|length| path[..length].join("::"));
                prefixes.into_iter().find(|prefix| modules.contains(prefix))
            });
            let all = imports.0.entry(own.clone()).or_default();
            all.extend(imported.filter(|other| *other != own));
        }
        imports
    }

    /// A way from a module back to itself, if there is one.
    fn circle(&self) -> Option<String> {
        let mut done = BTreeSet::new();
        let mut way = Vec::new();
        let mut modules = self.0.keys();
        modules.find_map(|module| self.circle_from(module, &mut way, &mut done))
    }

    fn circle_from<'a>(
        &'a self,
        module: &'a str,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<String> {
        if let Some(at) = way.iter().position(|other| *other == module) {
            return Some([&way[at..], &[module]].concat().join(" -> "));
        }
        if done.contains(module) {
            return None;
        }
        way.push(module);
        let imported = self.0.get(module).into_iter().flatten();
        let mut circles = imported.filter_map(|other| self.circle_from(other, way, done));
        let circle = circles.next();
        drop(circles);
        way.pop();
        done.insert(module);
        circle
    }
}

/// All modules' paths and texts, without comments.
fn find(directory: &Path, path: &mut Vec<String>, files: &mut Vec<(Vec<String>, String)>) {
    for entry in std::fs::read_dir(directory).expect("the source") {
        let file = entry.expect("a file").path();
        let name = file.file_stem().and_then(|name| name.to_str());
        let name = name.expect("a name").to_owned();
        path.push(name.clone());
        if file.is_dir() {
            find(&file, path, files);
        } else if !["main", "lib"].contains(&&*name) {
            let text = std::fs::read_to_string(&file).expect("a text");
            let lines = text
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default());
            let text = lines.collect::<Vec<_>>().join("\n");
            let of_directory = path[..path.len() - 1].to_vec();
            let module = if name == "mod" {
                of_directory
            } else {
                path.clone()
            };
            files.push((module, text));
        }
        path.pop();
    }
}

/// The names with which paths begin, and where they stand.
fn paths_in(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices("::").filter_map(move |(at, _)| {
        let before = text[..at].trim_end();
        let name = before.rsplit(|c: char| !is_of_name(c)).next()?;
        let begin = before.len() - name.len();
        let is_first = !text[..begin].trim_end().ends_with("::");
        (is_first && !name.is_empty()).then_some((name, begin))
    })
}

/// All paths of a tree as `use` has it: `a::b`, `{a, b::{c, d}}`. Leaves `text` behind it.
fn branches(text: &mut &str, begin: &[String], paths: &mut Vec<Vec<String>>) {
    if let Some(rest) = text.strip_prefix('{') {
        *text = rest.trim_start();
        while !text.is_empty() && !text.starts_with('}') {
            branches(text, begin, paths);
            *text = text.trim_start().trim_start_matches(',').trim_start();
        }
        *text = text.get(1..).unwrap_or_default();
        return;
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let mut path = begin.to_vec();
    match name {
        "super" => drop(path.pop()),
        "self" | "" => {}
        _ => path.push(name.to_owned()),
    }
    *text = rest;
    // `*`, or something that belongs to no path: not to stand still.
    if name.is_empty() {
        *text = text.get(1..).unwrap_or_default();
    }
    // `as` and another name.
    if let Some(rest) = text.trim_start().strip_prefix("as ") {
        let rest = rest.trim_start();
        *text = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    }
    match text.strip_prefix("::") {
        Some(rest) => {
            *text = rest;
            branches(text, &path, paths);
        }
        None => paths.push(path),
    }
}
