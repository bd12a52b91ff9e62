//! What programs of this machine find in their environment when they run in a pane: what is true of the pane, and nothing of
//! the terminal that once started the app. No host ever gets any of it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Names the session whose pane a program runs in, by its reference.
pub const PANE: &str = "QD_PANE";

/// Names the app that has the pane, by its folder of state.
pub const APP: &str = "QD_APP";

/// Variables by which multiplexers and terminals tell of themselves, or of a terminal that is not the pane.
const FOREIGN: &[&str] = &[
    "TMUX",
    "TMUX_PANE",
    "STY",
    "WINDOW",
    "ZELLIJ",
    "TERMCAP",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "TERM_SESSION_ID",
    "LC_TERMINAL",
    "LC_TERMINAL_VERSION",
    "VTE_VERSION",
    "WINDOWID",
    "WT_SESSION",
    "WT_PROFILE_ID",
    "LINES",
    "COLUMNS",
    "GPG_TTY",
    "SSH_TTY",
    "QD_DETACHED",
    PANE,
    APP,
];

/// The same, by how they begin.
const FAMILIES: &[&str] = &[
    "KITTY_",
    "KONSOLE_",
    "ITERM_",
    "WEZTERM_",
    "ALACRITTY_",
    "GHOSTTY_",
    "ZELLIJ_",
];

/// What the app tells programs of this machine in its panes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The app's folder of state, which tells it from every other.
    pub app: PathBuf,
    /// A path that always leads to the agent of whoever came in last; without one, programs find the agent of whoever
    /// started the app.
    pub agent: Option<PathBuf>,
}

impl Surroundings {
    /// What is set for a program in the pane of the session `inside`; without one the program leads to a host, and is told only
    /// of the terminal, because its configuration may pass on what it is given.
    pub(crate) fn set(&self, term: &str, inside: Option<&str>) -> Vec<(String, OsString)> {
        let mut set: Vec<(String, OsString)> = vec![
            ("TERM".to_owned(), term.into()),
            ("COLORTERM".to_owned(), "truecolor".into()),
        ];
        let agent = self.agent.as_ref();
        set.extend(agent.map(|path| ("SSH_AUTH_SOCK".to_owned(), path.into())));
        if let Some(reference) = inside {
            set.extend([
                ("TERM_PROGRAM".to_owned(), "quarterdeck".into()),
                (
                    "TERM_PROGRAM_VERSION".to_owned(),
                    env!("CARGO_PKG_VERSION").into(),
                ),
                (PANE.to_owned(), reference.into()),
                (APP.to_owned(), self.app.clone().into()),
            ]);
        }
        set
    }

    /// Which of these variables a program in a pane must not find.
    pub(crate) fn unset(&self, names: impl Iterator<Item = OsString>) -> Vec<OsString> {
        // The process whose socket was replaced is not the one that it names.
        let replaced = |name: &OsStr| self.agent.is_some() && name == "SSH_AGENT_PID";
        names
            .filter(|name| name.to_str().is_some_and(is_foreign) || replaced(name))
            .collect()
    }
}

/// Whether a variable says which pane of which app this is: no host is told, whatever its configuration passes on.
pub(crate) fn is_ours(name: &str) -> bool {
    name == PANE || name == APP
}

fn is_foreign(name: &str) -> bool {
    FOREIGN.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unset(surroundings: &Surroundings, names: &[&str]) -> Vec<String> {
        let gone = surroundings.unset(names.iter().map(OsString::from));
        let gone = gone.into_iter().filter_map(|name| name.into_string().ok());
        gone.collect()
    }

    #[test]
    fn what_tells_of_another_terminal_is_taken_away() {
        let foreign = [
            "TMUX",
            "STY",
            "KITTY_WINDOW_ID",
            "KONSOLE_DBUS_SESSION",
            "ITERM_PROFILE",
            "WEZTERM_PANE",
            "ALACRITTY_LOG",
            "GHOSTTY_RESOURCES_DIR",
            "LINES",
            "QD_DETACHED",
            "QD_PANE",
        ];
        let own = [
            "PATH",
            "HOME",
            "LANG",
            "TMUX_TMPDIR",
            "SSH_CONNECTION",
            "KITTY",
        ];
        let surroundings = Surroundings::default();
        assert_eq!(unset(&surroundings, &foreign), foreign);
        assert_eq!(unset(&surroundings, &own), [""; 0]);
        let agent = Some("/run/agent".into());
        let lent = Surroundings {
            agent,
            ..surroundings.clone()
        };
        assert_eq!(unset(&surroundings, &["SSH_AGENT_PID"]), [""; 0]);
        assert_eq!(unset(&lent, &["SSH_AGENT_PID"]), ["SSH_AGENT_PID"]);
    }

    #[test]
    fn what_leads_to_a_host_is_told_of_the_terminal_alone() {
        let agent = Some("/run/agent".into());
        let surroundings = Surroundings {
            app: "/home/mira/state".into(),
            agent,
        };
        let names = |inside| -> Vec<String> {
            let set = surroundings.set("xterm-256color", inside);
            set.into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(None), ["TERM", "COLORTERM", "SSH_AUTH_SOCK"]);
        let more = ["TERM_PROGRAM", "TERM_PROGRAM_VERSION", "QD_PANE", "QD_APP"];
        assert_eq!(names(Some("S-2M0D"))[3..], more);
    }
}
