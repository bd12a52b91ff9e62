//! Looks for a text in all recordings at once: several threads read, and what they find comes out in order, the newest
//! session first. However long it takes and however much is found, little of it is in memory at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use regex::Regex;

use crate::command::Search;
use crate::domain::host::listed;
use crate::domain::recording::size_words;
use crate::domain::session::SessionRow;
use crate::domain::time::{Time, parse_span};
use crate::term::find::{Finder, Hit};

use super::recordings;

/// How many batches of one recording wait to be told; its thread waits when there are more.
const AHEAD: usize = 16;

/// How many threads read at most.
const READERS: usize = 4;

/// The longest line of a recording that is read, in bytes. Ours are much shorter.
const LINE: u64 = 16 * 1024 * 1024;

/// What a search came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Recordings that were read.
    pub recordings: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Lines that were found.
    pub hits: usize,
}

/// The sessions that a search is about, the newest first.
///
/// # Errors
/// `since` says no time, in words.
pub fn chosen(
    rows: Vec<SessionRow>,
    search: &Search,
    now: Time,
) -> Result<Vec<SessionRow>, String> {
    let since = search
        .since
        .as_deref()
        .map(|text| since(text, now))
        .transpose()?;
    let hosts = search.host.as_ref().map(std::slice::from_ref);
    let mut chosen: Vec<SessionRow> = rows
        .into_iter()
        .filter(|row| hosts.is_none_or(|hosts| listed(hosts, &row.host)))
        .filter(|row| {
            search.ticket.as_ref().is_none_or(|ticket| {
                let of = row.ticket.as_deref();
                of.is_some_and(|of| of.eq_ignore_ascii_case(ticket))
            })
        })
        .filter(|row| since.is_none_or(|since| row.opened >= since))
        .collect();
    chosen.sort_by_key(|row| std::cmp::Reverse(row.opened));
    Ok(chosen)
}

/// A point in time as people name it.
fn since(text: &str, now: Time) -> Result<Time, String> {
    let back = parse_span(text).and_then(|span| i64::try_from(span).ok());
    back.map(|back| now.plus(-back))
        .or_else(|| Time::parse(text))
        .or_else(|| Time::day(text))
        .ok_or_else(|| {
            format!("--since {text:?} is no time; write 2d, 2026-11-23 or 2026-11-23T10:00:00Z")
        })
}

/// Those whose recordings are in the space and not here.
pub fn elsewhere<'a>(folder: &Path, rows: &'a [SessionRow]) -> Vec<&'a SessionRow> {
    let missing = |row: &&SessionRow| {
        row.shared.is_some() && recordings::Wanted::of(row).find(folder).is_err()
    };
    rows.iter().filter(missing).collect()
}

/// Of those [`elsewhere`], what follows the words about what was found.
pub fn elsewhere_words(rows: &[&SessionRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let bytes = rows.iter().filter_map(|row| row.shared.as_ref());
    let bytes = bytes.fold(0u64, |sum, shared| sum.saturating_add(shared.bytes));
    format!(
        "; {} more recordings ({}) are in the space and not here, `qd session search --fetch` brings them first",
        rows.len(),
        size_words(bytes)
    )
}

/// Looks through the recordings of `rows` and tells what is found, in their order; `tell` says whether to go on, and `stop`
/// ends it from elsewhere. What cannot be read is told as a hit of none with the reason.
pub fn run(
    folder: &Path,
    rows: &[SessionRow],
    wanted: &Regex,
    stop: &AtomicBool,
    mut tell: impl FnMut(&SessionRow, Result<Hit, String>) -> bool,
) -> Tally {
    let (next, bytes, read) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicUsize::new(0));
    let (ins, outs): (Vec<SyncSender<_>>, Vec<Receiver<_>>) =
        rows.iter().map(|_| sync_channel(AHEAD)).unzip();
    let ins: Vec<_> = ins
        .into_iter()
        .map(|tx| std::sync::Mutex::new(Some(tx)))
        .collect();
    let readers = thread::available_parallelism().map_or(1, |count| count.get().min(READERS));
    let mut hits = 0;
    thread::scope(|scope| {
        for _ in 0..readers.min(rows.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(row), Some(slot)) = (rows.get(index), ins.get(index)) else {
                        return;
                    };
                    let tx = slot.lock().ok().and_then(|mut slot| slot.take());
                    let Some(tx) = tx else { return };
                    let name = recordings::file_name(row);
                    let path = recordings::place(folder, &name).map(|own| {
                        let found = recordings::Wanted::of(row).find(folder);
                        found.unwrap_or(own)
                    });
                    let looked = path.and_then(|path| look(&path, wanted, stop, &tx, &bytes));
                    match looked {
                        Ok(true) => drop(read.fetch_add(1, Ordering::Relaxed)),
                        // It was removed, or never made.
                        Ok(false) => {}
                        Err(why) => drop(tx.send(Err(why))),
                    }
                }
            });
        }
        'all: for (row, out) in rows.iter().zip(outs) {
            // The thread that reads the first recording that was not told is never one of those that wait.
            for found in out {
                let found: Result<Vec<Hit>, String> = found;
                let each: Vec<Result<Hit, String>> = match found {
                    Ok(found) => found.into_iter().map(Ok).collect(),
                    Err(why) => vec![Err(why)],
                };
                for hit in each {
                    hits += usize::from(hit.is_ok());
                    if stop.load(Ordering::Relaxed) || !tell(row, hit) {
                        stop.store(true, Ordering::Relaxed);
                        break 'all;
                    }
                }
            }
        }
    });
    Tally {
        recordings: read.into_inner(),
        bytes: bytes.into_inner(),
        hits,
    }
}

