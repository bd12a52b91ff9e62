//! A pane that goes on where another one ended: it takes over what is left of that, once its own shell is there.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::term::Emulator;

use super::shell::View;

/// How long what is left may take to be handed over. It is one step of a task that does nothing else, unless that reads a
/// long recording back; more than this the channel must not go unread.
const PATIENCE: Duration = Duration::from_secs(2);

/// What stands between the two.
const LINE: &str = "-- opened again --";

/// Where the pane before this one is.
pub(crate) struct Heir(mpsc::Sender<View>);

impl Heir {
    pub(crate) const fn of(views: mpsc::Sender<View>) -> Self {
        Self(views)
    }

    /// The terminal of the pane before, ready for another program; `None` when nothing is left of it.
    pub(crate) async fn take(self) -> Option<Emulator> {
        let (reply, left) = oneshot::channel();
        let asked = async {
            self.0.send(View::HandOver(reply)).await.ok()?;
            left.await.ok()
        };
        let mut emulator = timeout(PATIENCE, asked).await.ok().flatten()?;
        emulator.go_on(LINE);
        Some(*emulator)
    }
}
