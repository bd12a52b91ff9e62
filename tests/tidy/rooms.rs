//! Who may import whom: the ranks of the rooms, and the rooms of the outside crates. docs/ARCHITECTURE.md says why.

use std::collections::BTreeMap;

use super::code::{is_name, line, masked, names};

/// What each room may import besides itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    // The emulator encodes keys, and a key is a noun.
    ("term", &["domain"]),
    ("command", &["domain"]),
    ("runbook", &["domain"]),
    ("inventory", &["domain"]),
    ("config", &["domain"]),
    ("health", &["domain"]),
    ("store", &["domain"]),
    ("pty", &["domain"]),
    ("ssh", &["domain", "term", "config", "pty"]),
    ("sync", &["domain", "store"]),
    ("model", &["domain", "term", "runbook", "health"]),
    ("ui", &["domain", "command", "config", "model", "term"]),
    ("app", BELOW_APP),
    ("attach", APP_AND_BELOW),
    ("cli", APP_AND_BELOW),
    ("demo", APP_AND_BELOW),
];

const BELOW_APP: &[&str] = &[
    "domain",
    "term",
    "command",
    "runbook",
    "inventory",
    "config",
    "health",
    "store",
    "pty",
    "ssh",
    "sync",
    "model",
    "ui",
];

const APP_AND_BELOW: &[&str] = &[
    "domain",
    "term",
    "command",
    "runbook",
    "inventory",
    "config",
    "health",
    "store",
    "pty",
    "ssh",
    "sync",
    "model",
    "ui",
    "app",
];

/// Where an outside crate may be named: folders end with a slash.
const CRATES: &[(&str, &[&str])] = &[
    ("russh", &["src/ssh/", "src/demo/"]),
    ("russh_sftp", &["src/ssh/", "src/demo/"]),
    ("rusqlite", &["src/store/"]),
    ("rusqlite_migration", &["src/store/"]),
    (
        "alacritty_terminal",
        &[
            "src/term/emulator.rs",
            "src/term/force.rs",
            "src/term/grid.rs",
            "src/term/guard.rs",
        ],
    ),
    ("ratatui", &["src/ui/", "src/attach/", "src/app/"]),
    ("crossterm", &["src/attach/", "src/ui/keys.rs"]),
    ("tui_textarea", &["src/ui/"]),
    ("fuzzy_matcher", &["src/model/filter.rs"]),
    ("sysinfo", &["src/health/local.rs"]),
    ("clap", &["src/command/", "src/cli/"]),
    ("directories", &["src/config/"]),
    ("portable_pty", &["src/pty/", "src/demo/"]),
    ("pulldown_cmark", &["src/runbook/", "src/ui/"]),
    ("chacha20poly1305", &["src/sync/"]),
    ("ed25519_dalek", &["src/sync/"]),
    ("curve25519_dalek", &["src/sync/"]),
    ("zstd", &["src/sync/frame.rs"]),
    ("tokio_postgres", &["src/sync/postgres/"]),
    ("tokio_postgres_rustls", &["src/sync/postgres/"]),
    ("rustls", &["src/sync/postgres/"]),
    ("rustls_native_certs", &["src/sync/postgres/"]),
];

/// Crates that one file hides from all others.
const SINGLE: &[&str] = &["tui_textarea", "fuzzy_matcher", "sysinfo"];

/// Crates that wait for things, which the pure rooms must not do.
const WAITING: &[&str] = &["tokio"];
/// The rooms that never wait.
const PURE: &[&str] = &[
    "domain",
    "term",
    "command",
    "runbook",
    "inventory",
    "model",
    "ui",
];

/// The room of a file below `src/`; `None` for `lib.rs` and `main.rs`, which may name every room.
fn room(path: &str) -> Option<&str> {
    path.strip_prefix("src/")?
        .split_once('/')
        .map(|(room, _)| room)
}

/// Imports that go up or sideways.
pub(super) fn directions(path: &str, text: &str) -> Vec<String> {
    let Some(room) = room(path) else {
        return Vec::new();
    };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "{path}: {room} has no rank; give it one in tests/tidy/rooms.rs and docs/ARCHITECTURE.md"
        )];
    };
    let code = masked(text);
    imports(&code)
        .into_iter()
        .filter(|(_, target)| target != room && !allowed.contains(&target.as_str()))
        .filter(|(_, target)| ROOMS.iter().any(|(name, _)| name == target))
        .map(|(at, target)| {
            format!(
                "{path}:{}: {room} must not import {target}",
                line(&code, at)
            )
        })
        .collect()
}

/// Every first name after `crate::`, groups included: `use crate::{a, b::{c, d}};` imports `a` and `b`.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in names(code, "crate") {
        let after = code.get(at + "crate".len()..).unwrap_or_default();
        let Some(path) = after.trim_start().strip_prefix("::").map(str::trim_start) else {
            continue;
        };
        match path.strip_prefix('{') {
            Some(group) => found.extend(heads(group).into_iter().map(|head| (at, head))),
            None => found.push((at, head(path))),
        }
    }
    found
}

fn head(path: &str) -> String {
    path.chars().take_while(|c| is_name(*c)).collect()
}

/// The first name of each path in a group, up to its closing brace.
fn heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut start = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && is_name(c) => {
                start = false;
                heads.push(head(group.get(at..).unwrap_or_default()));
            }
            _ => {}
        }
    }
    heads
}

