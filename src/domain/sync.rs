//! What there is to know about sync, for the screen and for scripts: the space, its devices, the last round, who has what open.

use serde::{Deserialize, Serialize};

use super::ids::{DeviceId, TicketId};
use super::time::Time;

/// How sync is now. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncStatus {
    /// Where the space's bag is, as the user named it.
    pub remote: String,
    /// The space, 32 hexadecimal digits.
    pub space: String,
    /// This device.
    pub device: DeviceId,
    /// What happens now.
    pub state: SyncState,
    /// Own changes that have not gone out yet.
    pub pending: u64,
    /// Own changes that the last round sent.
    pub published: u64,
    /// Changes of others that the last round brought.
    pub learned: u64,
    /// Changes of others that are shown already while the history before them is on its way: a device that joins sees first
    /// what is open.
    #[serde(default)]
    pub early: u64,
    /// When the last round ended, however it ended.
    pub tried: Option<Time>,
    /// When a round last got through.
    pub synced: Option<Time>,
    /// When the next one begins, if nothing hurries it.
    pub next: Option<Time>,
    /// What is wrong in two or three words, for the screen's edge; empty when nothing is.
    pub fault: String,
    /// Why the last round ended early, if it did.
    pub error: Option<String>,
    /// What is not in order and does not stop the rest.
    pub troubles: Vec<String>,
    /// Why a recording of this device has not gone into the space, or away from it; it is tried again after the next round.
    #[serde(default)]
    pub recording_error: Option<String>,
    /// Recordings that are in the space.
    #[serde(default)]
    pub recordings: u64,
    /// Their bytes.
    #[serde(default)]
    pub recording_bytes: u64,
    /// The devices of the space, this one first, then by name.
    pub devices: Vec<SyncDevice>,
}

/// What sync does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncState {
    /// It waits for the next round.
    Waiting,
    /// A round is under way.
    Syncing,
    /// Nothing runs by itself: rounds are asked for, as by a timer.
    Asked,
}

impl SyncState {
    /// The word of the JSON output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Syncing => "syncing",
            Self::Asked => "asked",
        }
    }
}

/// A device of the space. Field names are those of the JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDevice {
    /// For ever.
    pub id: DeviceId,
    /// What people call it; empty while its name has not come.
    pub name: String,
    /// Eight characters by which people compare its keys.
    pub fingerprint: String,
    /// It is this one.
    pub me: bool,
    /// It was sent away.
    pub retired: bool,
    /// When it was admitted.
    pub admitted: Time,
    /// How many of its changes are here.
    pub have: u64,
    /// How many it has made, as far as anybody has told.
    pub made: u64,
    /// When it made the last change that is here.
    pub last: Option<Time>,
}

impl SyncDevice {
    /// What people call it: its name, or the beginning of its id while that has not come.
    pub fn called(&self) -> String {
        if self.name.is_empty() {
            short_device(self.id)
        } else {
            self.name.clone()
        }
    }
}

impl SyncStatus {
    /// The devices that `word` may mean: by whole name, by fingerprint, or by the beginning of the id (at least four
    /// digits). Those that were retired come only when no other fits.
    pub fn find(&self, word: &str) -> Vec<&SyncDevice> {
        let id = word.to_lowercase();
        let fits = |device: &&SyncDevice| {
            device.name == word
                || device.fingerprint.eq_ignore_ascii_case(word)
                || (id.len() >= 4 && device.id.to_string().starts_with(&id))
        };
        let (gone, here): (Vec<_>, Vec<_>) = self
            .devices
            .iter()
            .filter(fits)
            .partition(|device| device.retired);
        if here.is_empty() { gone } else { here }
    }

    /// That much came ahead of its history, in words; `None` when nothing did.
    pub fn ahead(&self) -> Option<String> {
        match self.early {
            0 => None,
            1 => Some("1 change is shown already; its history follows".to_owned()),
            count => Some(format!(
                "{count} changes are shown already; their history follows"
            )),
        }
    }

