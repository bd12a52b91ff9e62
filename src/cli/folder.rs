//! One ticket as a folder, for people and for other programs: what it says, the recordings of its sessions, and what its runs
//! wrote.
//!
//! Every name in the folder is made here: nothing that stands in the store decides where a file goes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::app::recordings::{Wanted, elsewhere, place};
use crate::app::start::{self, Refused};
use crate::command::{Answer, Globals, Outcome};
use crate::domain::case::Entry;
use crate::domain::run::{Cell, RunRow};
use crate::domain::session::SessionRow;
use crate::domain::text;
use crate::domain::ticket::Ticket;
use crate::store::{self, Ask, Store, StoreError};

use super::care::{refused, usage};
use super::exchange::put;

/// The longest name in characters, so that a number still fits behind it.
const NAME_MAX: usize = 80;

/// Writes the ticket `reference` into the new folder `to`.
pub(super) fn export(globals: &Globals, reference: &str, to: &Path) -> Result<Outcome, Refused> {
    let places = start::places(globals)?;
    let store = start::open_store(&places, true, None)?;
    let case = Case::read(&store, reference).map_err(refused)?;
    let failed = |why: io::Error| Refused {
        text: format!(
            "{} could not be exported to {}: {why}; what is there is not whole",
            case.ticket.reference,
            to.display()
        ),
        exit: 1,
    };
    make(to).map_err(|why| {
        if why.kind() == io::ErrorKind::AlreadyExists {
            usage(&format!(
                "{} exists already and was left alone; name another folder",
                to.display()
            ))
        } else {
            failed(why)
        }
    })?;
    let wrote = case.write(&places.paths.recordings(), to).map_err(failed)?;
    let mut words = format!(
        "{} with {} recordings and {} outputs is in {}",
        case.ticket.reference,
        wrote.recordings,
        wrote.outputs,
        to.display()
    );
    for missing in wrote.missing {
        words.push_str("; ");
        words.push_str(&text::line(&missing));
    }
    Ok(Outcome::ok(Answer::Done(words)))
}

/// A ticket with all that hangs on it.
struct Case {
    ticket: Ticket,
    sessions: Vec<SessionRow>,
    runs: Vec<RunRow>,
}

/// What an export wrote.
#[derive(Debug, Default)]
struct Wrote {
    recordings: usize,
    outputs: usize,
    /// Recordings that are not here, each in words.
    missing: Vec<String>,
}

impl Case {
    fn read(store: &Store, reference: &str) -> Result<Self, StoreError> {
        let ask = |ask| store.ask_wait(ask);
        let reference = reference.to_owned();
        let store::Answer::Ticket(ticket) = ask(Ask::Ticket { reference })? else {
            return Err(StoreError::Closed);
        };
        let named = |row: &SessionRow| {
            let entry = |entry: &Entry| entry.session.as_ref() == Some(&row.reference);
            row.ticket.as_ref() == Some(&ticket.reference) || ticket.entries.iter().any(entry)
        };
        let mut sessions = Vec::new();
        if let store::Answer::Sessions(rows) = ask(Ask::Sessions { limit: None })? {
            sessions.extend(rows.into_iter().filter(named));
        }
        let mut runs = Vec::new();
        let of = Some(ticket.reference.clone());
        if let store::Answer::Runs(rows) = ask(Ask::Runs {
            ticket: of,
            limit: None,
        })? {
            for row in rows {
                let reference = row.reference.clone();
                // Two runs with one reference, or one that is no reference: without outputs.
                runs.push(match ask(Ask::Run { reference }) {
                    Ok(store::Answer::Run(run)) => *run,
                    Ok(_) | Err(StoreError::Ambiguous { .. } | StoreError::NotFound { .. }) => row,
                    Err(why) => return Err(why),
                });
            }
        }
        // The oldest first, as in the history.
        sessions.sort_by_key(|row| (row.opened, row.id));
        runs.sort_by_key(|row| (row.started, row.id));
        Ok(Self {
            ticket: *ticket,
            sessions,
            runs,
        })
    }

    fn write(&self, recordings: &Path, to: &Path) -> io::Result<Wrote> {
        let mut wrote = Wrote::default();
        let mut page = page(&self.ticket);
        self.write_sessions(recordings, to, &mut page, &mut wrote)?;
        self.write_runs(to, &mut page, &mut wrote)?;
        put(
            &to.join("ticket.json"),
            &serde_json::to_string_pretty(&json!(self.ticket))?,
        )?;
        // Last: it names all the others.
        put(&to.join("ticket.md"), page.trim_end())?;
        Ok(wrote)
    }

