//! Draws the list of hosts.

use super::HostList;
use crate::domain::host::Host;
use crate::ui::paint::{Painter, below};
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::vitals::{Vitals, is_production, trend};
use crate::ui::views::words::{no_match, placeholder};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("NAME", 13, 0).growing_to(32),
    Column::new("STATE", 11, 0),
    Column::new("LOAD", 5, 3).right(),
    Column::new("CPU", 4, 2).right(),
    Column::new("MEM", 4, 2).right(),
    Column::new("DISK", 4, 1).right(),
    Column::new("TREND", 8, 6),
    Column::new("AGE", 4, 4).right(),
    Column::new("WHY", 16, 5).growing(),
    Column::new("ADDRESS", 20, 8),
    Column::new("GROUPS", 16, 7),
];
const TREND: usize = 8;

impl HostList {
    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        let rows = below(self.table, 1);
        if self.list.ids().is_empty() {
            placeholder(painter, rows, &self.empty());
        }
        for (row, id) in self.list.visible() {
            let Some(host) = cx.model.hosts.get(*id) else {
                continue;
            };
            let line = Line {
                cells: cells(cx, host),
                selected: self.list.is_selected(id),
                marked: self.list.is_marked(id),
                matches: (0, self.list.positions(id)),
            };
            table::row(painter, rows, row, COLUMNS, &places, &line);
        }
    }

    fn empty(&self) -> String {
        if self.list.query().trim().is_empty() {
            "No hosts yet. Type `:host import --from ssh-config ~/.ssh/config` to read those that ssh knows.".to_owned()
        } else {
            no_match(self.list.query())
        }
    }
}

fn cells(cx: Cx<'_>, host: &Host) -> Vec<(String, Role)> {
    let vitals = Vitals::of(cx.model, host);
    let role = vitals.role();
    let name = if host.stale {
        Role::Stale
    } else if is_production(cx.model, host) {
        Role::Title
    } else {
        Role::Fg
    };
    let why = if host.stale {
        "its source no longer names it".to_owned()
    } else {
        vitals.reason.clone()
    };
    vec![
        (host.name.clone(), name),
        (vitals.state.to_string(), vitals.state.into()),
        (vitals.load(), role),
        (vitals.cpu(), role),
        (vitals.memory(), role),
        (vitals.disk(), role),
        (trend(cx.model, host, TREND, cx.look), role),
        (vitals.age.clone(), Role::Dim),
        (why, role),
        (host.address.clone().unwrap_or_default(), Role::Dim),
        (host.groups.join(" "), Role::Dim),
    ]
}