/// Looks through one recording; false if there is none.
fn look(
    path: &Path,
    wanted: &Regex,
    stop: &AtomicBool,
    tx: &SyncSender<Result<Vec<Hit>, String>>,
    bytes: &AtomicU64,
) -> Result<bool, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(why) => return Err(format!("{} cannot be read: {why}", path.display())),
    };
    let broken = |why: String| format!("{}: {why}", path.display());
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut finder = Finder::new(wanted.clone());
    let mut line = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        line.clear();
        let got = reader
            .by_ref()
            .take(LINE)
            .read_until(b'\n', &mut line)
            .map_err(|why| broken(why.to_string()))?;
        if got == 0 {
            break;
        }
        bytes.fetch_add(got as u64, Ordering::Relaxed);
        let text = String::from_utf8_lossy(&line);
        finder.line(&text).map_err(|why| broken(why.to_string()))?;
        let found = finder.take();
        // Whoever listened may be content.
        if !found.is_empty() && tx.send(Ok(found)).is_err() {
            return Ok(true);
        }
    }
    let rest = finder.finish();
    if !rest.is_empty() {
        tx.send(Ok(rest)).ok();
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{EntityId, SessionId};
    use crate::term::film::pattern;

    fn row(n: u8, host: &str) -> SessionRow {
        SessionRow {
            id: SessionId(EntityId::from_bytes([n; 16])),
            reference: format!("S-{n}"),
            host: host.to_owned(),
            ticket: (n == 2).then(|| "T-1".to_owned()),
            opened: Time(i64::from(n) * 86_400_000),
            closed: None,
            exit: None,
            bytes: 0,
            recording: None,
            live: false,
            shared: None,
        }
    }

    fn recordings(folder: &Path, rows: &[SessionRow]) -> std::io::Result<()> {
        for row in rows {
            let mut text = "{\"version\": 2, \"width\": 80, \"height\": 24}\n".to_owned();
            for line in 0..3_000 {
                let what = if line % 100 == 0 { "needle" } else { "hay" };
                text.push_str(&format!(
                    "[{line}, \"o\", \"{what} {line} on {}\\r\\n\"]\n",
                    row.host
                ));
            }
            std::fs::write(folder.join(recordings::file_name(row)), text)?;
        }
        Ok(())
    }

    #[test]
    fn the_newest_come_first_and_all_of_them_come() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let rows = vec![
            row(1, "web1"),
            row(2, "web2"),
            row(3, "db1"),
            row(9, "gone"),
        ];
        recordings(folder.path(), rows.get(..3).ok_or("three")?)?;
        let rows = chosen(rows, &Search::default(), Time(0))?;
        let stop = AtomicBool::new(false);
        let mut told = Vec::new();
        let tally = run(
            folder.path(),
            &rows,
            &pattern("needle", false)?,
            &stop,
            |row, hit| {
                told.push((row.host.clone(), hit));
                true
            },
        );
        assert_eq!((tally.recordings, tally.hits), (3, 90));
        let hosts: Vec<&str> = told.iter().map(|(host, _)| host.as_str()).collect();
        assert!(hosts.iter().take(30).all(|host| *host == "db1"));
        assert!(hosts.iter().skip(60).all(|host| *host == "web1"));
        let times: Vec<u64> = told
            .iter()
            .filter_map(|(_, hit)| Some(hit.as_ref().ok()?.at))
            .collect();
        assert_eq!(times.get(1), Some(&100_000));
        // Whoever has enough is not told more.
        let mut count = 0;
        let tally = run(
            folder.path(),
            &rows,
            &pattern("needle", false)?,
            &AtomicBool::new(false),
            |_, _| {
                count += 1;
                count < 5
            },
        );
        assert_eq!((count, tally.hits), (5, 5));
        Ok(())
    }

    #[test]
    fn sessions_are_chosen_by_host_ticket_and_day() -> Result<(), String> {
        let rows = || vec![row(1, "web1"), row(2, "web2"), row(3, "db1")];
        let now = Time(4 * 86_400_000);
        let names = |search: Search| -> Result<Vec<String>, String> {
            let rows = chosen(rows(), &search, now)?;
            Ok(rows.into_iter().map(|row| row.host).collect())
        };
        let with = |host: Option<&str>, ticket: Option<&str>, since: Option<&str>| Search {
            host: host.map(str::to_owned),
            ticket: ticket.map(str::to_owned),
            since: since.map(str::to_owned),
            ..Search::default()
        };
        assert_eq!(names(with(Some("web*"), None, None))?, ["web2", "web1"]);
        assert_eq!(names(with(None, Some("t-1"), None))?, ["web2"]);
        assert_eq!(names(with(None, None, Some("2d")))?, ["db1", "web2"]);
        assert_eq!(
            names(with(None, None, Some("1970-01-04T00:00:00Z")))?,
            ["db1"]
        );
        assert!(names(with(None, None, Some("1971-01-04")))?.is_empty());
        assert!(names(with(None, None, Some("soon"))).is_err_and(|why| why.contains("no time")));
        Ok(())
    }
}
