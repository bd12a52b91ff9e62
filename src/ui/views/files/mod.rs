//! Two folders side by side, of this machine or of hosts, and the copies between them.

mod draw;
mod side;
mod strip;

use ratatui::layout::{Position, Rect};

pub(crate) use side::{Side, above, below_path};
pub(crate) use strip::{results, what};

use crate::domain::files::FileEntry;
use crate::model::Model;
use crate::ui::intent::Want;
use crate::ui::paint::below;

/// What the view remembers.
#[derive(Debug)]
pub(crate) struct FilesPage {
    sides: [Side; 2],
    active: usize,
    /// Whether names that begin with a dot are shown.
    pub(crate) hidden: bool,
    sort: Sort,
    /// The ticket that copies are recorded on.
    pub(crate) ticket: Option<String>,
    /// A line about what is selected, and the copies.
    info: Rect,
    strip: Rect,
    rule: Rect,
}

/// What the names are sorted by; folders always come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    #[default]
    Name,
    /// The largest first.
    Size,
    /// What was written last first.
    Modified,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Name => Self::Size,
            Self::Size => Self::Modified,
            Self::Modified => Self::Name,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Name => "by name",
            Self::Size => "largest first",
            Self::Modified => "newest first",
        }
    }
}

impl Default for FilesPage {
    fn default() -> Self {
        Self {
            sides: [Side::new(None), Side::new(None)],
            active: 1,
            hidden: false,
            sort: Sort::default(),
            ticket: None,
            info: Rect::default(),
            strip: Rect::default(),
            rule: Rect::default(),
        }
    }
}

impl FilesPage {
    /// This machine on the left and `host` on the right; a folder that was shown before is shown again.
    pub(crate) fn show(&mut self, host: &str, ticket: Option<String>) {
        self.ticket = ticket;
        let [left, right] = &mut self.sides;
        if left.host.is_some() {
            *left = Side::new(None);
        }
        if right.host.as_deref() != Some(host) {
            *right = Side::new(Some(host.to_owned()));
        }
        self.active = 1;
    }

    pub(crate) fn sync(&mut self, model: &Model) {
        for side in &mut self.sides {
            let folder = model.files.folder(side.host.as_deref(), &side.path);
            // What is selected now stays selected, whatever comes.
            side.sync(folder, self.hidden, self.sort);
            side.remember(folder);
        }
    }

    pub(crate) fn layout(&mut self, model: &Model, area: Rect) {
        let copies = u16::try_from(strip::lines(model)).unwrap_or(u16::MAX);
        let rows = copies.min(area.height / 3);
        let info = u16::from(area.height > 6);
        let body = area.height - rows - info;
        let row = |y: u16, height: u16| Rect { y, height, ..area };
        self.info = row(area.y + body, info);
        self.strip = row(area.y + body + info, rows);
        let half = area.width / 2;
        self.rule = Rect {
            x: area.x + half,
            width: 1.min(area.width - half),
            height: body,
            ..area
        };
        let left = Rect {
            width: half,
            height: body,
            ..area
        };
        let right = Rect {
            x: area.x + half + self.rule.width,
            width: area.width - half - self.rule.width,
            height: body,
            ..area
        };
        for (side, area) in self.sides.iter_mut().zip([left, right]) {
            side.layout(area);
        }
    }

    /// The side that has the keys.
    pub(crate) fn side(&self) -> &Side {
        &self.sides[self.active % 2]
    }

    pub(crate) fn side_mut(&mut self) -> &mut Side {
        &mut self.sides[self.active % 2]
    }

    /// The side across.
    pub(crate) fn other(&self) -> &Side {
        &self.sides[(self.active + 1) % 2]
    }

    pub(crate) fn turn_over(&mut self) {
        self.active = (self.active + 1) % 2;
    }

    pub(crate) fn sort(&mut self) {
        self.sort = self.sort.next();
    }

    /// Both folders.
    pub(crate) fn wants(&self) -> Vec<Want> {
        self.sides
            .iter()
            .map(|side| Want::Folder {
                host: side.host.clone(),
                path: side.path.clone(),
            })
            .collect()
    }

    /// The selected entry of the side that has the keys.
    pub(crate) fn selected<'m>(&self, model: &'m Model) -> Option<&'m FileEntry> {
        let side = self.side();
        let folder = model.files.folder(side.host.as_deref(), &side.path)?;
        side.selected(folder)
    }

    /// Marks the selected name.
    pub(crate) fn mark(&mut self, model: &Model) {
        let side = self.side();
        let folder = model.files.folder(side.host.as_deref(), &side.path);
        if let Some(folder) = folder {
            self.side_mut().mark(folder);
        }
    }

    pub(crate) fn summary(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(
            self.ticket
                .as_ref()
                .map(|ticket| format!("recorded on {ticket}")),
        );
        if self.sort != Sort::Name {
            parts.push(self.sort.words().to_owned());
        }
        if self.hidden {
            parts.push("hidden names shown".to_owned());
        }
        parts.join(", ")
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let Some(index) = self
            .sides
            .iter()
            .position(|side| side.area.contains(position))
        else {
            return false;
        };
        self.active = index;
        let side = self.side_mut();
        let rows = below(side.area, side::HEAD);
        rows.contains(position) && side.click(position.y - rows.y)
    }
}
