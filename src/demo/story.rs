//! What the demo says for itself: the login of its hosts and what to press first.

/// The user that the fleet's hosts let in.
pub const LOGIN: &str = "demo";

/// The first screen of the demo, a line each: 76 columns and 20 rows, so that it fits a terminal of 80 by 24 with the
/// window's own lines around it.
pub const FIRST_SCREEN: &[&str] = &[
    "Seven sample hosts, real SSH servers inside this program. What you run on",
    "them runs on this machine, as you. Nothing leaves it, and it is all gone",
    "when you quit.",
    "",
    "  web2     its disk is full; a runbook finds and frees the space",
    "  db1      its load is 14; a runbook finds the reason",
    "  legacy1  refuses every key: see how an error is told",
    "  slow1    answers late: see that nothing else waits for it",
    "",
    "  1 tickets   2 hosts   j k move   Enter open   Esc back   / filter   ? keys",
    "",
    "Three things in three minutes:",
    "",
    "  1. Press 1, open the ticket about the shop's errors and read it.",
    "  2. On web2 press s: you are there. Try df -P / and leave with exit.",
    "  3. On the ticket press x, run disk-space on web2, say yes when it asks,",
    "     and read on the ticket what happened.",
    "",
    "In a session every key goes to the host but one: Ctrl-] then d comes back",
    "and leaves it running. :quit ends the demo and its hosts.",
];

#[cfg(test)]
mod tests {
    use super::super::plan::FLEET;
    use super::*;
    use crate::command;

    #[test]
    fn the_first_screen_fits_the_smallest_terminal() {
        assert!(FIRST_SCREEN.len() <= 20);
        for line in FIRST_SCREEN {
            assert!(line.chars().count() <= 76, "{line}");
        }
    }

    #[test]
    fn the_first_screen_names_hosts_that_exist() {
        let told: Vec<&str> = FIRST_SCREEN
            .iter()
            .filter_map(|line| line.strip_prefix("  "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| word.len() > 1 && word.ends_with(|c: char| c.is_ascii_digit()))
            .collect();
        assert_eq!(told, ["web2", "db1", "legacy1", "slow1"]);
        for name in told {
            assert!(FLEET.iter().any(|plan| plan.name == name), "{name}");
        }
    }

    #[test]
    fn the_first_screen_names_keys_that_do_what_it_says() {
        let text = FIRST_SCREEN.join("\n");
        for (told, key, id) in [
            ("1 tickets", "1", "view.tickets"),
            ("2 hosts", "2", "view.hosts"),
            ("j k move", "j", "list.down"),
            ("j k move", "k", "list.up"),
            ("Enter open", "Enter", "list.open"),
            ("Esc back", "Esc", "view.back"),
            ("/ filter", "/", "list.filter"),
            ("? keys", "?", "help"),
            ("press s:", "s", "session.open"),
            ("press x,", "x", "run.start"),
            ("Ctrl-] then d", "d", "pane.leave"),
        ] {
            assert!(text.contains(told), "{told}");
            let keys = command::row(id).map(|row| row.keys);
            assert!(
                keys.is_some_and(|keys| keys.contains(&key)),
                "{key} is not {id}: {keys:?}"
            );
        }
    }
}
