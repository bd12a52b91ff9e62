//! Where files lie and what they say of places.

use super::code::is_name;

/// What may lie at the top.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "themes",
    "tests",
    "docs",
    "README.md",
    "benches",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    ".gitignore",
    ".ci",
];

/// Folders that exist on one machine only. Written in two parts, so that this file does not accuse itself.
const MACHINE: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// Names for everything that has no place.
const DRAWERS: &[&str] = &["utils", "util", "helpers", "misc", "common"];

/// Absolute paths of the machine a file was written on.
pub(super) fn machine(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for folder in MACHINE {
            let named = line.match_indices(folder).any(|(at, _)| {
                let before = line.get(..at).unwrap_or_default();
                // `src/work/` is a folder of somebody's own, `~/work/` and `$HOME/work/` too.
                !before.ends_with(|c: char| is_name(c) || "./~-}".contains(c))
            });
            if named {
                faults.push(format!(
                    "{path}:{}: {folder} is a place on one machine",
                    index + 1
                ));
            }
        }
    }
    faults
}

/// Files and folders at the top that nobody expects there.
pub(super) fn top<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<&str> = paths.filter_map(|path| path.split('/').next()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| !TOP.contains(name))
        .map(|name| format!("{name} does not belong at the top; see TOP in tests/tidy/places.rs"))
        .collect()
}

/// Files and folders with a name that says nothing.
pub(super) fn drawers<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    paths
        .filter(|path| path.starts_with("src/"))
        .filter(|path| {
            path.split('/')
                .any(|part| DRAWERS.contains(&part.trim_end_matches(".rs")))
        })
        .map(|path| format!("{path}: a helper lives with its user, so this name is not needed"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_can_be_named() {
        let (one, other) = (MACHINE[0], MACHINE[1]);
        for (text, count) in [
            (format!("see {one}notes"), 1),
            (format!("\"{other}.ssh\" and {one}x"), 2),
            (format!("src{one}mod.rs ~{one}x"), 0),
            ("root:x:0:0:root:/root:/bin/bash".to_owned(), 0),
        ] {
            assert_eq!(machine("a.md", &text).len(), count, "{text}");
        }
    }

    #[test]
    fn something_can_lie_at_the_top() {
        assert_eq!(
            top(["Cargo.toml", "src/lib.rs", ".ci/run"].into_iter()).len(),
            0
        );
        assert_eq!(
            top(["notes.txt", "scratch/a.rs", "scratch/b.rs"].into_iter()).len(),
            2
        );
    }

    #[test]
    fn a_drawer_can_open() {
        assert_eq!(
            drawers(["src/ui/text.rs", "tests/common/mod.rs"].into_iter()).len(),
            0
        );
        assert_eq!(
            drawers(["src/ui/utils.rs", "src/helpers/mod.rs"].into_iter()).len(),
            2
        );
    }
}
