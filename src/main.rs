//! mayfly, the executable: an exit code for what the library says.
#![forbid(unsafe_code)]

use mayfly::options::{self, Command};
use mayfly::run;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// A bad option or value.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    // A program that is given odd bytes says so; it does not panic over them.
    let arguments = std::env::args_os().skip(1);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    match options::parse(arguments) {
        Ok(Command::Help) => print(&options::help()),
        Ok(Command::Version) => print(&format!("{}\n", options::version())),
        Ok(Command::Run(options)) => match run::start(&options) {
            Ok(()) => loop {
                std::thread::park();
            },
            Err(reason) => fail(&reason, ExitCode::FAILURE),
        },
        Err(reason) => fail(&reason, ExitCode::from(USAGE)),
    }
}

/// Prints to stdout; that it may be closed is nobody's fault.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn fail(reason: &str, code: ExitCode) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "mayfly: {reason}");
    if cfg!(windows) && std::io::stdin().is_terminal() {
        // Started by a double click, the window goes when the program does, unread.
        let _ = writeln!(std::io::stderr(), "Press Enter to close.");
        let _ = std::io::stdin().read_line(&mut String::new());
    }
    code
}
