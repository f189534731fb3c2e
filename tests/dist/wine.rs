//! A Windows to run mayfly.exe in: wine, in a directory of its own, so that neither its settings
//! nor what runs under it have anything to do with the wine of the user who runs the tests.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::workshop::succeed;
use super::workshop::{PREFIX, bounded, workshop};
use crate::support::unique;

/// What mayfly.exe imports from bcryptprimitives.dll, made of what wine has.
const STUB: &str = "
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL ProcessPrng(PBYTE bytes, SIZE_T length) {
    return SystemFunction036(bytes, (ULONG)length);
}
";

/// The installation that the tests share: making one takes some 10 seconds.
pub fn shared() -> &'static Path {
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    SHARED.get_or_init(|| {
        let prefix = workshop().join(format!("{PREFIX}shared"));
        let mut wineboot = bounded(120, "wine");
        wineboot.args(["wineboot", "--init"]);
        run_quietly(&mut wineboot, &prefix);
        // The registry is in files when the server has ended, which it does by itself.
        let mut server = bounded(60, "wineserver");
        run_quietly(server.arg("--wait"), &prefix);
        prefix
    })
}

/// Another installation, with a server of its own. It is the server that opens the sockets, so a
/// program that is to live in a network namespace needs one that was started there, and one server
/// is all that an installation has. The files of Windows itself are those of the shared one. `z` is
/// what it sees of the other files, as its drive Z: all, or a directory with what is to be run.
pub fn another(z: &Path) -> PathBuf {
    let prefix = workshop().join(format!("{PREFIX}{}", unique()));
    let drives = prefix.join("dosdevices");
    std::fs::create_dir_all(&drives).expect("a new directory");
    symlink(shared().join("drive_c"), drives.join("c:")).expect("a new link");
    symlink(z, drives.join("z:")).expect("a new link");
    // Without the last one it would set itself up again.
    for file in ["system.reg", "user.reg", "userdef.reg", ".update-timestamp"] {
        std::fs::copy(shared().join(file), prefix.join(file)).expect("a registry");
    }
    prefix
}

/// The environment in which wine uses this installation.
pub fn environment(prefix: &Path) -> Vec<(&'static str, OsString)> {
    vec![
        ("WINEPREFIX", prefix.into()),
        // Not a word of its own on standard error.
        ("WINEDEBUG", "-all".into()),
        // It would offer to download .NET and a browser, and make entries in the user's menu.
        (
            "WINEDLLOVERRIDES",
            "mscoree=;mshtml=;winemenubuilder.exe=".into(),
        ),
        // Documents and the like are links to directories there.
        ("HOME", workshop().into()),
    ]
}

/// Adds what an executable of Rust needs and wine lacks, beside that executable. Wine 8.0, that of
/// Debian 12, has no bcryptprimitives.dll, where Rust gets its random numbers; Windows has it since
/// version 10, and wine since 9.
pub fn complete(directory: &Path) {
    let system = shared().join("drive_c/windows/system32");
    if system.join("bcryptprimitives.dll").exists() {
        return;
    }
    let source = directory.join("stub.c");
    std::fs::write(&source, STUB).expect("a new file");
    let mut gcc = bounded(60, "x86_64-w64-mingw32-gcc");
    gcc.args(["-shared", "-O2", "-s", "-o"]);
    gcc.arg(directory.join("bcryptprimitives.dll"));
    succeed(gcc.arg(&source).arg("-ladvapi32"));
}

/// Without pipes: programs of Windows that stay in the background would keep them open.
fn run_quietly(command: &mut Command, prefix: &Path) {
    command.envs(environment(prefix));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().expect("it runs");
    assert!(status.success(), "{command:?}: {status}");
}
