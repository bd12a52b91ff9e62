//! How much a session's frame must warn: which role its lines are drawn in, and what they say of it.

use crate::model::SessionView;
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::vitals::is_production;

/// The looks of a session's lines.
pub(super) struct Dress {
    /// The role of its status line, and of the lines around it.
    pub(super) role: Role,
    /// Words that come right after the host's name.
    pub(super) words: Vec<String>,
}

/// The looks of `session` now.
pub(super) fn of(cx: Cx<'_>, session: &SessionView) -> Dress {
    let host = cx.model.host_named(&session.host);
    if host.is_some_and(is_production) {
        return Dress {
            role: Role::Prod,
            words: vec!["production".to_owned()],
        };
    }
    Dress {
        role: Role::Prompt,
        words: Vec::new(),
    }
}
