//! One of the two folders: which it is, what is selected in it. Rows are places in the folder's list, sorted and filtered
//! once for each listing, so that a hundred thousand names cost a frame no more than a hundred.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ratatui::layout::Rect;

use super::Sort;
use crate::domain::files::FileEntry;
use crate::model::Folder;
use crate::ui::list::Moves;

/// Rows above the names: the path, the headings.
pub(super) const HEAD: u16 = 2;

/// One side.
#[derive(Debug)]
pub(crate) struct Side {
    /// The host; `None` is this machine.
    pub(crate) host: Option<String>,
    /// The folder; empty is the account's home, until its path is known.
    pub(crate) path: String,
    /// What the rows were made of.
    made: Option<Made>,
    rows: Vec<u32>,
    index: usize,
    offset: usize,
    height: usize,
    /// The name to be selected when the rows are made again.
    keep: Option<String>,
    /// Marked names and their bytes, kept here so that a frame need not look for them among all names.
    pub(super) marks: BTreeMap<String, u64>,
    query: String,
    pub(super) area: Rect,
}

#[derive(Debug, PartialEq)]
struct Made {
    version: u64,
    query: String,
    hidden: bool,
    sort: Sort,
}

impl Side {
    pub(crate) fn new(host: Option<String>) -> Self {
        Self {
            host,
            path: String::new(),
            made: None,
            rows: Vec::new(),
            index: 0,
            offset: 0,
            height: 1,
            keep: None,
            marks: BTreeMap::new(),
            query: String::new(),
            area: Rect::default(),
        }
    }

    /// Adopts the folder as it was last listed; does nothing when nothing changed.
    pub(super) fn sync(&mut self, folder: Option<&Folder>, hidden: bool, sort: Sort) {
        let Some(folder) = folder else {
            (self.made, self.rows) = (None, Vec::new());
            return;
        };
        if self.path.is_empty() && !folder.path.is_empty() {
            folder.path.clone_into(&mut self.path);
        }
        let made = Made {
            version: folder.version,
            query: self.query.clone(),
            hidden,
            sort,
        };
        if self.made.as_ref() == Some(&made) {
            return;
        }
        self.rows = order(&folder.entries, &self.query, hidden, sort);
        self.made = Some(made);
        if !self.marks.is_empty() {
            let there: BTreeSet<&str> = folder
                .entries
                .iter()
                .map(|entry| entry.name.as_str())
                .collect();
            self.marks.retain(|mark, _| there.contains(mark.as_str()));
        }
        let place = self.keep.as_ref().and_then(|name| {
            self.rows
                .iter()
                .position(|row| entry(folder, *row).is_some_and(|entry| entry.name == *name))
        });
        self.select(place.unwrap_or(self.index));
    }

    /// Remembers which name is selected, so that it stays selected when the rows are made again. To be called after each
    /// move; the folder is the one that is shown.
    pub(super) fn remember(&mut self, folder: Option<&Folder>) {
        if let Some(entry) = folder.and_then(|folder| self.selected(folder)) {
            self.keep = Some(entry.name.clone());
        }
    }

    pub(super) fn layout(&mut self, area: Rect) {
        self.area = area;
        // The last row says how many there are.
        let rows = area.height.saturating_sub(HEAD + 1);
        self.height = usize::from(rows).max(1);
        if self.index < self.offset {
            self.offset = self.index;
        } else if self.index >= self.offset + self.height {
            self.offset = self.index + 1 - self.height;
        }
        self.offset = self.offset.min(self.rows.len().saturating_sub(self.height));
    }

    /// Goes to another folder of the same machine; `keep` is selected there.
    pub(crate) fn go(&mut self, path: String, keep: Option<String>) {
        self.path = path;
        self.keep = keep;
        (self.made, self.index, self.offset) = (None, 0, 0);
        self.rows.clear();
        self.marks.clear();
        self.query.clear();
    }

