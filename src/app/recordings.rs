//! The folder of recordings: which are there, which must go, and copying one out. Called from worker threads only.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::command::ExportFormat;
use crate::domain::files::is_plain_name;
use crate::domain::ids::EntityId;
use crate::domain::recording::{Keeping, Kept, Reason, size_words, surplus};
use crate::domain::session::SessionRow;
use crate::domain::time::Time;
use crate::store::lock::is_held;
use crate::term::cast;
use crate::term::timed::timed_text;

/// What is said of a recording that is not there any more.
pub const GONE: &str = "the recording is gone: it was removed to keep within [recording] quota and keep_days, or by hand";

/// What is said of a session without one.
pub const NEVER: &str = "this session was not recorded";

/// The folder, within that of the recordings, of those that were fetched from other devices: what is there can be fetched again.
const FETCHED: &str = "fetched";

/// The recording of a session, wherever it is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its file name, if it was made here.
    file: String,
    /// Its file name, if it was fetched: by the id, which nobody else can give to something of theirs.
    fetched: String,
}

impl Wanted {
    /// That of this session.
    pub fn of(session: &SessionRow) -> Self {
        Self {
            file: file_name(session),
            fetched: format!("{}.cast", session.id),
        }
    }

    /// Where it is.
    ///
    /// # Errors
    /// It is nowhere, in words.
    pub fn find(&self, folder: &Path) -> Result<PathBuf, String> {
        let own = place(folder, &self.file)?;
        if own.exists() {
            return Ok(own);
        }
        let fetched = fetched(folder).join(&self.fetched);
        if fetched.exists() {
            return Ok(fetched);
        }
        Err(GONE.to_owned())
    }
}

/// The folder of the recordings that were fetched.
pub fn fetched(folder: &Path) -> PathBuf {
    folder.join(FETCHED)
}

/// What is said of a recording that is in the space and not here.
pub fn elsewhere(session: &SessionRow) -> Option<String> {
    let shared = session.shared.as_ref()?;
    Some(format!(
        "the recording of {} ({}) is in the space and not here; `qd session fetch {}` brings it",
        session.reference,
        size_words(shared.bytes),
        session.reference
    ))
}

/// What is said while it is on its way.
pub fn fetching(session: &SessionRow) -> String {
    let size = session.shared.as_ref().map_or(0, |shared| shared.bytes);
    format!(
        "fetching the recording of {} from the space ({})",
        session.reference,
        size_words(size)
    )
}

/// Makes room for `need` bytes among the recordings that were fetched: those go that were fetched first, but not `spare`,
/// of which something is here already. Nothing outside of that folder is touched.
///
/// # Errors
/// It is more than there may be, or something cannot be removed; in words.
pub fn make_room(folder: &Path, spare: &Path, need: u64, quota: u64) -> Result<(), String> {
    if quota == 0 {
        return Ok(());
    }
    if need > quota {
        return Err(format!(
            "it has {}, and all that is fetched may take {}; raise [sync] recordings_quota",
            size_words(need),
            size_words(quota)
        ));
    }
    let mut kept: Vec<(std::time::SystemTime, PathBuf, u64)> = fs::read_dir(fetched(folder))
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let meta = entry.metadata().ok()?;
            let path = entry.path();
            (meta.is_file() && path != spare).then(|| {
                let at = meta.modified().unwrap_or(std::time::UNIX_EPOCH);
                (at, path, meta.len())
            })
        })
        .collect();
    kept.sort();
    let mut total: u64 = kept.iter().map(|(_, _, bytes)| bytes).sum();
    for (_, path, bytes) in kept {
        if total.saturating_add(need) <= quota {
            break;
        }
        fs::remove_file(&path)
            .map_err(|why| format!("{} cannot be removed to make room: {why}", path.display()))?;
        total -= bytes;
    }
    Ok(())
}

