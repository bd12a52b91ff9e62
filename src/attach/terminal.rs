//! The terminal of a window: made ready, and given back as it was, whatever happens.

use std::io;
use std::panic;
use std::sync::Arc;

use crossterm::terminal::enable_raw_mode;
use rustix::process::{Signal, getpid, kill_process};

use super::features::Features;
use super::keeper::Kept;
use super::out::Out;
use super::sane;
use crate::ui::{Caps, Colors};

/// Alternate screen, bracketed paste, reports of focus; the title of before is put aside. The keyboard's modes have a stack
/// for each screen, so ours are pushed when we are on the alternate one: 1 tells keys apart that share an old code, such as
/// Ctrl-i and Tab.
fn enter(features: Features) -> &'static [u8] {
    if features.modern {
        b"\x1b[22;2t\x1b[?1049h\x1b[>1u\x1b[?2004h\x1b[?1004h\x1b[0m\x1b[2J\x1b[H"
    } else {
        b"\x1b[?1049h\x1b[?2004h\x1b[0m\x1b[2J\x1b[H"
    }
}

/// Ends a synchronized update and a link that were cut off, pops our keyboard modes on the screen they were pushed on, leaves
/// the alternate screen, and only then resets the other modes: what is reset before would be undone by the return to the
/// main screen.
pub(super) fn leave(features: Features) -> &'static [u8] {
    if features.modern {
        b"\x1b[?2026l\x1b]8;;\x1b\\\x1b[<1u\x1b[?1049l\x1b[?2004l\x1b[?1004l\x1b[?1000l\x1b[?1002l\x1b[?1003l\
          \x1b[?1006l\x1b[0m\x1b[0 q\x1b[?25h\x1b[23;2t"
    } else {
        b"\x1b[?2026l\x1b[?1049l\x1b[?2004l\x1b[?1004l\x1b[?1000l\x1b[?1006l\x1b[0m\x1b[?25h"
    }
}

type Hook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Send + Sync + 'static>;

/// A terminal that is ours. Dropping it gives it back.
pub(super) struct Terminal {
    out: Arc<Out>,
    /// The panic hook of before; ours calls it once the terminal is given back.
    hook: Arc<Hook>,
    /// What makes it ours: nothing in a terminal that only gets words, whose line discipline alone is changed.
    enter: &'static [u8],
    held: bool,
}

impl Terminal {
    /// Takes the terminal. When whoever keeps it for us dies, it is given back at once, and this process is told to end.
    ///
    /// # Errors
    /// Standard output is no terminal, or refuses raw mode.
    pub(super) fn take(plain: bool, kept: Kept) -> io::Result<Self> {
        let features = Features::of(|name| std::env::var(name).ok());
        let (enter, leave): (&[u8], &[u8]) = if plain {
            (b"", b"")
        } else {
            (enter(features), leave(features))
        };
        let out = Out::new(leave)?;
        let hook: Arc<Hook> = Arc::new(panic::take_hook());
        let (tty, before) = (Arc::clone(&out), Arc::clone(&hook));
        panic::set_hook(Box::new(move |info| {
            tty.give_back();
            before(info);
        }));
        let mut terminal = Self {
            out,
            hook,
            enter,
            held: false,
        };
        terminal.hold()?;
        let tty = Arc::clone(&terminal.out);
        kept.watch(move || {
            tty.give_back_at_once();
            kill_process(getpid(), Signal::TERM).ok();
        });
        Ok(terminal)
    }

    /// Takes the terminal again after [`Terminal::release`].
    pub(super) fn hold(&mut self) -> io::Result<()> {
        self.held = true;
        // Whatever stands in the way here also stands in the way of raw mode, which says so.
        sane::mend(self.out.file()).ok();
        enable_raw_mode()?;
        self.out.take(self.enter);
        Ok(())
    }

    /// Gives the terminal back for a while; false when it took nothing of what was written to it for that.
    pub(super) fn release(&mut self) -> bool {
        !std::mem::take(&mut self.held) || self.out.give_back()
    }

