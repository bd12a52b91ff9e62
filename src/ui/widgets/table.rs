//! Tables: columns that give way when there is no room for them, a gutter for selection and marks.

use ratatui::layout::Rect;

use crate::ui::paint::Painter;
use crate::ui::text;
use crate::ui::theme::Role;

/// Columns before the first cell: the sign of the selected row, the sign of a marked one.
pub(crate) const GUTTER: u16 = 2;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its heading.
    pub(crate) title: &'static str,
    /// The least width that makes sense.
    pub(crate) width: u16,
    /// The width it may grow to when something is left over.
    pub(crate) most: u16,
    /// The larger, the earlier it gives way; 0 never does.
    pub(crate) rank: u8,
    /// Numbers stand at the right.
    pub(crate) right: bool,
}

impl Column {
    pub(crate) const fn new(title: &'static str, width: u16, rank: u8) -> Self {
        Self {
            title,
            width,
            most: width,
            rank,
            right: false,
        }
    }

    /// It takes all that is left over.
    pub(crate) const fn growing(self) -> Self {
        self.growing_to(u16::MAX)
    }

    /// It takes what is left over up to a width: names far from what belongs to them are hard to follow.
    pub(crate) const fn growing_to(self, most: u16) -> Self {
        Self { most, ..self }
    }

    pub(crate) const fn right(self) -> Self {
        Self {
            right: true,
            ..self
        }
    }
}

/// Where each column stands; `None` for those that gave way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Vec<Option<(u16, u16)>>);

impl Places {
    /// Lays `columns` out in `width` cells, gutter included.
    pub(crate) fn new(columns: &[Column], width: u16) -> Self {
        let room = u32::from(width.saturating_sub(GUTTER));
        let mut shown: Vec<bool> = vec![true; columns.len()];
        let need = |shown: &[bool]| -> u32 {
            let widths = columns.iter().zip(shown).filter(|(_, shown)| **shown);
            widths
                .map(|(column, _)| u32::from(column.width) + 1)
                .sum::<u32>()
                .saturating_sub(1)
        };
        while need(&shown) > room {
            let victim = (0..columns.len())
                .filter(|index| shown[*index] && columns[*index].rank > 0)
                .max_by_key(|index| columns[*index].rank);
            match victim {
                Some(index) => shown[index] = false,
                None => break,
            }
        }
        let spare = room.saturating_sub(need(&shown));
        let more = shares(columns, &shown, spare);
        let (mut x, mut places) = (GUTTER, Vec::with_capacity(columns.len()));
        for ((column, shown), more) in columns.iter().zip(shown).zip(more) {
            if !shown {
                places.push(None);
                continue;
            }
            let wide = column
                .width
                .saturating_add(more)
                .min(width.saturating_sub(x));
            places.push(Some((x, wide)));
            x = x.saturating_add(wide + 1).min(width);
        }
        Self(places)
    }

    /// Where column `index` stands, from the left of the area: first cell and width.
    pub(crate) fn get(&self, index: usize) -> Option<(u16, u16)> {
        self.0.get(index).copied().flatten()
    }
}

/// What each column gets of the spare width: equal parts, and what a column cannot use goes to the others.
fn shares(columns: &[Column], shown: &[bool], mut spare: u32) -> Vec<u16> {
    let mut order: Vec<usize> = (0..columns.len())
        .filter(|index| shown[*index] && columns[*index].most > columns[*index].width)
        .collect();
    order.sort_by_key(|index| columns[*index].most - columns[*index].width);
    let mut more = vec![0; columns.len()];
    for (done, index) in order.iter().enumerate() {
        let left = u32::try_from(order.len() - done).unwrap_or(1).max(1);
        let want = u32::from(columns[*index].most - columns[*index].width);
        let share = want.min(spare / left);
        more[*index] = u16::try_from(share).unwrap_or(0);
        spare -= share;
    }
    more
}

