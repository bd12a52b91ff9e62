//! Who belongs to a space: signed statements that a founder, and everybody admitted since, made about devices.
//!
//! The roster is what all statements together say, in whatever order they came. The id of a space is the hash of the
//! statement that founded it, so nobody can found it again.

use std::collections::{BTreeMap, BTreeSet};

use super::bytes::Reader;
use super::cipher::SIGNATURE;
use super::frame::Form;
use super::identity::{Identity, Public};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::time::Time;

const FORM: Form = Form {
    magic: b"QDro",
    label: "quarterdeck sync roster 1",
};
/// The most hashes that a retirement keeps.
const KEEPS_MAX: usize = 4096;

/// The hash by which an object is known: also its name in the remote.
pub type Hash = [u8; 16];

/// The hash of an object's bytes.
pub(crate) fn hash(bytes: &[u8]) -> Hash {
    let mut short = [0; 16];
    short.copy_from_slice(blake3::hash(bytes).as_bytes().split_at(16).0);
    short
}

/// What somebody says of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The space begins, with its first device.
    Founded(Public),
    /// A device belongs to the space.
    Added(Public),
    /// A device belongs to it no longer. Should several say so, the highest `last` counts, so that nothing is lost which
    /// somebody has taken in already.
    Retired {
        /// Which.
        device: DeviceId,
        /// The last operation of its log that counts.
        last: u64,
        /// Those of its statements and keyrings that stay valid.
        keeps: Vec<Hash>,
    },
}

/// A claim with who made it, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// In which space; zeros when it founds one.
    pub space: EntityId,
    /// Who says so.
    pub author: DeviceId,
    /// When, by the author's clock. Nothing depends on it.
    pub at: Time,
    /// What is said.
    pub claim: Claim,
    bytes: Vec<u8>,
    hash: Hash,
}

impl Statement {
    /// Makes and signs a statement. `space` is left out when it founds one.
    pub fn sign(space: Option<EntityId>, at: Time, claim: Claim, identity: &Identity) -> Self {
        let space = space.unwrap_or(EntityId::from_bytes([0; 16]));
        let mut bytes = FORM.begin();
        bytes.extend_from_slice(space.as_bytes());
        bytes.extend_from_slice(identity.device().0.as_bytes());
        bytes.extend_from_slice(&u64::try_from(at.0).unwrap_or(0).to_be_bytes());
        match &claim {
            Claim::Founded(public) | Claim::Added(public) => {
                bytes.push(if matches!(claim, Claim::Founded(_)) {
                    1
                } else {
                    2
                });
                bytes.extend_from_slice(&public.to_bytes());
            }
            Claim::Retired {
                device,
                last,
                keeps,
            } => {
                bytes.push(3);
                bytes.extend_from_slice(device.0.as_bytes());
                bytes.extend_from_slice(&last.to_be_bytes());
                let keeps = keeps.get(..KEEPS_MAX.min(keeps.len())).unwrap_or_default();
                bytes.extend_from_slice(&u16::try_from(keeps.len()).unwrap_or(0).to_be_bytes());
                keeps.iter().for_each(|hash| bytes.extend_from_slice(hash));
            }
        }
        FORM.sign(&mut bytes, identity);
        Self {
            space,
            author: identity.device(),
            at,
            claim,
            hash: hash(&bytes),
            bytes,
        }
    }

    /// Reads a statement. Whether its author may say so, and did, is for [`Roster::of`] to find.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        FORM.begins(&mut reader)?;
        let (space, author, at) = (reader.id()?, reader.device()?, reader.u64()?);
        let claim = match reader.u8()? {
            1 => Claim::Founded(Public::read(&mut reader)?),
            2 => Claim::Added(Public::read(&mut reader)?),
            3 => {
                let (device, last) = (reader.device()?, reader.u64()?);
                let count = usize::from(reader.u16()?);
                if count > KEEPS_MAX {
                    return None;
                }
                let keeps = (0..count).map(|_| reader.array()).collect::<Option<_>>()?;
                Claim::Retired {
                    device,
                    last,
                    keeps,
                }
            }
            _ => return None,
        };
        reader.take(SIGNATURE)?;
        reader.is_done().then(|| Self {
            space,
            author,
            at: Time(i64::try_from(at).unwrap_or(0)),
            claim,
            bytes: bytes.to_vec(),
            hash: hash(bytes),
        })
    }

    /// As it stands in the remote.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its hash; of the founding statement, the id of the space.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        FORM.is_signed(key, &self.bytes)
    }
}

/// A device that belongs, or belonged, to the space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its keys.
    pub public: Public,
    /// Who admitted it; the founder itself.
    pub by: DeviceId,
    /// When it was admitted, by that device's clock.
    pub at: Time,
    /// How many admissions lie between the founder and it.
    depth: u32,
    /// When it was retired.
    pub retired: Option<Retirement>,
}

/// The end of a device's membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retirement {
    /// The last operation of its log that counts.
    pub last: u64,
    /// Who said so first, by hash.
    pub by: DeviceId,
    keeps: BTreeSet<Hash>,
}

