//! What the words of a remote mean: a path, `ssh://host/path`, `postgres://…`.
//!
//! Opening a remote for use does not wait for it: whether it can be reached is found out by the first call.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::host::open_host;
use crate::domain::ids::ReqId;
use crate::ssh::{Asking, Engine, Errands};
use crate::store::{Answer, Ask, Store};
use crate::sync::{
    DirectoryRemote, HostAddress, PostgresRemote, PostgresSurroundings, Remote, SyncError,
};

/// What remotes are made with; whatever needs more of the program than words gets it here.
#[derive(Clone)]
pub(crate) struct Means {
    /// The account's home, which `~` stands for.
    pub home: PathBuf,
    /// The connections of this process, for a remote on a host. The handle keeps them open, so whoever holds it ends with
    /// the app.
    pub engine: Engine,
    /// The inventory, which knows the ssh_config of a host.
    pub store: Store,
    /// The ssh_config of hosts that the inventory knows none of.
    pub ssh_config: Option<PathBuf>,
    /// On whose behalf the host of the remote is spoken to.
    pub behalf: Behalf,
}

/// Whom connections may ask, for the remote that is open.
#[derive(Clone, Default)]
pub(crate) struct Behalf(Arc<Mutex<(Option<ReqId>, Option<Errands>)>>);

impl Behalf {
    /// From now on it is done for this request, or for nobody.
    pub(crate) fn of(&self, req: Option<ReqId>) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.0 = req;
        if let Some(errands) = &now.1 {
            errands.ask(asking(req));
        }
    }

    fn take(&self, errands: Errands) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        errands.ask(asking(now.0));
        if let Some(before) = now.1.replace(errands) {
            // Whoever holds these still is not told when the request is over.
            before.ask(Asking::Nobody);
        }
    }
}

fn asking(req: Option<ReqId>) -> Asking {
    req.map_or(Asking::Nobody, Asking::Request)
}

/// What a remote is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// For use: what is not there stays so, because a medium that is not mounted is no empty place.
    There,
    /// To make a space: the place is made when it is missing.
    New,
}

/// Opens the remote that `words` name.
///
/// # Errors
/// The words mean nothing, or the place of a new space cannot be made.
pub(crate) async fn open_remote(
    words: &str,
    means: &Means,
    wanted: Wanted,
) -> Result<Box<dyn Remote>, SyncError> {
    let words = words.trim();
    match words.split_once("://") {
        None => in_folder(folder(words, &means.home)?, wanted).await,
        Some(("ssh", _)) => on_host(words, means, wanted).await,
        Some(("postgres" | "postgresql", _)) => {
            let remote = PostgresRemote::open(words, PostgresSurroundings::of_process())?;
            if wanted == Wanted::New {
                remote.create().await?;
            }
            Ok(Box::new(remote))
        }
        Some((scheme, _)) => Err(SyncError::refused(format!(
            "{scheme}:// means nothing here; name a folder, ssh://HOST/PATH or postgres://…"
        ))),
    }
}

/// On a thread of its own: a dead network file system holds up that thread and nothing else.
async fn in_folder(path: PathBuf, wanted: Wanted) -> Result<Box<dyn Remote>, SyncError> {
    let place = path.display().to_string();
    let opening = tokio::task::spawn_blocking(move || match wanted {
        Wanted::There => Ok(DirectoryRemote::new(&path)),
        Wanted::New => DirectoryRemote::create(&path),
    });
    match opening.await {
        Ok(opened) => Ok(Box::new(opened?)),
        Err(why) => Err(SyncError::Local {
            attempt: format!("opening {place}"),
            why: why.to_string(),
        }),
    }
}

async fn on_host(words: &str, means: &Means, wanted: Wanted) -> Result<Box<dyn Remote>, SyncError> {
    let address = HostAddress::parse(words).map_err(SyncError::refused)?;
    let config = config_of(means, &address.host).await;
    let (remote, errands) = open_host(&means.engine, &address, config);
    means.behalf.take(errands);
    if wanted == Wanted::New {
        remote.create().await?;
    }
    Ok(Box::new(remote))
}

/// The ssh_config that a host was imported from, so that the connection is the one that its sessions have; the usual one for
/// all others.
async fn config_of(means: &Means, host: &str) -> Option<PathBuf> {
    let (tell, told) = tokio::sync::oneshot::channel();
    means
        .store
        .ask(Ask::Hosts, move |answer| drop(tell.send(answer)));
    let imported = match told.await {
        Ok(Ok(Answer::Hosts(hosts))) => hosts.into_iter().find(|known| known.name == host),
        // Without an inventory the usual file is as good a guess as for any name.
        _ => None,
    };
    let config = imported.and_then(|host| host.config);
    config.or_else(|| means.ssh_config.clone())
}

