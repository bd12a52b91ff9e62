//! Commands about the store as a file: backup, restore, repair. They open it themselves, whether an app runs or not.

use std::path::Path;

use crate::app::clock;
use crate::app::effect::{Inquiry, InquiryKind};
use crate::app::start::{self, Places, Refused};
use crate::command::{Answer, DoctorLine, Globals, Outcome, ProgramCommand};
use crate::domain::text;
use crate::model::QuestionId;
use crate::ssh::Reply;
use crate::store::{self, DoctorReport, StoreError};

use super::output::Output;
use super::{Rides, exchange, folder, terminal};

/// Carries `command` out, if it is one of these.
pub(super) fn run(
    globals: &Globals,
    command: &ProgramCommand,
    rides: &Rides,
) -> Option<Result<u8, Refused>> {
    let done = match command {
        ProgramCommand::Backup { file } => backup(globals, file),
        ProgramCommand::Restore { file } => restore(globals, file, rides),
        ProgramCommand::Doctor { repair: true } => repair(globals),
        ProgramCommand::Export { folder } => exchange::export(globals, folder),
        ProgramCommand::Import { folder } => exchange::import(globals, folder),
        ProgramCommand::ExportTicket { reference, folder } => {
            folder::export(globals, reference, folder)
        }
        _ => return None,
    };
    Some(done.map(|outcome| Output::new(globals, false).finish(&outcome, clock::now())))
}

/// Copies the store while others go on with it, and reads the copy back.
fn backup(globals: &Globals, file: &Path) -> Result<Outcome, Refused> {
    let places = start::places(globals)?;
    store::backup(&places.paths.data, file).map_err(refused)?;
    let report = store::verify(file, clock::now()).map_err(refused)?;
    if !report.ok {
        return Ok(findings(report));
    }
    let size = std::fs::metadata(file).map_or(0, |meta| meta.len());
    Ok(Outcome::ok(Answer::Done(format!(
        "{}, {} KiB, read back and in order: {}",
        file.display(),
        size.div_ceil(1024),
        detail(&report, "log")
    ))))
}

fn restore(globals: &Globals, file: &Path, rides: &Rides) -> Result<Outcome, Refused> {
    if globals.read_only {
        return Err(usage("a restore changes the store; leave out --read-only"));
    }
    let places = start::places(globals)?;
    if is_served(&places, rides)? {
        return Err(Refused {
            text: "the app works with the store that is to be replaced; `qd server stop` ends it, then restore again"
                .to_owned(),
            exit: 4,
        });
    }
    let report = store::verify(file, clock::now()).map_err(refused)?;
    if report.ok {
        let question = format!(
            "Replace the store in {} with {} ({})? The one of now is kept beside it.",
            places.paths.data.display(),
            file.display(),
            detail(&report, "log")
        );
        if !agreed("restore", question, globals.yes) {
            return Err(usage(
                "nothing was changed; `--yes` restores without a question",
            ));
        }
    }
    let done = store::restore(&places.paths.data, file, clock::now()).map_err(refused)?;
    let kept = done.kept.map_or_else(String::new, |kept| {
        format!("; the store of before is {}", kept.display())
    });
    Ok(Outcome::ok(Answer::Done(format!(
        "restored {}{kept}",
        detail(&done.report, "log")
    ))))
}

/// Makes everything anew that is derived from the log, and examines what came of it.
fn repair(globals: &Globals) -> Result<Outcome, Refused> {
    if globals.read_only {
        return Err(usage("a repair changes the store; leave out --read-only"));
    }
    let places = start::places(globals)?;
    // Before anything is opened for writing: not even a migration may touch a damaged file.
    let kept = store::before_repair(&places.paths.data, clock::now()).map_err(refused)?;
    let store = start::open_store(&places, false, None)?;
    let count = store.rebuild_wait().map_err(refused)?;
    // A store of an early version is written anew once, so that free pages can go.
    let anew = store::reform(&places.paths.data).map_err(refused)?;
    let answer = store.ask_wait(store::Ask::Doctor).map_err(refused)?;
    let store::Answer::Doctor(mut report) = answer else {
        return Err(usage(
            "the store answered something else; please report this",
        ));
    };
    report.lines.insert(
        0,
        store::DoctorLine {
            name: "repair".to_owned(),
            ok: true,
            detail: format!(
                "lists, fields and search index were made anew from {count} operations{}{}",
                if anew {
                    "; the file was written anew without free pages"
                } else {
                    ""
                },
                kept.map_or_else(String::new, |kept| format!(
                    "; the log is not whole, so the store of before is kept in {}",
                    kept.display()
                ))
            ),
        },
    );
    Ok(findings(report))
}

fn is_served(places: &Places, rides: &Rides) -> Result<bool, Refused> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // An app of another version is one too.
    match runtime.block_on((rides.line)(places, false)) {
        Ok(line) => Ok(line.is_some()),
        Err(refused) if refused.exit == 4 => Ok(true),
        Err(refused) => Err(refused),
    }
}

pub(super) fn agreed(place: &str, question: String, yes: bool) -> bool {
    let inquiry = Inquiry {
        id: QuestionId(0),
        place: place.to_owned(),
        kind: InquiryKind::Confirm(question),
    };
    matches!(terminal::ask(&inquiry, yes), Reply::Yes)
}

fn findings(report: DoctorReport) -> Outcome {
    let lines = report.lines.into_iter().map(|line| DoctorLine {
        name: line.name,
        ok: line.ok,
        detail: line.detail,
    });
    Outcome {
        answer: Answer::Doctor(lines.collect()),
        exit: u8::from(!report.ok),
    }
}

/// What a report says of one thing.
fn detail(report: &DoctorReport, name: &str) -> String {
    let line = report.lines.iter().find(|line| line.name == name);
    text::line(line.map_or("", |line| &line.detail))
}

pub(super) fn usage(text: &str) -> Refused {
    Refused {
        text: text.to_owned(),
        exit: 2,
    }
}

pub(super) fn refused(why: StoreError) -> Refused {
    let exit = match &why {
        StoreError::Refused { .. } => 2,
        _ => 1,
    };
    Refused {
        text: why.to_string(),
        exit,
    }
}
