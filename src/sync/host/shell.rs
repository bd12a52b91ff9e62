//! The bag by commands: each call one round trip. The commands are in `script`.

use super::script::{self, Creation, HeadChange, Words};
use super::{Inner, LISTING_BYTES, Place, Ran, log, said, sift};
use crate::domain::ids::DeviceId;
use crate::sync::names::{Head, ObjectName, SegmentName, parse_device};
use crate::sync::remote::{
    Listing, OBJECT_MAX, OBJECTS_MAX, Objects, PRESENCE_MAX, PRESENCES_MAX, Presences, Put,
    RemoteError,
};

/// The least digits by which a device is named in an answer.
const DIGITS_MIN: usize = 4;

/// More digits than the known devices need to differ, so that an unknown one is not taken for one of them.
const DIGITS_MORE: usize = 2;

/// The digits of a device.
const DIGITS: usize = 32;

impl Inner {
    /// Runs a command and hears what it came to; an answer is there only if it did all that it should.
    async fn run(
        &self,
        attempt: &str,
        command: String,
        input: Vec<u8>,
        limit: usize,
    ) -> Result<Ran, RemoteError> {
        let limit = limit + script::NOISE;
        let ran = match self.carrier.exec(command, input, limit).await {
            Ok(ran) => ran,
            Err(why @ super::Mishap::Refused(_)) => {
                self.forget_way().await;
                return Err(self.mishap(attempt, why));
            }
            Err(why) => return Err(self.mishap(attempt, why)),
        };
        if ran.endless {
            return Err(self.mishap(attempt, super::Mishap::TooLong));
        }
        Ok(ran)
    }

