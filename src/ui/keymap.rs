//! Which key does what where: a trie for each scope, built from the rows of the command table and from the user's changes.

use std::collections::BTreeMap;

use crate::command::{self, Row, Scope};
use crate::domain::key::Key;
use crate::domain::look::CopyKeys;

/// Keys that a row has in one scope only, beside those that its own list names.
const EXTRA: &[(Scope, &str, &str)] = &[
    // tmux's letter for a new window.
    (Scope::Prefix, "c", "session.open"),
    (Scope::Scrollback, "F1", "help"),
    (Scope::Scrollback, ":", "prompt"),
    // Copy mode as in emacs, and as tmux has it.
    (Scope::ScrollbackEmacs, "Ctrl-f", "look.right"),
    (Scope::ScrollbackEmacs, "Right", "look.right"),
    (Scope::ScrollbackEmacs, "Ctrl-b", "look.left"),
    (Scope::ScrollbackEmacs, "Left", "look.left"),
    (Scope::ScrollbackEmacs, "Ctrl-n", "look.down"),
    (Scope::ScrollbackEmacs, "Down", "look.down"),
    (Scope::ScrollbackEmacs, "Ctrl-p", "look.up"),
    (Scope::ScrollbackEmacs, "Up", "look.up"),
    (Scope::ScrollbackEmacs, "Ctrl-a", "look.start"),
    (Scope::ScrollbackEmacs, "Home", "look.start"),
    (Scope::ScrollbackEmacs, "Alt-m", "look.text"),
    (Scope::ScrollbackEmacs, "Ctrl-e", "look.end"),
    (Scope::ScrollbackEmacs, "End", "look.end"),
    (Scope::ScrollbackEmacs, "Alt-f", "look.wordend"),
    (Scope::ScrollbackEmacs, "Alt-b", "look.wordback"),
    (Scope::ScrollbackEmacs, "Alt-{", "look.paragraphback"),
    (Scope::ScrollbackEmacs, "Alt-}", "look.paragraph"),
    (Scope::ScrollbackEmacs, "Alt-R", "look.viewtop"),
    (Scope::ScrollbackEmacs, "Alt-r", "look.viewmiddle"),
    (Scope::ScrollbackEmacs, "Alt-<", "look.top"),
    (Scope::ScrollbackEmacs, "Alt->", "look.bottom"),
    (Scope::ScrollbackEmacs, "Ctrl-v", "look.pagedown"),
    (Scope::ScrollbackEmacs, "PgDn", "look.pagedown"),
    (Scope::ScrollbackEmacs, "Space", "look.pagedown"),
    (Scope::ScrollbackEmacs, "Alt-v", "look.pageup"),
    (Scope::ScrollbackEmacs, "PgUp", "look.pageup"),
    (Scope::ScrollbackEmacs, "Alt-Down", "look.halfdown"),
    (Scope::ScrollbackEmacs, "Alt-Up", "look.halfup"),
    (Scope::ScrollbackEmacs, "Ctrl-l", "look.centre"),
    (Scope::ScrollbackEmacs, "f", "look.find"),
    (Scope::ScrollbackEmacs, "F", "look.findback"),
    (Scope::ScrollbackEmacs, "t", "look.till"),
    (Scope::ScrollbackEmacs, "T", "look.tillback"),
    (Scope::ScrollbackEmacs, ";", "look.again"),
    (Scope::ScrollbackEmacs, ",", "look.reverse"),
    (Scope::ScrollbackEmacs, "Ctrl-Alt-f", "look.bracket"),
    (Scope::ScrollbackEmacs, "Ctrl-s", "look.search"),
    (Scope::ScrollbackEmacs, "Ctrl-r", "look.searchback"),
    (Scope::ScrollbackEmacs, "n", "look.match"),
    (Scope::ScrollbackEmacs, "N", "look.unmatch"),
    (Scope::ScrollbackEmacs, "Ctrl-Up", "look.promptback"),
    (Scope::ScrollbackEmacs, "Ctrl-Down", "look.prompt"),
    (Scope::ScrollbackEmacs, "Ctrl-Space", "look.select"),
    (Scope::ScrollbackEmacs, "R", "look.block"),
    (Scope::ScrollbackEmacs, "Ctrl-x Ctrl-x", "look.other"),
    (Scope::ScrollbackEmacs, "Alt-w", "look.copyleave"),
    (Scope::ScrollbackEmacs, "Ctrl-w", "look.copyleave"),
    (Scope::ScrollbackEmacs, "Enter", "look.copyleave"),
    (Scope::ScrollbackEmacs, "Ctrl-k", "look.copyline"),
    (Scope::ScrollbackEmacs, "o", "look.output"),
    (Scope::ScrollbackEmacs, "O", "look.older"),
    (Scope::ScrollbackEmacs, "Ctrl-g", "look.clear"),
    (Scope::ScrollbackEmacs, "q", "look.leave"),
    (Scope::ScrollbackEmacs, "Esc", "look.leave"),
    (Scope::ScrollbackEmacs, "Ctrl-c", "look.leave"),
    (Scope::ScrollbackEmacs, "F1", "help"),
    (Scope::ScrollbackEmacs, "Alt-x", "prompt"),
    // What the fingers of htop's and less's users expect.
    (Scope::List, "F3", "list.filter"),
];