/// The file name of a session's recording, whether it was recorded from the start or not.
pub fn file_name(session: &SessionRow) -> String {
    let usual = || format!("{}.cast", session.id);
    session.recording.clone().unwrap_or_else(usual)
}

/// Where a recording is; a name that leads out of the folder is refused, whoever wrote it into the store.
///
/// # Errors
/// The name is none, in words.
pub fn place(folder: &Path, name: &str) -> Result<PathBuf, String> {
    if !is_plain_name(name) {
        return Err(format!("{name:?} is no name of a recording"));
    }
    Ok(folder.join(name))
}

/// How many recordings there are and how large they are, in words.
pub fn total(folder: &Path) -> String {
    let files = files(folder);
    let bytes = files.iter().map(|(_, meta)| meta.len()).sum();
    format!("{} in {} recordings", size_words(bytes), files.len())
}

/// What a sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// A line for each recording that went, and for each that could not.
    pub lines: Vec<String>,
    /// How many went.
    pub removed: usize,
}

/// Removes the recordings that must not be kept any longer; never one whose session lives in any process. `data` is the
/// folder with the locks.
pub fn sweep(folder: &Path, data: &Path, keeping: Keeping, now: Time) -> Swept {
    let kept: Vec<Kept> = files(folder)
        .into_iter()
        .map(|(name, meta)| {
            let modified = meta.modified().ok();
            let modified = modified
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
                .and_then(|since| i64::try_from(since.as_millis()).ok())
                .map_or(now, Time);
            let id = EntityId::parse(name.trim_end_matches(".cast"));
            Kept {
                bytes: meta.len(),
                age: now.since(modified),
                // What has no session of ours is no recording of ours.
                live: id.is_none_or(|id| is_held(data, id)),
                name,
            }
        })
        .collect();
    let mut swept = Swept::default();
    for (recording, reason) in surplus(&kept, keeping) {
        let why = match reason {
            Reason::Age => format!("older than {} days", keeping.days),
            Reason::Quota => format!("all together are more than {}", size_words(keeping.quota)),
        };
        let size = size_words(recording.bytes);
        match fs::remove_file(folder.join(&recording.name)) {
            Ok(()) => {
                swept.removed += 1;
                let line = format!("removed the recording {} ({size}): {why}", recording.name);
                swept.lines.push(line);
            }
            Err(error) => swept.lines.push(format!(
                "the recording {} ({why}) cannot be removed: {error}",
                recording.name
            )),
        }
    }
    swept
}

fn files(folder: &Path) -> Vec<(String, fs::Metadata)> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().to_str()?.to_owned();
            let meta = entry.metadata().ok()?;
            (name.ends_with(".cast") && meta.is_file()).then_some((name, meta))
        })
        .collect()
}

/// A recording in the form that is wanted.
///
/// # Errors
/// It is no recording, in words.
pub fn exported(recording: &[u8], format: ExportFormat) -> Result<String, String> {
    let text = String::from_utf8_lossy(recording);
    let cast = cast::read(&text).map_err(|why| why.to_string())?;
    Ok(match format {
        ExportFormat::Text => {
            let mut text = cast::text(&cast);
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text
        }
        ExportFormat::Timed => timed_text(&cast),
        ExportFormat::Cast => cast::write(&cast),
    })
}

