//! The program `qd`: hands its words to the command line, which opens a window when there are none.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    quarterdeck::cli::main(&words)
}
