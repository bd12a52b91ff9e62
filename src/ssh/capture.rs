//! What a pane shows, for scripts: read from its emulator, whether its program lives or has ended.

use tokio::sync::oneshot;

use crate::term::{Emulator, ansi};

use super::fact::Capture;

/// Somebody wants to know what a pane shows.
pub(crate) struct Wish {
    /// The lines before the screen too.
    pub(crate) scrollback: bool,
    /// Colours and attributes as escape sequences.
    pub(crate) ansi: bool,
    /// Whoever waits for it; dropped when the pane goes.
    pub(crate) reply: oneshot::Sender<Capture>,
}

impl Wish {
    /// Fulfils it.
    pub(crate) fn grant(self, emulator: &mut Emulator) {
        let screen = emulator.screen();
        let rows = usize::from(screen.size.rows);
        let mut text = if self.ansi {
            ansi::lines(&screen).join("\n")
        } else {
            screen.text()
        };
        if self.scrollback {
            let whole = emulator.text();
            text = if self.ansi {
                // What scrolled out of sight has no colours; the last lines are the screen itself.
                let shown = screen.text().lines().count().min(rows);
                let lines: Vec<&str> = whole.lines().collect();
                let before = lines.len().saturating_sub(shown);
                let mut all: Vec<String> = lines
                    .iter()
                    .take(before)
                    .map(|line| (*line).to_owned())
                    .collect();
                all.push(text);
                all.join("\n")
            } else {
                whole
            };
        }
        let capture = Capture {
            text,
            size: screen.size,
            cursor: screen.cursor,
            title: screen.title.clone(),
        };
        // Whoever asked may be gone.
        self.reply.send(capture).ok();
    }
}
