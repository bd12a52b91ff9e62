//! Writes how sync is as a document.

use crate::domain::sync::{SyncState, SyncStatus};
use crate::domain::time::{Time, short};
use crate::ui::doc::Writer;
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::words::{age, plural};

/// Where the space is, and how the last round went.
pub(super) fn head(cx: Cx<'_>, status: &SyncStatus, writer: &mut Writer) {
    let now = cx.model.now;
    writer.anchor("head");
    let (words, role) = match (status.fault.as_str(), status.state) {
        ("", SyncState::Syncing) => ("syncing", Role::Accent),
        ("", _) if status.synced.is_none() => ("not synced yet", Role::Dim),
        ("", _) => ("in order", Role::Ok),
        (fault, _) => (fault, Role::Warn),
    };
    writer.spans(vec![
        (format!("{}  ", status.remote), Role::Title),
        (words.to_owned(), role),
    ]);
    writer.gap();
    let waiting = match status.pending {
        0 => "nothing; all that was written here is there".to_owned(),
        1 => "1 change, safe here, goes out with the next round".to_owned(),
        count => format!("{count} changes, safe here, go out with the next round"),
    };
    writer.field("waiting", &waiting, Role::Fg);
    let ago = |at: Option<Time>| {
        at.map_or_else(
            || "never".to_owned(),
            |at| format!("{} ago", age(now, at)).replace("now ago", "just now"),
        )
    };
    writer.field("synced", &ago(status.synced), Role::Fg);
    if status.tried != status.synced {
        writer.field("tried", &ago(status.tried), Role::Fg);
    }
    let next = match (status.state, status.next) {
        (SyncState::Syncing, _) => "a round is under way".to_owned(),
        (_, Some(at)) if at > now => format!("in {}", short(at.since(now))),
        (_, Some(_)) => "now".to_owned(),
        (_, None) => "when `:sync now` is said".to_owned(),
    };
    writer.field("next", &next, Role::Fg);
    let last = format!("sent {}, brought {}", status.published, status.learned);
    writer.field("last round", &last, Role::Fg);
    if let Some(ahead) = status.ahead() {
        writer.field("ahead", &ahead, Role::Accent);
    }
    if status.recordings > 0 {
        let size = crate::domain::recording::size_words(status.recording_bytes);
        let count = usize::try_from(status.recordings).unwrap_or(usize::MAX);
        let words = format!("{}, {size}", plural(count, "recording"));
        writer.field("shared", &words, Role::Fg);
    }
    writer.field("space", &status.space, Role::Dim);
}

/// What is not in order, with what to do about it.
pub(super) fn troubles(status: &SyncStatus, writer: &mut Writer) {
    let count = status.all_troubles().count();
    if count == 0 {
        return;
    }
    writer.heading(&plural(count, "trouble"), "troubles");
    for trouble in status.all_troubles() {
        writer.text(trouble, 0, Role::Warn);
    }
}

/// Who belongs to the space.
pub(super) fn devices(cx: Cx<'_>, status: &SyncStatus, writer: &mut Writer) {
    if status.devices.is_empty() {
        return;
    }
    let active = status.devices.iter().filter(|device| !device.retired);
    writer.heading(&plural(active.count(), "device"), "devices");
    for device in &status.devices {
        writer.anchor(&device.id.to_string());
        let (state, role) = match (device.retired, device.me) {
            (true, _) => ("retired", Role::Dim),
            (false, true) => ("this one", Role::Ok),
            (false, false) => ("in", Role::Fg),
        };
        let here = if device.have < device.made {
            format!("{} of {} changes here", device.have, device.made)
        } else {
            plural(usize::try_from(device.have).unwrap_or(usize::MAX), "change")
        };
        let last = device.last.map_or_else(String::new, |at| {
            format!("  last {} ago", age(cx.model.now, at)).replace("now ago", "just now")
        });
        let name = if device.retired {
            Role::Dim
        } else {
            Role::Accent
        };
        writer.spans(vec![
            (format!("{:<16} ", device.called()), name),
            (format!("{} ", device.fingerprint), Role::Fg),
            (format!(" {state:<9}"), role),
            (here, Role::Fg),
            (last, Role::Dim),
        ]);
    }
}

/// What can be said here.
pub(super) fn verbs(writer: &mut Writer) {
    writer.heading("what can be done", "verbs");
    for (verb, words) in [
        (":sync now", "syncs at once"),
        (":sync admit CODE", "lets in the device that shows a code"),
        (
            ":sync retire DEVICE",
            "sends a device away, such as a lost one",
        ),
        (
            ":sync rotate",
            "makes a new key for what is written from now on",
        ),
        (":sync leave", "stops syncing; everything here stays"),
    ] {
        writer.spans(vec![
            (format!("{verb:<21}"), Role::Key),
            (words.to_owned(), Role::Fg),
        ]);
    }
}

/// What a store says that syncs with nobody.
pub(super) fn alone(writer: &mut Writer) {
    writer.anchor("head");
    writer.spans(vec![(
        "This store syncs with nobody.".to_owned(),
        Role::Title,
    )]);
    writer.gap();
    writer.text(
        "Two devices or more can work on the same tickets, hosts and runs, also while they do not see each other. What goes between \
         them lies sealed in a place that is trusted with nothing, such as a shared folder.",
        0,
        Role::Fg,
    );
    writer.gap();
    for (verb, words) in [
        (":sync init REMOTE", "makes a space in an empty place"),
        (
            ":sync join REMOTE",
            "comes into the space of another device",
        ),
    ] {
        writer.spans(vec![
            (format!("{verb:<21}"), Role::Key),
            (words.to_owned(), Role::Fg),
        ]);
    }
}