/// Outside crates outside their rooms.
pub(super) fn crates(path: &str, text: &str) -> Vec<String> {
    let code = masked(text);
    let mut faults = Vec::new();
    for (name, places) in CRATES {
        if places
            .iter()
            .any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
        {
            continue;
        }
        for at in uses(&code, name) {
            faults.push(format!(
                "{path}:{}: {name} lives in {}",
                line(&code, at),
                places.join(" and ")
            ));
        }
    }
    if room(path).is_some_and(|room| PURE.contains(&room)) {
        for name in WAITING {
            for at in uses(&code, name) {
                faults.push(format!(
                    "{path}:{}: this room never waits, so it does without {name}",
                    line(&code, at)
                ));
            }
        }
    }
    faults
}

/// Where a crate is named: at the head of a path, or alone after `use`.
fn uses(code: &str, name: &str) -> Vec<usize> {
    names(code, name)
        .into_iter()
        .filter(|at| {
            let after = code.get(at + name.len()..).unwrap_or_default();
            let before = code.get(..*at).unwrap_or_default().trim_end();
            after.starts_with("::") || before.ends_with("use")
        })
        .collect()
}

/// Crates that should stand in one file and stand in several.
pub(super) fn single(files: &[(String, String)]) -> Vec<String> {
    let mut holders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, text) in files {
        let code = masked(text);
        for name in SINGLE.iter().filter(|name| !uses(&code, name).is_empty()) {
            holders.entry(name).or_default().push(path);
        }
    }
    holders
        .into_iter()
        .filter(|(_, paths)| paths.len() > 1)
        .map(|(name, paths)| {
            format!(
                "{name} should live in one file, not in {}",
                paths.join(", ")
            )
        })
        .collect()
}

/// Folders below `src/` that no rank is known for.
pub(super) fn unranked<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut rooms: Vec<&str> = paths.filter_map(room).collect();
    rooms.sort_unstable();
    rooms.dedup();
    rooms
        .into_iter()
        .filter(|room| !ROOMS.iter().any(|(name, _)| name == room))
        .map(|room| {
            format!(
                "src/{room}: give the room a rank in tests/tidy/rooms.rs and docs/ARCHITECTURE.md"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_can_go_the_wrong_way() {
        for (path, text, count) in [
            ("src/domain/time.rs", "use crate::domain::ids::Id;", 0),
            ("src/domain/time.rs", "use crate::store::Store;", 1),
            ("src/domain/time.rs", "// use crate::store::Store;", 0),
            (
                "src/domain/time.rs",
                "fn f() { crate::store::open(\"crate::ui::x\") }",
                1,
            ),
            (
                "src/ui/mod.rs",
                "use crate::{domain::ids, model::{Model, store}, store::{Row, ssh}};",
                1,
            ),
            (
                "src/ui/mod.rs",
                "use crate::{\n    domain,\n    ssh,\n    sync,\n};",
                2,
            ),
            (
                "src/ui/mod.rs",
                "pub(crate) fn f() {}\nuse crate::macro_made;",
                0,
            ),
            ("src/ssh/mod.rs", "use crate::store::Row;", 1),
            ("src/sync/mod.rs", "use crate::store::Row;", 0),
            ("src/app/mod.rs", "use crate::cli::Args;", 1),
            ("src/cli/mod.rs", "use crate::attach::Hello;", 1),
            ("src/cli/mod.rs", "use crate::app::App;", 0),
            ("src/lib.rs", "use crate::cli::Args;", 0),
            ("src/attic/mod.rs", "", 1),
        ] {
            assert_eq!(directions(path, text).len(), count, "{path}: {text}");
        }
    }

    #[test]
    fn crates_can_leave_their_rooms() {
        for (path, text, count) in [
            ("src/ssh/shell.rs", "use russh::client;", 0),
            ("src/demo/server.rs", "use russh::server;", 0),
            ("src/app/runtime.rs", "use russh::client;", 1),
            ("src/app/runtime.rs", "use russh as engine;", 1),
            ("src/app/runtime.rs", "let russh = 1; crate::russh::x();", 0),
            ("src/store/read.rs", "fn f(c: &rusqlite::Connection) {}", 0),
            ("src/sync/read.rs", "fn f(c: &rusqlite::Connection) {}", 1),
            ("src/term/emulator.rs", "use alacritty_terminal::Term;", 0),
            ("src/term/screen.rs", "use alacritty_terminal::Term;", 1),
            ("src/ui/draw.rs", "use crossterm::event::Event;", 1),
            ("src/ui/keys.rs", "use crossterm::event::Event;", 0),
            ("src/ui/draw.rs", "tokio::spawn(x);", 1),
            ("src/app/mod.rs", "tokio::spawn(x);", 0),
        ] {
            assert_eq!(crates(path, text).len(), count, "{path}: {text}");
        }
    }

    #[test]
    fn a_crate_can_be_in_two_files() {
        let file = |path: &str| (path.to_owned(), "use tui_textarea::TextArea;".to_owned());
        assert_eq!(single(&[file("src/ui/a.rs")]).len(), 0);
        assert_eq!(single(&[file("src/ui/a.rs"), file("src/ui/b.rs")]).len(), 1);
    }

    #[test]
    fn a_room_can_be_without_rank() {
        assert_eq!(
            unranked(["src/lib.rs", "src/domain/mod.rs", "tests/all.rs"].into_iter()).len(),
            0
        );
        assert_eq!(
            unranked(["src/attic/mod.rs", "src/attic/box.rs"].into_iter()).len(),
            1
        );
    }

    /// The table is acyclic, so that ranks exist at all.
    #[test]
    fn ranks_do_not_go_in_circles() {
        fn reaches(from: &str, to: &str) -> bool {
            let below = ROOMS
                .iter()
                .find(|(name, _)| *name == from)
                .map_or(&[][..], |(_, below)| below);
            below.iter().any(|room| *room == to || reaches(room, to))
        }
        for (room, _) in ROOMS {
            assert!(!reaches(room, room), "{room}");
        }
    }
}
