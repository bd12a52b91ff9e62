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
        now.1 = Some(errands);
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
    let config = config_of(&means.store, &address.host)
        .await
        .or_else(|| means.ssh_config.clone());
    let (remote, errands) = open_host(&means.engine, &address, config);
    means.behalf.take(errands);
    if wanted == Wanted::New {
        remote.create().await?;
    }
    Ok(Box::new(remote))
}

/// The ssh_config that a host was imported from, so that the connection is the one that its sessions have.
async fn config_of(store: &Store, host: &str) -> Option<PathBuf> {
    let (tell, told) = tokio::sync::oneshot::channel();
    store.ask(Ask::Hosts, move |answer| drop(tell.send(answer)));
    let Ok(Ok(Answer::Hosts(hosts))) = told.await else {
        // Without an inventory OpenSSH's own file is as good a guess as for any name.
        return None;
    };
    hosts.into_iter().find(|known| known.name == host)?.config
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
