//! Tables for people on a terminal, tab-separated lines for everything else.

use unicode_width::UnicodeWidthStr;

use crate::domain::text;

/// Columns with a heading, and rows of cells.
#[derive(Debug)]
pub(super) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(super) fn new<'a>(headings: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            headings: headings.into_iter().map(str::to_owned).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Foreign text is made harmless here, so that no caller can forget it.
    pub(super) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| text::line(cell.as_ref()))
                .collect(),
        );
    }

    /// The table as text. On a terminal it is aligned, under headings, and a last column that is too wide is cut.
    pub(super) fn render(&self, terminal: Option<usize>) -> String {
        let Some(width) = terminal else {
            return self.rows.iter().map(|row| row.join("\t") + "\n").collect();
        };
        let columns = self.headings.len();
        let mut widths: Vec<usize> = self
            .headings
            .iter()
            .map(|heading| heading.width())
            .collect();
        for row in &self.rows {
            for (have, cell) in widths.iter_mut().zip(row) {
                *have = (*have).max(cell.width());
            }
        }
        let mut out = String::new();
        for row in std::iter::once(&self.headings).chain(&self.rows) {
            let mut line = String::new();
            let mut used = 0;
            for (index, (cell, wide)) in row.iter().zip(&widths).enumerate() {
                if index + 1 == columns {
                    line.push_str(&cut(cell, width.saturating_sub(used).max(8)));
                } else {
                    line.push_str(cell);
                    line.extend(std::iter::repeat_n(' ', wide - cell.width().min(*wide) + 2));
                    used += wide + 2;
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// `text` in at most `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if out.width() + c.to_string().width() + 1 > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_for_people_and_plain_for_programs() {
        let mut table = Table::new(["REF", "TITLE"]);
        table.row(["T-7K3F", "disk full\x1b[31m on web2"]);
        table.row(["T-7K3FA", "界 wide"]);
        assert_eq!(
            table.render(Some(24)),
            "REF      TITLE\nT-7K3F   disk full␛[31m…\nT-7K3FA  界 wide\n"
        );
        assert_eq!(
            table.render(None),
            "T-7K3F\tdisk full␛[31m on web2\nT-7K3FA\t界 wide\n"
        );
    }
}
