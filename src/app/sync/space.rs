//! The space of this store while the program works with it: its description, its engine, its remote, its last round.

use std::path::Path;
use std::time::Duration;

use super::last::Last;
use super::look;
use super::open::{Means, Wanted, open_remote};
use crate::app::clock;
use crate::domain::sync::{SyncState, SyncStatus};
use crate::store::Store;
use crate::sync::{Remote, RemoteError, SpaceConfig, SyncEngine, SyncError};

/// How long making the place of a new space may take; a dead network file system holds it up for ever.
const DEADLINE: Duration = Duration::from_secs(60);

/// The space of this store.
pub(super) struct Space {
    pub(super) config: SpaceConfig,
    /// `None` until it was opened, and when it could not be.
    pub(super) live: Option<Live>,
    pub(super) last: Last,
}

/// What rounds are made with.
pub(super) struct Live {
    pub(super) engine: SyncEngine,
    pub(super) remote: Box<dyn Remote>,
}

impl Space {
    /// The space that `folder` tells of; `None` when this store syncs with nobody.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, SyncError> {
        let config = SpaceConfig::load(folder)?;
        Ok(config.map(|config| Self {
            config,
            live: None,
            last: Last::load(folder),
        }))
    }

    /// What there is to tell; `next` is how long until the next round, when rounds come by themselves.
    pub(super) async fn status(
        &self,
        store: &Store,
        syncing: bool,
        next: Option<Duration>,
    ) -> SyncStatus {
        let last = self.last.clone();
        let shared = look::heard(|reply| store.shared_recordings(reply)).await;
        let (recordings, recording_bytes) = shared.unwrap_or_default();
        let (pending, devices) = match &self.live {
            None => (0, Vec::new()),
            Some(live) => {
                let rows = look::rows(store).await.unwrap_or_default();
                (
                    look::pending(store, &live.engine).await,
                    look::devices(&live.engine, &rows),
                )
            }
        };
        SyncStatus {
            remote: shown(&self.config.remote),
            space: self.config.space.to_string(),
            device: store.device(),
            state: match (syncing, next) {
                (true, _) => SyncState::Syncing,
                (false, Some(_)) => SyncState::Waiting,
                (false, None) => SyncState::Asked,
            },
            pending,
            published: last.published,
            learned: last.learned,
            early: last.early,
            tried: last.tried,
            synced: last.synced,
            next: next
                .filter(|_| !syncing)
                .map(|left| look::at(clock::now(), left)),
            fault: last.fault,
            error: last.error,
            troubles: last.troubles,
            recording_error: last.recording,
            recordings,
            recording_bytes,
            devices,
        }
    }
}

impl Live {
    pub(super) async fn open(
        config: &SpaceConfig,
        means: &Means,
        folder: &Path,
        store: &Store,
    ) -> Result<Self, SyncError> {
        let remote = open(&config.remote, means, Wanted::There).await?;
        let engine = SyncEngine::open(folder, config.space, store).await?;
        Ok(Self { engine, remote })
    }
}

/// Opens a remote, in bounded time.
pub(super) async fn open(
    words: &str,
    means: &Means,
    wanted: Wanted,
) -> Result<Box<dyn Remote>, SyncError> {
    match tokio::time::timeout(DEADLINE, open_remote(words, means, wanted)).await {
        Ok(opened) => opened,
        Err(_) => Err(RemoteError::TimedOut {
            attempt: "opening it".to_owned(),
            place: shown(words),
            seconds: DEADLINE.as_secs(),
        }
        .into()),
    }
}

/// Settings of an address that anybody may see.
const HARMLESS: [&str; 7] = [
    "bag",
    "host",
    "port",
    "user",
    "dbname",
    "sslmode",
    "sslrootcert",
];

/// The words of a remote without a password that may stand in them.
pub(super) fn shown(words: &str) -> String {
    let Some((scheme, rest)) = words.split_once("://") else {
        return words.to_owned();
    };
    // A password may hold any sign, so that the parts cannot be told before it is out.
    let bare = match rest.rsplit_once('@') {
        Some((before, after)) if scheme.starts_with("postgres") => before
            .split_once(':')
            .map(|(user, _)| format!("{user}@{after}")),
        _ => None,
    };
    let rest = bare.as_deref().unwrap_or(rest);
    // Everything before the last `@` of the host's part is user and password.
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (place, path) = rest.split_at(end);
    let place = match place.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{user}@{host}")
        }
        None => place.to_owned(),
    };
    // What follows `?` may hold one too: only what is known to be none is shown, since without it the place is another.
    let (path, settings) = path.split_once('?').unwrap_or((path, ""));
    let harmless = settings.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        HARMLESS.contains(&name)
    });
    let mut shown = format!("{scheme}://{place}{path}");
    for (at, pair) in harmless.enumerate() {
        shown.push(if at == 0 { '?' } else { '&' });
        shown.push_str(pair);
    }
    shown
}

/// The words of a remote as they are typed in a shell.
pub(super) fn quoted(words: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:.@-_~%+,".contains(c);
    if words.chars().all(plain) {
        words.to_owned()
    } else {
        format!("'{}'", words.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_ever_shown() {
        for (words, expected) in [
            ("/srv/bag", "/srv/bag"),
            ("ssh://mira@hub/srv/bag", "ssh://mira@hub/srv/bag"),
            (
                "postgres://qd:s3@cr@t@db:5432/qd",
                "postgres://qd@db:5432/qd",
            ),
            (
                "postgres://db/qd?user=qd&password=x&bag=team-a&%70assword=y",
                "postgres://db/qd?user=qd&bag=team-a",
            ),
            ("postgres://qd:x?y@db/qd", "postgres://qd@db/qd"),
        ] {
            assert_eq!(shown(words), expected);
        }
    }

    #[test]
    fn what_is_to_be_typed_can_be_typed() {
        for (words, expected) in [
            ("~/bag", "~/bag"),
            (
                "ssh://mira@hub:22/~/bag%20of",
                "ssh://mira@hub:22/~/bag%20of",
            ),
            (
                "postgres://db/qd?bag=a&port=1",
                "'postgres://db/qd?bag=a&port=1'",
            ),
            ("/srv/it's", "'/srv/it'\\''s'"),
        ] {
            assert_eq!(quoted(words), expected);
        }
    }
}
