//! Lines that were found in recordings; Enter plays the recording from there.

use ratatui::layout::{Position, Rect};

use crate::command::{Command, Playing, SessionCommand};
use crate::model::{FoundRow, Model};
use crate::term::cast::clock;
use crate::ui::list::ListState;
use crate::ui::paint::{Painter, below};
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::words::{no_match, placeholder};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("REF", 7, 0),
    Column::new("HOST", 12, 1).growing_to(24),
    Column::new("AT", 8, 2).right(),
    Column::new("LINE", 30, 0).growing(),
];

/// How long before the line it is played from, in milliseconds: one sees it come.
const BEFORE: u64 = 2_000;

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct FoundList {
    pub(crate) list: ListState<usize>,
    table: Rect,
}

impl FoundList {
    pub(crate) fn sync(&mut self, model: &Model) {
        let found = model.found.iter().flat_map(|found| &found.rows);
        let rows: Vec<(usize, &FoundRow)> = found.enumerate().collect();
        self.list.sync(
            &rows,
            |(index, _)| *index,
            |(_, row)| format!("{} {} {}", row.line, row.host, row.reference),
        );
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        self.table = area;
        self.list.layout(below(area, 1).height);
    }

    fn selected<'m>(&self, model: &'m Model) -> Option<&'m FoundRow> {
        model.found.as_ref()?.rows.get(*self.list.selected()?)
    }

    /// Plays the selected recording from a little before its line.
    pub(crate) fn play(&self, model: &Model) -> Option<Command> {
        let row = self.selected(model)?;
        Some(Command::Session(SessionCommand::Replay {
            reference: row.reference.clone(),
            how: Playing {
                from_ms: row.at.saturating_sub(BEFORE),
                ..Playing::default()
            },
        }))
    }

    pub(crate) fn reference(&self, model: &Model) -> Option<String> {
        self.selected(model).map(|row| row.reference.clone())
    }

    /// What the right of the breadcrumb says.
    pub(crate) fn summary(&self, model: &Model) -> String {
        match &model.found {
            None => String::new(),
            Some(found) => match &found.said {
                Some(said) => said.clone(),
                None => format!("{} lines so far", found.rows.len()),
            },
        }
    }

    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        let area = below(self.table, 1);
        if self.list.ids().is_empty() {
            placeholder(painter, area, &self.empty(cx.model));
        }
        let rows = cx.model.found.as_ref().map_or(&[][..], |found| &found.rows);
        for (at, id) in self.list.visible() {
            let Some(row) = rows.get(*id) else {
                continue;
            };
            let line = Line {
                cells: vec![
                    (row.reference.clone(), Role::Accent),
                    (row.host.clone(), Role::Fg),
                    (clock(row.at), Role::Dim),
                    (row.line.clone(), Role::Fg),
                ],
                selected: self.list.is_selected(id),
                marked: false,
                matches: (3, self.list.positions(id)),
            };
            table::row(painter, area, at, COLUMNS, &places, &line);
        }
    }

    fn empty(&self, model: &Model) -> String {
        if !self.list.query().trim().is_empty() {
            return no_match(self.list.query());
        }
        match &model.found {
            Some(found) if found.done => {
                format!("No recording shows {:?}.", found.wanted)
            }
            Some(found) => format!("Looking for {:?} in all recordings.", found.wanted),
            None => "Nothing was looked for; type :session search TEXT.".to_owned(),
        }
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }
}
