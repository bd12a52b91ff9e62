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
        // A script wants what the program shows, wherever somebody has scrolled to.
        let screen = emulator.live_screen();
        let text = match (self.scrollback, self.ansi) {
            (false, false) => screen.text(),
            (true, false) => emulator.text(),
            (scrollback, true) => {
                // What scrolled out of sight has no colours.
                let mut text = if scrollback {
                    emulator.history_text()
                } else {
                    String::new()
                };
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(&ansi::lines(&screen).join("\n"));
                text
            }
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Look, Size};

    fn captured(emulator: &mut Emulator, scrollback: bool, ansi: bool) -> String {
        let (reply, mut answer) = oneshot::channel();
        let wish = Wish {
            scrollback,
            ansi,
            reply,
        };
        wish.grant(emulator);
        answer
            .try_recv()
            .map_or_else(|why| why.to_string(), |capture| capture.text)
    }

    #[test]
    fn whoever_looks_back_changes_nothing_for_scripts() {
        let mut emulator = Emulator::new(Size::new(20, 3));
        emulator.feed(b"one\r\ntwo\r\nthree\r\nfour\r\nfive");
        emulator.look(Look::Scroll(2));
        assert_eq!(captured(&mut emulator, false, false), "three\nfour\nfive");
        assert_eq!(captured(&mut emulator, false, true), "three\nfour\nfive");
    }

    #[test]
    fn wrapped_rows_of_the_screen_cost_no_line_of_the_history() {
        let mut emulator = Emulator::new(Size::new(10, 3));
        emulator.feed(b"one\r\ntwo\r\nthree\r\n0123456789abcdefghij\r\nend");
        let text = captured(&mut emulator, true, true);
        assert_eq!(text, "one\ntwo\nthree\n0123456789\nabcdefghij\nend");
    }
}