/// Draws the headings into the first row of `area`.
pub(crate) fn head(painter: &mut Painter<'_>, area: Rect, columns: &[Column], places: &Places) {
    for (index, column) in columns.iter().enumerate() {
        cell(
            painter,
            area,
            0,
            places.get(index),
            column,
            column.title,
            Role::Header,
        );
    }
}

/// One row to be drawn.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// A text and its role for each column.
    pub(crate) cells: Vec<(String, Role)>,
    /// It is the selected one.
    pub(crate) selected: bool,
    /// It is marked.
    pub(crate) marked: bool,
    /// Which column the filter's positions speak of, and the positions.
    pub(crate) matches: (usize, &'a [usize]),
}

/// Draws one row at `row` of `area`.
pub(crate) fn row(
    painter: &mut Painter<'_>,
    area: Rect,
    row: u16,
    columns: &[Column],
    places: &Places,
    line: &Line<'_>,
) {
    for (index, (column, (words, role))) in columns.iter().zip(&line.cells).enumerate() {
        cell(painter, area, row, places.get(index), column, words, *role);
    }
    gutter(painter, area, row, line.selected, line.marked);
    let (index, positions) = line.matches;
    if let (Some((x, wide)), Some((words, _)), false) = (
        places.get(index),
        line.cells.get(index),
        positions.is_empty(),
    ) {
        let inside = Rect {
            width: (x + wide).min(area.width),
            ..area
        };
        painter.highlight(inside, x, row, words, positions);
    }
}

/// Draws the signs before a row and, if it is selected, its ground.
pub(crate) fn gutter(
    painter: &mut Painter<'_>,
    area: Rect,
    row: u16,
    selected: bool,
    marked: bool,
) {
    if row >= area.height {
        return;
    }
    if marked {
        painter.put_at(area, 1, row, "*", Role::Mark);
    }
    if selected {
        let sign = painter.look().glyph("›", ">");
        painter.put(area, row, sign, Role::Accent);
        let line = Rect {
            y: area.y + row,
            height: 1,
            ..area
        };
        painter.tint(line, Role::Selected);
    }
}

fn cell(
    painter: &mut Painter<'_>,
    area: Rect,
    row: u16,
    place: Option<(u16, u16)>,
    column: &Column,
    words: &str,
    role: Role,
) {
    let Some((x, wide)) = place else {
        return;
    };
    let inside = Rect {
        x: area.x + x.min(area.width),
        width: wide.min(area.width.saturating_sub(x)),
        ..area
    };
    let words = crate::domain::text::line(words);
    let pad = usize::from(wide).saturating_sub(text::width(&words));
    if column.right && pad > 0 {
        let pad = u16::try_from(pad).unwrap_or(0);
        painter.put_at(inside, pad, row, &words, role);
    } else {
        painter.put(inside, row, &words, role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column::new("REF", 6, 0),
        Column::new("STATE", 8, 1),
        Column::new("TITLE", 10, 0).growing(),
        Column::new("OWNER", 8, 3),
        Column::new("AGE", 4, 2).right(),
    ];

    #[test]
    fn columns_give_way_by_rank() {
        for (width, shown) in [
            (80, "11111"),
            (42, "11111"),
            (41, "11101"),
            (32, "11100"),
            (28, "11100"),
            (27, "10100"),
            (5, "10100"),
            (0, "10100"),
        ] {
            let places = Places::new(COLUMNS, width);
            let found: String = (0..COLUMNS.len())
                .map(|index| {
                    if places.get(index).is_some() {
                        '1'
                    } else {
                        '0'
                    }
                })
                .collect();
            assert_eq!(found, shown, "{width}");
            for index in 0..COLUMNS.len() {
                if let Some((x, wide)) = places.get(index) {
                    assert!(
                        x + wide <= width.max(GUTTER),
                        "{width}: {index} ends at {}",
                        x + wide
                    );
                }
            }
        }
        assert_eq!(Places::new(COLUMNS, 80).get(2), Some((18, 48)));
    }
}
