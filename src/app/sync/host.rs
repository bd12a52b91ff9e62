//! The SSH remote of sync over the app's own connections: what sync needs of a carrier, done by errands of `ssh`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::host::Target;
use crate::domain::run::Exit;
use crate::ssh::{self, Asking, Engine, Errands};
use crate::sync::{Carried, Carrier, HostAddress, HostRemote, Mishap, NewFile, Put, Ran};

/// The bag at an address, over the connections of `engine`, with the handle that says on whose behalf it works.
///
/// Keep both for as long as the bag is used: how the host can be worked with is found out once.
pub fn open_host(
    engine: &Engine,
    address: &HostAddress,
    config: Option<PathBuf>,
) -> (HostRemote, Errands) {
    let target = Target {
        name: address.destination(),
        config,
    };
    let errands = engine.errands(target);
    // In the background nobody is asked; whoever runs a round by hand says so with `Errands::ask`.
    errands.ask(Asking::Nobody);
    let carrier = Arc::new(Bearer(errands.clone()));
    (HostRemote::new(carrier, address), errands)
}

/// Errands as a carrier.
struct Bearer(Errands);

fn mishap(why: ssh::Mishap) -> Mishap {
    match why {
        ssh::Mishap::Unreachable(why) => Mishap::Unreachable(why),
        ssh::Mishap::TimedOut(seconds) => Mishap::TimedOut(seconds),
        ssh::Mishap::Refused(why) => Mishap::Refused(why),
        ssh::Mishap::NotThere => Mishap::NotThere,
        ssh::Mishap::Denied(why) => Mishap::Denied(why),
        ssh::Mishap::TooLong => Mishap::TooLong,
        ssh::Mishap::Failed(why) => Mishap::Failed(why),
    }
}

impl Carrier for Bearer {
    fn host(&self) -> String {
        self.0.host().to_owned()
    }

    fn exec(&self, command: String, input: Vec<u8>, limit: usize) -> Carried<'_, Ran> {
        Box::pin(async move {
            let done = self.0.exec(command, input, limit).await.map_err(mishap)?;
            let status = match done.exit {
                Exit::Code(code) => u32::try_from(code).ok(),
                _ => None,
            };
            Ok(Ran {
                status,
                out: done.out,
                err: done.err,
                endless: done.endless,
            })
        })
    }

    fn mode<'a>(&'a self, path: &'a str) -> Carried<'a, u32> {
        Box::pin(async move { self.0.mode(path).await.map_err(mishap) })
    }

    fn names<'a>(&'a self, folder: &'a str, most: usize) -> Carried<'a, Vec<Vec<u8>>> {
        Box::pin(async move { self.0.names(folder, most).await.map_err(mishap) })
    }

    fn read<'a>(&'a self, path: &'a str, most: usize) -> Carried<'a, Vec<u8>> {
        Box::pin(async move { self.0.read(path, most).await.map_err(mishap) })
    }

    fn create(&self, file: NewFile) -> Carried<'_, Put> {
        Box::pin(async move {
            let names = (file.part.as_str(), file.path.as_str(), file.folder.as_str());
            let made = self.0.create(names, file.bytes, file.mode).await;
            made.map_err(mishap)
                .map(|made| if made { Put::Created } else { Put::Exists })
        })
    }

    fn replace(&self, file: NewFile) -> Carried<'_, ()> {
        Box::pin(async move {
            let names = (file.part.as_str(), file.path.as_str());
            let done = self.0.replace(names, file.bytes, file.mode).await;
            done.map_err(mishap)
        })
    }

    fn touch<'a>(&'a self, path: &'a str, mode: u32) -> Carried<'a, ()> {
        Box::pin(async move { self.0.touch(path, mode).await.map_err(mishap) })
    }

    fn remove(&self, paths: Vec<String>) -> Carried<'_, ()> {
        Box::pin(async move { self.0.remove(&paths).await.map_err(mishap) })
    }

    fn make_folder<'a>(&'a self, path: &'a str, mode: u32) -> Carried<'a, ()> {
        Box::pin(async move { self.0.make_folder(path, mode).await.map_err(mishap) })
    }

    fn replaces(&self, one: String, other: String) -> Carried<'_, bool> {
        Box::pin(async move { self.0.rename_replaces(&one, &other).await.map_err(mishap) })
    }
}
