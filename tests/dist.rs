//! The executables that people get (`make dist`): that of Linux as it is, the Windows one under
//! wine, the two for the Raspberry Pi under qemu's user mode. Each is run and does what a tracker
//! does; what a tracker does in every detail is tested with the native one, elsewhere. They are
//! built, as far as they are not there yet, by the Makefile's own targets.

#![cfg(target_os = "linux")]

/// What each of them has to do.
mod checks;
/// What the one of Windows has to find out by itself.
mod lan;
/// Which there are, how they are built and run.
mod platform;
/// A Windows to run one of them in.
mod wine;
/// What lasts as long as this run of the tests.
mod workshop;

use std::process::Command;

use crate::support::clients::{Client, Swarm};
use crate::support::netns::{Family, Lan};
use crate::support::output_of;
use crate::support::tools::{netns_possible, tool};
use platform::{AARCH64, ARMV7, LINUX, Platform, WINDOWS};

/// A test of every check for a platform, so that a failure names both.
macro_rules! checks_on {
    ($module:ident, $platform:ident) => {
        checks_on! {
            $module, $platform:
            a_bad_option_exits_2_with_one_line
            a_port_in_use_exits_1_with_one_line
            help_is_that_of_the_native_executable
            idle_connections_give_way
            it_is_no_larger_than_promised
            it_listens_on_every_address_of_both_families
            the_log_goes_to_a_file_and_can_be_followed
            two_peers_meet_over_http_and_udp
        }
    };
    ($module:ident, $platform:ident: $($check:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $check() {
                    if let Some(executable) = super::platform::$platform.executable() {
                        super::checks::$check(&executable);
                    }
                }
            )*
        }
    };
}

checks_on!(windows_x86_64, WINDOWS);
checks_on!(linux_x86_64, LINUX);
checks_on!(linux_aarch64, AARCH64);
checks_on!(linux_armv7, ARMV7);

/// A real client gives a file to another. Each has a machine of its own, as has the tracker.
fn transfer_through(platform: &'static Platform) {
    let clients_are_here = tool("aria2c").is_some() && tool("transmission-cli").is_some();
    if !clients_are_here || !netns_possible() {
        return;
    }
    let Some(executable) = platform.executable() else {
        return;
    };
    let lan = Lan::new(3, &[Family::V4]);
    // As every network of Windows has it; a Linux without a router has none.
    lan.machine(0).ip("route add 224.0.0.0/4 dev bridge");
    // 3 seconds: whoever announces first, and hears of nobody, soon asks again.
    let args = ["-p", "0", "-i", "0.05", "-v"];
    let tracker = executable.launch_on(lan.machine(0)).start(&args);
    let urls = ["http", "udp"].map(|scheme| {
        let machine = lan.machine(0);
        machine.announce_url(scheme, Family::V4, tracker.port())
    });
    for url in &urls {
        tracker.expect_url(url);
    }
    let mut swarm = Swarm::new();
    swarm.seed(Client::Aria2, Some(lan.machine(1)), &[&urls[0]]);
    swarm.download(Client::Transmission, Some(lan.machine(2)), &[&urls[1]]);
    swarm.wait(&tracker);
}

#[test]
fn real_clients_move_a_file_through_the_windows_executable() {
    transfer_through(&WINDOWS);
}

#[test]
fn real_clients_move_a_file_through_the_aarch64_executable() {
    transfer_through(&AARCH64);
}

#[test]
fn the_linux_executables_are_statically_linked() {
    if tool("file").is_none() {
        return;
    }
    for (platform, architecture) in [
        (&LINUX, "x86-64"),
        (&AARCH64, "ARM aarch64"),
        (&ARMV7, "ARM, EABI5"),
    ] {
        let Some(executable) = platform.executable() else {
            continue;
        };
        let said = said_by(Command::new("file").arg("--brief").arg(&executable.file));
        // The one that is position independent too is called "static-pie linked".
        let is_static = said.contains("statically linked") || said.contains("static-pie linked");
        assert!(is_static && said.starts_with("ELF "), "{said}");
        assert!(said.contains(architecture), "{said}");
        assert!(!said.contains("interpreter"), "{said}");
    }
}

#[test]
fn the_windows_executable_needs_nothing_but_windows() {
    /// Each is in every Windows since 10.
    const OF_WINDOWS: [&str; 8] = [
        "advapi32.dll",
        "bcrypt.dll",
        "bcryptprimitives.dll",
        "kernel32.dll",
        "msvcrt.dll",
        "ntdll.dll",
        "userenv.dll",
        "ws2_32.dll",
    ];
    const OBJDUMP: &str = "x86_64-w64-mingw32-objdump";
    if tool(OBJDUMP).is_none() {
        return;
    }
    let Some(executable) = WINDOWS.executable() else {
        return;
    };
    let said = said_by(Command::new(OBJDUMP).arg("-p").arg(&executable.file));
    let imported: Vec<_> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("DLL Name: "))
        .map(str::to_lowercase)
        .collect();
    assert!(imported.contains(&"kernel32.dll".to_owned()), "{said}");
    for dll in &imported {
        let is_known = OF_WINDOWS.contains(&&dll[..]) || dll.starts_with("api-ms-win-");
        assert!(is_known, "{dll}, of {imported:?}");
    }
}

fn said_by(command: &mut Command) -> String {
    let output = output_of(command);
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