    /// Where bytes are written; writing may block as long as the terminal does.
    pub(super) fn out(&self) -> Arc<Out> {
        Arc::clone(&self.out)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.release();
        // A panicking thread must not touch the hook; it is at the end anyway.
        if !std::thread::panicking() {
            drop(panic::take_hook());
            let before = Arc::clone(&self.hook);
            panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}

/// The size of the terminal in columns and rows; 80 by 24 when it does not know, as serial lines do not.
pub(super) fn size() -> (u16, u16) {
    match crossterm::terminal::size() {
        Ok((cols, rows)) if cols > 0 && rows > 0 => (cols, rows),
        _ => (80, 24),
    }
}

/// What the terminal can show, by the variables that people and terminals set for that.
pub(super) fn caps(var: impl Fn(&str) -> Option<String>) -> Caps {
    let set = |name: &str| var(name).filter(|value| !value.is_empty());
    let term = set("TERM").unwrap_or_default();
    let color = set("COLORTERM").unwrap_or_default();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| set(name))
        .unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    let direct = [
        "direct",
        "kitty",
        "ghostty",
        "alacritty",
        "foot",
        "wezterm",
        "contour",
    ];
    let colors = if set("NO_COLOR").is_some() || term == "dumb" {
        Colors::None
    } else if matches!(color.as_str(), "truecolor" | "24bit")
        || direct.iter().any(|name| term.contains(name))
    {
        Colors::TrueColor
    } else if term.contains("256") {
        Colors::Ansi256
    } else {
        Colors::Ansi16
    };
    Caps {
        colors,
        unicode: term != "dumb" && (locale.contains("utf-8") || locale.contains("utf8")),
    }
}

/// The bytes that put a text on the terminal's clipboard (OSC 52), if it is not too long for one.
pub(super) fn clipboard(text: &str) -> Option<Vec<u8>> {
    // Terminals cut or drop longer ones: xterm at about 100,000 bytes of base 64.
    const MOST: usize = 74_000;
    (text.len() <= MOST).then(|| format!("\x1b]52;c;{}\x07", base64(text.as_bytes())).into_bytes())
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * place) & 63) as usize);
            let filled = place <= chunk.len();
            text.push(
                letter
                    .filter(|_| filled)
                    .map_or('=', |letter| *letter as char),
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_what_can_be_shown() {
        for (vars, colors, unicode) in [
            (
                &[("TERM", "xterm-256color"), ("LANG", "C.UTF-8")][..],
                Colors::Ansi256,
                true,
            ),
            (
                &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
                Colors::TrueColor,
                false,
            ),
            (
                &[
                    ("TERM", "xterm-kitty"),
                    ("NO_COLOR", "1"),
                    ("LC_ALL", "de_DE.utf8"),
                ],
                Colors::None,
                true,
            ),
            (
                &[("TERM", "xterm-kitty"), ("NO_COLOR", "")],
                Colors::TrueColor,
                false,
            ),
            (
                &[("TERM", "linux"), ("LC_ALL", "C"), ("LANG", "C.UTF-8")],
                Colors::Ansi16,
                false,
            ),
            (
                &[
                    ("TERM", "dumb"),
                    ("COLORTERM", "truecolor"),
                    ("LANG", "C.UTF-8"),
                ],
                Colors::None,
                false,
            ),
        ] {
            let found = caps(|name| {
                let var = vars.iter().find(|(known, _)| *known == name);
                var.map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(found, Caps { colors, unicode }, "{vars:?}");
        }
    }

    #[test]
    fn base_64_as_in_the_rfc() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert!(clipboard(&"x".repeat(80_000)).is_none());
    }

    #[test]
    fn the_screen_is_left_before_modes_are_reset() {
        for modern in [false, true] {
            let features = Features {
                modern,
                ..Features::default()
            };
            let text = String::from_utf8_lossy(leave(features));
            let at = |part: &str| text.find(part).expect("it is there");
            assert!(at("?1049l") < at("?2004l") && at("?1049l") < at("?25h"));
            let entered = String::from_utf8_lossy(enter(features));
            let pushed = entered.find("[>1u");
            assert_eq!(pushed.is_some(), modern);
            // Each screen has a stack of keyboard modes of its own.
            if let Some(pushed) = pushed {
                assert!(entered.find("?1049h").is_some_and(|at| at < pushed));
                assert!(at("[<1u") < at("?1049l"));
            }
        }
    }
}