/// One node: what happens here, and where further keys lead.
#[derive(Clone, Debug, Default)]
struct Node {
    row: Option<&'static Row>,
    next: BTreeMap<Key, Node>,
}

/// The keys of every scope.
#[derive(Clone, Debug)]
pub struct Keymap {
    scopes: BTreeMap<Scope, Node>,
    /// The chord that a session pane keeps for us.
    prefix: Key,
    /// Which keys copy mode listens to.
    copy: CopyKeys,
}

/// What a sequence of keys means.
#[derive(Clone, Copy, Debug)]
pub enum Lookup {
    /// This command.
    Row(&'static Row),
    /// More keys must follow.
    More,
    /// Nothing.
    Nothing,
}

/// A change that a user asked for and that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No such command.
    #[error("{0:?} is no command; `qd help` lists them")]
    NoCommand(String),
    /// No such key.
    #[error("{0}")]
    NoKey(String),
    /// Two commands on one key in one place.
    #[error("{chord} would mean both {first} and {second}; give one of them another key")]
    Conflict {
        /// The keys.
        chord: String,
        /// The command that has them.
        first: &'static str,
        /// The command that wants them.
        second: &'static str,
    },
    /// A key that leads further cannot also do something.
    #[error("{chord} is the beginning of a longer chord; {id} needs another key")]
    Prefix {
        /// The keys.
        chord: String,
        /// The command that wants them.
        id: &'static str,
    },
}

impl Default for Keymap {
    fn default() -> Self {
        let (map, errors) = Self::with(&BTreeMap::new(), Key::ctrl(']'));
        // The defaults are conflict-free by test.
        debug_assert!(errors.is_empty(), "{errors:?}");
        map
    }
}

impl Keymap {
    /// The default keys, changed by `changes` (command id → its new chords, which replace the old; none takes its keys
    /// away). What cannot be done is reported, and the rest holds.
    pub fn with(changes: &BTreeMap<String, Vec<String>>, prefix: Key) -> (Self, Vec<KeymapError>) {
        let mut map = Self {
            scopes: BTreeMap::new(),
            prefix,
            copy: CopyKeys::Vi,
        };
        let mut errors: Vec<_> = changes
            .keys()
            .filter(|id| command::row(id).is_none())
            .map(|id| KeymapError::NoCommand(id.clone()))
            .collect();
        for row in command::rows() {
            let chords: Vec<&str> = match changes.get(row.id) {
                Some(chords) => chords.iter().map(String::as_str).collect(),
                None => row.keys.to_vec(),
            };
            for scope in row.scopes {
                for chord in &chords {
                    errors.extend(map.bind(*scope, chord, row).err());
                    // Keys that somebody chose are meant whichever set is in use.
                    if *scope == Scope::Scrollback && changes.contains_key(row.id) {
                        errors.extend(map.bind(Scope::ScrollbackEmacs, chord, row).err());
                    }
                }
            }
        }
        for (scope, chord, id) in EXTRA {
            // A row whose keys the user chose has only those.
            if let Some(row) = command::row(id).filter(|row| !changes.contains_key(row.id)) {
                errors.extend(map.bind(*scope, chord, row).err());
            }
        }
        (map, errors)
    }

