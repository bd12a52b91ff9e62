//! The list of hosts.

mod draw;

use ratatui::layout::{Position, Rect};

use crate::domain::host::Host;
use crate::domain::ids::HostId;
use crate::model::Model;
use crate::ui::list::ListState;
use crate::ui::paint::below;

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct HostList {
    pub(crate) list: ListState<HostId>,
    table: Rect,
}

impl HostList {
    pub(crate) fn sync(&mut self, model: &Model) {
        self.list.sync(model.hosts.iter(), |host| host.id, text);
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        self.table = area;
        self.list.layout(below(area, 1).height);
    }

    pub(crate) fn selected<'m>(&self, model: &'m Model) -> Option<&'m Host> {
        model.hosts.get(*self.list.selected()?)
    }

    /// The marked hosts, or the selected one, as a pattern in inventory order.
    pub(crate) fn pattern(&self, model: &Model) -> Option<String> {
        let chosen = self.list.chosen();
        let names: Vec<_> = model
            .hosts
            .iter()
            .filter(|host| chosen.contains(&host.id))
            .map(|host| host.name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    /// The hosts on the page: whose health should be fresh.
    pub(crate) fn on_screen(&self) -> Vec<HostId> {
        self.list.visible().map(|(_, id)| *id).collect()
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }
}

/// What the filter looks at; the name first, because its letters are shown as matches.
fn text(host: &Host) -> String {
    let mut text = host.name.clone();
    let words = host
        .address
        .iter()
        .chain(&host.groups)
        .chain(&host.tags)
        .chain(&host.user);
    for word in words {
        text.push(' ');
        text.push_str(word);
    }
    text
}
