//! What is left of a pane whose program has ended: its screen and its scrollback, until nobody wants to look any more.

use tokio::sync::{mpsc, watch};

use crate::domain::ids::SessionId;
use crate::term::Emulator;

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
    pub(crate) async fn keep(mut self, screens: &Screens) {
        loop {
            tokio::select! {
                view = self.views.recv() => match view {
                    Some(view) => self.look(view),
                    None => return,
                },
                () = closed(&mut self.close) => return,
            }
            screens.publish(self.session, self.emulator.screen());
        }
    }

    fn look(&mut self, view: View) {
        match view {
            View::Resize(size) => self.emulator.resize(size),
            View::Scroll(lines) => {
                // A full-screen program that died leaves its screen in the way of everything before it.
                if lines > 0 && self.emulator.modes().alt_screen {
                    self.emulator.feed(b"\x1b[?1049l");
                }
                self.emulator.scroll(lines);
            }
            // Nothing is written any more; whoever watched was told the end.
            View::Watch(_) | View::Record(_) | View::Mark(_) => {}
            View::Capture(wish) => wish.grant(&mut self.emulator),
        }
    }
}
