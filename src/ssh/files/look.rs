//! Looking at files and changing names, on a host or on this machine.

use std::collections::VecDeque;

use crate::domain::files::{FileEntry, FileKind};
use crate::domain::time::Time;
use crate::ssh::ask::FilesAsk;
use crate::ssh::fact::FileListing;

use super::fault::Fault;
use super::names::{self, DEEPEST};
use super::session;
use super::side::{Entry, Meta, Side};

/// How many links are looked up at once.
const LINKS: usize = 64;

/// Answers one question.
///
/// # Errors
/// In words, with the place where it happened.
pub(crate) async fn answer(side: &Side, ask: &FilesAsk) -> Result<FileListing, Fault> {
    match ask {
        FilesAsk::List(path) => list(side, &meant(side, path).await?).await,
        FilesAsk::Stat(path) => stat(side, &meant(side, path).await?).await,
        FilesAsk::MakeFolder(path) => {
            let path = meant(side, path).await?;
            if side.lstat(&path).await.is_ok() {
                return Err(Fault::Other("it is there already".to_owned()));
            }
            side.make_folder(&path, 0o777).await?;
            Ok(FileListing::default())
        }
        FilesAsk::Remove(path) => {
            remove(side, &meant(side, path).await?).await?;
            Ok(FileListing::default())
        }
        FilesAsk::Rename { from, to } => {
            let (from, to) = (meant(side, from).await?, meant(side, to).await?);
            side.rename(&from, &to).await?;
            Ok(FileListing::default())
        }
    }
}

/// What an ask does and to what, for error texts.
pub(crate) fn words(side: &Side, ask: &FilesAsk) -> String {
    let (doing, path) = match ask {
        FilesAsk::List(path) => ("list", path),
        FilesAsk::Stat(path) => ("look at", path),
        FilesAsk::MakeFolder(path) => ("make the folder", path),
        FilesAsk::Remove(path) => ("remove", path),
        FilesAsk::Rename { from, .. } => ("rename", from),
    };
    let path = if path.is_empty() { "~" } else { path };
    format!("cannot {doing} {}", side.place(path.as_bytes()))
}

async fn meant(side: &Side, path: &str) -> Result<Vec<u8>, Fault> {
    match side {
        Side::Here => Ok(match path.strip_prefix('~') {
            _ if path.is_empty() => home(),
            Some("") => home(),
            Some(rest) if rest.starts_with('/') => {
                names::join(&home(), rest.trim_start_matches('/').as_bytes())
            }
            _ => path.as_bytes().to_vec(),
        }),
        Side::There(_) => side.meant(path.as_bytes()).await,
    }
}

fn home() -> Vec<u8> {
    use std::os::unix::ffi::OsStringExt;
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.map_or_else(|| b"/".to_vec(), OsStringExt::into_vec)
}

async fn list(side: &Side, path: &[u8]) -> Result<FileListing, Fault> {
    let real = side.resolve(path).await?;
    let entries = side.list(&real).await?;
    let links = links(side, &real, &entries).await?;
    let mut shown: Vec<FileEntry> = entries
        .into_iter()
        .zip(links)
        // A name that leads elsewhere is none; nobody should be led to use it.
        .filter(|(entry, _)| names::honest(&entry.name))
        .map(|(entry, (folder, target))| shown(entry, folder, target))
        .collect();
    shown.sort_by(|one, other| {
        let key = |entry: &FileEntry| (!entry.folder, entry.name.to_lowercase());
        key(one)
            .cmp(&key(other))
            .then_with(|| one.name.cmp(&other.name))
    });
    Ok(FileListing {
        path: String::from_utf8_lossy(&real).into_owned(),
        entries: shown,
    })
}

async fn stat(side: &Side, path: &[u8]) -> Result<FileListing, Fault> {
    let meta = side.lstat(path).await?;
    let (folder, name) = names::split(path);
    let real = side
        .resolve(if folder.is_empty() { b"." } else { folder })
        .await?;
    let entries = vec![Entry {
        name: name.to_vec(),
        owner: None,
        meta,
    }];
    let links = links(side, &real, &entries).await?;
    let entries = entries.into_iter().zip(links);
    Ok(FileListing {
        path: String::from_utf8_lossy(&real).into_owned(),
        entries: entries
            .map(|(entry, (folder, target))| shown(entry, folder, target))
            .collect(),
    })
}

