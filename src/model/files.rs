//! Folders that a screen shows and copies between them: what was listed, how far each copy is, what came of it.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::files::{CopyJob, CopyProgress, CopyReport, FileEntry};
use crate::domain::time::Time;

/// How many copies that have ended are kept; older ones are forgotten (the ticket has them).
const ENDED_COPIES: usize = 20;

/// Names a folder: the host, `None` for this machine, and the path as it was asked for; empty is the account's home.
pub type FolderKey = (Option<String>, String);

/// The folders that are on a screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Files {
    folders: BTreeMap<FolderKey, Folder>,
    versions: u64,
}

/// One folder as it was last listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folder {
    /// Its absolute path, as the machine spells it; empty until it was listed.
    pub path: String,
    /// What is in it, folders first, by name.
    pub entries: Vec<FileEntry>,
    /// Why it could not be listed the last time.
    pub error: Option<String>,
    /// Changes with every listing, so that a long list is sorted once and not at every frame.
    pub version: u64,
}

impl Files {
    /// The folder of this key, if it was listed or could not be.
    pub fn folder(&self, host: Option<&str>, path: &str) -> Option<&Folder> {
        // A folder is looked up a few times a frame; the key is small.
        self.folders
            .get(&(host.map(str::to_owned), path.to_owned()))
    }

    /// Takes a listing. Under the empty path the account's home is found again by its absolute path.
    pub fn listed(&mut self, key: &FolderKey, path: String, entries: Vec<FileEntry>) {
        self.versions += 1;
        let folder = Folder {
            path: path.clone(),
            entries,
            error: None,
            version: self.versions,
        };
        if key.1 != path {
            self.folders.insert((key.0.clone(), path), folder.clone());
        }
        self.folders.insert(key.clone(), folder);
    }

    /// Notes why a folder could not be listed; what was known of it stays.
    pub fn failed(&mut self, key: &FolderKey, why: String) {
        self.versions += 1;
        let folder = self.folders.entry(key.clone()).or_default();
        (folder.error, folder.version) = (Some(why), self.versions);
    }

    /// Forgets the folders that nobody shows.
    pub fn retain(&mut self, keep: impl Fn(&FolderKey) -> bool) {
        self.folders.retain(|key, _| keep(key));
    }
}

/// Copies, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Copies {
    rows: VecDeque<CopyView>,
}

/// One copy.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyView {
    /// Its request's number.
    pub id: u64,
    /// What was asked for.
    pub job: CopyJob,
    /// The ticket that it is recorded on.
    pub ticket: Option<String>,
    /// When it began.
    pub started: Time,
    /// How far it is.
    pub progress: CopyProgress,
    /// What became of it; `None` while it runs.
    pub end: Option<CopyEnd>,
}

/// What became of a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyEnd {
    /// When.
    pub at: Time,
    /// What it came to, or why nothing was copied.
    pub result: Result<CopyReport, String>,
}

impl CopyView {
    /// Whether it ended with everything there.
    pub fn is_whole(&self) -> bool {
        self.end
            .as_ref()
            .is_some_and(|end| matches!(&end.result, Ok(report) if report.failed.is_empty()))
    }
}

impl Copies {
    /// A copy begins; of those that have ended the oldest is forgotten beyond a small number.
    pub fn push(&mut self, copy: CopyView) {
        let ended = |copy: &CopyView| copy.end.is_some();
        if self.rows.iter().filter(|copy| ended(copy)).count() >= ENDED_COPIES
            && let Some(oldest) = self.rows.iter().position(ended)
        {
            self.rows.remove(oldest);
        }
        self.rows.push_back(copy);
    }

    /// The copy of this number.
    pub fn get(&self, id: u64) -> Option<&CopyView> {
        self.rows.iter().find(|copy| copy.id == id)
    }

    /// The copy of this number, to be written by the update.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut CopyView> {
        self.rows.iter_mut().find(|copy| copy.id == id)
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &CopyView> {
        self.rows.iter()
    }

    /// Those that run, oldest first.
    pub fn running(&self) -> impl Iterator<Item = &CopyView> {
        self.rows.iter().filter(|copy| copy.end.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::files::Place;

    #[test]
    fn a_home_is_known_by_both_its_names_and_an_error_keeps_what_was_there() {
        let mut files = Files::default();
        let home = (Some("web1".to_owned()), String::new());
        files.listed(&home, "/home/mira".to_owned(), Vec::new());
        let first = files
            .folder(Some("web1"), "/home/mira")
            .map(|folder| folder.version);
        assert!(first.is_some() && files.folder(Some("web1"), "").is_some());
        assert!(files.folder(None, "/home/mira").is_none());
        files.failed(&home, "connection lost".to_owned());
        let folder = files.folder(Some("web1"), "").expect("it is still there");
        assert_eq!(folder.path, "/home/mira");
        assert!(Some(folder.version) > first);
        files.retain(|(host, _)| host.is_none());
        assert!(files.folder(Some("web1"), "").is_none());
    }

    #[test]
    fn copies_that_run_are_never_forgotten() {
        let mut copies = Copies::default();
        let place = |path: &str| Place {
            host: None,
            path: path.to_owned(),
        };
        for id in 0..100 {
            copies.push(CopyView {
                id,
                job: CopyJob {
                    from: vec![place("/a")],
                    to: place("/b"),
                    recursive: false,
                    preserve: true,
                    resume: false,
                },
                ticket: None,
                started: Time(0),
                progress: CopyProgress::default(),
                end: (id > 0).then(|| CopyEnd {
                    at: Time(1),
                    result: Err("no".to_owned()),
                }),
            });
        }
        assert_eq!(
            copies.running().map(|copy| copy.id).collect::<Vec<_>>(),
            [0]
        );
        assert!(copies.iter().count() <= ENDED_COPIES + 1);
        assert!(copies.get(99).is_some() && copies.get(1).is_none());
    }
}
