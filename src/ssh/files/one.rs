//! One file from one side to the other: whole under its name, or not there at all.
//!
//! It is written to a hidden file in the same folder, which gets the name when it is complete. What a copy that was cut
//! off leaves behind is that hidden file, from which a later copy can go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::files::FileKind;

use super::fault::Fault;
use super::here::{self, blocking};
use super::names;
use super::packet;
use super::progress::Tally;
use super::side::{Meta, Side};
use super::stream::{Opened, Sink, Source, UNDER_WAY};

/// How much of the end of a partial file is compared with the source before it is gone on with, in bytes.
const COMPARED: u64 = 32 * 1024;

/// How long what is on its way may take to be written when a copy is stopped.
const SETTLING: Duration = Duration::from_secs(5);

/// Less than this free means that a write failed for want of space, in bytes.
const FULL: u64 = 256 * 1024;

/// What all files of a copy share.
pub(crate) struct Job {
    pub(crate) to: Side,
    /// Keep times and permission bits.
    pub(crate) preserve: bool,
    /// Go on with partial files.
    pub(crate) resume: bool,
    pub(crate) tally: Tally,
    /// Why everything stops, once it does.
    pub(crate) halt: watch::Sender<Option<Fault>>,
}

/// A failure with the place where it happened.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) words: String,
    pub(crate) fault: Fault,
}

impl Trouble {
    fn new(doing: &str, place: &str, fault: Fault) -> Self {
        let words = format!("cannot {doing} {place}: {fault}");
        Self { words, fault }
    }
}

/// Where a file goes.
struct Aim {
    /// The path, links followed.
    path: Vec<u8>,
    /// What is there already.
    old: Option<Meta>,
    /// It is written where it stands.
    in_place: bool,
}

/// The file that is being written.
struct Target {
    file: Opened,
    /// How much of it is there.
    at: u64,
    /// The partial file; `None` when it is written where it stands.
    part: Option<Vec<u8>>,
    /// Permission bits to set at the end.
    mode: Option<u32>,
}

/// Copies the file `from` on `side` to `to`.
pub(crate) async fn copy(job: &Job, side: &Side, from: &[u8], to: &[u8]) -> Result<(), Trouble> {
    let place = side.place(from);
    let reading = |fault| Trouble::new("read", &place, fault);
    let source = open(side, from).await.map_err(reading)?;
    let done = transfer(job, side, from, &source, to).await;
    if let Opened::There(sftp, handle) = &source {
        // A courtesy; nobody waits for its answer.
        drop(sftp.close(handle).await);
    }
    done
}

async fn open(side: &Side, path: &[u8]) -> Result<Opened, Fault> {
    match side {
        Side::Here => {
            let path = path.to_vec();
            let file = blocking(move || here::read(&path)).await?;
            Ok(Opened::Here(Arc::new(file)))
        }
        Side::There(sftp) => {
            let handle = sftp.open_file(path, packet::FOR_READING, None).await?;
            Ok(Opened::There(Arc::clone(sftp), Arc::new(handle)))
        }
    }
}

async fn transfer(
    job: &Job,
    side: &Side,
    from: &[u8],
    source: &Opened,
    to: &[u8],
) -> Result<(), Trouble> {
    let place = side.place(from);
    let reading = |fault| Trouble::new("read", &place, fault);
    let writing = |fault| Trouble::new("write", &job.to.place(to), fault);
    let meta = source.meta().await.map_err(reading)?;
    if meta.kind != FileKind::File {
        let why = Fault::Other("it is not a plain file".to_owned());
        return Err(reading(why));
    }
    let aim = aim(job, to).await.map_err(writing)?;
    if aim.old.is_some() && same(side, from, &job.to, &aim.path).await {
        let why = Fault::Other("it is the file that is copied".to_owned());
        return Err(writing(why));
    }
    if job.resume && is_there(job, source, &meta, &aim).await {
        job.tally.begin(names::shown(from), meta.size, meta.size);
        job.tally.done();
        return Ok(());
    }
    let target = target(job, source, &meta, &aim).await.map_err(writing)?;
    job.tally.begin(names::shown(from), target.at, meta.size);
    // A file that claims to be empty may be one that the system makes up when it is read.
    let end = (meta.size > 0).then_some(meta.size);
    let pumped = pump(job, source, target.at, end, &target.file).await;
    let sum = match pumped {
        Ok(sum) => sum,
        Err(End::From(fault)) => {
            give_up(job, target, &fault).await;
            return Err(reading(fault));
        }
        Err(End::To(fault)) => {
            let fault = full(job, &aim.path, fault).await;
            give_up(job, target, &fault).await;
            return Err(writing(fault));
        }
    };
    if end.is_some_and(|end| sum < end) {
        let why = Fault::Other(format!(
            "it became shorter while it was copied: {sum} of {} bytes were left",
            meta.size
        ));
        give_up(job, target, &why).await;
        return Err(reading(why));
    }
    finish(job, &meta, target, &aim).await.map_err(writing)?;
    if let Ok(now) = source.meta().await
        && end.is_some()
        && (now.size, now.modified) != (meta.size, meta.modified)
    {
        job.tally.note(format!(
            "{place} changed while it was copied; the first {} bytes were copied",
            meta.size
        ));
    }
    job.tally.done();
    Ok(())
}

