//! A tab: panes that are seen together, the one that has the keys, and what happens to them.

use super::{Area, Axis, Direction, Node, Places, Shape, toward};
use crate::domain::ids::SessionId;

/// One tab of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TabId(pub u64);

/// Panes that are seen together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tab {
    /// For as long as the process lives.
    pub id: TabId,
    /// What its user calls it.
    pub name: Option<String>,
    /// Its panes; never empty, and [`Tab::focus`] is one of them.
    pub root: Node<SessionId>,
    /// The pane that has the keys.
    pub focus: SessionId,
    /// The pane that had them before.
    pub last: Option<SessionId>,
    /// Only the pane with the keys is shown.
    pub zoomed: bool,
    /// The arrangement that was chosen last.
    pub shape: Option<Shape>,
    /// The cells that the tab has on the windows that show it; empty until one did.
    pub room: Area,
}

impl Tab {
    /// A tab of one pane.
    pub const fn new(id: TabId, pane: SessionId) -> Self {
        Self {
            id,
            name: None,
            root: Node::Pane(pane),
            focus: pane,
            last: None,
            zoomed: false,
            shape: None,
            room: Area::of(0, 0),
        }
    }

    /// Its panes in the order of reading.
    pub fn panes(&self) -> Vec<SessionId> {
        self.root.leaves().into_iter().copied().collect()
    }

    /// Whether `pane` is in it.
    pub fn contains(&self, pane: SessionId) -> bool {
        self.root.contains(&pane)
    }

    /// Whether it has more than one pane.
    pub const fn is_split(&self) -> bool {
        matches!(self.root, Node::Split { .. })
    }

    /// Gives a pane the keys.
    pub fn focus_on(&mut self, pane: SessionId) {
        if pane != self.focus && self.contains(pane) {
            self.last = Some(std::mem::replace(&mut self.focus, pane));
        }
    }

    /// What is left for panes of `room`: where there are several, the first row is for the head of the upper ones. The
    /// heads of the others stand on the lines between them.
    pub const fn inside(room: Area) -> Area {
        if room.rows < 2 {
            return room;
        }
        Area {
            y: room.y + 1,
            rows: room.rows - 1,
            ..room
        }
    }

    /// Where its panes are in `room`. When there is no room for all, or one is zoomed, the one with the keys has it alone.
    pub fn places(&self, room: Area) -> Places<SessionId> {
        let alone = |crowded| Places {
            panes: vec![(self.focus, room)],
            seams: Vec::new(),
            crowded,
        };
        if self.zoomed || !self.is_split() {
            return alone(false);
        }
        let places = self.root.places(Self::inside(room));
        places.unwrap_or_else(|| alone(true))
    }

    /// The pane that lies in `direction` of the one with the keys.
    pub fn toward(&self, direction: Direction) -> Option<SessionId> {
        let places = self.root.places(Self::inside(self.room))?;
        toward(&places, &self.focus, direction)
    }

    /// The pane `by` places after the one with the keys.
    pub fn beyond(&self, by: isize) -> SessionId {
        let next = self.root.beyond(&self.focus, by);
        next.copied().unwrap_or(self.focus)
    }

    /// Halves pane `at` and puts `new` behind it, with the keys. False when there is no room for one more.
    pub fn split(&mut self, at: SessionId, axis: Axis, new: SessionId) -> bool {
        let mut root = self.root.clone();
        if !root.split(&at, axis, new) {
            return false;
        }
        if self.room.cols > 0 && !root.fits(Self::inside(self.room)) {
            return false;
        }
        self.root = root;
        self.zoomed = false;
        self.shape = None;
        self.focus_on(new);
        true
    }

    /// Takes a pane out; its neighbour gets its room. `None` when it was the last one.
    pub fn without(mut self, pane: SessionId) -> Option<Self> {
        let heir = self
            .last
            .filter(|last| *last != pane && self.contains(*last))
            .unwrap_or_else(|| {
                let before = self.root.beyond(&pane, -1);
                before.copied().unwrap_or(self.focus)
            });
        let had = self.panes().len();
        self.root = self.root.without(&pane)?;
        if self.focus == pane {
            self.focus = heir;
        }
        if self.panes().len() < had {
            self.zoomed = false;
        }
        if !self.contains(self.focus) {
            self.focus = self.panes().first().copied()?;
        }
        self.last = self
            .last
            .filter(|last| *last != pane && *last != self.focus);
        Some(self)
    }

    /// Puts another pane in the place of one.
    pub fn replace(&mut self, old: SessionId, new: SessionId) -> bool {
        if self.focus == old {
            self.focus = new;
        }
        if self.last == Some(old) {
            self.last = Some(new);
        }
        self.root.replace(&old, new)
    }

    /// Lets the pane with the keys change its place with the one `by` places after it.
    pub fn swap(&mut self, by: isize) {
        let other = self.beyond(by);
        self.root.swap(&self.focus.clone(), &other);
        self.zoomed = false;
    }

    /// Moves a border of the pane with the keys. False when it cannot be moved.
    pub fn resize(&mut self, direction: Direction, cells: u16) -> bool {
        self.zoomed = false;
        let area = Self::inside(self.room);
        self.root.resize(&self.focus, direction, area, cells)
    }

    /// Arranges its panes anew. The order stays.
    pub fn arrange(&mut self, shape: Shape) {
        if let Some(root) = shape.of(self.panes()) {
            self.root = root;
            self.shape = Some(shape);
            self.zoomed = false;
        }
    }
}