/// The folder that `words` name. One that depends on where somebody stands is refused: another process stands elsewhere.
fn folder(words: &str, home: &Path) -> Result<PathBuf, SyncError> {
    if words.is_empty() {
        return Err(SyncError::refused(
            "a remote is wanted: a folder, ssh://HOST/PATH or postgres://…",
        ));
    }
    let path = match words.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(words),
    };
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(SyncError::refused(format!(
            "{words:?} depends on the folder one is in; name the remote with its whole path, such as /srv/quarterdeck"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::host::Target;
    use crate::domain::ids::EntityId;
    use crate::domain::op::{Draft, Entity, EntityKind, Value};
    use crate::domain::time::Time;
    use crate::ssh::{AgentChoice, EngineOptions, NoCache};
    use crate::store::Options;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn means(
        folder: &Path,
        facts: tokio::sync::mpsc::Sender<crate::ssh::SshFact>,
    ) -> Result<Means, Box<dyn std::error::Error>> {
        let options = EngineOptions {
            cache: Arc::new(NoCache),
            agent: AgentChoice::None,
            interactive: false,
            ssh_program: "/nonexistent/ssh".into(),
            screens: Arc::default(),
        };
        Ok(Means {
            home: folder.to_owned(),
            engine: Engine::start(options, facts),
            store: Store::open(
                folder,
                || Time(1_795_428_000_000),
                || [1; 32],
                Options::default(),
            )?,
            ssh_config: Some(PathBuf::from("/usual/ssh_config")),
            behalf: Behalf::default(),
        })
    }

    #[tokio::test]
    async fn the_ssh_config_is_the_one_that_the_host_came_from() -> Tested {
        let folder = tempfile::tempdir()?;
        let (facts, _heard) = tokio::sync::mpsc::channel(8);
        let mut means = means(folder.path(), facts)?;
        for (name, config) in [("hub", Some("/fleet/ssh_config")), ("plain", None)] {
            let entity = Entity {
                kind: EntityKind::Host,
                id: EntityId::derived("host", name),
            };
            let set = |field: &str, text: &str| Draft::Set {
                entity,
                field: field.to_owned(),
                value: Value::from(text),
            };
            let mut drafts = vec![set("name", name)];
            drafts.extend(config.map(|config| set("config", config)));
            means.store.append_wait(drafts.into())?;
        }
        for (host, config) in [
            ("hub", "/fleet/ssh_config"),
            ("plain", "/usual/ssh_config"),
            ("unknown", "/usual/ssh_config"),
            // A part of a name is another host.
            ("hu", "/usual/ssh_config"),
        ] {
            let found = config_of(&means, host).await;
            assert_eq!(found.as_deref(), Some(Path::new(config)), "{host}");
        }
        means.ssh_config = None;
        assert_eq!(config_of(&means, "plain").await, None);
        Ok(())
    }

    #[tokio::test]
    async fn only_the_remote_that_is_open_asks_and_only_for_a_request() -> Tested {
        let folder = tempfile::tempdir()?;
        let (facts, _heard) = tokio::sync::mpsc::channel(8);
        let means = means(folder.path(), facts)?;
        let errands = || {
            let target = Target {
                name: "hub".to_owned(),
                config: None,
            };
            means.engine.errands(target)
        };
        let (first, second) = (errands(), errands());
        let wish = Asking::Request(ReqId(7));
        // In the background nobody is asked, whatever the handle said before.
        first.ask(wish);
        means.behalf.take(first.clone());
        assert_eq!(first.asking(), Asking::Nobody);
        means.behalf.of(Some(ReqId(7)));
        assert_eq!(first.asking(), wish);
        // One that is opened for the request asks for it, and the one before does not any more.
        means.behalf.take(second.clone());
        assert_eq!((first.asking(), second.asking()), (Asking::Nobody, wish));
        means.clone().behalf.of(None);
        assert_eq!(second.asking(), Asking::Nobody, "all copies are one");
        // What it was opened with counts, too.
        let address = "ssh://hub/~/bag";
        means.behalf.of(Some(ReqId(8)));
        drop(open_remote(address, &means, Wanted::There).await?);
        assert_eq!(second.asking(), Asking::Nobody);
        Ok(())
    }

    #[test]
    fn words_name_folders_and_nothing_depends_on_where_one_stands() {
        let home = Path::new("/home/mira");
        for (words, expected) in [
            ("/srv/bag", Some("/srv/bag")),
            ("~/bag", Some("/home/mira/bag")),
            ("~", Some("/home/mira")),
            ("bag", None),
            ("./bag", None),
            ("", None),
        ] {
            let found = folder(words, home).ok();
            assert_eq!(found.as_deref(), expected.map(Path::new), "{words:?}");
        }
    }
}
