//! The program `qd`: reads its words, and opens a window, the demo or the app itself when that is what they want.

use std::process::ExitCode;

use quarterdeck::cli::{self, Next, Rides};
use quarterdeck::{attach, demo};

/// How commands find the app that runs.
const RIDES: Rides = Rides {
    line: |places, person| Box::pin(attach::line(places, person)),
    end_other: |places, yes| Box::pin(attach::end_other(places, yes)),
    ensure: |places, globals| Box::pin(attach::ensure(places, globals)),
    gone: |places| Box::pin(attach::gone(places)),
};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match cli::main(&words, &RIDES) {
        Next::Done(exit) => exit,
        Next::Window {
            start,
            focus,
            globals,
        } => cli::told(attach::open(&globals, start, focus)),
        Next::Replay {
            reference,
            file,
            how,
        } => cli::told(attach::replay(&reference, &file, how)),
        Next::Serve {
            foreground: true,
            globals,
        } => cli::told(attach::serve(&globals)),
        Next::Serve {
            foreground: false,
            globals,
        } => cli::told(attach::start(&globals)),
        Next::Demo {
            check: true,
            globals,
        } => cli::told(demo::check(&globals)),
        Next::Demo {
            check: false,
            globals,
        } => {
            let plain = globals.plain;
            cli::told(demo::open(&globals, move |client| {
                attach::run(client, plain)
            }))
        }
    }
}
