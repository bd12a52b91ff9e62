//! Recordings at the command line: searched, exported, found for the player. No app is needed for that: the store says which
//! there are, and the files are read here.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use crate::app::recordings::{Wanted, exported, write_new};
use crate::app::start::{self, Refused};
use crate::app::{clock, recordings, search};
use crate::command::{Command, ExportFormat, Globals, Search, SessionCommand};
use crate::domain::recording::size_words;
use crate::domain::session::SessionRow;
use crate::domain::text;
use crate::store::{Answer, Ask, Store};
use crate::term::cast;
use crate::term::film::pattern;
use crate::term::find::Hit;

use super::{Rides, headless, output};

/// The exit status of a search that found nothing, as of grep.
const NOTHING: u8 = 1;

fn refused(exit: u8, text: String) -> Refused {
    Refused { text, exit }
}

/// Carries a command out that needs no app; `None` for all others.
pub(super) fn run(
    globals: &Globals,
    command: &SessionCommand,
    rides: &Rides,
) -> Option<Result<u8, Refused>> {
    Some(match command {
        SessionCommand::Search(search) => look(globals, search, rides),
        SessionCommand::Export {
            reference,
            format,
            output,
        } => export(globals, reference, (*format, output), rides),
        _ => return None,
    })
}

fn store(globals: &Globals) -> Result<(Store, PathBuf), Refused> {
    let places = start::places(globals)?;
    let store = start::open_store(&places, true, None)?;
    Ok((store, places.paths.recordings()))
}

/// A session, and where its recording is; one that another device put into the space is fetched.
///
/// # Errors
/// There is no such session (3), or it has no recording (1).
pub(super) fn find(
    globals: &Globals,
    reference: &str,
    rides: &Rides,
) -> Result<(SessionRow, PathBuf), Refused> {
    let (store, folder) = store(globals)?;
    let ask = Ask::Session {
        reference: reference.to_owned(),
    };
    let row = match store.ask_wait(ask) {
        Ok(Answer::Session(row)) => *row,
        Ok(_) => return Err(refused(1, "the store answered something else".to_owned())),
        Err(why) => {
            let exit = match why {
                crate::store::StoreError::NotFound { .. } => 3,
                crate::store::StoreError::Ambiguous { .. } => 4,
                _ => 1,
            };
            return Err(refused(exit, why.to_string()));
        }
    };
    let own = store.device();
    // Whoever fetches opens the store too.
    drop(store);
    let foreign = row
        .shared
        .as_ref()
        .is_some_and(|shared| shared.device != own);
    if foreign && !globals.read_only && Wanted::of(&row).find(&folder).is_err() {
        fetch(globals, &row, rides)?;
    }
    match Wanted::of(&row).find(&folder) {
        Ok(path) => Ok((row, path)),
        Err(why) => {
            let never = row.recording.is_none() && why == recordings::GONE;
            let why = if never {
                recordings::NEVER.to_owned()
            } else {
                why
            };
            let there = recordings::elsewhere(&row).filter(|_| foreign);
            let said = there.unwrap_or_else(|| format!("{}: {why}", row.reference));
            Err(refused(1, said))
        }
    }
}

/// Brings a recording here through the app that runs, or without one; what it says goes to standard error.
fn fetch(globals: &Globals, row: &SessionRow, rides: &Rides) -> Result<(), Refused> {
    let command = Command::Session(SessionCommand::Fetch {
        reference: row.reference.clone(),
        silent: true,
    });
    let mut quiet = globals.clone();
    // Standard output is what was asked for, and nothing else.
    (quiet.quiet, quiet.json, quiet.jsonl) = (true, false, false);
    if !globals.quiet {
        let words = recordings::fetching(row);
        output::err(format!("qd: {words}\n").as_bytes());
    }
    match headless::run(&quiet, command, rides)? {
        0 => Ok(()),
        // Why not has been told.
        exit => Err(refused(exit, String::new())),
    }
}

/// The text of a recording, for who has no terminal to play it in.
pub(super) fn print(globals: &Globals, reference: &str, rides: &Rides) -> Result<u8, Refused> {
    let form = (ExportFormat::Text, &PathBuf::from("-"));
    export(globals, reference, form, rides)
}

