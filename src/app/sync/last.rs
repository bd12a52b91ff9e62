//! What the last round came to, in a small file beside the keys, so that a process that only looks can tell it.
//!
//! Losing it loses nothing, so it is not flushed; it lies outside the store, where writing it would wake every reader.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::time::Time;
use crate::sync::{RemoteError, Report, SyncError, Trouble};

/// Its name in the sync folder.
const FILE: &str = "last.json";

/// The most troubles that are told; the rest is counted.
const TROUBLES: usize = 20;

/// The last round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Last {
    /// When it ended.
    pub(super) tried: Option<Time>,
    /// When one last got through.
    pub(super) synced: Option<Time>,
    /// Changes that it sent.
    pub(super) published: u64,
    /// Changes that it brought.
    pub(super) learned: u64,
    /// Changes that are shown and whose history has not come.
    pub(super) early: u64,
    /// What is wrong in two or three words.
    pub(super) fault: String,
    /// Why it ended early.
    pub(super) error: Option<String>,
    /// What is not in order.
    pub(super) troubles: Vec<String>,
    /// Why a recording of this device waits to go into the space. Rounds leave it as it is.
    pub(super) recording: Option<String>,
}

impl Last {
    /// Reads the file; what cannot be read is as good as none.
    pub(super) fn load(folder: &Path) -> Self {
        let bytes = std::fs::read(folder.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Writes the file; there is nothing to do about a failure, and nothing is lost by it.
    pub(super) fn keep(&self, folder: &Path) {
        let part = folder.join("last.part");
        if let Ok(bytes) = serde_json::to_vec(self)
            && std::fs::write(&part, bytes).is_ok()
        {
            drop(std::fs::rename(&part, folder.join(FILE)));
        }
    }

    /// Removes the file.
    pub(super) fn forget(folder: &Path) {
        drop(std::fs::remove_file(folder.join(FILE)));
    }

    /// After a round that ended now; those that belong to one request are added up.
    pub(super) fn after(&self, report: &Report, now: Time, goes_on: bool) -> Self {
        let before = |number: u64| if goes_on { number } else { 0 };
        let mut troubles: Vec<String> = report.troubles.iter().map(ToString::to_string).collect();
        let more = troubles.len().saturating_sub(TROUBLES);
        troubles.truncate(TROUBLES);
        if more > 0 {
            troubles.push(format!("and {more} more"));
        }
        Self {
            tried: Some(now),
            synced: if report.error.is_none() {
                Some(now)
            } else {
                self.synced
            },
            published: before(self.published) + report.published,
            learned: before(self.learned) + report.learned,
            // A round that failed at once does not know.
            early: if report.error.is_some() && report.early == 0 {
                self.early
            } else {
                report.early
            },
            fault: fault(report),
            error: report.error.as_ref().map(ToString::to_string),
            troubles,
            recording: self.recording.clone(),
        }
    }

    /// When nothing could even begin.
    pub(super) fn failed(&self, why: &SyncError, now: Time) -> Self {
        let report = Report {
            error: Some(why.clone()),
            ..Report::default()
        };
        self.after(&report, now, false)
    }

    /// What is not in order, for people; `None` when nothing is.
    pub(super) fn words(&self) -> Option<String> {
        let lines: Vec<&str> = self
            .error
            .iter()
            .chain(&self.troubles)
            .map(String::as_str)
            .collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// What is wrong, in two or three words.
fn fault(report: &Report) -> String {
    let words = match &report.error {
        Some(SyncError::Remote(RemoteError::Unreachable { .. } | RemoteError::TimedOut { .. })) => {
            "unreachable"
        }
        Some(SyncError::Remote(RemoteError::Denied { .. })) => "not allowed",
        Some(SyncError::Remote(_)) => "remote failed",
        Some(SyncError::Store(_)) => "store failed",
        Some(SyncError::Local { .. } | SyncError::Broken { .. } | SyncError::Refused { .. }) => {
            "stopped"
        }
        // The other process does it.
        Some(SyncError::Elsewhere) | None => "",
    };
    if !words.is_empty() {
        return words.to_owned();
    }
    let told = report
        .troubles
        .iter()
        .filter(|trouble| !matches!(trouble, Trouble::Copied { .. }));
    if report.troubles.contains(&Trouble::Retired) {
        return "retired".to_owned();
    }
    match told.count() {
        0 => String::new(),
        1 => "1 trouble".to_owned(),
        count => format!("{count} troubles"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(why: RemoteError) -> Option<SyncError> {
        Some(SyncError::Remote(why))
    }

    #[test]
    fn a_round_is_told_in_few_words_and_in_many() {
        let place = || "/mnt/bag".to_owned();
        let strange = |name: &str| Trouble::Strange {
            name: name.to_owned(),
        };
        let unreachable = RemoteError::Unreachable {
            place: place(),
            why: "gone".to_owned(),
        };
        let denied = RemoteError::Denied {
            attempt: "reading".to_owned(),
            place: place(),
            why: "no".to_owned(),
        };
        for (error, troubles, expected) in [
            (None, vec![], ""),
            (remote(unreachable), vec![strange("x")], "unreachable"),
            (remote(denied), vec![], "not allowed"),
            (Some(SyncError::Elsewhere), vec![], ""),
            (None, vec![Trouble::Retired, strange("x")], "retired"),
            (None, vec![strange("x")], "1 trouble"),
            (None, vec![strange("x"), strange("y")], "2 troubles"),
        ] {
            let report = Report {
                error,
                troubles,
                ..Report::default()
            };
            let last = Last::default().after(&report, Time(7), false);
            assert_eq!(last.fault, expected, "{report:?}");
            assert_eq!(last.early, 0);
            let fine = report.error.is_none() && report.troubles.is_empty();
            assert_eq!(last.words().is_none(), fine);
            assert_eq!(last.synced.is_some(), report.error.is_none());
        }
    }

    #[test]
    fn what_came_ahead_is_told_until_its_history_has_come() {
        let round = |early, error| Report {
            early,
            error,
            ..Report::default()
        };
        let gone = || {
            remote(RemoteError::NotFound {
                name: String::new(),
                place: String::new(),
            })
        };
        let mut last = Last::default();
        for (report, expected) in [
            (round(1200, None), 1200),
            (round(0, gone()), 1200),
            (round(700, gone()), 700),
            (round(0, None), 0),
        ] {
            last = last.after(&report, Time(7), false);
            assert_eq!(last.early, expected, "{report:?}");
        }
    }

    #[test]
    fn why_a_recording_waits_outlives_rounds() {
        let why = Some("no room".to_owned());
        let last = Last {
            recording: why.clone(),
            ..Last::default()
        };
        let last = last.after(&Report::default(), Time(7), false);
        assert_eq!((last.recording.clone(), last.words()), (why, None));
    }

    #[test]
    fn it_outlives_the_process_and_a_damaged_file_is_none() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(Last::load(folder.path()), Last::default());
        let report = Report {
            published: 2,
            ..Report::default()
        };
        let first = Last::default().after(&report, Time(7), false);
        let second = first.after(&report, Time(8), true);
        assert_eq!((second.published, second.synced), (4, Some(Time(8))));
        second.keep(folder.path());
        assert_eq!(Last::load(folder.path()), second);
        std::fs::write(folder.path().join(FILE), "{")?;
        assert_eq!(Last::load(folder.path()), Last::default());
        Ok(())
    }
}