/// Whether both are one file.
async fn same(from_side: &Side, from: &[u8], to_side: &Side, to: &[u8]) -> bool {
    from_side.host() == to_side.host()
        && from_side.resolve(from).await.ok() == to_side.resolve(to).await.ok()
}

async fn aim(job: &Job, to: &[u8]) -> Result<Aim, Fault> {
    let mut aim = Aim {
        path: to.to_vec(),
        old: None,
        in_place: false,
    };
    let mut old = match job.to.lstat(to).await {
        Err(Fault::NotThere) => return Ok(aim),
        old => old?,
    };
    if old.kind == FileKind::Link {
        old = match job.to.stat(to).await {
            // A link that leads nowhere is replaced, never written through.
            Err(Fault::NotThere) => return Ok(aim),
            old => old?,
        };
        aim.path = job.to.resolve(to).await?;
    }
    match old.kind {
        FileKind::File => {}
        FileKind::Folder => return Err(Fault::Other("a folder has that name".to_owned())),
        FileKind::Link | FileKind::Other if old.stream => aim.in_place = true,
        FileKind::Link | FileKind::Other => {
            return Err(Fault::Other("it is a device or a socket".to_owned()));
        }
    }
    aim.old = Some(old);
    Ok(aim)
}

/// Whether an earlier copy has brought the whole file already: as long, not older, and equal at its end.
async fn is_there(job: &Job, source: &Opened, meta: &Meta, aim: &Aim) -> bool {
    let Some(old) = aim.old.filter(|old| !aim.in_place && old.size == meta.size) else {
        return false;
    };
    if old.modified < meta.modified {
        return false;
    }
    match open(&job.to, &aim.path).await {
        Ok(there) => {
            let equal = equal_at(source, &there, meta.size).await;
            drop(there.close().await);
            equal
        }
        Err(_) => false,
    }
}

