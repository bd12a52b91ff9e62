//! Where panes are: rectangles with one cell between them, without gap and without overlap, and borders that can be moved.

use super::{Axis, Direction, MIN_COLS, MIN_ROWS, Node, Part};

/// A rectangle of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Area {
    /// The first column.
    pub x: u16,
    /// The first row.
    pub y: u16,
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// The line between two parts of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seam {
    /// Its cells: one column, or one row.
    pub area: Area,
    /// How the parts beside it lie.
    pub axis: Axis,
    /// Which split: the places of the parts on the way to it, from the root.
    pub path: Vec<usize>,
    /// The place of the part before it.
    pub before: usize,
}

/// Where everything in a tab is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places<L> {
    /// Each pane and its rectangle, in the order of reading.
    pub panes: Vec<(L, Area)>,
    /// The lines between them.
    pub seams: Vec<Seam>,
    /// There is no room for all of them, so only one is shown.
    pub crowded: bool,
}

impl Area {
    /// From the first cell on.
    pub const fn of(cols: u16, rows: u16) -> Self {
        Self {
            x: 0,
            y: 0,
            cols,
            rows,
        }
    }

    const fn along(self, axis: Axis) -> u16 {
        match axis {
            Axis::Beside => self.cols,
            Axis::Below => self.rows,
        }
    }

    /// `len` cells of it along an axis, `from` its beginning.
    const fn slice(self, axis: Axis, from: u16, len: u16) -> Self {
        match axis {
            Axis::Beside => Self {
                x: self.x + from,
                cols: len,
                ..self
            },
            Axis::Below => Self {
                y: self.y + from,
                rows: len,
                ..self
            },
        }
    }

    /// Its first cell along an axis, and the first one behind it.
    const fn span(self, axis: Axis) -> (u16, u16) {
        match axis {
            Axis::Beside => (self.x, self.x + self.cols),
            Axis::Below => (self.y, self.y + self.rows),
        }
    }

    /// Whether a cell is in it.
    pub const fn contains(self, x: u16, y: u16) -> bool {
        x >= self.x && y >= self.y && x - self.x < self.cols && y - self.y < self.rows
    }
}

impl<L> Node<L> {
    /// The least cells that its panes need along an axis.
    fn least(&self, axis: Axis) -> u32 {
        match self {
            Self::Pane(_) => u32::from(match axis {
                Axis::Beside => MIN_COLS,
                Axis::Below => MIN_ROWS,
            }),
            Self::Split { axis: own, parts } => {
                let least = parts.iter().map(|part| part.node.least(axis));
                if *own == axis {
                    let seams = u32::try_from(parts.len().saturating_sub(1)).unwrap_or(u32::MAX);
                    least.fold(seams, u32::saturating_add)
                } else {
                    least.max().unwrap_or(0)
                }
            }
        }
    }

    /// Whether every pane gets its least size in `area`.
    pub fn fits(&self, area: Area) -> bool {
        self.least(Axis::Beside) <= u32::from(area.cols)
            && self.least(Axis::Below) <= u32::from(area.rows)
    }
}

impl<L: Clone> Node<L> {
    /// The rectangles of all panes in `area`, and the lines between them; `None` when they do not fit.
    pub fn places(&self, area: Area) -> Option<Places<L>> {
        let mut places = Places {
            panes: Vec::new(),
            seams: Vec::new(),
            crowded: false,
        };
        let fits = self.fits(area);
        fits.then(|| self.lay(area, &mut Vec::new(), &mut places))?;
        Some(places)
    }