    fn write_sessions(
        &self,
        recordings: &Path,
        to: &Path,
        page: &mut String,
        wrote: &mut Wrote,
    ) -> io::Result<()> {
        if self.sessions.is_empty() {
            return Ok(());
        }
        page.push_str("## Sessions\n\n");
        let mut names = Names::new(to, "recordings")?;
        for row in &self.sessions {
            let about = format!(
                "{} on {}, opened {}",
                text::line(&row.reference),
                text::line(&row.host),
                row.opened
            );
            match Wanted::of(row).find(recordings) {
                Ok(from) => {
                    let (name, path) = names.file(&row.reference, "cast")?;
                    let bytes = std::fs::read(from)?;
                    super::exchange::put_bytes(&path, &bytes)?;
                    wrote.recordings += 1;
                    line(page, &format!("- {about}: `{name}`"));
                }
                Err(why) => {
                    let why = elsewhere(row).unwrap_or(why);
                    line(page, &format!("- {about}: {}", text::line(&why)));
                    wrote.missing.push(format!("{}: {why}", row.reference));
                }
            }
        }
        page.push('\n');
        Ok(())
    }

    fn write_runs(&self, to: &Path, page: &mut String, wrote: &mut Wrote) -> io::Result<()> {
        if self.runs.is_empty() {
            return Ok(());
        }
        page.push_str("## Runs\n\n");
        let mut names = Names::new(to, "runs")?;
        for run in &self.runs {
            line(
                page,
                &format!(
                    "- {} of {}, {}, started {}",
                    text::line(&run.reference),
                    text::line(&run.book),
                    run.state,
                    run.started
                ),
            );
            let (name, path) = names.file(&run.reference, "json")?;
            put(&path, &serde_json::to_string_pretty(&json!(run))?)?;
            line(page, &format!("  - all of it: `{name}`"));
            for cell in run.cells.iter().filter(|cell| !cell.output.is_empty()) {
                let stem = format!(
                    "{}-{}-{}-{}",
                    run.reference,
                    cell.host,
                    cell.index.saturating_add(1),
                    cell.step
                );
                let (name, path) = names.file(&stem, "txt")?;
                super::exchange::put_bytes(&path, cell.output.as_bytes())?;
                wrote.outputs += 1;
                line(page, &format!("  - {}: `{name}`", said(cell)));
            }
        }
        page.push('\n');
        Ok(())
    }
}

fn said(cell: &Cell) -> String {
    let exit = cell
        .exit
        .map_or_else(String::new, |exit| format!(", exit {exit}"));
    format!(
        "{} on {}: {}{exit}",
        text::line(&cell.step),
        text::line(&cell.host),
        cell.state
    )
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

/// What the ticket itself says, in Markdown.
fn page(ticket: &Ticket) -> String {
    let mut page = format!(
        "# {} {}\n\n",
        text::line(&ticket.reference),
        text::line(&ticket.title)
    );
    let time = |time: Option<crate::domain::time::Time>| time.map(|time| time.to_string());
    let fields = [
        ("State", Some(ticket.state.to_string())),
        ("Priority", Some(ticket.priority.to_string())),
        ("Kind", Some(ticket.kind.to_string())),
        ("Queue", Some(ticket.queue.clone())),
        ("Owner", ticket.owner.clone()),
        ("Requester", ticket.requester.clone()),
        ("Tags", Some(ticket.tags.join(", "))),
        ("Hosts", Some(ticket.hosts.join(", "))),
        ("Links", Some(ticket.links.join(", "))),
        ("Due", time(ticket.due)),
        ("Waits until", time(ticket.wait_until)),
        ("Created", Some(ticket.created.to_string())),
        ("Updated", Some(ticket.updated.to_string())),
    ];
    for (name, value) in fields {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            line(&mut page, &format!("- {name}: {}", text::line(&value)));
        }
    }
    page.push('\n');
    if !ticket.body.is_empty() {
        line(
            &mut page,
            &format!("## Description\n\n{}\n", text::block(&ticket.body)),
        );
    }
    if !ticket.disputes.is_empty() {
        page.push_str("## Changed at once\n\n");
        for dispute in &ticket.disputes {
            for claimed in &dispute.values {
                let (field, value) = (text::line(&dispute.field), text::line(&claimed.value));
                let by = text::line(&claimed.by);
                line(
                    &mut page,
                    &format!("- {field}: {value} ({by}, {})", claimed.at),
                );
            }
        }
        page.push('\n');
    }
    if !ticket.entries.is_empty() {
        page.push_str("## History\n\n");
        for entry in &ticket.entries {
            happened(&mut page, entry);
        }
        page.push('\n');
    }
    page
}