    /// The same keys, with copy mode like this editor.
    #[must_use]
    pub fn with_copy_keys(mut self, copy: CopyKeys) -> Self {
        self.copy = copy;
        self
    }

    /// Which keys copy mode listens to.
    pub fn copy_keys(&self) -> CopyKeys {
        self.copy
    }

    /// Where the keys of copy mode are.
    pub fn copy_scope(&self) -> Scope {
        match self.copy {
            CopyKeys::Vi => Scope::Scrollback,
            CopyKeys::Emacs => Scope::ScrollbackEmacs,
        }
    }

    /// The chord that a session pane keeps for us.
    pub fn prefix(&self) -> Key {
        self.prefix
    }

    /// What `keys` mean in `scopes`, the most particular scope first.
    pub fn lookup(&self, scopes: &[Scope], keys: &[Key]) -> Lookup {
        for scope in scopes {
            let mut node = self.scopes.get(scope);
            for key in keys {
                node = node.and_then(|node| node.next.get(key));
            }
            match node {
                Some(Node { row: Some(row), .. }) => return Lookup::Row(row),
                Some(Node { next, .. }) if !next.is_empty() => return Lookup::More,
                _ => {}
            }
        }
        Lookup::Nothing
    }

    /// The chords of command `id` that work in `scopes`, not hidden by a more particular scope.
    pub fn chords(&self, scopes: &[Scope], id: &str) -> Vec<String> {
        let mut chords = Vec::new();
        for scope in scopes {
            for (keys, row) in self.bindings(*scope) {
                let seen =
                    matches!(self.lookup(scopes, &keys), Lookup::Row(found) if found.id == id);
                if row.id == id && seen {
                    chords.push(written(&keys));
                }
            }
        }
        // The shortest way of writing a key is the one people know: `j` before `Down`.
        chords.sort_by_key(|chord| chord.chars().count());
        chords
    }

    /// Everything that `scope` itself binds.
    pub fn bindings(&self, scope: Scope) -> Vec<(Vec<Key>, &'static Row)> {
        let mut found = Vec::new();
        if let Some(root) = self.scopes.get(&scope) {
            walk(root, &mut Vec::new(), &mut found);
        }
        found
    }

    fn bind(&mut self, scope: Scope, chord: &str, row: &'static Row) -> Result<(), KeymapError> {
        let keys = chord
            .split_whitespace()
            .map(str::parse::<Key>)
            .collect::<Result<Vec<_>, _>>()
            .map_err(KeymapError::NoKey)?;
        let mut node = self.scopes.entry(scope).or_default();
        for key in keys {
            if let Some(first) = node.row {
                return Err(KeymapError::Conflict {
                    chord: chord.to_owned(),
                    first: first.id,
                    second: row.id,
                });
            }
            node = node.next.entry(key).or_default();
        }
        match node.row {
            Some(first) if first.id != row.id => Err(KeymapError::Conflict {
                chord: chord.to_owned(),
                first: first.id,
                second: row.id,
            }),
            _ if !node.next.is_empty() => Err(KeymapError::Prefix {
                chord: chord.to_owned(),
                id: row.id,
            }),
            _ => {
                node.row = Some(row);
                Ok(())
            }
        }
    }
}

