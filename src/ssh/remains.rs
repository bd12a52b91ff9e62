//! What is left of a pane whose program has ended: its screen and its scrollback, until nobody wants to look any more.

use tokio::sync::{mpsc, watch};

use crate::domain::ids::SessionId;
use crate::domain::look::Motion;
use crate::term::{Copied, Emulator, Look};

use super::fact::SshFact;
use super::screens::Screens;
use super::shell::{View, closed};

/// A pane without a program.
pub(crate) struct Remains {
    pub(crate) session: SessionId,
    pub(crate) emulator: Emulator,
    pub(crate) views: mpsc::Receiver<View>,
    /// Becomes true when the pane is dismissed.
    pub(crate) close: watch::Receiver<bool>,
}

impl Remains {
    /// Shows what is asked for until the pane is dismissed. Whoever ends the engine ends this too.
    pub(crate) async fn keep(mut self, screens: &Screens, facts: &mpsc::Sender<SshFact>) {
        loop {
            tokio::select! {
                view = self.views.recv() => match view {
                    Some(View::HandOver(reply)) => match reply.send(Box::new(self.emulator)) {
                        Ok(()) => return,
                        // Whoever wanted it is gone.
                        Err(back) => self.emulator = *back,
                    },
                    Some(view) => if let Some(Copied { text, cut }) = self.look(view) {
                        let session = self.session;
                        // It fails only when the loop is gone.
                        facts.send(SshFact::Copied { session, text, cut }).await.ok();
                    },
                    None => return,
                },
                () = closed(&mut self.close) => return,
            }
            screens.publish(self.session, self.emulator.screen());
        }
    }

    fn look(&mut self, view: View) -> Option<Copied> {
        match view {
            View::Resize(size) => {
                self.emulator.resize(size);
                None
            }
            View::Look(look) => {
                // A full-screen program that died leaves its screen in the way of everything before it.
                let back = matches!(look, Look::Scroll(1..))
                    || matches!(look, Look::Go(Motion::Up | Motion::PageUp | Motion::Top, _));
                if back && self.emulator.modes().alt_screen {
                    self.emulator.feed(b"\x1b[?1049l");
                }
                self.emulator.look(look)
            }
            // Nothing is written any more; whoever watched was told the end.
            View::Watch(_) | View::Record(_) | View::Mark(_) | View::HandOver(_) => None,
            View::Capture(wish) => {
                wish.grant(&mut self.emulator);
                None
            }
        }
    }
}
