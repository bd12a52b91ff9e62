//! Purging, and salvage of a damaged store: what works on the store's own files, whether an app runs or not.

use std::path::Path;

use crate::app::clock;
use crate::app::recordings::{fetched, place};
use crate::app::start::{self, Refused};
use crate::command::{Answer, CareCommand, Globals, Outcome};
use crate::domain::audit::Purged;
use crate::domain::ids::EntityId;
use crate::store::{self, Purge, lock};

use super::care::{agreed, refused, usage};
use super::output::Output;

/// Carries `command` out, if it is one of these.
pub(super) fn run(globals: &Globals, command: &CareCommand) -> Option<Result<u8, Refused>> {
    let done = match command {
        CareCommand::Purge { what, field } => purge(globals, what, field.as_deref()),
        CareCommand::Salvage { file } => salvage(globals, file),
        CareCommand::Audit(_)
        | CareCommand::Verify
        | CareCommand::Search(_)
        | CareCommand::Size => return None,
    };
    Some(done.map(|outcome| Output::new(globals, false).finish(&outcome, clock::now())))
}

fn purge(globals: &Globals, what: &str, field: Option<&str>) -> Result<Outcome, Refused> {
    if globals.read_only {
        return Err(usage("a purge changes the store; leave out --read-only"));
    }
    let places = start::places(globals)?;
    let data = &places.paths.data;
    let question = match field {
        Some(field) => format!("Remove the {field} of {what} for good, with every value it had?"),
        None => format!("Remove the content of {what} for good?"),
    };
    if !agreed("purge", question, globals.yes) {
        return Err(usage(
            "nothing was changed; `--yes` purges without a question",
        ));
    }
    let store = start::open_store(&places, false, None)?;
    let wanted = Purge {
        what: what.to_owned(),
        field: field.map(str::to_owned),
        author: places.settings.general.author.clone(),
    };
    let mut done = store.purge_wait(wanted).map_err(told)?;
    let exit = recordings(&places.paths.recordings(), data, &mut done);
    done.unreached.extend(beyond(data));
    Ok(Outcome {
        answer: Answer::Purged(done),
        exit,
    })
}

/// Removes the files of recordings. One of a session that lives is left alone, and that is said.
fn recordings(folder: &Path, data: &Path, done: &mut Purged) -> u8 {
    let mut exit = 0;
    let names = std::mem::take(&mut done.recordings);
    for name in names {
        let live = EntityId::parse(name.trim_end_matches(".cast"))
            .is_some_and(|id| lock::is_held(data, id));
        if live {
            exit = 1;
            done.unreached.push(format!(
                "the recording {name}: its session lives; close it, then purge again"
            ));
            continue;
        }
        let removed = place(folder, &name).and_then(|own| {
            let here = unlink(&own)?;
            // It was made elsewhere and fetched.
            Ok(unlink(&fetched(folder).join(&name))? || here)
        });
        match removed {
            Ok(true) => done.recordings.push(name),
            Ok(false) => {}
            Err(why) => {
                exit = 1;
                done.unreached
                    .push(format!("the recording {name} cannot be removed: {why}"));
            }
        }
    }
    exit
}

/// Removes a file, and says whether it was there.
fn unlink(path: &Path) -> Result<bool, String> {
    match std::fs::remove_file(path) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(why) => Err(why.to_string()),
        Ok(()) => Ok(true),
    }
}

/// What may hold the content still: named, because a purge must not promise more than it does.
fn beyond(data: &Path) -> Vec<String> {
    let mut texts: Vec<String> = std::fs::read_dir(data)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("store-") && name.ends_with(".db"))
        .map(|name| {
            format!(
                "{}: a copy of the store; remove it if it may go",
                data.join(name).display()
            )
        })
        .collect();
    texts.sort();
    texts.push(
        "backups, exports, copies of recordings, and other members' devices until they sync"
            .to_owned(),
    );
    texts
}

fn salvage(globals: &Globals, file: &Path) -> Result<Outcome, Refused> {
    let places = start::places(globals)?;
    let seed = clock::seed().map_err(|why| Refused {
        text: format!("no randomness for a new device id: {why}"),
        exit: 1,
    })?;
    let done = store::salvage(&places.paths.data, file, clock::now(), seed).map_err(told)?;
    Ok(Outcome {
        exit: u8::from(done.lost > 0),
        answer: Answer::Done(done.to_string()),
    })
}

fn told(why: store::StoreError) -> Refused {
    match why {
        store::StoreError::NotFound { .. } => Refused {
            text: why.to_string(),
            exit: 3,
        },
        store::StoreError::Ambiguous { .. } => Refused {
            text: why.to_string(),
            exit: 4,
        },
        other => refused(other),
    }
}
