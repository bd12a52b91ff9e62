//! What the line under a session says, the most important first. What does not fit goes whole, the least important first.

use super::dress;
use crate::domain::connection::ConnectionState;
use crate::domain::forward::{ForwardRow, ForwardState};
use crate::domain::sync::SyncStatus;
use crate::model::{Level, Notice, SessionState, SessionView};
use crate::ui::text;
use crate::ui::views::words::plural;
use crate::ui::views::{Cx, connections};

/// How long a warning stays on the line, in milliseconds.
const SAID: u64 = 8_000;

/// How long anything else that was said stays there.
const TOLD: u64 = 4_000;

/// How many parts no warning takes the place of: the host, a broadcast or the environment, and what comes next.
pub(super) const FIRST: usize = 3;

/// Between two parts.
const GAP: &str = "  ";

/// The parts of a session's line, the most important first, and how many of them tell how safe and how near the session is:
/// where they are to be covered, there must be no other room.
pub(super) fn parts(cx: Cx<'_>, session: &SessionView) -> (Vec<String>, usize) {
    let mut parts = vec![session.host.clone()];
    parts.extend(dress::of(cx, session).words);
    let live = matches!(session.state, SessionState::Live);
    if live && !session.recording {
        parts.push("NOT RECORDED".to_owned());
    }
    let connection = cx.model.connection(&session.host).filter(|_| live);
    if let Some(row) = connection
        && (row.state != ConnectionState::Up || row.silent_ms.is_some())
    {
        parts.push(connections::state(row).0);
    }
    if let Some(exit) = session.last_exit.filter(|exit| *exit != 0) {
        parts.push(format!("exit {exit}"));
    }
    if session.agent {
        parts.push("agent forwarded".to_owned());
    }
    parts.extend(session.ticket.clone());
    if let Some(row) = connection
        && row.state == ConnectionState::Up
        && row.silent_ms.is_none()
        && let Some(millis) = row.rtt_ms
    {
        parts.push(format!("{millis}ms"));
    }
    if live && session.recording {
        parts.push("recording".to_owned());
    }
    let needed = parts.len();
    // Trouble with sync is on no other line of this screen; how safe and how near the session is goes first.
    let sync = cx.model.sync.as_ref();
    parts.extend(sync.and_then(SyncStatus::trouble));
    if !session.reference.is_empty() {
        parts.push(session.reference.clone());
    }
    let listening =
        |row: &&ForwardRow| row.host == session.host && row.state == ForwardState::Listening;
    let forwards = cx.model.forwards.iter().filter(listening).count();
    if forwards > 0 {
        parts.push(plural(forwards, "forward"));
    }
    parts.extend(watched(session));
    if session.title != session.host && !session.title.is_empty() {
        parts.push(crate::domain::text::line(&session.title));
    }
    (parts, needed)
}

/// What calls for this session, beyond its bell.
fn watched(session: &SessionView) -> Option<String> {
    let monitor = &session.monitor;
    let mut words = Vec::new();
    words.extend(monitor.activity.then(|| "output".to_owned()));
    words.extend(monitor.silence.map(|seconds| format!("{seconds}s silence")));
    words.extend(
        monitor
            .pattern
            .as_ref()
            .map(|pattern| format!("/{pattern}/")),
    );
    (!words.is_empty()).then(|| format!("calls on {}", words.join(", ")))
}

/// As many parts as fit into `room` columns, whole; the first is cut if even that does not fit.
pub(super) fn fit(parts: &[String], room: usize) -> String {
    let mut line = String::from(" ");
    for (at, part) in parts.iter().enumerate() {
        let gap = if at == 0 { "" } else { GAP };
        let wide = text::width(&line) + gap.len() + text::width(part);
        if at > 0 && wide > room {
            // A shorter one further on would take the place of one that matters more.
            break;
        }
        line.push_str(gap);
        line.push_str(part);
    }
    line
}

/// What was said a moment ago, unless a key was pressed since it could be read: a pane has no other place for it.
pub(super) fn said(cx: Cx<'_>, seen: u64) -> Option<&Notice> {
    let unseen = cx.model.notices.count() > seen;
    let notice = cx.model.notices.last().filter(|_| unseen)?;
    let stays = if notice.level >= Level::Warn {
        SAID
    } else {
        TOLD
    };
    let fresh = cx.model.now.since(notice.at) < stays;
    fresh.then_some(notice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_most_stays_whole() {
        let parts: Vec<String> = [
            "web1",
            "BROADCAST to 4",
            "production",
            "T-7K3F",
            "S-2M0D",
            "title",
        ]
        .map(str::to_owned)
        .to_vec();
        for (room, expected) in [
            (
                80,
                " web1  BROADCAST to 4  production  T-7K3F  S-2M0D  title",
            ),
            (50, " web1  BROADCAST to 4  production  T-7K3F  S-2M0D"),
            (48, " web1  BROADCAST to 4  production  T-7K3F"),
            (33, " web1  BROADCAST to 4  production"),
            (32, " web1  BROADCAST to 4"),
            (3, " web1"),
        ] {
            assert_eq!(fit(&parts, room), expected, "{room}");
        }
    }
}
