//! Ready-made arrangements, as tmux's `select-layout` has them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Axis, Node, Part};
use crate::domain::ticket::words;

words!(
    /// A ready-made arrangement.
    Shape, "layout" {
        /// All side by side.
        EvenHorizontal = "even-horizontal",
        /// All one below the other.
        EvenVertical = "even-vertical",
        /// One above, the others side by side below it.
        MainHorizontal = "main-horizontal",
        /// One at the left, the others one below the other at its right.
        MainVertical = "main-vertical",
        /// Rows and columns, as even as may be.
        Tiled = "tiled",
    }
);

impl Shape {
    /// The one that comes after `last`, in tmux's order.
    pub fn after(last: Option<Self>) -> Self {
        let next = last.and_then(|last| Self::ALL.iter().position(|shape| *shape == last));
        let next = next.map_or(0, |index| (index + 1) % Self::ALL.len());
        Self::ALL.get(next).copied().unwrap_or(Self::Tiled)
    }

    /// These panes, in this arrangement; `None` when there are none.
    pub fn of<L>(self, panes: Vec<L>) -> Option<Node<L>> {
        let mut panes: Vec<Node<L>> = panes.into_iter().map(Node::Pane).collect();
        match self {
            Self::EvenHorizontal => even(Axis::Beside, panes),
            Self::EvenVertical => even(Axis::Below, panes),
            Self::MainHorizontal | Self::MainVertical => {
                let (outer, inner) = match self {
                    Self::MainHorizontal => (Axis::Below, Axis::Beside),
                    _ => (Axis::Beside, Axis::Below),
                };
                let rest = panes.split_off(1.min(panes.len()));
                let main = panes.pop()?;
                let Some(rest) = even(inner, rest) else {
                    return Some(main);
                };
                let main = Part {
                    weight: 2,
                    node: main,
                };
                super::join(outer, vec![main, Part::even(rest)])
            }
            Self::Tiled => {
                let (mut rows, mut cols) = (1, 1);
                while rows * cols < panes.len() {
                    rows += 1;
                    if rows * cols < panes.len() {
                        cols += 1;
                    }
                }
                let mut lines = Vec::new();
                while !panes.is_empty() {
                    let rest = panes.split_off(cols.min(panes.len()));
                    lines.extend(even(Axis::Beside, panes));
                    panes = rest;
                }
                even(Axis::Below, lines)
            }
        }
    }
}

fn even<L>(axis: Axis, nodes: Vec<Node<L>>) -> Option<Node<L>> {
    super::join(axis, nodes.into_iter().map(Part::even).collect())
}
