//! What a window's terminal can do beyond cells and colours, guessed from the variables that terminals set.
//!
//! What a terminal does not know it ignores, as the standard says it must; only those are left out that are known to show
//! or to misread it.

use serde::{Deserialize, Serialize};

/// What a terminal can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// It follows control sequences of today at all: titles, cursor shapes, the mouse, focus, keyboard modes.
    pub modern: bool,
    /// Its links can be told where they lead (OSC 8).
    pub links: bool,
    /// It has other underlines than the plain one, and colours for them (SGR 4:3, 58).
    pub underlines: bool,
}

impl Features {
    /// What the terminal with these variables can do.
    pub fn of(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let program = set("TERM_PROGRAM").unwrap_or_default();
        // The console of Linux and old terminals would show a title, or part of it.
        let plain = ["dumb", "linux", "vt", "ansi", "cons25", "sun"];
        let modern = !term.is_empty() && !plain.iter().any(|name| term.starts_with(name));
        // These say who they are; the rest says xterm.
        let rich = [
            "kitty",
            "ghostty",
            "alacritty",
            "foot",
            "wezterm",
            "contour",
            "tmux",
            "mlterm",
            "iterm",
        ];
        let programs = [
            "iTerm.app",
            "WezTerm",
            "ghostty",
            "vscode",
            "tmux",
            "rio",
            "mintty",
        ];
        // Screen of GNU takes what it does not know to pieces and shows some of them.
        let screen = term.starts_with("screen");
        let underlines = modern
            && !screen
            && (rich.iter().any(|name| term.contains(name))
                || programs.contains(&program.as_str())
                || [
                    "VTE_VERSION",
                    "KONSOLE_VERSION",
                    "KITTY_WINDOW_ID",
                    "WT_SESSION",
                ]
                .iter()
                .any(|name| set(name).is_some()));
        Self {
            modern,
            links: modern && !screen,
            underlines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_what_a_terminal_can_do() {
        for (vars, modern, links, underlines) in [
            (&[("TERM", "xterm-256color")][..], true, true, false),
            (
                &[("TERM", "xterm-256color"), ("VTE_VERSION", "7006")],
                true,
                true,
                true,
            ),
            (
                &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")],
                true,
                true,
                true,
            ),
            (
                &[
                    ("TERM", "xterm-256color"),
                    ("TERM_PROGRAM", "Apple_Terminal"),
                ],
                true,
                true,
                false,
            ),
            (&[("TERM", "xterm-kitty")], true, true, true),
            (&[("TERM", "tmux-256color")], true, true, true),
            (&[("TERM", "screen-256color")], true, false, false),
            (
                &[("TERM", "linux"), ("VTE_VERSION", "1")],
                false,
                false,
                false,
            ),
            (&[("TERM", "dumb")], false, false, false),
            (&[], false, false, false),
        ] {
            let found = Features::of(|name| {
                let var = vars.iter().find(|(known, _)| *known == name);
                var.map(|(_, value)| (*value).to_owned())
            });
            let expected = Features {
                modern,
                links,
                underlines,
            };
            assert_eq!(found, expected, "{vars:?}");
        }
    }
}