fn export(
    globals: &Globals,
    reference: &str,
    (format, output): (ExportFormat, &PathBuf),
    rides: &Rides,
) -> Result<u8, Refused> {
    let (row, path) = find(globals, reference, rides)?;
    let failed = |why: String| {
        refused(
            1,
            format!(
                "the recording of {} cannot be exported: {why}",
                row.reference
            ),
        )
    };
    let bytes = std::fs::read(&path).map_err(|why| failed(why.to_string()))?;
    let written = exported(&bytes, format).map_err(failed)?;
    let file = output.as_os_str() != "-";
    if file {
        write_new(output, &written).map_err(failed)?;
    }
    if globals.json || globals.jsonl {
        // One document: what is exported to standard output is part of it.
        let mut value = json!({ "ref": row.reference, "bytes": written.len() });
        let (name, what) = if file {
            ("file", json!(output))
        } else {
            ("text", json!(written))
        };
        if let Value::Object(map) = &mut value {
            map.insert(name.to_owned(), what);
        }
        output::write(&format!("{value}\n"));
    } else if !file {
        let shown = if output::is_seen() && format != ExportFormat::Cast {
            text::block(&written)
        } else {
            written
        };
        output::write(&shown);
    } else if !globals.quiet {
        output::err(format!("qd: written to {}\n", output.display()).as_bytes());
    }
    Ok(0)
}

fn look(globals: &Globals, wanted: &Search, rides: &Rides) -> Result<u8, Refused> {
    let regex = pattern(&wanted.wanted, wanted.regex).map_err(|why| refused(2, why))?;
    let (store, folder) = store(globals)?;
    let rows = match store.ask_wait(Ask::Sessions { limit: None }) {
        Ok(Answer::Sessions(rows)) => rows,
        Ok(_) => return Err(refused(1, "the store answered something else".to_owned())),
        Err(why) => return Err(refused(1, why.to_string())),
    };
    let rows = search::chosen(rows, wanted, clock::now()).map_err(|why| refused(2, why))?;
    drop(store);
    for row in search::elsewhere(&folder, &rows) {
        if wanted.fetch && !globals.read_only {
            // What cannot be fetched has been told, and the others are looked through all the same.
            fetch(globals, row, rides).ok();
        }
    }
    let elsewhere = search::elsewhere_words(&search::elsewhere(&folder, &rows));
    if !elsewhere.is_empty() && !globals.quiet {
        let words = elsewhere.trim_start_matches("; ");
        output::err(format!("qd: {words}\n").as_bytes());
    }
    let mut first = true;
    let stop = AtomicBool::new(false);
    let begun = std::time::Instant::now();
    // Nothing is caught here: Ctrl-C ends this process at once, and nothing is left behind.
    let tally = search::run(&folder, &rows, &regex, &stop, |row, hit| match hit {
        Err(why) => {
            output::err(format!("qd: {}: {}\n", row.reference, text::line(&why)).as_bytes());
            true
        }
        Ok(hit) if globals.json => {
            let lead = if std::mem::take(&mut first) {
                "[\n"
            } else {
                ",\n"
            };
            output::write(&format!("{lead}{}", value(row, &hit)))
        }
        Ok(hit) if globals.jsonl => output::write(&format!("{}\n", value(row, &hit))),
        Ok(hit) => output::write(&format!(
            "{}  {}  {}  +{}  {}\n",
            row.reference,
            text::line(&row.host),
            row.opened.local(),
            cast::clock(hit.at),
            text::line(&hit.line)
        )),
    });
    if globals.json {
        output::write(if first { "[]\n" } else { "\n]\n" });
    }
    if globals.verbose {
        let took = begun.elapsed();
        let words = format!(
            "qd: {} lines in {} recordings, {} read in {:.1} s\n",
            tally.hits,
            tally.recordings,
            size_words(tally.bytes),
            took.as_secs_f64()
        );
        output::err(words.as_bytes());
    }
    Ok(if tally.hits > 0 { 0 } else { NOTHING })
}

fn value(row: &SessionRow, hit: &Hit) -> Value {
    json!({
        "ref": row.reference,
        "host": row.host,
        "ticket": row.ticket,
        "opened": row.opened,
        "at_ms": hit.at,
        "line": hit.line,
    })
}
