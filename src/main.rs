//! The program `qd`: reads its words, and opens a window, the demo or the app itself when that is what they want.

use std::process::ExitCode;

use quarterdeck::app::start::Refused;
use quarterdeck::attach::Kept;
use quarterdeck::cli::{self, Next, Rides};
use quarterdeck::command::Globals;
use quarterdeck::{attach, demo};

/// How commands find the app that runs.
const RIDES: Rides = Rides {
    line: |places, person| Box::pin(attach::line(places, person)),
    end_other: |places, yes| Box::pin(attach::end_other(places, yes)),
    ensure: |places, globals| Box::pin(attach::ensure(places, globals)),
    gone: |places| Box::pin(attach::gone(places)),
};

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut kept = Kept::take(&mut words);
    match cli::main(&words, &RIDES) {
        Next::Done(exit) => exit,
        Next::Window {
            start,
            focus,
            globals,
        } => {
            // What opened the session must not be done again.
            let again = focus.as_ref().map(|at| attach::window_words(&globals, at));
            kept.focus = focus.or(kept.focus);
            in_terminal(kept, &again.unwrap_or(words), &globals, |kept| {
                attach::open(&globals, start, kept)
            })
        }
        Next::Replay {
            reference,
            file,
            how,
        } => in_terminal(kept, &words, &Globals::default(), |kept| {
            attach::replay(&reference, &file, how, kept)
        }),
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
        } => in_terminal(kept, &words, &globals, |kept| {
            let plain = globals.plain;
            demo::open(&globals, move |client| attach::run(client, plain, kept))
        }),
    }
}

/// Does what takes the terminal in a process that may be killed: this one waits for it and gives the terminal back.
fn in_terminal(
    kept: Kept,
    words: &[String],
    globals: &Globals,
    open: impl FnOnce(Kept) -> Result<u8, Refused>,
) -> ExitCode {
    let elsewhere = if kept.is_kept() {
        None
    } else {
        attach::keep(words, globals)
    };
    elsewhere.map_or_else(|| cli::told(open(kept)), ExitCode::from)
}
