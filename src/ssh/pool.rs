//! What is known of one destination: its connections, the attempts under way, and why background work stays away from it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::domain::connection::{ConnectionRow, ConnectionState, ConnectionUsers};

use super::backoff::Backoff;
use super::error::Error;
use super::link::{Link, millis};
use super::settings::{Settings, Strict};

/// How long after a failed further connection none is tried.
const VAIN: Duration = Duration::from_secs(60);

/// How long a lost destination that nobody asks for any more is shown.
const FORGOTTEN: Duration = Duration::from_secs(150);

/// Where a connection leads: every hop. What agrees in all of it shares a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path(Vec<Stop>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stop {
    user: String,
    host: String,
    port: u16,
    proxy: Option<String>,
    /// By which rules its key was believed: a name with strict rules must not share what another let through.
    trust: Trust,
}

/// Everything that has a say in whether a server's key is believed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Trust {
    strict: Strict,
    alias: Option<String>,
    files: Vec<PathBuf>,
    command: Option<String>,
    by_address: bool,
    algorithms: Vec<String>,
    authority_algorithms: Vec<String>,
}

impl Trust {
    fn of(hop: &Settings) -> Self {
        let files = hop.known_hosts.iter().chain(&hop.global_known_hosts);
        Self {
            strict: hop.strict,
            alias: hop.host_key_alias.clone(),
            files: files.chain(&hop.revoked_keys).cloned().collect(),
            command: hop.known_hosts_command.clone(),
            by_address: hop.check_host_ip,
            algorithms: hop.host_key_algorithms.clone(),
            authority_algorithms: hop.authority_algorithms.clone(),
        }
    }
}

impl Path {
    /// Whether the way to `self` begins with the way to `other`.
    pub(crate) fn leads_through(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    pub(crate) fn of(route: &[Arc<Settings>]) -> Self {
        let stops = route.iter().enumerate().map(|(index, hop)| Stop {
            user: hop.user.clone(),
            host: hop.host.to_ascii_lowercase(),
            port: hop.port,
            // Behind a jump host a ProxyCommand is overruled, as in OpenSSH.
            proxy: hop.proxy_command.clone().filter(|_| index == 0),
            trust: Trust::of(hop),
        });
        Self(stops.collect())
    }
}

/// Which of a destination's connections is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// For everything.
    Shared,
    /// With wide windows, for bulk data to far hosts.
    Bulk,
}

/// Connections of one kind.
#[derive(Default)]
pub(crate) struct Track {
    pub(crate) links: Vec<Arc<Link>>,
    pub(crate) flight: Option<Flight>,
    /// When making one more connection failed; for a while nobody tries again, lest the server takes us for an attacker.
    vain: Option<Instant>,
}

impl Track {
    /// Whether another connection failed a moment ago.
    pub(crate) fn is_vain(&self) -> bool {
        self.vain.is_some_and(|since| since.elapsed() < VAIN)
    }

    /// An attempt ended.
    pub(crate) fn landed(&mut self, result: &Result<Arc<Link>, Error>) {
        self.flight = None;
        self.vain = result.is_err().then(Instant::now);
        self.links.extend(result.iter().cloned());
    }
}

/// One destination.
pub(crate) struct Pool {
    shared: Track,
    bulk: Track,
    pub(crate) trouble: Option<Trouble>,
    /// The way there, for people.
    route: Vec<Arc<Settings>>,
}

impl Pool {
    pub(crate) fn new(route: &[Arc<Settings>]) -> Self {
        Self {
            shared: Track::default(),
            bulk: Track::default(),
            trouble: None,
            route: route.to_vec(),
        }
    }

    pub(crate) fn track(&mut self, lane: Lane) -> &mut Track {
        match lane {
            Lane::Shared => &mut self.shared,
            Lane::Bulk => &mut self.bulk,
        }
    }

    /// Every connection.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.shared.links.iter().chain(&self.bulk.links)
    }

    /// Ends the attempts under way.
    pub(crate) fn give_up(&self) {
        let flights = [&self.shared.flight, &self.bulk.flight];
        flights
            .into_iter()
            .flatten()
            .for_each(|flight| flight.stop.notify_one());
    }

    pub(crate) fn forget(&mut self, link: &Arc<Link>) {
        for track in [&mut self.shared, &mut self.bulk] {
            track.links.retain(|kept| !Arc::ptr_eq(kept, link));
        }
    }

    /// Whether nothing is known that is worth keeping.
    pub(crate) fn is_empty(&self) -> bool {
        let idle = |track: &Track| track.links.is_empty() && track.flight.is_none();
        let worth = |trouble: &Trouble| trouble.is_worth_keeping();
        idle(&self.shared) && idle(&self.bulk) && !self.trouble.as_ref().is_some_and(worth)
    }

    /// What people see of it.
    pub(crate) fn rows(&self) -> Vec<ConnectionRow> {
        let alive = self.links().filter(|link| link.is_alive());
        let mut rows: Vec<ConnectionRow> = alive.map(|link| link.row()).collect();
        for (track, bulk) in [(&self.shared, false), (&self.bulk, true)] {
            if let Some(flight) = &track.flight {
                let state = ConnectionState::Connecting;
                rows.extend(self.row(flight.id, state, flight.since, bulk));
            }
        }
        if rows.is_empty()
            && let Some(trouble) = self.trouble.as_ref().filter(|trouble| trouble.is_shown())
        {
            rows.extend(self.row(trouble.id, trouble.state(), trouble.since, false));
        }
        rows
    }

    fn row(
        &self,
        id: u64,
        state: ConnectionState,
        since: Instant,
        bulk: bool,
    ) -> Option<ConnectionRow> {
        let (last, before) = self.route.split_last()?;
        Some(ConnectionRow {
            id,
            host: last.label.clone(),
            user: last.user.clone(),
            address: last.host.clone(),
            port: last.port,
            via: before.iter().map(|hop| hop.label.clone()).collect(),
            state,
            age_ms: millis(since.elapsed()),
            rtt_ms: None,
            silent_ms: None,
            users: ConnectionUsers::default(),
            bytes_in: 0,
            bytes_out: 0,
            kex: String::new(),
            post_quantum: false,
            cipher: String::new(),
            host_key: String::new(),
            server: String::new(),
            auth: String::new(),
            bulk,
            channel_limit: None,
            notes: Vec::new(),
        })
    }
}

