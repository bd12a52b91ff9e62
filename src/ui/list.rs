//! The state of a list: what is selected and marked (by id, never by place), what the filter says, where the page begins.

use std::collections::BTreeSet;

use crate::model::Filter;

/// Something that the keys of lists move.
pub(crate) trait Moves {
    /// Goes `by` rows down, or up when negative.
    fn step(&mut self, by: i64);
    /// Goes to the first row.
    fn top(&mut self);
    /// Goes to the last row.
    fn bottom(&mut self);
    /// How many rows a page has.
    fn page(&self) -> i64;
    /// Which row is selected, from 1, and how many there are; `None` where there are none.
    fn place(&self) -> Option<(usize, usize)> {
        None
    }
    /// Goes `by` matches on, around the end.
    fn turn(&mut self, by: i64) {
        self.step(by);
    }
}

/// Up to this many rows a list counts as short.
const SHORT: usize = 1_000;

/// A list with a selection.
#[derive(Clone, Debug)]
pub(crate) struct ListState<I> {
    ids: Vec<I>,
    selected: Option<I>,
    /// Where the selected row is, or was when it was last seen.
    index: usize,
    offset: usize,
    height: usize,
    marks: BTreeSet<I>,
    filter: Filter<I>,
    query: String,
    /// How many rows there are without the filter.
    total: usize,
}

impl<I> Default for ListState<I> {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            selected: None,
            index: 0,
            offset: 0,
            height: 1,
            marks: BTreeSet::new(),
            filter: Filter::default(),
            query: String::new(),
            total: 0,
        }
    }
}

impl<I: Clone + Ord> ListState<I> {
    /// Adopts the rows as they are now. The selection stays on its row wherever that went; if it is gone, the row that
    /// took its place is selected.
    pub(crate) fn sync<'r, T: 'r>(
        &mut self,
        rows: impl IntoIterator<Item = &'r T>,
        id: impl Fn(&T) -> I,
        text: impl Fn(&T) -> String,
    ) {
        let rows: Vec<&T> = rows.into_iter().collect();
        let all: Vec<I> = rows.iter().map(|row| id(row)).collect();
        self.total = all.len();
        if !self.marks.is_empty() {
            let known: BTreeSet<&I> = all.iter().collect();
            self.marks.retain(|mark| known.contains(mark));
        }
        if self.query.trim().is_empty() {
            self.ids = all;
        } else {
            // The words of a long list are read again only when its rows are others; a short one is cheap enough.
            if rows.len() <= SHORT || !self.filter.has_rows(&all) {
                let words = rows.iter().map(|row| text(row));
                self.filter.set_rows(all.into_iter().zip(words));
            }
            self.filter.set_query(&self.query);
            self.ids = self
                .filter
                .hits()
                .iter()
                .map(|hit| hit.id.clone())
                .collect();
        }
        let place = self
            .selected
            .as_ref()
            .and_then(|selected| self.ids.iter().position(|id| id == selected));
        self.select_index(place.unwrap_or(self.index));
    }

    /// Selects the row at `index`, or the last one before it.
    pub(crate) fn select_index(&mut self, index: usize) {
        self.index = index.min(self.ids.len().saturating_sub(1));
        if let Some(id) = self.ids.get(self.index) {
            self.selected = Some(id.clone());
        }
    }

    /// Selects a row by id; it need not be there yet.
    pub(crate) fn select(&mut self, id: I) {
        if let Some(index) = self.ids.iter().position(|known| *known == id) {
            self.index = index;
        }
        self.selected = Some(id);
    }

    /// The id of the selected row, if there are rows.
    pub(crate) fn selected(&self) -> Option<&I> {
        self.ids.get(self.index)
    }

    /// Where the selected row is.
    #[cfg(test)]
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The ids in the order they are shown.
    pub(crate) fn ids(&self) -> &[I] {
        &self.ids
    }

    /// How many rows there are without the filter.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Sets how many rows fit, and moves the page so that the selection is on it.
    pub(crate) fn layout(&mut self, height: u16) {
        self.height = usize::from(height).max(1);
        if self.index < self.offset {
            self.offset = self.index;
        } else if self.index >= self.offset + self.height {
            self.offset = self.index + 1 - self.height;
        }
        // A page is never left half empty while there are rows above it.
        self.offset = self.offset.min(self.ids.len().saturating_sub(self.height));
    }

    /// The rows on the page: their place on the screen, from 0, and their id.
    pub(crate) fn visible(&self) -> impl Iterator<Item = (u16, &I)> {
        self.ids
            .iter()
            .skip(self.offset)
            .take(self.height)
            .enumerate()
            .map(|(row, id)| (u16::try_from(row).unwrap_or(u16::MAX), id))
    }

    /// Selects the row that is shown at `row` of the page; says whether there is one.
    pub(crate) fn click(&mut self, row: u16) -> bool {
        let index = self.offset + usize::from(row);
        let hit = index < self.ids.len() && usize::from(row) < self.height;
        if hit {
            self.select_index(index);
        }
        hit
    }

    pub(crate) fn is_selected(&self, id: &I) -> bool {
        self.selected() == Some(id)
    }

    pub(crate) fn is_marked(&self, id: &I) -> bool {
        self.marks.contains(id)
    }