    /// The entries on the page: their place on the screen, from 0.
    pub(super) fn visible<'m>(
        &self,
        folder: &'m Folder,
    ) -> impl Iterator<Item = (u16, &'m FileEntry)> {
        let rows = self.rows.iter().skip(self.offset).take(self.height);
        rows.enumerate().filter_map(|(at, row)| {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            entry(folder, *row).map(|entry| (at, entry))
        })
    }

    pub(super) fn is_selected(&self, at: u16) -> bool {
        self.index == self.offset + usize::from(at)
    }

    pub(crate) fn selected<'m>(&self, folder: &'m Folder) -> Option<&'m FileEntry> {
        entry(folder, *self.rows.get(self.index)?)
    }

    /// What is marked, or else what is selected.
    pub(crate) fn chosen<'m>(&self, folder: &'m Folder) -> Vec<&'m FileEntry> {
        if self.marks.is_empty() {
            return self.selected(folder).into_iter().collect();
        }
        let marked = |entry: &&FileEntry| self.marks.contains_key(&entry.name);
        folder.entries.iter().filter(marked).collect()
    }

    /// Marks what is selected or takes its mark away, and goes on to the next.
    pub(crate) fn mark(&mut self, folder: &Folder) {
        if let Some(entry) = self.selected(folder) {
            if self.marks.remove(&entry.name).is_none() {
                let bytes = if entry.folder { 0 } else { entry.size };
                self.marks.insert(entry.name.clone(), bytes);
            }
            self.step(1);
        }
    }

    pub(crate) fn unmark(&mut self) {
        self.marks.clear();
    }

    pub(crate) fn marked(&self) -> usize {
        self.marks.len()
    }

    pub(crate) fn query(&self) -> &str {
        &self.query
    }

    pub(crate) fn set_query(&mut self, query: &str) {
        query.clone_into(&mut self.query);
    }

    /// How many names are shown.
    pub(super) fn shown(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn click(&mut self, row: u16) -> bool {
        let index = self.offset + usize::from(row);
        let hit = index < self.rows.len() && usize::from(row) < self.height;
        if hit {
            self.select(index);
        }
        hit
    }

    fn select(&mut self, index: usize) {
        self.index = index.min(self.rows.len().saturating_sub(1));
    }
}

impl Moves for Side {
    fn step(&mut self, by: i64) {
        let by = isize::try_from(by).unwrap_or(0);
        self.select(self.index.saturating_add_signed(by));
    }

    fn top(&mut self) {
        self.select(0);
    }

    fn bottom(&mut self) {
        self.select(usize::MAX);
    }

    fn page(&self) -> i64 {
        i64::try_from(self.height).unwrap_or(1)
    }

    fn turn(&mut self, by: i64) {
        let count = i64::try_from(self.rows.len()).unwrap_or(i64::MAX).max(1);
        let index = (i64::try_from(self.index).unwrap_or(0) + by).rem_euclid(count);
        self.select(usize::try_from(index).unwrap_or(0));
    }
}

fn entry(folder: &Folder, row: u32) -> Option<&FileEntry> {
    folder.entries.get(usize::try_from(row).ok()?)
}

/// The places of the entries to be shown, in the order they are shown. A filter's words may stand in any order; the order
/// of the names stays, because folders belong together.
fn order(entries: &[FileEntry], query: &str, hidden: bool, sort: Sort) -> Vec<u32> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let fits = |entry: &FileEntry| {
        if !hidden && entry.name.starts_with('.') {
            return false;
        }
        if words.is_empty() {
            return true;
        }
        let name = entry.name.to_lowercase();
        words.iter().all(|word| name.contains(word.as_str()))
    };
    let mut rows: Vec<u32> = (0u32..)
        .zip(entries)
        .filter(|(_, entry)| fits(entry))
        .map(|(row, _)| row)
        .collect();
    let at = |row: &u32| usize::try_from(*row).ok().and_then(|row| entries.get(row));
    let folder = |row: &u32| !at(row).is_some_and(|entry| entry.folder);
    match sort {
        // The machine sorted them already.
        Sort::Name => {}
        Sort::Size => {
            rows.sort_by_key(|row| (folder(row), Reverse(at(row).map_or(0, |entry| entry.size))));
        }
        Sort::Modified => {
            rows.sort_by_key(|row| {
                (
                    folder(row),
                    Reverse(at(row).and_then(|entry| entry.modified)),
                )
            });
        }
    }
    rows
}