async fn equal_at(source: &Opened, there: &Opened, end: u64) -> bool {
    let from = end.saturating_sub(COMPARED);
    let len = u32::try_from(end - from).unwrap_or(0);
    match (source.some(from, len).await, there.some(from, len).await) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Opens what is written.
async fn target(job: &Job, source: &Opened, meta: &Meta, aim: &Aim) -> Result<Target, Fault> {
    if aim.in_place {
        return in_place(job, meta, aim).await;
    }
    let part = names::part(&aim.path);
    let gone_on = if job.resume {
        go_on(job, source, meta, &part).await?
    } else {
        None
    };
    let bits = meta.mode & 0o777;
    let (file, at) = match gone_on {
        Some((file, at)) => (file, at),
        None => {
            // What replaces something, or gets exact bits, is nobody else's business until then; else the machine's umask
            // decides. We ourselves must be able to go on with it.
            let private = aim.old.is_some() || job.preserve;
            let mode = if private { 0o600 } else { bits | 0o600 };
            match create(&job.to, &part, mode).await {
                Ok(file) => (file, 0),
                Err(Fault::Denied) if aim.old.is_some() => {
                    job.tally.note(format!(
                        "{} was written where it stands: its folder takes no partial file",
                        job.to.place(&aim.path)
                    ));
                    return in_place(job, meta, aim).await;
                }
                Err(why) => return Err(why),
            }
        }
    };
    let mut target = Target {
        file,
        at,
        part: Some(part),
        mode: None,
    };
    match &aim.old {
        Some(old) => {
            let made = target.file.meta().await?;
            let foreign = old.owner.filter(|_| made.owner != old.owner);
            if let Some(owner) = foreign
                && target.file.give(owner).await.is_err()
            {
                // Whoever owns the file keeps it, at the price of a moment in which it is half.
                give_up(job, target, &Fault::Denied).await;
                job.tally.note(format!(
                    "{} was written where it stands: a new file could not be given to its owner",
                    job.to.place(&aim.path)
                ));
                return in_place(job, meta, aim).await;
            }
            target.mode = Some(if job.preserve { bits } else { old.mode & 0o777 });
        }
        None if job.preserve => target.mode = Some(bits),
        None if bits & 0o600 != 0o600 => {
            let made = target.file.meta().await?;
            target.mode = Some(made.mode & bits);
        }
        None => {}
    }
    Ok(target)
}

async fn in_place(job: &Job, meta: &Meta, aim: &Aim) -> Result<Target, Fault> {
    let bits = meta.mode & 0o777;
    let file = match &job.to {
        Side::Here => {
            let path = aim.path.clone();
            let file = blocking(move || here::overwrite(&path, bits)).await?;
            Opened::Here(Arc::new(file))
        }
        Side::There(sftp) => {
            let flags = packet::FOR_WRITING | packet::CREATE | packet::TRUNCATE;
            let handle = sftp.open_file(&aim.path, flags, Some(bits)).await?;
            Opened::There(Arc::clone(sftp), Arc::new(handle))
        }
    };
    let stream = aim.old.is_some_and(|old| old.stream);
    Ok(Target {
        file,
        at: 0,
        part: None,
        mode: (job.preserve && !stream).then_some(bits),
    })
}

/// Makes the partial file anew.
async fn create(side: &Side, part: &[u8], mode: u32) -> Result<Opened, Fault> {
    match side {
        Side::Here => {
            let part = part.to_vec();
            let file = blocking(move || match here::create(&part, mode) {
                Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => {
                    here::clear(&part)?;
                    here::create(&part, mode)
                }
                made => made,
            });
            Ok(Opened::Here(Arc::new(file.await?)))
        }
        Side::There(sftp) => {
            // It is read too, when a later copy goes on with it.
            let flags =
                packet::FOR_READING | packet::FOR_WRITING | packet::CREATE | packet::EXCLUSIVE;
            let made = match sftp.open_file(part, flags, Some(mode)).await {
                // A host does not say that something is there already; so an old partial file is removed, if there is one.
                Err(Fault::Other(why)) => match sftp.remove_file(part).await {
                    Ok(()) => sftp.open_file(part, flags, Some(mode)).await,
                    Err(_) => Err(Fault::Other(why)),
                },
                made => made,
            };
            Ok(Opened::There(Arc::clone(sftp), Arc::new(made?)))
        }
    }
}

/// The partial file of an earlier copy and how much of it is good; `None` when the file must be begun anew.
async fn go_on(
    job: &Job,
    source: &Opened,
    meta: &Meta,
    part: &[u8],
) -> Result<Option<(Opened, u64)>, Fault> {
    let found = match job.to.lstat(part).await {
        Err(Fault::NotThere) => return Ok(None),
        found => found?,
    };
    let anew = |why: &str| {
        let place = job.to.place(part);
        job.tally.note(format!("{place}: {why}; begun anew"));
    };
    // Writes on their way to a host may have arrived out of turn when the line broke: the last of them are not trusted.
    let good = match &job.to {
        Side::Here => found.size,
        Side::There(_) if found.size == meta.size => found.size,
        Side::There(_) => found.size.saturating_sub(UNDER_WAY),
    };
    if found.kind != FileKind::File {
        anew("the partial file is not a plain file");
        return Ok(None);
    }
    if found.size > meta.size {
        anew("the source is smaller than what was copied");
        return Ok(None);
    }
    if meta.modified > found.modified {
        anew("the source was changed since");
        return Ok(None);
    }
    if good == 0 {
        return Ok(None);
    }
    let file = match &job.to {
        Side::Here => {
            let path = part.to_vec();
            Opened::Here(Arc::new(blocking(move || here::go_on(&path)).await?))
        }
        Side::There(sftp) => {
            let flags = packet::FOR_READING | packet::FOR_WRITING;
            let handle = sftp.open_file(part, flags, None).await?;
            Opened::There(Arc::clone(sftp), Arc::new(handle))
        }
    };
    if !equal_at(source, &file, good).await {
        anew("the source is not the file that was copied");
        file.close().await?;
        return Ok(None);
    }
    file.cut(good).await?;
    Ok(Some((file, good)))
}

/// On which side it failed.
enum End {
    From(Fault),
    To(Fault),
}

/// Moves the bytes; says how many are there in all.
async fn pump(
    job: &Job,
    source: &Opened,
    at: u64,
    end: Option<u64>,
    file: &Opened,
) -> Result<u64, End> {
    let mut reading = Source::of(source.clone(), at, end);
    let mut writing = Sink::of(file.clone(), at);
    let mut halt = job.halt.subscribe();
    let mut sum = at;
    let arrived = |bytes| job.tally.moved(bytes);
    let failed = loop {
        let chunk = tokio::select! {
            biased;
            fault = halted(&mut halt) => break Some(End::From(fault)),
            chunk = reading.next() => chunk,
        };
        let chunk = match chunk {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break None,
            Err(fault) => break Some(End::From(fault)),
        };
        let len = chunk.len() as u64;
        let pushed = tokio::select! {
            biased;
            fault = halted(&mut halt) => break Some(End::From(fault)),
            pushed = writing.push(chunk, arrived) => pushed,
        };
        match pushed {
            Ok(()) => sum += len,
            Err(fault) => break Some(End::To(fault)),
        }
    };
    match failed {
        None => {
            let done = tokio::select! {
                fault = halted(&mut halt) => return Err(End::From(fault)),
                done = writing.finish(arrived) => done,
            };
            done.map(|()| sum).map_err(End::To)
        }
        Some(End::From(fault)) => {
            // What was read is worth keeping for a later copy; it is no failure if that takes too long.
            let finishing = writing.finish(arrived);
            tokio::time::timeout(SETTLING, finishing).await.ok();
            Err(End::From(fault))
        }
        Some(to) => Err(to),
    }
}

async fn halted(halt: &mut watch::Receiver<Option<Fault>>) -> Fault {
    match halt.wait_for(Option::is_some).await {
        Ok(fault) => fault.clone().unwrap_or(Fault::Stopped),
        Err(_) => Fault::Stopped,
    }
}

/// Gives the complete file its bits, its times and its name.
async fn finish(job: &Job, meta: &Meta, target: Target, aim: &Aim) -> Result<(), Fault> {
    let times = meta.times().filter(|_| job.preserve);
    if target.mode.is_some() || times.is_some() {
        let set = target.file.set(target.mode, times).await;
        match (set, &target.part) {
            (Ok(()), _) => {}
            // It would have other bits than the file that it replaces.
            (Err(why), Some(_)) if aim.old.is_some() => {
                give_up(job, target, &why).await;
                return Err(why);
            }
            (Err(why), _) => job.tally.note(format!(
                "{}: its times or permissions could not be kept: {why}",
                job.to.place(&aim.path)
            )),
        }
    }
    let closed = target.file.close().await;
    let Some(part) = target.part else {
        return closed;
    };
    let named = match closed {
        Ok(()) => job.to.replace(&part, &aim.path).await,
        Err(why) => Err(why),
    };
    if named.is_err() {
        job.to.remove_file(&part).await.ok();
    }
    named
}

/// Leaves a partial file for a later copy when the line broke or a person stopped it; else removes it.
async fn give_up(job: &Job, target: Target, fault: &Fault) {
    let Target { file, part, .. } = target;
    let size = file.meta().await.map(|meta| meta.size);
    drop(file.close().await);
    let Some(part) = part else { return };
    let keep = matches!(fault, Fault::Lost(_) | Fault::Stopped);
    if keep && size != Ok(0) {
        let place = job.to.place(&part);
        job.tally
            .note(format!("{place} is kept; --resume goes on there"));
    } else {
        job.to.remove_file(&part).await.ok();
    }
}

/// A host does not say that its disk is full, so it is asked.
async fn full(job: &Job, path: &[u8], fault: Fault) -> Fault {
    match (&job.to, fault) {
        (Side::There(sftp), Fault::Other(why)) => {
            let (folder, _) = names::split(path);
            let folder = if folder.is_empty() { b"." } else { folder };
            match sftp.free(folder).await {
                Some(free) if free < FULL => {
                    Fault::Other("no space is left on the disk".to_owned())
                }
                Some(_) | None => Fault::Other(why),
            }
        }
        (_, fault) => fault,
    }
}
