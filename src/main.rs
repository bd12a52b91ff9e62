//! The program `qd`: reads its words, and opens a window or the demo when that is what they want.

use std::process::ExitCode;

use quarterdeck::cli::{self, Next};
use quarterdeck::{attach, demo};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match cli::main(&words) {
        Next::Done(exit) => exit,
        Next::Window(globals) => cli::told(attach::open(&globals)),
        Next::Demo {
            check: true,
            globals,
        } => cli::told(demo::check(&globals)),
        Next::Demo {
            check: false,
            globals,
        } => cli::told(demo::open(&globals, attach::run)),
    }
}
