//! Documents: views that are read from top to bottom, whose lines may lead somewhere. The first screen, a case, a host and
//! a runbook are documents.

use ratatui::layout::Rect;

use super::list::{ListState, Moves};
use super::paint::Painter;
use super::text;
use super::theme::Role;
use super::view::View;
use super::widgets::table::{GUTTER, gutter};

/// One line: pieces in their roles, and where Enter leads from here.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DocLine {
    /// Keeps the selection on this line when others come and go.
    id: String,
    spans: Vec<(String, Role)>,
    /// A heading with a rule through the line.
    rule: bool,
    /// Where Enter leads.
    pub(crate) open: Option<View>,
}

/// Builds a document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    lines: Vec<DocLine>,
    width: usize,
    /// Names the lines that follow: an entry's id, a section's name.
    anchor: String,
    count: usize,
}

impl Writer {
    /// A document for lines of `width` columns.
    pub(crate) fn new(width: u16) -> Self {
        Self {
            width: usize::from(width.saturating_sub(GUTTER + 1)).max(1),
            ..Self::default()
        }
    }

    /// The columns a line has.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Lines from here on belong to `anchor`.
    pub(crate) fn anchor(&mut self, anchor: &str) {
        anchor.clone_into(&mut self.anchor);
        self.count = 0;
    }

    /// A line of pieces.
    pub(crate) fn spans(&mut self, spans: Vec<(String, Role)>) -> &mut Self {
        self.push(spans, None)
    }

    /// A line of pieces that leads somewhere.
    pub(crate) fn link(&mut self, spans: Vec<(String, Role)>, open: View) -> &mut Self {
        self.push(spans, Some(open))
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) -> &mut Self {
        self.push(Vec::new(), None)
    }

    /// Wrapped text, each line indented by `indent`; nothing when there is none.
    pub(crate) fn text(&mut self, words: &str, indent: usize, role: Role) -> &mut Self {
        if words.is_empty() {
            return self;
        }
        for line in text::wrap(words, self.width.saturating_sub(indent)) {
            self.push(vec![(" ".repeat(indent) + &line, role)], None);
        }
        self
    }

    /// `name   value`, the value wrapped under itself; nothing when there is no value.
    pub(crate) fn field(&mut self, name: &str, value: &str, role: Role) -> &mut Self {
        const NAME: usize = 11;
        if value.is_empty() {
            return self;
        }
        let lines = text::wrap(value, self.width.saturating_sub(NAME));
        for (index, line) in lines.into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            self.push(
                vec![(format!("{name:<NAME$}"), Role::Dim), (line, role)],
                None,
            );
        }
        self
    }

    /// A heading; lines after it are named by it.
    pub(crate) fn heading(&mut self, words: &str, anchor: &str) -> &mut Self {
        self.anchor(anchor);
        self.gap();
        self.push(vec![(words.to_owned(), Role::Header)], None);
        if let Some(line) = self.lines.last_mut() {
            line.rule = true;
        }
        self
    }

    pub(crate) fn finish(self) -> Vec<DocLine> {
        self.lines
    }

    fn push(&mut self, spans: Vec<(String, Role)>, open: Option<View>) -> &mut Self {
        let id = format!("{}#{}", self.anchor, self.count);
        self.count += 1;
        self.lines.push(DocLine {
            id,
            spans,
            rule: false,
            open,
        });
        self
    }
}

/// A document on the screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doc {
    lines: Vec<DocLine>,
    list: ListState<String>,
    area: Rect,
    still: bool,
}

impl Doc {
    /// Adopts the lines as they are now, in this area.
    pub(crate) fn layout(&mut self, lines: Vec<DocLine>, area: Rect) {
        self.lines = lines;
        self.area = area;
        self.list.sync(
            &self.lines,
            |line| line.id.clone(),
            |line| line.spans.iter().map(|(words, _)| words.as_str()).collect(),
        );
        self.list.layout(area.height);
    }

    /// A document that is only shown: nothing in it is selected.
    pub(crate) fn still(lines: Vec<DocLine>, area: Rect) -> Self {
        let mut doc = Self {
            still: true,
            ..Self::default()
        };
        doc.layout(lines, area);
        doc
    }

    /// Where Enter leads from the selected line.
    pub(crate) fn target(&self) -> Option<View> {
        let id = self.list.selected()?;
        self.lines.iter().find(|line| line.id == *id)?.open.clone()
    }

    pub(crate) fn list(&mut self) -> &mut ListState<String> {
        &mut self.list
    }

    pub(crate) fn filter(&self) -> &ListState<String> {
        &self.list
    }

    /// Selects the first line that leads somewhere, if one does: what Enter should do on a fresh view.
    pub(crate) fn select_link(&mut self) -> bool {
        let first = self.lines.iter().find(|line| line.open.is_some());
        if let Some(line) = first {
            self.list.select(line.id.clone());
        }
        first.is_some()
    }

    /// Moves the page to the selection.
    pub(crate) fn relayout(&mut self) {
        self.list.layout(self.area.height);
    }

    pub(crate) fn draw(&self, painter: &mut Painter<'_>) {
        let inside = Rect {
            x: self.area.x + GUTTER.min(self.area.width),
            width: self.area.width.saturating_sub(GUTTER + 1),
            ..self.area
        };
        let mut at = 0;
        for (row, id) in self.list.visible() {
            // Visible ids come in the order of the lines unless a filter ranks them.
            let found = self
                .lines
                .get(at..)
                .and_then(|rest| rest.iter().position(|line| line.id == *id));
            let line = match found {
                Some(ahead) => {
                    at += ahead;
                    self.lines.get(at)
                }
                None => self.lines.iter().find(|line| line.id == *id),
            };
            let Some(line) = line else {
                continue;
            };
            if let (true, Some((words, _))) = (line.rule, line.spans.first()) {
                painter.rule(inside, row, words);
            } else {
                let spans: Vec<_> = line
                    .spans
                    .iter()
                    .map(|(words, role)| (words.as_str(), *role))
                    .collect();
                painter.spans(inside, row, &spans);
            }
            if !self.still && self.list.is_selected(id) {
                gutter(painter, self.area, row, true, false);
            }
        }
    }

    pub(crate) fn click(&mut self, row: u16) -> bool {
        row.checked_sub(self.area.y)
            .is_some_and(|row| self.list.click(row))
    }
}

impl Moves for Doc {
    fn place(&self) -> Option<(usize, usize)> {
        self.list.place()
    }

    fn step(&mut self, by: i64) {
        self.list.step(by);
    }

    fn top(&mut self) {
        self.list.top();
    }

    fn bottom(&mut self) {
        self.list.bottom();
    }

    fn page(&self) -> i64 {
        self.list.page()
    }

    fn turn(&mut self, by: i64) {
        self.list.turn(by);
    }
}
