//! Host keys that changed: which key was known and by whom, which was shown, and the ticket that comes of it.

use ratatui::layout::{Position, Rect};

use crate::command::{Command, Scope, TicketChange, TicketCommand};
use crate::domain::ticket::Priority;
use crate::model::{KeyAlarm, Model};
use crate::ui::list::ListState;
use crate::ui::paint::{Painter, below};
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::words::{age, placeholder};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("HOST", 13, 0).growing_to(28),
    Column::new("WHEN", 5, 3).right(),
    Column::new("KNOWN", 22, 0).growing_to(52),
    Column::new("SHOWN", 22, 0).growing_to(52),
    Column::new("FILE", 10, 1).growing(),
];

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct AlarmList {
    pub(crate) list: ListState<usize>,
    table: Rect,
}

impl AlarmList {
    pub(crate) fn sync(&mut self, model: &Model) {
        // The newest first; each alarm's place from the oldest names it.
        let rows: Vec<(usize, &KeyAlarm)> = model.alarms.iter().enumerate().rev().collect();
        self.list.sync(
            &rows,
            |(index, _)| *index,
            |(_, alarm)| {
                format!(
                    "{} {} {} {}",
                    alarm.target, alarm.host, alarm.known, alarm.shown
                )
            },
        );
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        self.table = area;
        self.list.layout(below(area, 1).height);
    }

    pub(crate) fn selected<'m>(&self, model: &'m Model) -> Option<&'m KeyAlarm> {
        model.alarms.get(*self.list.selected()?)
    }

    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        let area = below(self.table, 1);
        if self.list.ids().is_empty() {
            placeholder(
                painter,
                area,
                "No host came with another key than the known one.",
            );
        }
        for (at, id) in self.list.visible() {
            let Some(alarm) = cx.model.alarms.get(*id) else {
                continue;
            };
            let line = Line {
                cells: vec![
                    (alarm.target.clone(), Role::Crit),
                    (age(cx.model.now, alarm.at), Role::Dim),
                    (alarm.known.clone(), Role::Fg),
                    (alarm.shown.clone(), Role::Crit),
                    (
                        format!("{}:{}", alarm.file.display(), alarm.line),
                        Role::Dim,
                    ),
                ],
                selected: self.list.is_selected(id),
                marked: false,
                matches: (0, self.list.positions(id)),
            };
            table::row(painter, area, at, COLUMNS, &places, &line);
        }
        self.draw_selected(cx, painter, area);
    }

    /// Both fingerprints of the selected row in full, because they are what is compared.
    fn draw_selected(&self, cx: Cx<'_>, painter: &mut Painter<'_>, area: Rect) {
        let used = u16::try_from(self.list.visible().count()).unwrap_or(u16::MAX);
        let Some(alarm) = self.selected(cx.model) else {
            return;
        };
        let key = cx.key(&[Scope::Alarms], "alarm.ticket");
        let lines = [
            (format!("known as {}", alarm.host), Role::Dim),
            (format!("known    {}", alarm.known), Role::Fg),
            (format!("shown    {}", alarm.shown), Role::Crit),
            (
                format!("file     {}:{}", alarm.file.display(), alarm.line),
                Role::Dim,
            ),
            (
                format!("Ask whoever runs the host before you trust it. {key} opens a ticket."),
                Role::Dim,
            ),
        ];
        let inside = below(area, used.saturating_add(1));
        for (row, (words, role)) in (0..inside.height).zip(lines) {
            painter.put_at(inside, 2, row, &words, role);
        }
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }
}

/// The ticket about a changed host key: of the highest priority, with both fingerprints. `linked` is whether the
/// inventory has the host, so that it can be linked.
pub fn alarm_ticket(alarm: &KeyAlarm, linked: bool) -> Command {
    let body = format!(
        "{} ({}) came with another host key at {}. The connection was refused and nothing was sent.\n\nknown  {}\n       {}:{}\nshown  {}\n\nTo find out: was the host installed anew, or its key replaced? Compare the shown fingerprint on the host's console with `ssh-keygen -lf`. If it is right, take the old line away with `ssh-keygen -f '{}' -R '{}'`; if not, somebody is between us and the host.",
        alarm.target,
        alarm.host,
        alarm.at,
        alarm.known,
        alarm.file.display(),
        alarm.line,
        alarm.shown,
        alarm.file.display(),
        alarm.host,
    );
    let host = if linked {
        vec![alarm.target.clone()]
    } else {
        Vec::new()
    };
    Command::Ticket(TicketCommand::Add {
        title: format!("The host key of {} has changed", alarm.target),
        change: TicketChange {
            body: Some(body),
            priority: Priority::new(1),
            tag: vec!["security".to_owned()],
            host,
            ..TicketChange::default()
        },
    })
}