    /// What a command said that did all that it should.
    async fn checked<'a>(&self, attempt: &str, ran: &'a Ran) -> Result<&'a [u8], RemoteError> {
        match ran.status {
            Some(0) => match script::answer(ran) {
                Some(answer) => Ok(answer),
                None => {
                    self.forget_way().await;
                    let why = format!("its shell does not answer as expected: {}", said(ran));
                    Err(self.failed(attempt, &why))
                }
            },
            Some(script::NO_BAG) => Err(self.no_bag(&complaints(ran))),
            Some(script::NOT_THERE) => Err(self.mishap(attempt, super::Mishap::NotThere)),
            Some(script::DENIED) => Err(self.mishap(attempt, super::Mishap::Denied(said(ran)))),
            Some(script::SHORT) => Err(self.failed(
                attempt,
                &format!("not all of it was written; is the disk full? {}", complaints(ran)),
            )),
            Some(script::NO_LINKS) => Err(self.failed(
                attempt,
                "the file system there knows no hard links, so that nothing can be created just once; use a folder on another one",
            )),
            Some(status) => {
                self.forget_way().await;
                Err(self.failed(attempt, &format!("status {status}: {}", said(ran))))
            }
            None => Err(RemoteError::Unreachable {
                place: self.place.clone(),
                why: "the host closed the channel before the command was done".to_owned(),
            }),
        }
    }

    pub(super) async fn shell_create(&self, words: Words) -> Result<(), RemoteError> {
        let attempt = "making the folders";
        let command = script::create(&self.root, &script::folders(), words);
        let ran = self.run(attempt, command, Vec::new(), 64).await?;
        self.checked(attempt, &ran).await.map(drop)
    }

    pub(super) async fn shell_heads(&self) -> Result<Listing<Head>, RemoteError> {
        let attempt = "reading the heads";
        let command = script::heads(&self.root);
        let ran = self
            .run(attempt, command, Vec::new(), LISTING_BYTES)
            .await?;
        let answer = self.checked(attempt, &ran).await?;
        Ok(sift(crate::sync::HEADS, lines(answer), Head::parse))
    }

    pub(super) async fn shell_names<T>(
        &self,
        folder: &str,
        must: bool,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Listing<T>, RemoteError> {
        let attempt = format!("listing {folder}");
        let command = script::list(&self.root, folder, must);
        let running = self.run(&attempt, command, Vec::new(), LISTING_BYTES);
        let ran = running.await?;
        let answer = self.checked(&attempt, &ran).await?;
        Ok(sift(folder, lines(answer), parse))
    }

    pub(super) async fn shell_read(
        &self,
        folder: &str,
        file: &str,
        shown: &str,
        most: usize,
    ) -> Result<Vec<u8>, RemoteError> {
        let command = script::get(&self.root, folder, file);
        // One byte more tells a file that is too long from one that just fits.
        let mut ran = self.run(shown, command, Vec::new(), most + 1).await?;
        let len = match self.checked(shown, &ran).await?.split_first() {
            Some((b'\n', content)) => content.len(),
            _ => return Err(self.failed(&format!("reading {shown}"), "its answer has no head")),
        };
        if len > most {
            return Err(self.mishap(shown, super::Mishap::TooLong));
        }
        // In place: it may be large.
        ran.out.drain(..ran.out.len() - len);
        Ok(ran.out)
    }

    pub(super) async fn shell_put(
        &self,
        words: Words,
        place: &Place,
        bytes: Vec<u8>,
        attempt: &str,
    ) -> Result<Put, RemoteError> {
        let (nonce, inline) = (self.nonce()?, words.inline(&bytes));
        let new = Creation {
            folder: &place.folder,
            make: place.device.is_some(),
            file: &place.file,
            nonce: &nonce,
            len: bytes.len(),
            inline: inline.as_deref(),
        };
        let command = script::put(&self.root, &new, words);
        let input = if inline.is_some() { Vec::new() } else { bytes };
        let ran = self.run(attempt, command, input, 64).await?;
        let answer = self.checked(attempt, &ran).await?;
        let put = match answer.first() {
            Some(b'C') => Put::Created,
            Some(b'E') => Put::Exists,
            _ => return Err(self.failed(attempt, "its answer says neither yes nor no")),
        };
        self.keep_shared(answer.get(1) == Some(&b's'));
        if let Some(device) = place.device {
            self.known().folders.insert(device);
        }
        Ok(put)
    }

    /// Several objects of one sort in one round trip.
    pub(super) async fn shell_objects(&self, names: &[ObjectName]) -> Result<Objects, RemoteError> {
        let Some(kind) = names.first().map(|name| name.kind) else {
            return Ok(Objects::new());
        };
        let asked = names.iter().take(OBJECTS_MAX);
        let asked: Vec<&ObjectName> = asked.filter(|name| name.kind == kind).collect();
        let attempt = "reading small objects";
        let files = asked.iter().map(|name| name.name.as_str());
        let command = script::get_many(&self.root, kind.word(), files, OBJECT_MAX);
        let limit = OBJECT_MAX + OBJECTS_MAX * 32;
        let ran = self.run(attempt, command, Vec::new(), limit).await?;
        let missing = |name: &ObjectName| RemoteError::NotFound {
            name: name.to_string(),
            place: self.place.clone(),
        };
        let answer = match self.checked(attempt, &ran).await {
            Ok(answer) => answer,
            // There is nothing of that sort at all.
            Err(RemoteError::NotFound { .. }) => {
                let all = asked.into_iter();
                return Ok(all.map(|name| (name.clone(), Err(missing(name)))).collect());
            }
            Err(why) => return Err(why),
        };
        let Some(found) = script::got_many(answer, OBJECT_MAX) else {
            return Err(self.failed(attempt, "its answer ends early or is none"));
        };
        let found = asked.into_iter().zip(found);
        Ok(found
            .map(|(name, one)| {
                let one = match one {
                    Ok(Some(bytes)) => Ok(bytes),
                    Ok(None) => Err(missing(name)),
                    Err(()) => Err(self.mishap(&name.to_string(), super::Mishap::TooLong)),
                };
                (name.clone(), one)
            })
            .collect())
    }

    /// Overwrites what a device says it has open.
    pub(super) async fn shell_present(
        &self,
        words: Words,
        device: DeviceId,
        bytes: Vec<u8>,
        attempt: &str,
    ) -> Result<(), RemoteError> {
        let (nonce, inline) = (self.nonce()?, words.inline(&bytes));
        let device = device.to_string();
        let command = script::present(&self.root, &device, &nonce, bytes.len(), inline.as_deref());
        let input = if inline.is_some() { Vec::new() } else { bytes };
        let ran = self.run(attempt, command, input, 64).await?;
        self.checked(attempt, &ran).await.map(drop)
    }

    /// What devices say they have open.
    pub(super) async fn shell_presences(&self, attempt: &str) -> Result<Presences, RemoteError> {
        let command = script::presences(&self.root, PRESENCES_MAX, PRESENCE_MAX);
        let limit = PRESENCES_MAX * (PRESENCE_MAX + 64);
        let ran = self.run(attempt, command, Vec::new(), limit).await?;
        let answer = self.checked(attempt, &ran).await?;
        Ok(script::presented(answer, PRESENCES_MAX, PRESENCE_MAX))
    }

    pub(super) async fn shell_remove(
        &self,
        folder: &str,
        file: &str,
        attempt: &str,
    ) -> Result<(), RemoteError> {
        let command = script::remove(&self.root, folder, file);
        let ran = self.run(attempt, command, Vec::new(), 64).await?;
        self.checked(attempt, &ran).await.map(drop)
    }

    pub(super) async fn shell_head(&self, words: Words, head: Head) -> Result<(), RemoteError> {
        let attempt = "setting the head";
        let (device, old) = (head.device.to_string(), self.old_heads(head));
        let change = HeadChange {
            device: &device,
            seq: head.seq,
            old: &old,
        };
        let command = script::head(&self.root, &change, words);
        let ran = self.run(attempt, command, Vec::new(), 64).await?;
        self.checked(attempt, &ran).await.map(drop)
    }

    /// Creates a segment and sets the head in one round trip, if nothing is out of the ordinary; otherwise the segment comes
    /// back and nothing is said about what was done.
    pub(super) async fn shell_publish(
        &self,
        words: Words,
        name: SegmentName,
        sealed: Vec<u8>,
        head: Head,
    ) -> Result<Result<Put, Vec<u8>>, RemoteError> {
        let ready = self.known().folders.contains(&name.device) && self.has_listed();
        let Some(shared) = self.shared().filter(|_| ready) else {
            return Ok(Err(sealed));
        };
        let attempt = format!("writing {name}");
        let (nonce, folder, file) = (self.nonce()?, log(name.device), name.file());
        let inline = words.inline(&sealed);
        let (device, old) = (head.device.to_string(), self.old_heads(head));
        let new = Creation {
            folder: &folder,
            make: false,
            file: &file,
            nonce: &nonce,
            len: sealed.len(),
            inline: inline.as_deref(),
        };
        let change = HeadChange {
            device: &device,
            seq: head.seq,
            old: &old,
        };
        let digits = self.digits();
        let command = script::publish(&self.root, &new, &change, shared, digits, words);
        let input = if inline.is_some() {
            Vec::new()
        } else {
            sealed.clone()
        };
        let running = self.run(&attempt, command, input, LISTING_BYTES);
        let ran = running.await?;
        match (ran.status, script::answer(&ran)) {
            (Some(0), Some(answer)) if answer.first() == Some(&b'C') => {
                self.head_set(head);
                self.overhear(answer.get(1..).unwrap_or_default(), digits);
                Ok(Ok(Put::Created))
            }
            // The segment is there, the head is not.
            (Some(script::DENIED), _) => {
                self.shell_head(words, head).await?;
                Ok(Ok(Put::Created))
            }
            // Somebody changed the bag, or the connection broke. What is known of it is found out again.
            _ => {
                let mut known = self.known();
                known.folders.remove(&name.device);
                known.shared = None;
                Ok(Err(sealed))
            }
        }
    }

    /// By how many digits the known devices are told apart.
    fn digits(&self) -> usize {
        let mut names: Vec<String> = {
            let known = self.known();
            let heads = known.heads.iter();
            heads.map(|head| head.device.to_string()).collect()
        };
        names.sort_unstable();
        names.dedup();
        let pairs = names.iter().zip(names.iter().skip(1));
        let alike = pairs.map(|(one, other)| {
            let same = one.bytes().zip(other.bytes());
            same.take_while(|(one, other)| one == other).count()
        });
        let needed = alike.max().unwrap_or(0) + 1 + DIGITS_MORE;
        needed.clamp(DIGITS_MIN, DIGITS)
    }

    /// Takes heads whose devices are shortened. Whoever is not known, or not well written, makes all of it worthless: then
    /// a whole listing must tell.
    fn overhear(&self, answer: &[u8], digits: usize) {
        let mut known = self.known();
        let mut names = Vec::new();
        for line in lines(answer).filter(|line| !line.is_empty()) {
            let found = std::str::from_utf8(line).ok().and_then(|line| {
                let short = line.get(..digits)?;
                let mut heads = known.heads.iter();
                let device = heads.find_map(|head| {
                    let name = head.device.to_string();
                    name.starts_with(short).then_some(name)
                })?;
                let head = Head::parse(&format!("{device}{}", line.get(digits..)?))?;
                parse_device(&device).map(|_| head)
            });
            match found {
                Some(head) => names.push(head),
                None => return,
            }
        }
        known.overheard = Some(Listing {
            names,
            strange: Vec::new(),
        });
    }
}

/// What a command complained about; empty if it did not.
fn complaints(ran: &Ran) -> String {
    if ran.err.is_empty() {
        String::new()
    } else {
        said(ran)
    }
}

fn lines(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    answer.split(|byte| *byte == b'\n')
}
