//! How much a session's frame must warn: which role its lines are drawn in, and what they say of it.

use crate::model::{SessionState, SessionView};
use crate::ui::paint::Look;
use crate::ui::theme::{Colors, Role};
use crate::ui::views::Cx;

/// The looks of a session's lines.
pub(super) struct Dress {
    /// The role of its status line, and of the lines around it.
    pub(super) role: Role,
    /// Words that come right after the host's name.
    pub(super) words: Vec<String>,
}

/// The looks of `session` now: those of a broadcast before those of its environment.
pub(super) fn of(cx: Cx<'_>, session: &SessionView) -> Dress {
    let mut words = Vec::new();
    let mut role = Role::Prompt;
    if let Some(environment) = cx.model.environment_of(&session.host) {
        role = Role::from(environment.tint);
        // Without colours the word must do it all.
        let loud = cx.look.caps.colors == Colors::None && role != Role::Prompt;
        words.push(if loud {
            environment.name.to_uppercase()
        } else {
            environment.name.clone()
        });
    }
    if let Some(broadcast) = broadcast(cx, session) {
        role = Role::Broadcast;
        words.insert(0, broadcast);
    }
    Dress { role, words }
}

/// What a member of a broadcast says of it.
fn broadcast(cx: Cx<'_>, session: &SessionView) -> Option<String> {
    let receivers = cx.model.receivers(session.id)?;
    if receivers.alone {
        return Some("BROADCAST, not from this full-screen program".to_owned());
    }
    cx.model.broadcast_words()
}

/// How a line around a pane is drawn.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) role: Role,
    pub(super) across: &'static str,
    pub(super) down: &'static str,
}

impl Line {
    /// A line that warns of nothing.
    pub(super) fn quiet(look: &Look, role: Role) -> Self {
        Self {
            role,
            across: look.glyph("─", "-"),
            down: look.glyph("│", "|"),
        }
    }

    /// The character across of a pane that gets what is typed into others.
    pub(super) fn receiving(look: &Look) -> &'static str {
        look.glyph("═", "#")
    }

    /// The line around a pane that gets what is typed into others, or that is on a production host: other lines, not only
    /// other colours. Where there are none it is bold, and not reversed, or the words beside it would not stand out.
    pub(super) fn loud(cx: Cx<'_>, session: &SessionView) -> Option<Self> {
        let role = |loud| match cx.look.caps.colors {
            Colors::None => Role::BorderFocus,
            Colors::Ansi16 | Colors::Ansi256 | Colors::TrueColor => loud,
        };
        let live = session.state == SessionState::Live;
        let receives = live && cx.model.broadcast.is_member(session.id);
        if receives && !session.is_full_screen() {
            return Some(Self {
                role: role(Role::Broadcast),
                across: Self::receiving(cx.look),
                down: cx.look.glyph("║", "#"),
            });
        }
        let production = cx.model.is_production(&session.host);
        production.then(|| Self {
            role: role(Role::Prod),
            across: cx.look.glyph("━", "="),
            down: cx.look.glyph("┃", "!"),
        })
    }
}

/// What a session's tab must say in capitals, where no colour says it: that its host is a production host.
pub(super) fn shout(cx: Cx<'_>, session: &SessionView) -> Option<String> {
    let environment = cx.model.environment_of(&session.host);
    let environment = environment.filter(|environment| environment.is_production());
    environment
        .filter(|_| cx.look.caps.colors == Colors::None)
        .map(|environment| environment.name.to_uppercase())
}

/// The role of a session's tab: what is dangerous is so in the bar of tabs too.
pub(super) fn tab(cx: Cx<'_>, session: &SessionView) -> Role {
    if cx.model.broadcast.is_member(session.id) {
        return Role::Broadcast;
    }
    match cx.model.environment_of(&session.host) {
        Some(environment) if environment.is_production() => Role::Prod,
        Some(_) | None if session.calls() => Role::Warn,
        Some(_) | None => Role::Hint,
    }
}