/// How a chord is written: `g g`.
pub(crate) fn written(keys: &[Key]) -> String {
    let words: Vec<_> = keys.iter().map(ToString::to_string).collect();
    words.join(" ")
}

fn walk(node: &Node, keys: &mut Vec<Key>, found: &mut Vec<(Vec<Key>, &'static Row)>) {
    found.extend(node.row.map(|row| (keys.clone(), row)));
    for (key, next) in &node.next {
        keys.push(*key);
        walk(next, keys, found);
        keys.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(map: &Keymap, scopes: &[Scope], chord: &str) -> Option<&'static str> {
        let keys: Vec<Key> = chord
            .split_whitespace()
            .map(|key| key.parse().expect("the test's chord is sound"))
            .collect();
        match map.lookup(scopes, &keys) {
            Lookup::Row(row) => Some(row.id),
            Lookup::More | Lookup::Nothing => None,
        }
    }

    #[test]
    fn the_default_keys_have_no_conflict_and_every_extra_names_a_row() {
        let (_, errors) = Keymap::with(&BTreeMap::new(), Key::ctrl(']'));
        assert_eq!(errors, []);
        for (_, chord, id) in EXTRA {
            assert!(command::row(id).is_some(), "{chord}: {id}");
        }
    }

    #[test]
    fn the_particular_scope_goes_before_the_general() {
        let map = Keymap::default();
        let tickets = [Scope::Tickets, Scope::List, Scope::Global];
        for (chord, expected) in [
            ("a", Some("ticket.add")),
            ("j", Some("list.down")),
            ("Ctrl-d", Some("list.halfdown")),
            ("?", Some("help")),
            ("Del", None),
            ("Backspace", None),
        ] {
            assert_eq!(id(&map, &tickets, chord), expected, "{chord}");
        }
        assert_eq!(id(&map, &[Scope::Prefix], "c"), Some("session.open"));
        assert_eq!(map.chords(&tickets, "list.down"), ["j", "Down"]);
    }

    #[test]
    fn nothing_destructive_is_near_paging() {
        let map = Keymap::default();
        for scope in [
            Scope::Tickets,
            Scope::Hosts,
            Scope::Sessions,
            Scope::Runs,
            Scope::Case,
            Scope::Connections,
            Scope::Forwards,
            Scope::Files,
            Scope::Alarms,
        ] {
            for chord in ["Ctrl-d", "Ctrl-k", "Del", "Backspace", "d"] {
                let scopes = [scope, Scope::List, Scope::Global];
                let dangerous = id(&map, &scopes, chord)
                    .and_then(command::row)
                    .is_some_and(|row| row.danger != command::Danger::None);
                assert!(!dangerous, "{chord} in {scope:?}");
            }
        }
    }

    #[test]
    fn changes_replace_keys_and_conflicts_name_both() {
        let changes = BTreeMap::from([
            ("list.top".to_owned(), vec!["g g".to_owned()]),
            ("ticket.take".to_owned(), vec!["a".to_owned()]),
            ("no.such".to_owned(), vec!["z".to_owned()]),
            ("ticket.edit".to_owned(), vec!["Hyper-x".to_owned()]),
        ]);
        let (map, errors) = Keymap::with(&changes, Key::ctrl('b'));
        let scopes = [Scope::Tickets, Scope::List];
        assert_eq!(id(&map, &scopes, "g g"), Some("list.top"));
        assert_eq!(id(&map, &scopes, "Home"), None, "its old keys are gone");
        assert!(matches!(
            map.lookup(&scopes, &[Key::char('g')]),
            Lookup::More
        ));
        let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert!(
            text.iter()
                .any(|line| line.contains("both ticket.add and ticket.take")),
            "{text:?}"
        );
        assert!(text.iter().any(|line| line.contains("no.such")));
        assert!(text.iter().any(|line| line.contains("Hyper-x")));
        assert_eq!(map.prefix(), Key::ctrl('b'));
    }
}
