//! How many colours the terminal understands, by the variables that terminals and their users agreed on.

use serde::{Deserialize, Serialize};

use super::environment::Environment;

/// How colours may be written, from none to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ColorDepth {
    /// No colour at all; bold, reverse and words must carry the meaning.
    None,
    /// The 16 colours of the user's palette (ECMA-48 SGR 30-37 and 90-97).
    Sixteen,
    /// The xterm palette of 256.
    TwoFiftySix,
    /// 24 bits.
    True,
}

impl ColorDepth {
    /// What a terminal with this environment can show; `on_terminal` says whether the output is one at all.
    ///
    /// `NO_COLOR` (no-color.org) wins over `CLICOLOR_FORCE` (bixense.com/clicolors), which wins over everything that is
    /// only a guess. `COLORTERM` is believed before `TERM`, because multiplexers rename the latter.
    pub fn detect(environment: &Environment, on_terminal: bool) -> Self {
        if environment.get("NO_COLOR").is_some() {
            return Self::None;
        }
        let guess = Self::of_terminal(environment);
        let forced = environment
            .get("CLICOLOR_FORCE")
            .is_some_and(|value| value != "0");
        if forced {
            return guess.max(Self::Sixteen);
        }
        let declined = environment
            .get("CLICOLOR")
            .is_some_and(|value| value == "0");
        if on_terminal && !declined {
            guess
        } else {
            Self::None
        }
    }

    fn of_terminal(environment: &Environment) -> Self {
        let term = environment.text("TERM").unwrap_or("dumb");
        if term == "dumb" {
            return Self::None;
        }
        let named = environment
            .text("COLORTERM")
            .unwrap_or_default()
            .to_ascii_lowercase();
        if named == "truecolor" || named == "24bit" || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256color") {
            Self::TwoFiftySix
        } else if term.starts_with("vt") || term.ends_with("-mono") {
            // The DEC terminals and their emulations named after them are monochrome in terminfo.
            Self::None
        } else {
            Self::Sixteen
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<const N: usize>(
        variables: [(&str, &str); N],
        on_terminal: bool,
        expected: ColorDepth,
    ) {
        assert_eq!(
            ColorDepth::detect(&Environment::of(variables), on_terminal),
            expected,
            "{variables:?} on a terminal: {on_terminal}"
        );
    }

    #[test]
    fn detection() {
        use ColorDepth::{None, Sixteen, True, TwoFiftySix};
        check([], true, None);
        check([("TERM", "dumb"), ("COLORTERM", "truecolor")], true, None);
        check([("TERM", "linux")], true, Sixteen);
        check([("TERM", "vt220")], true, None);
        check([("TERM", "xterm-256color")], true, TwoFiftySix);
        check(
            [("TERM", "tmux-256color"), ("COLORTERM", "24bit")],
            true,
            True,
        );
        check([("TERM", "xterm-direct")], true, True);
        check([("TERM", "xterm-256color")], false, None);
        check([("TERM", "xterm-256color"), ("NO_COLOR", "1")], true, None);
        check(
            [("TERM", "xterm-256color"), ("NO_COLOR", "")],
            true,
            TwoFiftySix,
        );
        check([("TERM", "xterm-256color"), ("CLICOLOR", "0")], true, None);
        check(
            [("TERM", "xterm-256color"), ("CLICOLOR_FORCE", "1")],
            false,
            TwoFiftySix,
        );
        check(
            [("TERM", "xterm-256color"), ("CLICOLOR_FORCE", "0")],
            false,
            None,
        );
        check([("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true, Sixteen);
        check(
            [
                ("TERM", "xterm"),
                ("CLICOLOR_FORCE", "1"),
                ("NO_COLOR", "1"),
            ],
            true,
            None,
        );
    }
}