impl Member {
    /// Whether an object that this device signed counts: all of them while it belongs, and later those that whoever
    /// retired it knew of.
    pub fn vouches_for(&self, object: &Hash) -> bool {
        self.retired
            .as_ref()
            .is_none_or(|retired| retired.keeps.contains(object))
    }
}

/// Who belongs to a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    members: BTreeMap<DeviceId, Member>,
}

impl Roster {
    /// What `statements` say together; their order does not matter. Answers also those that count for nothing.
    pub fn of(space: EntityId, statements: &[Statement]) -> (Self, Vec<Hash>) {
        let mut void = BTreeSet::new();
        // What a retired device said without anybody's knowledge is void, and with it what stood on it, and so on. The
        // set only grows, so this ends.
        let roster = loop {
            let mut roster = Self::admitted(space, statements, &void);
            roster.retire(space, statements, &void);
            let before = void.len();
            for statement in statements {
                let member = roster.members.get(&statement.author);
                if member.is_none_or(|member| !member.vouches_for(&statement.hash)) {
                    void.insert(statement.hash);
                }
            }
            if void.len() == before {
                break roster;
            }
        };
        let worthless = statements.iter().filter(|one| !roster.counts(space, one));
        let worthless = worthless.map(Statement::hash).collect();
        (roster, worthless)
    }

    /// Everybody who was ever admitted, from the founder outwards.
    fn admitted(space: EntityId, statements: &[Statement], void: &BTreeSet<Hash>) -> Self {
        let mut roster = Self::default();
        for statement in statements {
            if let Claim::Founded(public) = &statement.claim {
                let genuine = statement.hash == *space.as_bytes()
                    && statement.author == public.device
                    && statement.is_signed_by(&public.signing);
                if genuine {
                    roster.admit(*public, statement, 0);
                }
            }
        }
        let mut waiting: Vec<&Statement> = statements
            .iter()
            .filter(|one| {
                one.space == space
                    && matches!(one.claim, Claim::Added(_))
                    && !void.contains(&one.hash)
            })
            .collect();
        // By hash, so that of two statements about one device every machine takes the same.
        waiting.sort_by_key(|one| one.hash);
        for depth in 1.. {
            let (mut now, later): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|one| roster.members.contains_key(&one.author));
            now.retain(|one| roster.is_signed(one));
            if now.is_empty() {
                break;
            }
            for statement in now {
                if let Claim::Added(public) = &statement.claim {
                    roster.admit(*public, statement, depth);
                }
            }
            waiting = later;
        }
        roster
    }

    fn admit(&mut self, public: Public, statement: &Statement, depth: u32) {
        self.members.entry(public.device).or_insert(Member {
            public,
            by: statement.author,
            at: statement.at,
            depth,
            retired: None,
        });
    }

    /// Retires. Of two devices that retire each other, the one nearer to the founder is heard.
    fn retire(&mut self, space: EntityId, statements: &[Statement], void: &BTreeSet<Hash>) {
        let mut claims: Vec<_> = statements
            .iter()
            .filter(|one| one.space == space && !void.contains(&one.hash) && self.is_signed(one))
            .filter_map(|one| match &one.claim {
                Claim::Retired {
                    device,
                    last,
                    keeps,
                } => {
                    let depth = self.members.get(&one.author)?.depth;
                    Some(((depth, one.author, one.hash), (*device, *last, keeps)))
                }
                Claim::Founded(_) | Claim::Added(_) => None,
            })
            .collect();
        claims.sort_by_key(|(order, _)| *order);
        for ((_, author, hash), (device, last, keeps)) in claims {
            let heard = self
                .members
                .get(&author)
                .is_some_and(|member| author == device || member.vouches_for(&hash));
            let Some(member) = self.members.get_mut(&device).filter(|_| heard) else {
                continue;
            };
            let retired = member.retired.get_or_insert(Retirement {
                last,
                by: author,
                keeps: BTreeSet::new(),
            });
            retired.last = retired.last.max(last);
            retired.keeps.extend(keeps);
            // Its own farewell stays its word.
            if author == device {
                retired.keeps.insert(hash);
            }
        }
    }

    fn is_signed(&self, statement: &Statement) -> bool {
        self.members
            .get(&statement.author)
            .is_some_and(|member| statement.is_signed_by(&member.public.signing))
    }

    fn counts(&self, space: EntityId, statement: &Statement) -> bool {
        let founds = matches!(statement.claim, Claim::Founded(_));
        let here =
            founds && statement.hash == *space.as_bytes() || !founds && statement.space == space;
        let author = self.members.get(&statement.author);
        here && self.is_signed(statement)
            && author.is_some_and(|author| author.vouches_for(&statement.hash) || founds)
    }

    /// The member with this id, retired or not.
    pub fn member(&self, device: DeviceId) -> Option<&Member> {
        self.members.get(&device)
    }

    /// All members, retired or not.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Those that belong to the space now.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.members
            .values()
            .filter(|member| member.retired.is_none())
    }

    /// Whether a device belongs to the space now.
    pub fn is_active(&self, device: DeviceId) -> bool {
        self.member(device)
            .is_some_and(|member| member.retired.is_none())
    }
}
