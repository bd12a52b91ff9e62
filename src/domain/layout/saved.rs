//! Tabs as text: what is kept of them for the next start, and of a layout with a name.

use serde::{Deserialize, Serialize};

use super::Node;
use crate::domain::ids::SessionId;

/// The form that this program writes; an older program refuses a newer one and leaves it alone.
const VERSION: u32 = 1;

/// What belongs into a pane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The host's name.
    pub host: String,
    /// The ticket's reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The session that was there, if it is to be found again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The session's reference.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// How it had ended, if it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// A tab with what belongs into its panes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTab {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its panes.
    pub root: Node<Place>,
    /// Which pane has the keys, in the order of reading.
    #[serde(default)]
    pub focus: usize,
    /// Only that one is shown.
    #[serde(default)]
    pub zoomed: bool,
}

/// Why a kept text is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// A newer program wrote it.
    #[error("a newer version of the program wrote it (form {0})")]
    Version(u32),
    /// It is damaged.
    #[error("it cannot be read: {0}")]
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
struct Kept {
    v: u32,
    tabs: Vec<SavedTab>,
}

#[derive(Deserialize)]
struct Form {
    v: u32,
}

/// Writes tabs as one line of JSON.
pub fn write(tabs: &[SavedTab]) -> String {
    let kept = Kept {
        v: VERSION,
        tabs: tabs.to_vec(),
    };
    // Plain strings and numbers: nothing in it can be refused.
    serde_json::to_string(&kept).unwrap_or_default()
}

/// Reads tabs back; a tree that is not in order is put in order, and a tab without a pane is left out.
///
/// # Errors
/// A newer program wrote it, or it is damaged.
pub fn read(text: &str) -> Result<Vec<SavedTab>, Unread> {
    let damaged = |why: serde_json::Error| Unread::Damaged(why.to_string());
    let form: Form = serde_json::from_str(text).map_err(damaged)?;
    if form.v != VERSION {
        return Err(Unread::Version(form.v));
    }
    let kept: Kept = serde_json::from_str(text).map_err(damaged)?;
    let sound = |tab: SavedTab| {
        Some(SavedTab {
            root: tab.root.sound()?,
            ..tab
        })
    };
    Ok(kept.tabs.into_iter().filter_map(sound).collect())
}
