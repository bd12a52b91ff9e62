//! How panes share a tab: a tree of splits with weights, and what people do to it. Pure; sizes are cells of a terminal.
//!
//! A tree is always in order: a split has at least two parts, each of weight one or more, and none of its parts is a split
//! along the same axis. What comes from a file is put in order by [`Node::sound`] before it is used.

mod place;
mod saved;
mod shape;
mod tab;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use place::{Area, Places, Seam, toward};
pub use saved::{Place, SavedTab, Unread, read, write};
pub use shape::Shape;
pub use tab::{Tab, TabId};

/// The narrowest pane, in columns.
pub const MIN_COLS: u16 = 2;

/// The lowest pane, in rows.
pub const MIN_ROWS: u16 = 1;

/// Weights above this are scaled down, so that they never overflow however often a pane is split.
const HEAVY: u32 = 1 << 16;

/// How deep a tree from a file may be; ours are bounded by the cells of a terminal.
const DEEP: usize = 64;

/// Which way the parts of a split lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// Side by side.
    Beside,
    /// One below the other.
    Below,
}

/// A way on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
}

impl Direction {
    /// The axis that it goes along.
    pub const fn axis(self) -> Axis {
        match self {
            Self::Left | Self::Right => Axis::Beside,
            Self::Up | Self::Down => Axis::Below,
        }
    }

    /// Whether it goes right or down.
    pub const fn is_forward(self) -> bool {
        matches!(self, Self::Right | Self::Down)
    }
}

/// A pane, or several that share a rectangle.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Node<L> {
    /// One pane.
    Pane(L),
    /// Parts along an axis.
    Split {
        /// Which way they lie.
        axis: Axis,
        /// From left to right, or from top to bottom.
        parts: Vec<Part<L>>,
    },
}

/// A part of a split.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part<L> {
    /// Its share, against those of its neighbours.
    pub weight: u32,
    /// What is in it.
    pub node: Node<L>,
}

impl<L> Part<L> {
    /// A part that weighs as much as any other.
    pub const fn even(node: Node<L>) -> Self {
        Self { weight: 1, node }
    }
}

impl<L> Node<L> {
    /// The panes in the order of reading.
    pub fn leaves(&self) -> Vec<&L> {
        match self {
            Self::Pane(leaf) => vec![leaf],
            Self::Split { parts, .. } => parts.iter().flat_map(|part| part.node.leaves()).collect(),
        }
    }

    fn leaves_mut(&mut self) -> Vec<&mut L> {
        match self {
            Self::Pane(leaf) => vec![leaf],
            Self::Split { parts, .. } => parts
                .iter_mut()
                .flat_map(|part| part.node.leaves_mut())
                .collect(),
        }
    }

    /// The same tree of other panes.
    pub fn map<M>(&self, of: &mut impl FnMut(&L) -> M) -> Node<M> {
        match self {
            Self::Pane(leaf) => Node::Pane(of(leaf)),
            Self::Split { axis, parts } => Node::Split {
                axis: *axis,
                parts: parts
                    .iter()
                    .map(|part| Part {
                        weight: part.weight,
                        node: part.node.map(of),
                    })
                    .collect(),
            },
        }
    }

    /// Puts a tree from a file in order; `None` when it holds no pane or is deeper than any of ours.
    pub fn sound(self) -> Option<Self> {
        self.sound_to(DEEP)
    }

    fn sound_to(self, depth: usize) -> Option<Self> {
        match self {
            Self::Pane(leaf) => Some(Self::Pane(leaf)),
            Self::Split { axis, parts } => {
                let depth = depth.checked_sub(1)?;
                let sound = |part: Part<L>| {
                    Some(Part {
                        weight: part.weight.clamp(1, HEAVY),
                        node: part.node.sound_to(depth)?,
                    })
                };
                let parts = parts.into_iter().filter_map(sound).collect();
                join(axis, parts)
            }
        }
    }
}

impl<L: PartialEq> Node<L> {
    /// Whether `leaf` is one of the panes.
    pub fn contains(&self, leaf: &L) -> bool {
        match self {
            Self::Pane(own) => own == leaf,
            Self::Split { parts, .. } => parts.iter().any(|part| part.node.contains(leaf)),
        }
    }

    /// Halves pane `at` along `axis` and puts `new` into the second half. False when `at` is not there.
    pub fn split(&mut self, at: &L, axis: Axis, new: L) -> bool {
        match self {
            Self::Pane(own) if own == at => {
                let old = std::mem::replace(
                    self,
                    Self::Split {
                        axis,
                        parts: Vec::new(),
                    },
                );
                if let Self::Split { parts, .. } = self {
                    parts.extend([Part::even(old), Part::even(Self::Pane(new))]);
                }
                true
            }
            Self::Pane(_) => false,
            Self::Split { axis: own, parts } => {
                let Some(index) = parts.iter().position(|part| part.node.contains(at)) else {
                    return false;
                };
                let here = *own == axis
                    && parts
                        .get(index)
                        .is_some_and(|part| matches!(part.node, Self::Pane(_)));
                if !here {
                    return parts
                        .get_mut(index)
                        .is_some_and(|part| part.node.split(at, axis, new));
                }
                // Both halves together weigh what the whole weighed.
                for (place, part) in parts.iter_mut().enumerate() {
                    part.weight *= if place == index { 1 } else { 2 };
                }
                let weight = parts.get(index).map_or(1, |part| part.weight);
                let node = Self::Pane(new);
                parts.insert(index + 1, Part { weight, node });
                lighten(parts);
                true
            }
        }
    }

