//! Letting a device in by a short code: the new one shows it, a person types it on one that is in. Pure.
//!
//! Both sides make a key from the code and from one message of each (CPace over Ristretto, after
//! draft-irtf-cfrg-cpace), and everything they say of themselves goes into that key. A remote that swaps a key, or the
//! whole message, cannot make an answer that opens, and learns nothing that it could try codes on: it has one guess in
//! 2^40 for each code that a person types. A code is therefore good for one answer and a quarter of an hour.

use std::fmt;

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use zeroize::Zeroizing;

use super::bytes::Reader;
use super::cipher::{self, NONCE, Secret};
use super::identity::{Identity, Public};
use super::names::{ObjectKind, ObjectName};
use super::random::{Random, draw};
use super::{SyncError, keyring};
use crate::domain::ids::EntityId;
use crate::domain::time::Time;

const REQUEST: &[u8; 4] = b"QDpq";
const ANSWER: &[u8; 4] = b"QDpa";
const VERSION: u8 = 1;
const GENERATOR: &str = "quarterdeck sync pairing generator 1";
const KEY: &str = "quarterdeck sync pairing key 1";
const PROOF: &str = "quarterdeck sync pairing proof 1";

/// How long a code is good, by the clock of the device that shows it.
pub const CODE_LIFE_MS: i64 = 15 * 60_000;
/// How far the clocks of two devices may be apart before an old request is refused.
const SKEW_MS: i64 = 24 * 3_600_000;
/// The characters of a code that the remote may know: they find the request.
const PLATE: usize = 4;
/// All characters of a code; those after the plate are the secret.
const LENGTH: usize = 12;

/// A code such as `7K3F-9QXA-2M0D`.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

impl Code {
    fn draw(random: &mut dyn Random) -> Result<Self, SyncError> {
        let id = EntityId::from_bytes(draw(random)?);
        Ok(Self(Zeroizing::new(id.base32(LENGTH))))
    }

    /// Reads what a person typed: any case, with or without dashes, with the usual confusions.
    pub fn parse(text: &str) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        for c in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            code.push(match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                'U' => return None,
                c if c.is_ascii_alphanumeric() => c,
                _ => return None,
            });
        }
        (code.len() == LENGTH).then_some(Self(code))
    }

    fn plate(&self) -> String {
        self.0.get(..PLATE).unwrap_or_default().to_ascii_lowercase()
    }

    /// Under which name the request of this code is found.
    pub fn request_name(&self) -> ObjectName {
        ObjectName {
            kind: ObjectKind::Pairing,
            name: format!("request-{}", self.plate()),
        }
    }

    /// Under which name its answer is found.
    pub fn answer_name(&self) -> ObjectName {
        ObjectName {
            kind: ObjectKind::Pairing,
            name: format!("answer-{}", self.plate()),
        }
    }

    /// Under which name the joining device shows that it knows the code.
    pub fn proof_name(&self) -> ObjectName {
        ObjectName {
            kind: ObjectKind::Pairing,
            name: format!("proof-{}", self.plate()),
        }
    }

    /// A point that nobody knows anything about without the code.
    fn generator(&self) -> RistrettoPoint {
        let mut wide = Zeroizing::new([0; 64]);
        blake3::Hasher::new_derive_key(GENERATOR)
            .update(self.0.as_bytes())
            .finalize_xof()
            .fill(wide.as_mut_slice());
        RistrettoPoint::from_uniform_bytes(&wide)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |from: usize| self.0.get(from..from + 4).unwrap_or_default();
        write!(f, "{}-{}-{}", part(0), part(4), part(8))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.plate())
    }
}

/// A device that wants to come in and waits for its answer. Dropping it forgets the code.
pub struct Joiner {
    code: Code,
    secret: Zeroizing<Scalar>,
    me: Public,
    since: Time,
    request: Vec<u8>,
}

/// What an answer that opened says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The space; the id fixes its founder and so its roster.
    pub space: EntityId,
    /// Who lets this device in. It must stand in the roster with these very keys.
    pub by: Public,
    /// What to put under [`Code::proof_name`]; only then is this device let in.
    pub proof: Proof,
}

