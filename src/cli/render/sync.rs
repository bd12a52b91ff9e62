//! Sync as text and JSON.

use serde_json::{Value, json};

use super::super::table::Table;
use super::{Style, say};
use crate::domain::sync::{SyncDevice, SyncState, SyncStatus};
use crate::domain::text;
use crate::domain::time::{Time, short};

/// `{"syncing": false}` for a store that syncs with nobody.
pub(super) fn status_json(status: Option<&SyncStatus>) -> Value {
    let Some(status) = status else {
        return json!({ "syncing": false });
    };
    let mut value = json!(status);
    if let Value::Object(map) = &mut value {
        map.insert("syncing".to_owned(), json!(true));
    }
    value
}

/// What was done, and how sync is after it.
pub(super) fn done_json(said: &str, status: Option<&SyncStatus>) -> Value {
    json!({ "done": said, "sync": status_json(status) })
}

pub(super) fn status_text(status: Option<&SyncStatus>, style: Style) -> String {
    let Some(status) = status else {
        return "this store syncs with nobody; `qd sync init REMOTE` makes a space, `qd sync join REMOTE` comes into one\n".to_owned();
    };
    let mut out = String::new();
    let ago = |at: Option<Time>| {
        at.map_or_else(
            || "never".to_owned(),
            |at| format!("{} ago", short(style.now.since(at))),
        )
    };
    say(
        &mut out,
        format_args!("remote   {}", text::line(&status.remote)),
    );
    say(
        &mut out,
        format_args!("space    {}", text::line(&status.space)),
    );
    say(&mut out, format_args!("synced   {}", ago(status.synced)));
    if status.tried != status.synced {
        say(&mut out, format_args!("tried    {}", ago(status.tried)));
    }
    let next = match (status.state, status.next) {
        (SyncState::Syncing, _) => "a round is under way".to_owned(),
        (SyncState::Waiting, Some(at)) => format!("in {}", short(at.since(style.now))),
        (SyncState::Waiting, None) => "soon".to_owned(),
        (SyncState::Asked, _) => "when `qd sync now` is said; no app runs here".to_owned(),
    };
    say(&mut out, format_args!("next     {next}"));
    say(
        &mut out,
        format_args!(
            "waiting  {} to send; the last round sent {} and brought {}",
            status.pending, status.published, status.learned
        ),
    );
    if let Some(ahead) = status.ahead() {
        say(&mut out, format_args!("ahead    {ahead}"));
    }
    if status.recordings > 0 {
        let words = recordings_words(status);
        say(&mut out, format_args!("shared   {words}"));
    }
    for trouble in status.all_troubles() {
        say(&mut out, format_args!("trouble  {}", text::line(trouble)));
    }
    if !status.devices.is_empty() {
        out.push('\n');
        out.push_str(&device_table(&status.devices, style));
    }
    out
}

/// How many recordings are in the space, and how large they are together.
fn recordings_words(status: &SyncStatus) -> String {
    let many = if status.recordings == 1 { "" } else { "s" };
    let size = crate::domain::recording::size_words(status.recording_bytes);
    format!("{} recording{many}, {size}", status.recordings)
}

pub(super) fn device_table(devices: &[SyncDevice], style: Style) -> String {
    let mut table = Table::new(["DEVICE", "FINGERPRINT", "STATE", "HERE", "LAST CHANGE"]);
    for device in devices {
        let state = match (device.retired, device.me) {
            (true, _) => "retired",
            (false, true) => "this one",
            (false, false) => "in",
        };
        let here = if device.have < device.made {
            format!("{} of {}", device.have, device.made)
        } else {
            device.have.to_string()
        };
        let last = device.last.map_or_else(
            || "-".to_owned(),
            |at| format!("{} ago", short(style.now.since(at))),
        );
        table.row([&device.called(), &device.fingerprint, state, &here, &last]);
    }
    table.render(style.width)
}

/// What stands on the joining device.
pub(in crate::cli) fn code_text(code: &str, fingerprint: &str, until: Time) -> String {
    format!(
        "code         {code}\nfingerprint  {fingerprint}\n\non a device of the space: qd sync admit {code}\nit shows the same fingerprint and \
         lets this device in; the code is good until {}\n",
        until.local()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{DeviceId, EntityId};

    const NOW: Time = Time(1_795_428_000_000);

    fn style() -> Style {
        Style {
            width: None,
            now: NOW,
            fold: false,
        }
    }

    fn status() -> SyncStatus {
        let device = |text: &str, name: &str, me| SyncDevice {
            id: DeviceId(EntityId::derived("device", text)),
            name: name.to_owned(),
            fingerprint: "7K3F9QXA".to_owned(),
            me,
            retired: !me && name == "old",
            admitted: NOW,
            have: 40,
            made: if me { 40 } else { 44 },
            last: (!me).then(|| NOW.plus(-180_000)),
        };
        SyncStatus {
            remote: "/srv/bag\u{1b}[2J".to_owned(),
            space: "ab".repeat(16),
            device: DeviceId(EntityId::derived("device", "lap1")),
            state: SyncState::Waiting,
            pending: 3,
            published: 2,
            learned: 5,
            early: 1200,
            tried: Some(NOW.plus(-4_000)),
            synced: Some(NOW.plus(-120_000)),
            next: Some(NOW.plus(30_000)),
            fault: "unreachable".to_owned(),
            error: Some("/srv/bag cannot be reached: it is not mounted".to_owned()),
            troubles: vec!["logs/x in the remote is not ours and was left alone".to_owned()],
            recording_error: Some(
                "a recording waits to go into the space: /srv/bag cannot be written: no room"
                    .to_owned(),
            ),
            recordings: 2,
            recording_bytes: 3 << 20,
            devices: vec![device("lap1", "lap1", true), device("old", "old", false)],
        }
    }

    #[test]
    fn a_status_is_a_page_of_text() {
        let shown = status_text(Some(&status()), style());
        insta::assert_snapshot!(shown);
        assert!(!shown.contains('\u{1b}'), "nothing steers the terminal");
        assert!(status_text(None, style()).contains("sync init"));
    }

    #[test]
    fn a_status_is_one_object_with_names_that_last() {
        let value = status_json(Some(&status()));
        insta::assert_snapshot!(serde_json::to_string_pretty(&value).expect("it is JSON"));
        assert_eq!(status_json(None), json!({ "syncing": false }));
        let done = done_json("synced", None);
        assert_eq!(
            done,
            json!({ "done": "synced", "sync": { "syncing": false } })
        );
    }

    #[test]
    fn the_code_and_what_must_be_compared_stand_first() {
        let shown = code_text("7K3F-9QXA-2M0D", "2M0DZZ41", NOW);
        let mut lines = shown.lines();
        assert_eq!(lines.next(), Some("code         7K3F-9QXA-2M0D"));
        assert_eq!(lines.next(), Some("fingerprint  2M0DZZ41"));
    }
}