    /// The tree without a pane; its neighbour takes its room. `None` when nothing is left.
    pub fn without(self, leaf: &L) -> Option<Self> {
        match self {
            Self::Pane(own) => (own != *leaf).then_some(Self::Pane(own)),
            Self::Split { axis, mut parts } => {
                let Some(index) = parts.iter().position(|part| part.node.contains(leaf)) else {
                    return Some(Self::Split { axis, parts });
                };
                let Part { weight, node } = parts.remove(index);
                match node.without(leaf) {
                    Some(node) => parts.insert(index, Part { weight, node }),
                    None => {
                        if let Some(heir) = parts.get_mut(index.saturating_sub(1)) {
                            heir.weight += weight;
                        }
                    }
                }
                join(axis, parts)
            }
        }
    }

    /// Puts another pane in the place of one.
    pub fn replace(&mut self, old: &L, new: L) -> bool {
        match self.leaves_mut().into_iter().find(|leaf| **leaf == *old) {
            Some(leaf) => {
                *leaf = new;
                true
            }
            None => false,
        }
    }

    /// Lets two panes change their places.
    pub fn swap(&mut self, one: &L, other: &L) -> bool {
        let leaves = self.leaves();
        let place = |wanted: &L| leaves.iter().position(|leaf| *leaf == wanted);
        let (Some(one), Some(other)) = (place(one), place(other)) else {
            return false;
        };
        let (first, second) = (one.min(other), one.max(other));
        let mut leaves = self.leaves_mut();
        let Some((head, tail)) = leaves.split_at_mut_checked(second) else {
            return false;
        };
        match (head.get_mut(first), tail.first_mut()) {
            (Some(one), Some(other)) => {
                std::mem::swap(*one, *other);
                true
            }
            _ => false,
        }
    }

    /// The pane `by` places after `leaf` in the order of reading, around the ends.
    pub fn beyond(&self, leaf: &L, by: isize) -> Option<&L> {
        let leaves = self.leaves();
        let here = leaves.iter().position(|own| *own == leaf)?;
        let count = isize::try_from(leaves.len()).ok()?;
        let there = (isize::try_from(here).ok()? + by).rem_euclid(count);
        leaves.get(usize::try_from(there).ok()?).copied()
    }
}

impl<L: Clone> Node<L> {
    /// Moves every pane one place on, the last one to the first place; or the other way round.
    pub fn rotate(&mut self, forward: bool) {
        let mut order: Vec<L> = self.leaves().into_iter().cloned().collect();
        if forward {
            order.rotate_right(1);
        } else {
            let by = 1.min(order.len());
            order.rotate_left(by);
        }
        for (leaf, new) in self.leaves_mut().into_iter().zip(order) {
            *leaf = new;
        }
    }
}

/// A split of these parts in order: one part alone is no split, and a part along the same axis is spread out.
fn join<L>(axis: Axis, parts: Vec<Part<L>>) -> Option<Node<L>> {
    // Everything is counted in units that each split to be spread out divides evenly.
    let sum = |node: &Node<L>| match node {
        Node::Split { axis: own, parts } if *own == axis => {
            let weights = parts.iter().map(|part| u64::from(part.weight));
            weights.sum::<u64>().max(1)
        }
        Node::Pane(_) | Node::Split { .. } => 1,
    };
    let unit = parts
        .iter()
        .fold(1u64, |unit, part| unit.saturating_mul(sum(&part.node)));
    let mut flat: Vec<(u64, Node<L>)> = Vec::new();
    for part in parts {
        let share = u64::from(part.weight).saturating_mul(unit / sum(&part.node));
        match part.node {
            Node::Split { axis: own, parts } if own == axis => {
                let inner = parts.into_iter();
                flat.extend(
                    inner.map(|part| (u64::from(part.weight).saturating_mul(share), part.node)),
                );
            }
            node => flat.push((share, node)),
        }
    }
    if flat.len() < 2 {
        return flat.pop().map(|(_, node)| node);
    }
    let heaviest = flat.iter().map(|(weight, _)| *weight).max().unwrap_or(1);
    let scale = heaviest.div_ceil(u64::from(HEAVY)).max(1);
    let parts = flat.into_iter().map(|(weight, node)| Part {
        weight: u32::try_from(weight / scale).unwrap_or(HEAVY).max(1),
        node,
    });
    Some(Node::Split {
        axis,
        parts: parts.collect(),
    })
}

/// Scales weights down that have become too heavy; none becomes nothing.
fn lighten<L>(parts: &mut [Part<L>]) {
    while parts.iter().any(|part| part.weight > HEAVY) {
        for part in parts.iter_mut() {
            part.weight = (part.weight / 2).max(1);
        }
    }
}