/// For each entry: whether it is or leads to a folder, and where it leads. On a host many are asked for at once.
async fn links(
    side: &Side,
    folder: &[u8],
    entries: &[Entry],
) -> Result<Vec<(bool, Option<String>)>, Fault> {
    let mut found: Vec<(bool, Option<String>)> = entries
        .iter()
        .map(|entry| (entry.meta.kind == FileKind::Folder, None))
        .collect();
    let mut asked = VecDeque::new();
    let is_link = |(_, entry): &(usize, &Entry)| entry.meta.kind == FileKind::Link;
    for (index, entry) in entries.iter().enumerate().filter(is_link) {
        let path = names::join(folder, &entry.name);
        if let Side::There(sftp) = side {
            asked.push_back((index, path.clone(), sftp.stat(&path).await?));
            if asked.len() >= LINKS {
                look_up(side, &mut asked, &mut found, LINKS / 2).await?;
            }
        } else {
            let leads = side.stat(&path).await;
            let target = side.read_link(&path).await;
            note(&mut found, index, leads, target);
        }
    }
    look_up(side, &mut asked, &mut found, 0).await?;
    Ok(found)
}

async fn look_up(
    side: &Side,
    asked: &mut VecDeque<(usize, Vec<u8>, session::Pending)>,
    found: &mut [(bool, Option<String>)],
    left: usize,
) -> Result<(), Fault> {
    while asked.len() > left {
        let Some((index, path, pending)) = asked.pop_front() else {
            break;
        };
        let leads = session::attrs(pending).await.map(Meta::from);
        if let Err(why @ Fault::Lost(_)) = leads {
            return Err(why);
        }
        let target = side.read_link(&path).await;
        note(found, index, leads, target);
    }
    Ok(())
}

fn note(
    found: &mut [(bool, Option<String>)],
    index: usize,
    leads: Result<Meta, Fault>,
    target: Result<Vec<u8>, Fault>,
) {
    if let Some(slot) = found.get_mut(index) {
        slot.0 = leads.is_ok_and(|meta| meta.kind == FileKind::Folder);
        slot.1 = target
            .ok()
            .map(|target| String::from_utf8_lossy(&target).into_owned());
    }
}

fn shown(entry: Entry, folder: bool, target: Option<String>) -> FileEntry {
    let Entry { name, owner, meta } = entry;
    let number = meta.owner.map(|(user, _)| user.to_string());
    FileEntry {
        name: String::from_utf8_lossy(&name).into_owned(),
        kind: meta.kind,
        size: meta.size,
        mode: meta.mode,
        owner: owner.or(number).unwrap_or_default(),
        modified: meta.modified.map(|at| Time(at.saturating_mul(1000))),
        target,
        folder,
    }
}

/// Removes a file, or a folder with all that is in it. A link is removed, never what it leads to.
async fn remove(side: &Side, path: &[u8]) -> Result<(), Fault> {
    if names::own(path).is_none() {
        let why = "a home or a whole machine is not removed; name what is to go";
        return Err(Fault::Other(why.to_owned()));
    }
    let meta = side.lstat(path).await?;
    if meta.kind != FileKind::Folder {
        return side.remove_file(path).await;
    }
    // Each folder is visited twice: to empty it, and, when that is done, to remove it.
    let mut waiting = vec![(path.to_vec(), false)];
    let mut depth = 0;
    while let Some((folder, emptied)) = waiting.pop() {
        if emptied {
            depth -= 1;
            side.remove_folder(&folder)
                .await
                .map_err(|why| within(&folder, why))?;
            continue;
        }
        depth += 1;
        if depth > DEEPEST {
            let why = format!("more than {DEEPEST} folders in each other are not followed");
            return Err(within(&folder, Fault::Other(why)));
        }
        let entries = side
            .list(&folder)
            .await
            .map_err(|why| within(&folder, why))?;
        waiting.push((folder.clone(), true));
        for entry in entries {
            if !names::honest(&entry.name) {
                let why = "its host lists a name that leads elsewhere; nothing more was removed";
                return Err(within(&folder, Fault::Other(why.to_owned())));
            }
            let path = names::join(&folder, &entry.name);
            if entry.meta.kind == FileKind::Folder {
                waiting.push((path, false));
            } else {
                side.remove_file(&path)
                    .await
                    .map_err(|why| within(&path, why))?;
            }
        }
    }
    Ok(())
}

fn within(path: &[u8], why: Fault) -> Fault {
    match why {
        Fault::Lost(_) | Fault::Stopped => why,
        why => Fault::Other(format!("{}: {why}", names::shown(path))),
    }
}
