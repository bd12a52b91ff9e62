//! What was said: notices and warnings that have left the line at the bottom, the newest first.

use ratatui::layout::{Position, Rect};

use crate::domain::time::Time;
use crate::model::{Level, Model, Told};
use crate::ui::list::{ListState, Moves};
use crate::ui::paint::{Painter, below};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::view::View;
use crate::ui::views::Cx;
use crate::ui::views::words::{no_match, placeholder};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("WHEN", 11, 0),
    Column::new("KIND", 7, 2),
    Column::new("SOURCE", 12, 1).growing_to(22),
    Column::new("MESSAGE", 30, 0).growing(),
];

/// The rows under the list in which the selected message stands whole, and the height from which on there is room for them.
const WHOLE: u16 = 4;
const ROOMY: u16 = 12;

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct MessageList {
    pub(crate) list: ListState<u64>,
    table: Rect,
    /// Where the selected message stands whole.
    whole: Rect,
}

impl MessageList {
    /// The newest message is what one comes for.
    pub(crate) fn opened(&mut self) {
        self.list.top();
    }

    pub(crate) fn sync(&mut self, model: &Model) {
        // Who is at the newest one stays there when others come.
        let at_top = self.list.place().is_none_or(|(place, _)| place == 1);
        let rows: Vec<&Told> = model.notices.told().rev().collect();
        self.list.sync(
            &rows,
            |told| told.number,
            |told| {
                let (kind, _) = kind(told.notice.level);
                format!("{} {} {kind}", told.notice.text, told.source)
            },
        );
        if at_top {
            self.list.top();
        }
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        let kept = if area.height >= ROOMY { WHOLE } else { 0 };
        let rows = area.height - kept;
        self.table = Rect {
            height: rows,
            ..area
        };
        self.whole = below(area, rows);
        self.list.layout(below(self.table, 1).height);
    }

    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        let area = below(self.table, 1);
        if self.list.ids().is_empty() {
            let words = match self.list.query() {
                "" => "Nothing was said since the app began.".to_owned(),
                query => no_match(query),
            };
            placeholder(painter, area, &words);
        }
        for (at, id) in self.list.visible() {
            let Some(told) = cx.model.notices.numbered(*id) else {
                continue;
            };
            let (kind, role) = kind(told.notice.level);
            let words = crate::domain::text::line(&told.notice.text);
            let line = Line {
                cells: vec![
                    (when(cx.model.now, told.notice.at), Role::Dim),
                    (kind.to_owned(), role),
                    (told.source.clone(), Role::Accent),
                    (words, role),
                ],
                selected: self.list.is_selected(id),
                marked: false,
                matches: (3, self.list.positions(id)),
            };
            table::row(painter, area, at, COLUMNS, &places, &line);
        }
        self.draw_whole(cx, painter);
    }

    /// The selected message from its beginning to its end, as far as there is room.
    fn draw_whole(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let selected = self.list.selected();
        let Some(told) = selected.and_then(|id| cx.model.notices.numbered(*id)) else {
            return;
        };
        let at = told.notice.at.local();
        let words = format!("{at} {}: {}", told.source, told.notice.text);
        let width = usize::from(self.whole.width.saturating_sub(4));
        let lines = text::wrap(&words, width);
        for (row, line) in (1..self.whole.height).zip(lines) {
            painter.put_at(self.whole, 2, row, &line, Role::Fg);
        }
    }

    /// The selected message as it is said aloud: whole, however wide the screen is.
    pub(crate) fn spoken(&self, view: &View, model: &Model) -> Option<String> {
        let selected = self.list.selected().filter(|_| *view == View::Messages)?;
        let told = model.notices.numbered(*selected)?;
        let (kind, _) = kind(told.notice.level);
        let when = when(model.now, told.notice.at);
        let words = crate::domain::text::line(&told.notice.text);
        Some(format!("{kind}, {when}, {}: {words}", told.source))
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }
}

/// The time of today, or the day too.
fn when(now: Time, at: Time) -> String {
    let (now, at) = (now.local(), at.local());
    match (at.split_once(' '), now.split_once(' ')) {
        (Some((day, time)), Some((today, _))) if day == today => time.to_owned(),
        (Some((day, time)), _) => {
            let day = day.split_once('-').map_or(day, |(_, day)| day);
            format!("{day} {}", time.get(..5).unwrap_or(time))
        }
        (None, _) => at,
    }
}

fn kind(level: Level) -> (&'static str, Role) {
    match level {
        Level::Info => ("note", Role::Fg),
        Level::Warn => ("warning", Role::Warn),
        Level::Error => ("error", Role::Crit),
    }
}