/// Writes an export into a new file for its owner alone; one that is there is not written over.
///
/// # Errors
/// Why not, in words.
pub fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|why| match why.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{} is there already; name another file", path.display())
            }
            _ => format!("{} cannot be written: {why}", path.display()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::lock::hold;

    #[test]
    fn the_living_are_spared_and_the_rest_is_told() -> Result<(), Box<dyn std::error::Error>> {
        let home = tempfile::tempdir()?;
        let folder = home.path().join("recordings");
        fs::create_dir(&folder)?;
        let ids: Vec<EntityId> = (1..=3).map(|n| EntityId::from_bytes([n; 16])).collect();
        for id in &ids {
            fs::write(folder.join(format!("{id}.cast")), vec![b'x'; 1_000])?;
        }
        fs::write(folder.join("notes.cast"), "not ours")?;
        let held = hold(home.path(), *ids.first().ok_or("three")?)?;
        let later = Time(i64::MAX / 2);
        let keeping = Keeping {
            quota: 2_500,
            days: 0,
        };
        let swept = sweep(&folder, home.path(), keeping, later);
        assert_eq!(swept.removed, 1, "{swept:?}");
        let keeping = Keeping { quota: 0, days: 1 };
        let swept = sweep(&folder, home.path(), keeping, later);
        assert_eq!(swept.removed, 1, "{swept:?}");
        assert!(
            swept
                .lines
                .iter()
                .all(|line| line.contains("older than 1 days"))
        );
        assert!(
            total(&folder).ends_with("in 2 recordings"),
            "{}",
            total(&folder)
        );
        drop(held);
        assert_eq!(sweep(&folder, home.path(), keeping, later).removed, 1);
        assert!(
            folder.join("notes.cast").exists(),
            "a stranger's file stays"
        );
        Ok(())
    }

    #[test]
    fn what_was_fetched_goes_first_come_first_and_nothing_else_goes()
    -> Result<(), Box<dyn std::error::Error>> {
        let home = tempfile::tempdir()?;
        let folder = home.path().join("recordings");
        let cache = fetched(&folder);
        fs::create_dir_all(&cache)?;
        fs::write(folder.join("own.cast"), vec![b'x'; 5_000])?;
        for (age, name) in ["c", "a", "b"].into_iter().enumerate() {
            let path = cache.join(format!("{name}.cast"));
            fs::write(&path, vec![b'x'; 1_000])?;
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(100 - age as u64);
            fs::File::options()
                .write(true)
                .open(&path)?
                .set_modified(at)?;
        }
        let spare = cache.join(".begun");
        fs::write(&spare, vec![b'x'; 1_000])?;
        let there = || {
            let mut names: Vec<String> = fs::read_dir(&cache)
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect();
            names.sort();
            names
        };
        make_room(&folder, &spare, 1_000, 4_000)?;
        assert_eq!(there().len(), 4, "there is room");
        make_room(&folder, &spare, 2_500, 4_000)?;
        assert_eq!(there(), [".begun", "c.cast"], "the first two went");
        assert!(make_room(&folder, &spare, 4_001, 4_000).is_err());
        make_room(&folder, &spare, u64::MAX, 0)?;
        assert_eq!(there().len(), 2, "no limit");
        assert!(folder.join("own.cast").exists(), "never one's own");
        Ok(())
    }

    #[test]
    fn what_is_exported_is_a_recording_of_its_own() -> Result<(), String> {
        let file = "{\"version\":2,\"width\":20,\"height\":5,\"timestamp\":1,\"title\":\"web1\",\"private\":\"x\",\
                    \"env\":{\"TERM\":\"xterm\",\"SECRET\":\"y\"}}\n\
                    [1.0, \"o\", \"hello\\r\\n\"]\n[2.0, \"i\", \"typed\"]\n[3.0, \"m\", \"here\"]\n[4.0, \"o\", \"unfin";
        let text = exported(file.as_bytes(), ExportFormat::Text)?;
        assert_eq!(text, "hello\n");
        let timed = exported(file.as_bytes(), ExportFormat::Timed)?;
        assert_eq!(timed, "1970-01-01T00:00:02.000Z  hello\n");
        let cast = exported(file.as_bytes(), ExportFormat::Cast)?;
        assert_eq!(
            cast,
            "{\"version\":2,\"width\":20,\"height\":5,\"timestamp\":1,\"title\":\"web1\",\"env\":{\"TERM\":\"xterm\"}}\n\
             [1.000, \"o\", \"hello\\r\\n\"]\n[3.000, \"m\", \"here\"]\n"
        );
        Ok(())
    }
}