fn happened(page: &mut String, entry: &Entry) {
    let author = text::line(&entry.author);
    // Writing to a string cannot fail.
    write!(page, "- {} {} {author}", entry.at, entry.kind).unwrap_or_default();
    let places = [
        ("on", &entry.host),
        ("in", &entry.session),
        ("in", &entry.run),
    ];
    for (word, place) in places {
        if let Some(place) = place {
            write!(page, " {word} {}", text::line(place)).unwrap_or_default();
        }
    }
    page.push('\n');
    for said in text::block(&entry.text).lines() {
        // A quotation inside the item, so that no word of it is taken for one of ours.
        line(page, &format!("  > {said}"));
    }
}

/// A folder of files, each with a name of its own.
struct Names {
    folder: PathBuf,
    word: &'static str,
    taken: BTreeSet<String>,
}

impl Names {
    fn new(to: &Path, word: &'static str) -> io::Result<Self> {
        let folder = to.join(word);
        make(&folder)?;
        let taken = BTreeSet::new();
        Ok(Self {
            folder,
            word,
            taken,
        })
    }

    /// Where a file about `stem` goes, and how it is called in the page.
    fn file(&mut self, stem: &str, ending: &str) -> io::Result<(String, PathBuf)> {
        let stem = safe(stem);
        let mut name = format!("{stem}.{ending}");
        let mut number = 1;
        // File systems of other systems do not tell letter cases apart.
        while !self.taken.insert(name.to_ascii_lowercase()) {
            number += 1;
            name = format!("{stem}-{number}.{ending}");
        }
        let path = place(&self.folder, &name).map_err(io::Error::other)?;
        Ok((format!("{}/{name}", self.word), path))
    }
}

