//! The ways out to command lines. Each has a queue of its own: one that is not read holds up nobody else.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::client::ToLine;
use super::event::LineId;

/// How many pieces may queue for a command line before its hosts are told to wait.
const BEHIND: usize = 64;

/// How many command lines may have room at the same moment before their word of it waits.
const ROOMS: usize = 64;

/// A command line's way out, and what waits for its reader.
struct Out {
    tx: mpsc::Sender<ToLine>,
    backlog: VecDeque<ToLine>,
    /// Its hosts were told to wait.
    slow: bool,
}

/// A command line has room for one more piece, or is gone.
type Room = (LineId, Option<mpsc::OwnedPermit<ToLine>>);

/// All command lines.
pub(super) struct Lines {
    out: BTreeMap<LineId, Out>,
    /// Those that were told to wait and are gone.
    lifted: Vec<LineId>,
    tell: mpsc::Sender<Room>,
    room: mpsc::Receiver<Room>,
}

impl Lines {
    pub(super) fn new() -> Self {
        // When it is full, the tasks that wait for room keep waiting; the loop empties it.
        let (tell, room) = mpsc::channel(ROOMS);
        Self {
            out: BTreeMap::new(),
            lifted: Vec::new(),
            tell,
            room,
        }
    }

    pub(super) fn add(&mut self, id: LineId, tx: mpsc::Sender<ToLine>) {
        let out = Out {
            tx,
            backlog: VecDeque::new(),
            slow: false,
        };
        self.out.insert(id, out);
    }

    /// Whether somebody has not taken all that was said.
    pub(super) fn is_behind(&self) -> bool {
        self.out.values().any(|out| !out.backlog.is_empty())
    }

    /// Says something to a command line, now or when it has room.
    pub(super) fn tell(&mut self, id: LineId, message: ToLine) {
        let done = matches!(message, ToLine::Done(_));
        let Some(out) = self.out.get_mut(&id) else {
            return;
        };
        if !out.backlog.is_empty() {
            return out.backlog.push_back(message);
        }
        match out.tx.try_send(message) {
            Err(TrySendError::Full(message)) => {
                out.backlog.push_back(message);
                self.wait(id);
            }
            // One that is gone is told so by its own event.
            Ok(()) | Err(TrySendError::Closed(_)) if done => drop(self.out.remove(&id)),
            Ok(()) | Err(TrySendError::Closed(_)) => {}
        }
    }

    /// Waits until any command line that is behind has room, and gives it what waits.
    pub(super) async fn room(&mut self) {
        // The sender lives beside the receiver, so this waits and never ends.
        let Some((id, permit)) = self.room.recv().await else {
            return;
        };
        let Some(out) = self.out.get_mut(&id) else {
            return;
        };
        let Some(permit) = permit else {
            return self.remove(id);
        };
        let Some(first) = out.backlog.pop_front() else {
            return;
        };
        let mut done = matches!(first, ToLine::Done(_));
        permit.send(first);
        while let Some(next) = out.backlog.pop_front() {
            done |= matches!(next, ToLine::Done(_));
            match out.tx.try_send(next) {
                Ok(()) => {}
                Err(TrySendError::Full(next)) => {
                    out.backlog.push_front(next);
                    return self.wait(id);
                }
                Err(TrySendError::Closed(_)) => return self.remove(id),
            }
        }
        if done {
            self.remove(id);
        }
    }

    /// The command lines whose hosts must wait from now on, or may go on.
    pub(super) fn paces(&mut self) -> Vec<(LineId, bool)> {
        let mut changed: Vec<(LineId, bool)> =
            self.lifted.drain(..).map(|id| (id, false)).collect();
        for (id, out) in &mut self.out {
            let slow = if out.slow {
                !out.backlog.is_empty()
            } else {
                out.backlog.len() > BEHIND
            };
            if std::mem::replace(&mut out.slow, slow) != slow {
                changed.push((*id, slow));
            }
        }
        changed
    }

    fn remove(&mut self, id: LineId) {
        if self.out.remove(&id).is_some_and(|out| out.slow) {
            self.lifted.push(id);
        }
    }

    fn wait(&self, id: LineId) {
        let Some(out) = self.out.get(&id) else {
            return;
        };
        let (tx, tell) = (out.tx.clone(), self.tell.clone());
        drop(tokio::spawn(async move {
            let permit = tx.reserve_owned().await.ok();
            // The app is gone when this fails.
            tell.send((id, permit)).await.ok();
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::effect::Emission;

    fn note(number: usize) -> ToLine {
        ToLine::Emit(Emission::Note(number.to_string()))
    }

    #[tokio::test]
    async fn one_that_does_not_read_holds_up_nobody() {
        let mut lines = Lines::new();
        let (deaf, _kept) = mpsc::channel(1);
        let (tx, mut heard) = mpsc::channel(1);
        lines.add(LineId(1), deaf);
        lines.add(LineId(2), tx);
        for number in 0..=BEHIND + 1 {
            lines.tell(LineId(1), note(number));
            lines.tell(LineId(2), note(number));
        }
        assert_eq!(lines.paces(), [(LineId(1), true), (LineId(2), true)]);
        for number in 0..=BEHIND + 1 {
            let said = loop {
                tokio::select! {
                    said = heard.recv() => break said,
                    () = lines.room() => {}
                }
            };
            assert!(
                matches!(&said, Some(ToLine::Emit(Emission::Note(text))) if *text == number.to_string()),
                "{number}: {said:?}"
            );
        }
        assert_eq!(lines.paces(), [(LineId(2), false)]);
        assert!(lines.is_behind(), "the deaf one still is");
        // Its reader is gone: nobody waits for it, and its hosts may go on.
        drop(_kept);
        lines.room().await;
        assert_eq!(lines.paces(), [(LineId(1), false)]);
        assert!(!lines.is_behind());
    }
}
