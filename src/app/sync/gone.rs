//! Recordings that went here while others are on their way into the space: their parts go first, however long the rest takes.
//!
//! It never reads a recording: it only looks which are there.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use tokio::time::Instant;

use super::look::heard;
use super::share::{Removal, Task, broke};
use super::worker::Worker;
use crate::app::recordings;
use crate::domain::ids::SessionId;
use crate::store::OwnRecording;
use crate::sync::SyncError;

impl Worker {
    /// Looks which recordings of the space went here, by a purge or by hand, and does those before everything else.
    pub(super) async fn look_for_gone(&mut self) -> Result<(), SyncError> {
        let device = self.store.device();
        let own = heard(|reply| self.store.own_recordings(device, None, reply)).await?;
        let (folder, todo) = (
            self.job.recordings.folder.clone(),
            self.sharing.todo.clone(),
        );
        let looking = tokio::task::spawn_blocking(move || put_first(todo, own, &folder));
        let todo = self.front.attend(looking).await;
        self.sharing.todo = todo.map_err(|why| broke(&why))?;
        self.sharing.went = false;
        self.sharing.looked = Some(Instant::now());
        Ok(())
    }
}

/// What is to be done, with the recordings that are not in `folder` any more first.
fn put_first(todo: VecDeque<Task>, own: Vec<OwnRecording>, folder: &Path) -> VecDeque<Task> {
    // A folder that is not there says nothing about what was in it.
    if !folder.is_dir() {
        return todo;
    }
    let (mut first, mut rest) = (VecDeque::new(), VecDeque::new());
    let mut known: BTreeSet<SessionId> = BTreeSet::new();
    for task in todo {
        match task {
            Task::Remove(removal) => {
                known.insert(removal.session);
                first.push_back(Task::Remove(removal));
            }
            Task::Cut(cut) if cut.path.exists() => rest.push_back(Task::Cut(cut)),
            Task::Cut(cut) => first.push_back(Task::Remove(Removal::of_begun(cut))),
        }
    }
    for one in own {
        let (Some(shared), Ok(path)) = (one.shared, recordings::place(folder, &one.file)) else {
            continue;
        };
        if !path.exists() && known.insert(one.session) {
            first.push_back(Task::Remove(Removal::of(one.session, shared, true)));
        }
    }
    first.append(&mut rest);
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::sync::share::{Cut, Sharing};
    use crate::domain::ids::{DeviceId, EntityId};
    use crate::domain::session::SharedRecording;

    fn session(name: &str) -> SessionId {
        SessionId(EntityId::derived("session", name))
    }

    fn shared(name: &str) -> SharedRecording {
        SharedRecording {
            device: DeviceId(EntityId::from_bytes([1; 16])),
            blob: EntityId::derived("blob", name),
            bytes: 1000,
            part: 100,
            hash: EntityId::from_bytes([2; 16]),
        }
    }

    fn cut(folder: &Path, name: &str, done: u32) -> Cut {
        Cut {
            session: session(name),
            path: folder.join(format!("{name}.cast")),
            shared: shared(name),
            done,
        }
    }

    fn own(name: &str) -> OwnRecording {
        OwnRecording {
            session: session(name),
            host: "web1".to_owned(),
            file: format!("{name}.cast"),
            bytes: 1000,
            shared: Some(shared(name)),
        }
    }

    #[test]
    fn what_went_goes_before_what_is_on_its_way() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let there = folder.path();
        for name in ["here", "shared", "next"] {
            std::fs::write(there.join(format!("{name}.cast")), "x")?;
        }
        let leaving = Removal::of(session("leaving"), shared("leaving"), false);
        let todo = VecDeque::from([
            Task::Cut(cut(there, "here", 3)),
            Task::Cut(cut(there, "begun", 4)),
            Task::Remove(leaving.clone()),
            Task::Cut(cut(there, "next", 0)),
        ]);
        let all = vec![own("shared"), own("purged"), own("leaving")];
        let found = put_first(todo.clone(), all.clone(), there);
        let begun = Removal {
            session: session("begun"),
            shared: shared("begun"),
            left: 5,
            listed: false,
        };
        let purged = Removal {
            session: session("purged"),
            shared: shared("purged"),
            left: 10,
            listed: true,
        };
        let wanted = [
            Task::Remove(begun),
            Task::Remove(leaving),
            Task::Remove(purged),
            Task::Cut(cut(there, "here", 3)),
            Task::Cut(cut(there, "next", 0)),
        ];
        assert_eq!(found, wanted);
        // Looked at again, nothing is there twice.
        assert_eq!(put_first(found.clone(), all.clone(), there), found);
        let away = there.join("away");
        assert_eq!(put_first(todo.clone(), all, &away), todo);
        Ok(())
    }

    #[test]
    fn a_backlog_is_looked_at_after_each_round_that_sent_something() {
        let folder = Path::new("/nowhere");
        let mut sharing = Sharing::default();
        sharing.looked = Some(Instant::now());
        sharing.todo.push_back(Task::Cut(cut(folder, "one", 0)));
        sharing.after_round(0);
        assert!(!sharing.went, "nothing was written");
        sharing.after_round(1);
        assert!(sharing.went && sharing.wants());
    }
}