/// A name for a file, whatever the text says: letters, digits and `-_.` of ASCII, and no dot in front.
pub(super) fn safe(text: &str) -> String {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = text
        .chars()
        .take(NAME_MAX)
        .map(|c| if fine(c) { c } else { '-' })
        .collect();
    if name.is_empty() || name.starts_with('.') || name.starts_with('-') {
        format!("_{name}")
    } else {
        name
    }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{EntityId, RunId, SessionId, TicketId};
    use crate::domain::op::{Draft, Entity, EntityKind};
    use crate::domain::run::{CellState, RunFact, RunState, Tally};
    use crate::domain::session::SessionFact;
    use crate::domain::time::Time;
    use crate::store::Options;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn set(ticket: EntityId, field: &str, value: &str) -> Draft {
        let kind = EntityKind::Ticket;
        Draft::Set {
            entity: Entity { kind, id: ticket },
            field: field.to_owned(),
            value: value.into(),
        }
    }

    fn finished(host: &str, output: &[u8]) -> RunFact {
        RunFact::StepFinished {
            at: Time(5_000),
            host: host.to_owned(),
            step: 0,
            state: CellState::Ok,
            exit: Some(0),
            took_ms: 5,
            output: output.to_vec(),
            dropped: 0,
            reason: String::new(),
        }
    }

    /// A case with a session that was recorded, one whose recording is gone, and a run on hosts with hostile names.
    fn filled(store: &Store) -> Result<TicketId, StoreError> {
        let ticket = TicketId(EntityId::derived("ticket", "one"));
        let (run, seen, gone) = (
            RunId(EntityId::derived("run", "one")),
            SessionId(EntityId::derived("session", "seen")),
            SessionId(EntityId::derived("session", "gone")),
        );
        let opened = |recording: &str| SessionFact::Opened {
            at: Time(3_000),
            host: "web1".to_owned(),
            ticket: Some(ticket),
            recording: Some(recording.to_owned()),
            author: "mira".to_owned(),
        };
        let hosts = ["../../etc/a", "..-..-etc/a"].map(str::to_owned).to_vec();
        let entity = Entity {
            kind: EntityKind::Ticket,
            id: ticket.0,
        };
        let started = RunFact::Started {
            at: Time(4_000),
            book: "check".to_owned(),
            hash: "1".to_owned(),
            steps: vec!["/look".to_owned()],
            hosts: hosts.clone(),
            params: std::collections::BTreeMap::new(),
            ticket: Some(ticket),
            author: "mira".to_owned(),
        };
        let mut drafts = vec![
            set(ticket.0, "title", "disk \u{1b}[31mfull"),
            set(ticket.0, "body", "on /var\nsince noon"),
            Draft::Reference { entity },
            Draft::Note {
                entity,
                kind: "comment".to_owned(),
                author: "mira".to_owned(),
                text: "# looked\nat it".to_owned(),
                at: 2_000,
            },
            opened("seen.cast").draft(seen),
            opened("../../outside").draft(gone),
            started.draft(run),
        ];
        let outputs: [&[u8]; 2] = [b"first \xff\n", b"second\n"];
        drafts.extend(
            hosts
                .iter()
                .zip(outputs)
                .map(|(host, output)| finished(host, output).draft(run)),
        );
        let tally = Tally::default();
        let (at, state) = (Time(6_000), RunState::Ok);
        drafts.push(RunFact::Finished { at, state, tally }.draft(run));
        store.append_wait(drafts.into())?;
        Ok(ticket)
    }

    #[test]
    fn a_ticket_is_a_folder_whose_names_are_ours() -> Tested {
        let home = tempfile::tempdir()?;
        let now = || Time(1_795_428_000_000);
        let store = Store::open(home.path(), now, || [1; 32], Options::default())?;
        let ticket = filled(&store)?;
        let recordings = home.path().join("recordings");
        make(&recordings)?;
        std::fs::write(recordings.join("seen.cast"), "{\"version\": 2}\n")?;
        std::fs::write(home.path().join("outside"), "a secret")?;
        let query = crate::domain::query::Query::default();
        let answer = store.ask_wait(Ask::Tickets { query, limit: None })?;
        let store::Answer::Tickets { rows, .. } = answer else {
            unreachable!("tickets were asked")
        };
        let row = rows.first().ok_or("a ticket")?;
        assert_eq!(row.id, ticket);
        let case = Case::read(&store, &row.reference)?;
        let to = home.path().join("out");
        make(&to)?;
        let wrote = case.write(&recordings, &to)?;
        assert_eq!(
            (wrote.recordings, wrote.outputs, wrote.missing.len()),
            (1, 2, 1)
        );
        let mut files = Vec::new();
        for folder in ["", "recordings", "runs"] {
            for entry in std::fs::read_dir(to.join(folder))? {
                let path = entry?.path();
                let name = path
                    .file_name()
                    .ok_or("a name")?
                    .to_string_lossy()
                    .into_owned();
                assert_eq!(name, safe(&name), "{}", path.display());
                if path.is_file() {
                    assert!(!std::fs::read(&path)?.starts_with(b"a secret"));
                    files.push(path);
                }
            }
        }
        assert_eq!(files.len(), 2 + 1 + 3, "{files:?}");
        let page = std::fs::read_to_string(to.join("ticket.md"))?;
        for words in [
            "disk ",
            "on /var\nsince noon",
            "> # looked\n  > at it",
            "exit 0",
            "Sessions",
        ] {
            assert!(page.contains(words), "{words:?} in {page}");
        }
        assert!(!page.contains('\u{1b}'), "{page}");
        // Each file of the folder is named in the page, and each name in the page is a file.
        for name in page.split('`').skip(1).step_by(2) {
            assert!(to.join(name).is_file(), "{name}");
        }
        let text = std::fs::read_to_string(to.join("ticket.json"))?;
        let back: Ticket = serde_json::from_str(&text)?;
        assert_eq!(back, case.ticket);
        assert!(make(&to).is_err(), "a folder that is there is left alone");
        Ok(())
    }

    #[test]
    fn no_text_leads_out_of_a_folder() {
        for (text, name) in [
            ("T-7K3F", "T-7K3F"),
            ("../../etc", "_..-..-etc"),
            (".", "_."),
            ("", "_"),
            ("a/b\0c\n", "a-b-c-"),
            ("-rf", "_-rf"),
        ] {
            assert_eq!(safe(text), name);
            assert!(place(Path::new("x"), &safe(text)).is_ok(), "{text:?}");
        }
        assert_eq!(safe(&"ä".repeat(500)).len(), NAME_MAX + 1);
    }
}