    fn lay(&self, area: Area, path: &mut Vec<usize>, places: &mut Places<L>) {
        let (axis, parts) = match self {
            Self::Pane(leaf) => return places.panes.push((leaf.clone(), area)),
            Self::Split { axis, parts } => (*axis, parts),
        };
        let mut from = 0;
        for (index, (part, len)) in parts.iter().zip(shares(axis, parts, area)).enumerate() {
            if index > 0 {
                places.seams.push(Seam {
                    area: area.slice(axis, from, 1),
                    axis,
                    path: path.clone(),
                    before: index - 1,
                });
                from += 1;
            }
            path.push(index);
            part.node.lay(area.slice(axis, from, len), path, places);
            path.pop();
            from += len;
        }
    }

    /// Moves the line behind part `before` of the split at `path` by so many cells; as far as the least sizes allow.
    /// False when it did not move.
    pub fn move_seam(&mut self, path: &[usize], before: usize, area: Area, by: i32) -> bool {
        let Self::Split { axis, parts } = self else {
            return false;
        };
        let axis = *axis;
        let mut sizes = shares(axis, parts, area);
        if let Some((next, rest)) = path.split_first() {
            let skipped = sizes.iter().take(*next).map(|len| len + 1).sum();
            let Some(len) = sizes.get(*next).copied() else {
                return false;
            };
            let inner = area.slice(axis, skipped, len);
            return parts
                .get_mut(*next)
                .is_some_and(|part| part.node.move_seam(rest, before, inner, by));
        }
        let least: Vec<u16> = parts.iter().map(|part| least(part, axis)).collect();
        let (grows, gives): (usize, Vec<usize>) = if by > 0 {
            (before, (before + 1..parts.len()).collect())
        } else {
            (before + 1, (0..=before).rev().collect())
        };
        if grows >= sizes.len() || gives.is_empty() {
            return false;
        }
        // The nearest gives first, as far as it can; then the one behind it.
        let mut wanted = u16::try_from(by.unsigned_abs()).unwrap_or(u16::MAX);
        let mut gained = 0;
        for index in gives {
            let (Some(size), Some(least)) = (sizes.get_mut(index), least.get(index)) else {
                continue;
            };
            let given = wanted.min(size.saturating_sub(*least));
            *size -= given;
            wanted -= given;
            gained += given;
        }
        if let Some(size) = sizes.get_mut(grows) {
            *size += gained;
        }
        for (part, size) in parts.iter_mut().zip(sizes) {
            part.weight = u32::from(size.max(1));
        }
        gained > 0
    }
}

impl<L: Clone + PartialEq> Node<L> {
    /// Moves the border of a pane that lies in `direction`; the one on the other side where there is none. The pane is
    /// `area` of the whole tree away from nothing: sizes are cells of it. False when no border moved.
    pub fn resize(&mut self, leaf: &L, direction: Direction, area: Area, cells: u16) -> bool {
        let Some((path, before)) = self.border(leaf, direction.axis()) else {
            return false;
        };
        let by = i32::from(cells);
        let by = if direction.is_forward() { by } else { -by };
        self.move_seam(&path, before, area, by)
    }

    /// The nearest line along which a pane can grow: the split, and the part before the line.
    fn border(&self, leaf: &L, axis: Axis) -> Option<(Vec<usize>, usize)> {
        let Self::Split { axis: own, parts } = self else {
            return None;
        };
        let index = parts.iter().position(|part| part.node.contains(leaf))?;
        let inner = parts
            .get(index)
            .and_then(|part| part.node.border(leaf, axis));
        if let Some((mut path, before)) = inner {
            path.insert(0, index);
            return Some((path, before));
        }
        let last = index + 1 == parts.len();
        (*own == axis).then(|| (Vec::new(), if last { index - 1 } else { index }))
    }
}

