//! What a copy has to do: the sources, and with -r all that is below them, one after the other as they are found.
//!
//! Links are followed, as `scp` follows them. A link that leads back to a folder above it ends there, and so does a host
//! that lists folders for ever.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::domain::files::FileKind;

use super::fault::Fault;
use super::names::{self, DEEPEST};
use super::side::{Meta, Side};

/// One thing to do.
pub(crate) enum Item {
    /// A folder to be there before what is in it.
    Folder { to: Vec<u8>, meta: Meta },
    /// A file to copy.
    File {
        side: Side,
        from: Vec<u8>,
        to: Vec<u8>,
        size: u64,
    },
    /// Something that cannot be copied, in words.
    Failed(String, Fault),
}

/// One source and where it goes.
pub(crate) struct Root {
    pub(crate) side: Side,
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
}

/// The folders that lead to one, by their absolute paths.
struct Chain {
    real: Vec<u8>,
    above: Option<Arc<Chain>>,
}

impl Chain {
    fn holds(&self, real: &[u8]) -> bool {
        let mut link = Some(self);
        while let Some(chain) = link {
            if chain.real == real {
                return true;
            }
            link = chain.above.as_deref();
        }
        false
    }

    fn depth(&self) -> usize {
        let mut depth = 1;
        let mut link = self.above.as_deref();
        while let Some(chain) = link {
            depth += 1;
            link = chain.above.as_deref();
        }
        depth
    }
}

/// A folder that waits to be looked into.
struct Frame {
    from: Vec<u8>,
    to: Vec<u8>,
    meta: Meta,
    chain: Arc<Chain>,
}

/// Finds everything. It waits while enough is found in advance, and ends when nobody wants more.
pub(crate) async fn walk(roots: Vec<Root>, to: Side, recursive: bool, give: mpsc::Sender<Item>) {
    for root in roots {
        let mut walker = Walker {
            side: root.side.clone(),
            goal: None,
            give: &give,
        };
        if walker.root(root, &to, recursive).await.is_err() {
            return;
        }
    }
}

/// Nobody wants more.
struct Unwanted;

struct Walker<'a> {
    side: Side,
    /// The destination, if it is on the same side: it must not be copied into itself.
    goal: Option<Vec<u8>>,
    give: &'a mpsc::Sender<Item>,
}

impl Walker<'_> {
    async fn tell(&self, item: Item) -> Result<(), Unwanted> {
        self.give.send(item).await.map_err(|_| Unwanted)
    }

    async fn fail(&self, path: &[u8], fault: Fault) -> Result<(), Unwanted> {
        let words = format!("cannot copy {}: {fault}", self.side.place(path));
        self.tell(Item::Failed(words, fault)).await
    }

    async fn refuse(&self, path: &[u8], why: &str) -> Result<(), Unwanted> {
        self.fail(path, Fault::Other(why.to_owned())).await
    }

    async fn root(&mut self, root: Root, to: &Side, recursive: bool) -> Result<(), Unwanted> {
        let Root { from, to: goal, .. } = root;
        let meta = match self.side.stat(&from).await {
            Ok(meta) => meta,
            Err(why) => return self.fail(&from, why).await,
        };
        match meta.kind {
            FileKind::Folder if !recursive => {
                self.refuse(&from, "it is a folder; -r copies folders")
                    .await
            }
            FileKind::Folder => {
                let real = match self.side.resolve(&from).await {
                    Ok(real) => real,
                    Err(why) => return self.fail(&from, why).await,
                };
                if to.host() == self.side.host() {
                    self.goal = resolved(to, &goal).await;
                }
                let chain = Arc::new(Chain { real, above: None });
                self.down(Frame {
                    from,
                    to: goal,
                    meta,
                    chain,
                })
                .await
            }
            FileKind::File => self.file(from, goal, meta.size).await,
            FileKind::Link | FileKind::Other => {
                self.refuse(&from, "it is a device, a pipe or a socket")
                    .await
            }
        }
    }

    async fn file(&self, from: Vec<u8>, to: Vec<u8>, size: u64) -> Result<(), Unwanted> {
        let side = self.side.clone();
        self.tell(Item::File {
            side,
            from,
            to,
            size,
        })
        .await
    }

    /// A tree, from its top: what is directly in a folder comes before what is further down.
    async fn down(&self, top: Frame) -> Result<(), Unwanted> {
        let mut waiting = vec![top];
        while let Some(frame) = waiting.pop() {
            if self.goal.as_deref() == Some(&frame.chain.real) {
                let why = "it is the destination, which is not copied into itself";
                self.refuse(&frame.from, why).await?;
                continue;
            }
            let mut entries = match self.side.list(&frame.from).await {
                Ok(entries) => entries,
                Err(why) => {
                    self.fail(&frame.from, why).await?;
                    continue;
                }
            };
            let (to, meta) = (frame.to.clone(), frame.meta);
            self.tell(Item::Folder { to, meta }).await?;
            entries.sort_by(|one, other| one.name.cmp(&other.name));
            let mut below = Vec::new();
            for entry in entries {
                let name = entry.name;
                if !names::honest(&name) {
                    let why = "its host lists a name that leads elsewhere; it is refused";
                    self.refuse(&names::join(&frame.from, &name), why).await?;
                    continue;
                }
                below.extend(self.entry(&frame, &name, entry.meta).await?);
            }
            waiting.extend(below.into_iter().rev());
        }
        Ok(())
    }

    /// One name in a folder; a folder is given back to be looked into later.
    async fn entry(
        &self,
        frame: &Frame,
        name: &[u8],
        mut meta: Meta,
    ) -> Result<Option<Frame>, Unwanted> {
        let from = names::join(&frame.from, name);
        let mut real = names::join(&frame.chain.real, name);
        if meta.kind == FileKind::Link {
            meta = match self.side.stat(&from).await {
                Ok(meta) => meta,
                Err(Fault::NotThere) => {
                    self.refuse(&from, "the link leads nowhere").await?;
                    return Ok(None);
                }
                Err(why) => {
                    self.fail(&from, why).await?;
                    return Ok(None);
                }
            };
            if meta.kind == FileKind::Folder {
                real = match self.side.resolve(&from).await {
                    Ok(real) => real,
                    Err(why) => {
                        self.fail(&from, why).await?;
                        return Ok(None);
                    }
                };
            }
        }
        let to = names::join(&frame.to, name);
        match meta.kind {
            FileKind::File => self.file(from, to, meta.size).await?,
            FileKind::Folder if frame.chain.holds(&real) => {
                let why = "the link leads back to a folder above it";
                self.refuse(&from, why).await?;
            }
            FileKind::Folder if frame.chain.depth() >= DEEPEST => {
                let why = format!("more than {DEEPEST} folders in each other are not followed");
                self.refuse(&from, &why).await?;
            }
            FileKind::Folder => {
                let above = Some(Arc::clone(&frame.chain));
                let chain = Arc::new(Chain { real, above });
                return Ok(Some(Frame {
                    from,
                    to,
                    meta,
                    chain,
                }));
            }
            FileKind::Link | FileKind::Other => {
                self.refuse(&from, "it is a device, a pipe or a socket")
                    .await?;
            }
        }
        Ok(None)
    }
}

/// The absolute path of a folder that may not be there yet.
async fn resolved(side: &Side, path: &[u8]) -> Option<Vec<u8>> {
    if side.stat(path).await.is_ok() {
        return side.resolve(path).await.ok();
    }
    let (folder, name) = names::split(path);
    let folder = side.resolve(folder).await.ok()?;
    Some(names::join(&folder, name))
}