    /// Marks the selected row or takes its mark away, and goes on to the next.
    pub(crate) fn mark(&mut self) {
        if let Some(id) = self.selected().cloned() {
            if !self.marks.remove(&id) {
                self.marks.insert(id);
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

    /// The marked rows in the order of `all`, or else the selected one.
    pub(crate) fn chosen(&self) -> Vec<I> {
        if self.marks.is_empty() {
            return self.selected().cloned().into_iter().collect();
        }
        self.marks.iter().cloned().collect()
    }

    /// The filter's text.
    pub(crate) fn query(&self) -> &str {
        &self.query
    }

    /// Filters by `query` from the next [`ListState::sync`] on.
    pub(crate) fn set_query(&mut self, query: &str) {
        query.clone_into(&mut self.query);
    }

    /// Which characters of the row's text match the filter.
    pub(crate) fn positions(&self, id: &I) -> &[usize] {
        if self.query.trim().is_empty() {
            return &[];
        }
        self.filter
            .hits()
            .iter()
            .find(|hit| hit.id == *id)
            .map_or(&[], |hit| hit.positions.as_slice())
    }
}

impl<I: Clone + Ord> Moves for ListState<I> {
    fn place(&self) -> Option<(usize, usize)> {
        (!self.ids.is_empty()).then_some((self.index + 1, self.ids.len()))
    }

    fn step(&mut self, by: i64) {
        self.select_index(moved(self.index, by));
    }

    fn top(&mut self) {
        self.select_index(0);
    }

    fn bottom(&mut self) {
        self.select_index(self.ids.len().saturating_sub(1));
    }

    fn page(&self) -> i64 {
        i64::try_from(self.height).unwrap_or(1)
    }

    fn turn(&mut self, by: i64) {
        let count = i64::try_from(self.ids.len()).unwrap_or(i64::MAX).max(1);
        let index = (i64::try_from(self.index).unwrap_or(0) + by).rem_euclid(count);
        self.select_index(usize::try_from(index).unwrap_or(0));
    }
}

/// A text that is only scrolled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scroll {
    offset: usize,
    lines: usize,
    height: usize,
}

impl Scroll {
    /// Sets how many lines there are and how many fit.
    pub(crate) fn layout(&mut self, lines: usize, height: u16) {
        self.lines = lines;
        self.height = usize::from(height).max(1);
        self.offset = self.offset.min(self.last());
    }

    /// The first line shown.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// What part is shown, when not all of it is: `12-34 of 80`.
    pub(crate) fn place(&self) -> Option<String> {
        (self.lines > self.height).then(|| {
            let end = (self.offset + self.height).min(self.lines);
            format!("{}-{end} of {}", self.offset + 1, self.lines)
        })
    }

    /// Whether the last line is on the page.
    pub(crate) fn at_end(&self) -> bool {
        self.offset >= self.last()
    }

    fn last(&self) -> usize {
        self.lines.saturating_sub(self.height)
    }
}

impl Moves for Scroll {
    fn step(&mut self, by: i64) {
        self.offset = moved(self.offset, by).min(self.last());
    }

    fn top(&mut self) {
        self.offset = 0;
    }

    fn bottom(&mut self) {
        self.offset = self.last();
    }

    fn page(&self) -> i64 {
        i64::try_from(self.height).unwrap_or(1)
    }
}

fn moved(from: usize, by: i64) -> usize {
    let by = isize::try_from(by).unwrap_or(0);
    from.saturating_add_signed(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(list: &mut ListState<u32>, rows: &[u32]) {
        list.sync(rows, |row| *row, |row| format!("row {row}"));
    }

    #[test]
    fn a_row_that_arrives_does_not_move_the_cursor() {
        let mut list = ListState::default();
        sync(&mut list, &[10, 20, 30]);
        list.step(1);
        assert_eq!(list.selected(), Some(&20));
        sync(&mut list, &[5, 10, 15, 20, 30]);
        assert_eq!(list.selected(), Some(&20));
        assert_eq!(list.index(), 3);
    }

    #[test]
    fn when_the_selected_row_vanishes_its_place_stays_selected() {
        let mut list = ListState::default();
        sync(&mut list, &[10, 20, 30]);
        list.step(1);
        sync(&mut list, &[10, 30]);
        assert_eq!(list.selected(), Some(&30));
        sync(&mut list, &[]);
        assert_eq!(list.selected(), None);
        sync(&mut list, &[7]);
        assert_eq!(list.selected(), Some(&7));
    }

    #[test]
    fn the_page_follows_the_selection_and_is_never_half_empty() {
        let rows: Vec<u32> = (0..100).collect();
        let mut list = ListState::default();
        sync(&mut list, &rows);
        list.layout(10);
        list.bottom();
        list.layout(10);
        assert_eq!(list.visible().next(), Some((0, &90)));
        list.layout(40);
        assert_eq!(list.visible().next(), Some((0, &60)));
        list.turn(1);
        assert_eq!(
            list.selected(),
            Some(&0),
            "the next match is around the end"
        );
        list.step(i64::MIN);
        list.step(i64::MAX);
        assert_eq!(list.selected(), Some(&99));
    }

    #[test]
    fn marks_stay_with_their_rows_and_go_with_them() {
        let mut list = ListState::default();
        sync(&mut list, &[1, 2, 3]);
        list.mark();
        list.mark();
        assert_eq!(list.chosen(), [1, 2]);
        list.set_query("3");
        sync(&mut list, &[1, 2, 3]);
        assert_eq!((list.ids(), list.marked(), list.total()), (&[3][..], 2, 3));
        sync(&mut list, &[2, 3]);
        assert_eq!(list.chosen(), [2]);
        list.unmark();
        assert_eq!(list.chosen(), [3]);
    }
}