/// Shows that whoever made a request knows the code. Until it is seen nobody is let in: otherwise whoever keeps the bag could
/// put a request of its own in the place of an honest one and be given the keys.
pub type Proof = [u8; 32];

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Who asks, as the request says.
    pub joiner: Public,
    /// What to put under [`Code::answer_name`].
    pub answer: Vec<u8>,
    /// What must then be found under [`Code::proof_name`].
    pub proof: Proof,
}

impl Joiner {
    /// Draws a code and makes the request.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn start(
        identity: &Identity,
        now: Time,
        random: &mut dyn Random,
    ) -> Result<Self, SyncError> {
        let code = Code::draw(random)?;
        let (secret, point) = half(&code, random)?;
        let me = identity.public();
        let mut request = Vec::with_capacity(132);
        request.extend_from_slice(REQUEST);
        request.push(VERSION);
        request.extend_from_slice(&u64::try_from(now.0).unwrap_or(0).to_be_bytes());
        request.extend_from_slice(&me.to_bytes());
        request.extend_from_slice(&point);
        Ok(Self {
            code,
            secret,
            me,
            since: now,
            request,
        })
    }

    /// What to show.
    pub const fn code(&self) -> &Code {
        &self.code
    }

    /// What to put under [`Code::request_name`].
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Whether the code is still good.
    pub fn is_alive(&self, now: Time) -> bool {
        // A clock that was set back makes the code end early, never late.
        (0..CODE_LIFE_MS).contains(&now.0.saturating_sub(self.since.0))
    }

    /// Hears the one answer. Whatever comes of it, the code is spent.
    ///
    /// # Errors
    /// The code is too old; or the answer was not made by somebody who was told this code about this very request.
    pub fn hear(self, answer: &[u8], now: Time) -> Result<Admission, SyncError> {
        if !self.is_alive(now) {
            return Err(SyncError::refused(
                "the code is too old; run `qd sync join` again for a new one",
            ));
        }
        let open = || -> Option<Admission> {
            let mut reader = Reader::new(answer);
            if reader.take(ANSWER.len())? != ANSWER || reader.u8()? != VERSION {
                return None;
            }
            let point = reader.array()?;
            let sealed = reader.take(16 + 80 + cipher::TAG)?;
            let key = whole(&self.secret, &point, &self.request, &point)?;
            let plain = cipher::open(&key, &[0; NONCE], ANSWER, sealed)?;
            let mut reader_of_plain = Reader::new(&plain);
            let admission = Admission {
                space: reader_of_plain.id()?,
                by: Public::read(&mut reader_of_plain)?,
                proof: *cipher::derive(PROOF, &[key.as_slice()]),
            };
            (reader.is_done() && admission.by.device != self.me.device).then_some(admission)
        };
        open().ok_or_else(|| {
            SyncError::refused(
                "the answer does not fit the code: it was typed wrongly, or somebody between the devices changed a key; run \
                 `qd sync join` again, and if it happens twice, do not trust this remote",
            )
        })
    }
}

/// When a request was made, by whom, and its point, as it says itself; `None` when it is damaged.
fn read_request(request: &[u8]) -> Option<(u64, Public, [u8; 32])> {
    let mut reader = Reader::new(request);
    if reader.take(REQUEST.len())? != REQUEST || reader.u8()? != VERSION {
        return None;
    }
    let fields = (reader.u64()?, Public::read(&mut reader)?, reader.array()?);
    reader.is_done().then_some(fields)
}

fn damaged() -> SyncError {
    SyncError::broken(
        "the request of that code",
        "it is damaged; run `qd sync join` there again",
    )
}

/// Who made a request, as it says itself: to be shown before anybody is let in. What the remote changed in it is found
/// later, since the answer then does not open.
///
/// # Errors
/// The request is damaged.
pub(crate) fn asks(request: &[u8]) -> Result<Public, SyncError> {
    let (_, joiner, _) = read_request(request).ok_or_else(damaged)?;
    Ok(joiner)
}

