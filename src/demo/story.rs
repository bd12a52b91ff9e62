//! What the demo says for itself: the login of its hosts and what to press first.

/// The user that the fleet's hosts let in.
pub const LOGIN: &str = "demo";

/// The first screen of the demo, a line each; made for 76 columns.
pub const FIRST_SCREEN: &[&str] = &[
    "This is a whole workstation on a fleet of seven sample hosts.",
    "They are real SSH servers inside this program: what you run on them runs",
    "on this machine, as you. Nothing leaves it, and nothing is left of it when",
    "you quit.",
    "",
    "Two hosts are ill, one keeps everybody out and one is slow:",
    "",
    "  web2     its disk is full; a runbook finds and frees the space",
    "  db1      its load is 14; a runbook finds the reason",
    "  legacy1  refuses every key: see how an error is told",
    "  slow1    answers late: see that nothing else waits for it",
    "",
    "What to press:",
    "",
    "  j k        move            Enter  open            Esc  back",
    "  /          filter          :      any command     ?    every key",
    "",
    "Three minutes, three things:",
    "",
    "  1. Open the ticket about web2 and read it.",
    "  2. Go to web2 and press s: you are on it. Try df -P / and leave with exit.",
    "  3. Run the runbook disk-space on web2, say yes when it asks, and see the",
    "     ticket tell what happened.",
    "",
    "In a session every key goes to the host but one: Ctrl-] then d leaves it",
    "running and brings you back. :quit ends the demo and its fleet.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_screen_fits_the_smallest_terminal() {
        for line in FIRST_SCREEN {
            assert!(line.chars().count() <= 76, "{line}");
        }
        // 80 by 24 with a header and a footer would be too small; a pager of the window scrolls, but little.
        assert!(FIRST_SCREEN.len() <= 28);
    }

    #[test]
    fn the_first_screen_names_hosts_that_exist() {
        let told: Vec<&str> = FIRST_SCREEN
            .iter()
            .filter_map(|line| line.strip_prefix("  "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| word.ends_with(|c: char| c.is_ascii_digit()))
            .collect();
        assert_eq!(told, ["web2", "db1", "legacy1", "slow1"]);
    }
}
