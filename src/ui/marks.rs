//! Keys that are about one host, pressed while hosts are marked: they are about all of the marked ones then.

use super::Ui;
use super::view::View;
use crate::command::{self, Row};

impl Ui {
    /// The command that does for all marked hosts what `row` does for the selected one; `row` itself where nothing is marked.
    pub(super) fn for_marks(&self, row: &'static Row) -> &'static Row {
        let marked = self.view == View::Hosts && self.views.hosts.list.marked() > 0;
        let all = Some("layout.hosts").filter(|_| marked && row.id == "session.open");
        all.and_then(command::row).unwrap_or(row)
    }
}