/// Answers the request that `code` stands for. Nobody may be let in before the proof was seen.
///
/// # Errors
/// The request is damaged or too old, or there is no randomness. A request that the remote changed is not found here: the
/// other side finds it, since its answer does not open.
pub fn answer(
    code: &Code,
    request: &[u8],
    space: EntityId,
    identity: &Identity,
    now: Time,
    random: &mut dyn Random,
) -> Result<Reply, SyncError> {
    let (since, joiner, point) = read_request(request).ok_or_else(damaged)?;
    if now.0.abs_diff(i64::try_from(since).unwrap_or(0)) > SKEW_MS.unsigned_abs() {
        return Err(SyncError::refused(
            "that request is more than a day away by this clock; set the clocks, then run `qd sync join` there again",
        ));
    }
    let (secret, own) = half(code, random)?;
    let key = whole(&secret, &point, request, &own).ok_or_else(damaged)?;
    let mut plain = Vec::with_capacity(96);
    plain.extend_from_slice(space.as_bytes());
    plain.extend_from_slice(&identity.public().to_bytes());
    let mut out = Vec::with_capacity(160);
    out.extend_from_slice(ANSWER);
    out.push(VERSION);
    out.extend_from_slice(&own);
    out.extend_from_slice(&cipher::seal(&key, &[0; NONCE], ANSWER, &plain));
    Ok(Reply {
        joiner,
        answer: out,
        proof: *cipher::derive(PROOF, &[key.as_slice()]),
    })
}

/// One side's secret and its message.
fn half(code: &Code, random: &mut dyn Random) -> Result<(Zeroizing<Scalar>, [u8; 32]), SyncError> {
    let wide = Zeroizing::new(draw::<64>(random)?);
    let secret = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide));
    let point = (code.generator() * *secret).compress().to_bytes();
    Ok((secret, point))
}

/// The key of both, bound to all that was said; `None` for a message that no honest side sends.
fn whole(secret: &Scalar, theirs: &[u8; 32], request: &[u8], answer: &[u8; 32]) -> Option<Secret> {
    let point = CompressedRistretto(*theirs).decompress()?;
    let shared = point * secret;
    if shared.is_identity() {
        return None;
    }
    let shared = Zeroizing::new(shared.compress().to_bytes());
    Some(cipher::derive(KEY, &[shared.as_slice(), request, answer]))
}

/// The keys that let `joiner` read everything, old and new.
pub(crate) fn welcome(
    ring: &keyring::Ring,
    space: EntityId,
    joiner: Public,
    identity: &Identity,
    random: &mut dyn Random,
) -> Result<Vec<u8>, SyncError> {
    keyring::wrap(space, ring.keys(), &[joiner], identity, random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::DeviceId;
    use crate::sync::SystemRandom;

    /// Whoever was told the code can seal anything in the answer: it is read within bounds, or refused, and says nothing but
    /// where to look for this device in the roster.
    #[test]
    fn an_answer_of_any_text_is_read_within_bounds() {
        let device = |name| DeviceId(EntityId::derived("device", name));
        let mut random = SystemRandom;
        let me = Identity::generate(device("new"), &mut random).expect("there is randomness");
        let now = Time(1_795_428_000_000);
        let mut read = 0;
        for turn in 0..300 {
            let joiner = Joiner::start(&me, now, &mut random).expect("there is randomness");
            let (secret, own) = half(joiner.code(), &mut random).expect("there is randomness");
            let (_, _, point) = read_request(joiner.request()).expect("our own request");
            let key = whole(&secret, &point, joiner.request(), &own).expect("an honest point");
            let mut plain: [u8; 96] = draw(&mut random).expect("there is randomness");
            if turn % 3 == 0 {
                plain[16..].copy_from_slice(&me.public().to_bytes());
            }
            let long = if turn % 2 == 0 { 96 } else { turn % 97 };
            let mut answer = ANSWER.to_vec();
            answer.push(VERSION);
            answer.extend(own);
            answer.extend(cipher::seal(&key, &[0; NONCE], ANSWER, &plain[..long]));
            let heard = joiner.hear(&answer, now.plus(1));
            let fits = long == 96 && turn % 3 != 0;
            assert_eq!(heard.is_ok(), fits, "turn {turn}: {heard:?}");
            read += usize::from(fits);
        }
        assert!(read > 50, "both ways are met");
    }
}