    /// Everything that is not in order, what stops rounds first.
    pub fn all_troubles(&self) -> impl Iterator<Item = &String> {
        let rounds = self.error.iter().chain(&self.troubles);
        rounds.chain(&self.recording_error)
    }

    /// What is wrong, as the edge of the screen and the line under a session show it; `None` when nothing is.
    pub fn trouble(&self) -> Option<String> {
        let wrong = !self.fault.is_empty();
        wrong.then(|| format!("sync: {}", self.fault))
    }

    /// Own changes that wait, and how long ago a round got through, as the edge of the screen shows it: `sync 3↑ 2m`.
    pub fn cell(&self, now: Time, up: &str) -> String {
        if let Some(trouble) = self.trouble() {
            return trouble;
        }
        let mut words = "sync".to_owned();
        if self.pending > 0 {
            words.push_str(&format!(" {}{up}", self.pending));
        }
        match self.synced {
            // Not by the second: an edge that counts draws the screen for nothing.
            Some(at) if now.since(at) < 60_000 => words.push_str(" now"),
            Some(at) => {
                let age = super::time::short(now.since(at).max(100_000));
                words.push_str(&format!(" {age}"));
            }
            None => words.push_str(" ..."),
        }
        words
    }
}

/// The beginning of a device's id, for devices without a name.
pub fn short_device(id: DeviceId) -> String {
    id.to_string().chars().take(8).collect()
}

/// Somebody else has a ticket open now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onlooker {
    /// Which ticket.
    pub ticket: TicketId,
    /// Their login.
    pub who: String,
    /// What their device is called.
    pub device: String,
    /// Since when, by that device's clock.
    pub since: Time,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::ids::EntityId;

    /// Two devices, of which the second waits for its name.
    pub(crate) fn sample(now: Time) -> SyncStatus {
        let device = |text: &str, name: &str, me| SyncDevice {
            id: DeviceId(EntityId::derived("device", text)),
            name: name.to_owned(),
            fingerprint: if me { "7K3F9QXA" } else { "2M0DZZ41" }.to_owned(),
            me,
            retired: false,
            admitted: now.plus(-86_400_000),
            have: if me { 120 } else { 40 },
            made: if me { 120 } else { 44 },
            last: Some(now.plus(-60_000)),
        };
        SyncStatus {
            remote: "/srv/quarterdeck".to_owned(),
            space: EntityId::derived("space", "one").to_string(),
            device: DeviceId(EntityId::derived("device", "lap1")),
            state: SyncState::Waiting,
            pending: 3,
            published: 2,
            learned: 5,
            early: 0,
            tried: Some(now.plus(-120_000)),
            synced: Some(now.plus(-120_000)),
            next: Some(now.plus(30_000)),
            fault: String::new(),
            error: None,
            troubles: Vec::new(),
            recording_error: None,
            recordings: 2,
            recording_bytes: 3 << 20,
            devices: vec![device("lap1", "lap1", true), device("desk", "", false)],
        }
    }

    #[test]
    fn devices_are_found_and_the_cell_says_what_matters() {
        let now = Time(1_795_428_000_000);
        let mut status = sample(now);
        let other = status.devices[1].id;
        for (word, found) in [
            ("lap1", 1),
            ("2m0dzz41", 1),
            (&other.to_string()[..6], 1),
            (&other.to_string()[..3], 0),
            ("nobody", 0),
        ] {
            assert_eq!(status.find(word).len(), found, "{word}");
        }
        status.devices[1].name = "lap1".to_owned();
        assert_eq!(
            status.find("lap1").len(),
            2,
            "two of one name are both told"
        );
        status.devices[0].retired = true;
        assert_eq!(
            status.find("lap1")[0].id,
            other,
            "one that went is not meant"
        );
        assert_eq!(status.cell(now, "↑"), "sync 3↑ 2m");
        status.pending = 0;
        assert_eq!(status.cell(now, "^"), "sync 2m");
        status.fault = "unreachable".to_owned();
        assert_eq!(status.cell(now, "^"), "sync: unreachable");
    }
}
