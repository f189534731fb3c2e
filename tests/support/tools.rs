//! Which programs of this machine the tests may use. A missing one skips the test that needs it,
//! with a line that says so, except under continuous integration (`CI` is set), where a test that
//! quietly does nothing would be a lie. How to run the programs does not belong here.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use super::{output_of, try_output_of, unique};

/// Where the program is; `None` (after the line "skipped") if the test has to do without it.
pub fn tool(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file());
    if found.is_none() {
        let package = match program {
            "aria2c" => "aria2",
            "chromedriver" => "chromium-driver",
            "promtool" => "prometheus",
            "script" => "bsdutils",
            "transmission-show" => "transmission-cli",
            "ip" => "iproute2",
            "miniupnpd" => "miniupnpd miniupnpd-nftables",
            "nft" => "nftables",
            "upnpc" => "miniupnpc",
            "prlimit" | "setpriv" => "util-linux",
            "qemu-aarch64" | "qemu-arm" => "qemu-user",
            "wine" => "wine wine64",
            "x86_64-w64-mingw32-gcc" => "gcc-mingw-w64-x86-64",
            "x86_64-w64-mingw32-objdump" => "binutils-mingw-w64-x86-64",
            other => other,
        };
        skip(&format!(
            "{program} is not installed (apt-get install {package})"
        ));
    }
    found
}

/// Whether programs can be started as another user, and that with limits (as root, by `setpriv` and
/// `prlimit`); prints the line "skipped" if not.
pub fn may_change_user() -> bool {
    if tool("setpriv").is_none() || tool("prlimit").is_none() {
        return false;
    }
    let mut setpriv = Command::new("setpriv");
    setpriv.args([
        "--reuid=65534",
        "--clear-groups",
        "prlimit",
        "--nproc=99",
        "true",
    ]);
    let possible = try_output_of(&mut setpriv).is_ok_and(|ended| ended.status.success());
    if !possible {
        skip("programs cannot be started as another user here (run the tests as root)");
    }
    possible
}

/// The library that, loaded into a program, has the clock tell what a file says; `None` (after the
/// line "skipped") if the test has to do without it.
pub fn libfaketime() -> Option<PathBuf> {
    tool("faketime")?;
    let directories = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let library = directories
        .map(|directory| directory.path().join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.is_file());
    if library.is_none() {
        skip("libfaketimeMT.so.1 is not where Debian has it");
    }
    library
}

/// Whether network namespaces can be made here; prints the line "skipped" if not.
pub fn netns_possible() -> bool {
    if tool("ip").is_none() {
        return false;
    }
    // Tried rather than derived from the user id: in a container root may not be enough.
    let name = format!("mayfly-{}", unique());
    let ip = |args: &[&str]| {
        let ended = try_output_of(Command::new("ip").args(args));
        ended.is_ok_and(|ended| ended.status.success())
    };
    let added = ip(&["netns", "add", &name]);
    let possible = added && ip(&["netns", "exec", &name, "true"]);
    if added {
        ip(&["netns", "delete", &name]);
    }
    if !possible {
        skip("network namespaces cannot be made here (run the tests as root)");
    }
    possible
}

/// Whether this machine speaks IPv6 to itself; prints the line "skipped" if not.
pub fn has_ipv6() -> bool {
    let possible = std::net::UdpSocket::bind("[::1]:0").is_ok();
    if !possible {
        skip("this machine has no IPv6 loopback (::1)");
    }
    possible
}

/// Whether what this target of the Makefile asks for (`needs-...`) is here; prints the line
/// "skipped" if not, in the words of the Makefile.
pub fn can_make(needs: &str) -> bool {
    if tool("make").is_none() {
        return false;
    }
    let mut make = Command::new("make");
    make.args(["--silent", "--no-print-directory", needs])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = output_of(&mut make);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        let said = said.lines().find(|line| line.starts_with("missing: "));
        skip(said.unwrap_or_else(|| panic!("make {needs}: {output:?}")));
    }
    output.status.success()
}

pub fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "{why}; with CI set nothing is skipped"
    );
    // Not `eprintln!`: what that prints is shown only when the test fails.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