/// The folder that `path` is in, and the last name of `path`; `None` at the root.
pub(crate) fn above(path: &str) -> Option<(String, String)> {
    let path = path.trim_end_matches('/');
    let (folder, name) = path.rsplit_once('/')?;
    let folder = if folder.is_empty() { "/" } else { folder };
    (!name.is_empty()).then(|| (folder.to_owned(), name.to_owned()))
}

/// `name` in the folder `path`.
pub(crate) fn below_path(path: &str, name: &str) -> String {
    format!("{}/{name}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::files::FileKind;
    use crate::domain::time::Time;

    fn file(name: &str, size: u64, folder: bool) -> FileEntry {
        FileEntry {
            name: name.to_owned(),
            kind: if folder {
                FileKind::Folder
            } else {
                FileKind::File
            },
            size,
            mode: 0o644,
            owner: "mira".to_owned(),
            modified: Some(Time(i64::try_from(size).unwrap_or(0))),
            target: None,
            folder,
        }
    }

    fn folder(entries: Vec<FileEntry>, version: u64) -> Folder {
        Folder {
            path: "/srv".to_owned(),
            entries,
            error: None,
            version,
        }
    }

    fn names(side: &Side, folder: &Folder) -> Vec<String> {
        side.visible(folder)
            .map(|(_, entry)| entry.name.clone())
            .collect()
    }

    #[test]
    fn paths_are_joined_and_taken_apart() {
        for (path, expected) in [
            ("/srv/www", Some(("/srv", "www"))),
            ("/srv/", Some(("/", "srv"))),
            ("/", None),
            ("", None),
        ] {
            let expected = expected.map(|(a, b)| (a.to_owned(), b.to_owned()));
            assert_eq!(above(path), expected, "{path}");
        }
        assert_eq!(below_path("/", "etc"), "/etc");
        assert_eq!(below_path("/srv/www", "a b"), "/srv/www/a b");
    }

    #[test]
    fn folders_stay_first_and_a_listing_keeps_the_selected_name() {
        let entries = vec![
            file("logs", 1, true),
            file(".rc", 9, false),
            file("a.txt", 5, false),
            file("b.txt", 7, false),
        ];
        let first = folder(entries.clone(), 1);
        let mut side = Side::new(None);
        side.layout(Rect::new(0, 0, 40, 20));
        side.sync(Some(&first), false, Sort::Name);
        side.layout(Rect::new(0, 0, 40, 20));
        assert_eq!(side.path, "/srv");
        assert_eq!(names(&side, &first), ["logs", "a.txt", "b.txt"]);
        side.sync(Some(&first), true, Sort::Size);
        assert_eq!(names(&side, &first), ["logs", ".rc", "b.txt", "a.txt"]);
        side.sync(Some(&first), false, Sort::Name);
        side.step(1);
        side.remember(Some(&first));
        let mut more = entries;
        more.insert(2, file("0.txt", 1, false));
        let second = folder(more, 2);
        side.sync(Some(&second), false, Sort::Name);
        let selected = side.selected(&second).map(|entry| entry.name.as_str());
        assert_eq!(selected, Some("a.txt"));
        side.mark(&second);
        side.set_query("TXT b");
        side.sync(Some(&second), false, Sort::Name);
        assert_eq!(names(&side, &second), ["b.txt"]);
        let chosen: Vec<_> = side
            .chosen(&second)
            .iter()
            .map(|entry| entry.name.clone())
            .collect();
        assert_eq!(chosen, ["a.txt"], "a mark outlives the filter");
    }

    #[test]
    fn a_folder_that_did_not_change_is_sorted_once() {
        let mut big = folder(
            (0..100_000)
                .map(|index| file(&format!("f{index:06}"), index, false))
                .collect(),
            1,
        );
        let mut side = Side::new(None);
        side.sync(Some(&big), false, Sort::Size);
        side.layout(Rect::new(0, 0, 40, 20));
        assert_eq!(names(&side, &big)[0], "f099999");
        // The same version is not looked at again, whatever is in it: a frame costs nothing.
        big.entries.clear();
        side.sync(Some(&big), false, Sort::Size);
        assert_eq!(side.shown(), 100_000);
        side.bottom();
        side.layout(Rect::new(0, 0, 40, 20));
        assert_eq!(
            side.visible(&big).count(),
            0,
            "and a row that is gone is no row"
        );
    }
}