/// An attempt under way; everybody who wants the same waits for it.
#[derive(Clone)]
pub(crate) struct Flight {
    pub(crate) id: u64,
    pub(crate) since: Instant,
    pub(crate) interactive: bool,
    /// Ends it: a person does not want it any more.
    pub(crate) stop: Arc<Notify>,
    pub(crate) done: watch::Receiver<Option<Result<Arc<Link>, Error>>>,
}

/// Why there is no connection, and when background work may try again. Whoever asks in person tries at once.
#[derive(Debug)]
pub(crate) struct Trouble {
    id: u64,
    why: String,
    /// The hop that let nobody in: background work waits for a person.
    paused: Option<String>,
    since: Instant,
    until: Instant,
    backoff: Backoff,
    /// When background work last wanted it.
    wanted: Instant,
}

impl Trouble {
    /// The next trouble after `before`, on the way to `hop`.
    pub(crate) fn after(before: Option<Self>, id: u64, hop: &str, why: &Error) -> Self {
        let now = Instant::now();
        let (mut backoff, wanted, since) = match before {
            Some(before) => (before.backoff, before.wanted, before.since),
            None => (Backoff::default(), now, now),
        };
        let until = now + backoff.pause();
        let (why, paused) = match why {
            // A bastion is in trouble itself; its own words say more than ours about them.
            Error::Waiting { why, .. } => (why.clone(), None),
            Error::Paused { why, hop } => (why.clone(), Some(hop.clone())),
            why if why.pauses_background() => (why.to_string(), Some(hop.to_owned())),
            why => (why.to_string(), None),
        };
        Self {
            id,
            why,
            paused,
            since,
            until,
            backoff,
            wanted,
        }
    }

    /// Somebody in the background wants a connection: what he is told if he must not try now.
    pub(crate) fn holds(&mut self) -> Option<Error> {
        let now = Instant::now();
        self.wanted = now;
        let why = self.why.clone();
        if let Some(hop) = self.paused.clone() {
            return Some(Error::Paused { hop, why });
        }
        let left = self.until.saturating_duration_since(now);
        (!left.is_zero()).then_some(Error::Waiting { why, left })
    }

    fn state(&self) -> ConnectionState {
        let left = self.until.saturating_duration_since(Instant::now());
        match &self.paused {
            Some(hop) => ConnectionState::Waiting {
                retry_ms: 0,
                why: Error::Paused {
                    hop: hop.clone(),
                    why: self.why.clone(),
                }
                .to_string(),
            },
            // 0 would mean that no attempt comes by itself.
            None => ConnectionState::Waiting {
                retry_ms: millis(left).max(1),
                why: self.why.clone(),
            },
        }
    }

    fn is_shown(&self) -> bool {
        self.wanted.elapsed() < FORGOTTEN
    }

    /// A refused login is remembered as long as the program runs: forgetting it would mean to try again.
    fn is_worth_keeping(&self) -> bool {
        self.paused.is_some() || self.is_shown()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        Error::Auth {
            hop: "web1".to_owned(),
            user: "me".to_owned(),
            why: "it wants publickey".to_owned(),
            tried: "id".to_owned(),
            hint: String::new(),
            person: false,
        }
    }

    fn lost() -> Error {
        Error::Lost {
            hop: "web1".to_owned(),
            why: "it ended".to_owned(),
        }
    }

    #[test]
    fn a_refused_login_is_never_repeated_by_itself() {
        let mut trouble = Trouble::after(None, 1, "web1", &refused());
        trouble.until = Instant::now();
        let held = trouble.holds();
        assert!(matches!(held, Some(Error::Paused { .. })));
        assert!(matches!(
            trouble.state(),
            ConnectionState::Waiting { retry_ms: 0, .. }
        ));
        assert!(trouble.is_worth_keeping());
        let Some(why) = held else { return };
        let behind = Trouble::after(None, 2, "db1", &why).holds();
        assert_eq!(behind, Some(why), "hosts behind it say the same, once");
    }

    #[test]
    fn a_lost_connection_comes_back_later_and_later() {
        let mut trouble = Trouble::after(None, 1, "web1", &lost());
        assert!(matches!(
            trouble.holds(),
            Some(Error::Waiting { left, .. }) if left <= Duration::from_secs(1)
        ));
        for _ in 0..10 {
            trouble = Trouble::after(Some(trouble), 1, "web1", &lost());
        }
        assert!(matches!(
            trouble.holds(),
            Some(Error::Waiting { left, .. }) if left > Duration::from_secs(29) && left <= Duration::from_secs(60)
        ));
        trouble.until = Instant::now();
        assert_eq!(trouble.holds(), None);
    }
}