/// The pane that lies in `direction` of `from`: of those that touch it, the one that shares most of its side. At the edge
/// it goes on at the other side.
pub fn toward<L: Clone + PartialEq>(
    places: &Places<L>,
    from: &L,
    direction: Direction,
) -> Option<L> {
    let here = places.panes.iter().find(|(leaf, _)| leaf == from)?.1;
    let (axis, forward) = (direction.axis(), direction.is_forward());
    let across = match axis {
        Axis::Beside => Axis::Below,
        Axis::Below => Axis::Beside,
    };
    let shared = |area: Area| {
        let ((a, b), (c, d)) = (here.span(across), area.span(across));
        b.min(d).saturating_sub(a.max(c))
    };
    let (start, end) = here.span(axis);
    let others = || {
        let others = places.panes.iter().filter(|(leaf, _)| leaf != from);
        others.filter(|(_, area)| shared(*area) > 0)
    };
    let touches = |area: Area| {
        let (other_start, other_end) = area.span(axis);
        if forward {
            other_start == end + 1
        } else {
            other_end + 1 == start
        }
    };
    // Of equals the first one in the order of reading.
    let most = |best: Option<(u16, L)>, (leaf, area): &(L, Area)| match best {
        Some((width, _)) if width >= shared(*area) => best,
        _ => Some((shared(*area), leaf.clone())),
    };
    let near = others().filter(|(_, area)| touches(*area));
    if let Some((_, leaf)) = near.fold(None, most) {
        return Some(leaf);
    }
    let edge = |area: &Area| {
        let (start, end) = area.span(axis);
        if forward { start } else { u16::MAX - end }
    };
    let far = others().map(|(_, area)| edge(area)).min()?;
    let wrapped = others().filter(|(_, area)| edge(area) == far);
    wrapped.fold(None, most).map(|(_, leaf)| leaf)
}

fn least<L>(part: &Part<L>, axis: Axis) -> u16 {
    u16::try_from(part.node.least(axis)).unwrap_or(u16::MAX)
}

/// The cells of each part: by weight, none below its least, all of them together with the lines between them just `area`.
/// Where even the least do not fit, the last parts get what is left.
fn shares<L>(axis: Axis, parts: &[Part<L>], area: Area) -> Vec<u16> {
    let seams = u16::try_from(parts.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let room = area.along(axis).saturating_sub(seams);
    let sum: u64 = parts.iter().map(|part| u64::from(part.weight)).sum();
    let sum = sum.max(1);
    let exact = |part: &Part<L>| u64::from(room) * u64::from(part.weight);
    let mut sizes: Vec<u16> = parts
        .iter()
        .map(|part| u16::try_from(exact(part) / sum).unwrap_or(u16::MAX))
        .collect();
    // The cells that rounding left over go to those who lost most by it.
    let given: u32 = sizes.iter().map(|size| u32::from(*size)).sum();
    let left = u32::from(room).saturating_sub(given) as usize;
    let mut losers: Vec<usize> = (0..parts.len()).collect();
    losers.sort_by_key(|index| {
        std::cmp::Reverse(parts.get(*index).map_or(0, |part| exact(part) % sum))
    });
    for index in losers.into_iter().take(left) {
        if let Some(size) = sizes.get_mut(index) {
            *size += 1;
        }
    }
    let least: Vec<u16> = parts.iter().map(|part| least(part, axis)).collect();
    spread(&mut sizes, &least);
    sizes
}

/// Lifts what is below its least, one cell at a time, at the cost of whoever has most to spare.
fn spread(sizes: &mut [u16], least: &[u16]) {
    let spare = |sizes: &[u16], index: usize| {
        let (size, least) = (sizes.get(index), least.get(index));
        i32::from(size.copied().unwrap_or(0)) - i32::from(least.copied().unwrap_or(0))
    };
    loop {
        let needy = (0..sizes.len()).find(|index| spare(sizes, *index) < 0);
        let rich = (0..sizes.len()).max_by_key(|index| spare(sizes, *index));
        let (Some(needy), Some(rich)) = (needy, rich) else {
            return;
        };
        if spare(sizes, rich) <= 0 {
            return;
        }
        if let Some(size) = sizes.get_mut(rich) {
            *size -= 1;
        }
        if let Some(size) = sizes.get_mut(needy) {
            *size += 1;
        }
    }
}
