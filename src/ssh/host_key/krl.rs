//! Revocation lists in OpenSSH's binary form (its PROTOCOL.krl), made by `ssh-keygen -k`. What cannot be understood is an error.

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, HashAlg, PublicKey};
use sha1::{Digest, Sha1};

/// How every such list begins.
pub(super) const MAGIC: &[u8] = b"SSHKRL\n\0";

const FORMAT: u32 = 1;

const CERTIFICATES: u8 = 1;
const EXPLICIT_KEY: u8 = 2;
const FINGERPRINT_SHA1: u8 = 3;
const SIGNATURE: u8 = 4;
const FINGERPRINT_SHA256: u8 = 5;
const EXTENSION: u8 = 255;

const SERIAL_LIST: u8 = 0x20;
const SERIAL_RANGE: u8 = 0x21;
const SERIAL_BITMAP: u8 = 0x22;
const KEY_ID: u8 = 0x23;
const CERTIFICATE_EXTENSION: u8 = 0x39;

/// What a list revokes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Krl {
    certificates: Vec<Certificates>,
    /// Keys as the protocol writes them.
    keys: Vec<Vec<u8>>,
    sha1: Vec<Vec<u8>>,
    sha256: Vec<Vec<u8>>,
}

/// Revoked certificates of one authority.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Certificates {
    /// Empty for those of every authority.
    authority: Vec<u8>,
    /// From, to; both are in.
    serials: Vec<(u64, u64)>,
    /// The first serial and a bit for each from there on, the last byte being the lowest.
    bitmaps: Vec<(u64, Vec<u8>)>,
    key_ids: Vec<String>,
}

impl Krl {
    /// Reads a whole list.
    ///
    /// # Errors
    /// It is cut off, of another version, or has a part that must be understood and is not.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut rest = Bytes(
            bytes
                .strip_prefix(MAGIC)
                .ok_or("it does not begin as a revocation list")?,
        );
        let format = rest.u32()?;
        if format != FORMAT {
            return Err(format!("its format {format} is not known"));
        }
        // The list's own version, date and flags say nothing about keys.
        for _ in 0..3 {
            rest.u64()?;
        }
        rest.string()?;
        rest.string()?;
        let mut krl = Self::default();
        while !rest.is_empty() {
            let kind = rest.u8()?;
            let mut section = Bytes(rest.string()?);
            match kind {
                CERTIFICATES => krl.certificates.push(certificates(section)?),
                EXPLICIT_KEY => krl.keys.extend(section.strings()?),
                FINGERPRINT_SHA1 => krl.sha1.extend(digests(section, 20)?),
                FINGERPRINT_SHA256 => krl.sha256.extend(digests(section, 32)?),
                // Signatures come last and vouch for a list that was fetched; this one is trusted for its place.
                SIGNATURE => {
                    rest.string()?;
                }
                EXTENSION => extension(&mut section)?,
                other => return Err(format!("its section {other} is not known")),
            }
        }
        Ok(krl)
    }

    /// Why `key` is revoked, if it is.
    pub(super) fn revokes(&self, key: &KeyData) -> Option<&'static str> {
        let blob = PublicKey::from(key.clone()).to_bytes().ok()?;
        if self.keys.contains(&blob) {
            return Some("the key itself");
        }
        let digest = Sha1::digest(&blob);
        if self.sha1.iter().any(|revoked| *revoked == digest[..]) {
            return Some("the key's SHA-1 fingerprint");
        }
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        let revoked = |revoked: &Vec<u8>| *revoked == fingerprint.as_bytes();
        self.sha256
            .iter()
            .any(revoked)
            .then_some("the key's SHA-256 fingerprint")
    }

    /// Why `certificate` is revoked, if it is by its key id or serial; its keys are asked about apart.
    pub(super) fn revokes_certificate(&self, certificate: &Certificate) -> Option<String> {
        let authority = PublicKey::from(certificate.signature_key().clone())
            .to_bytes()
            .ok()?;
        let lists = self
            .certificates
            .iter()
            .filter(|list| list.authority.is_empty() || list.authority == authority);
        for list in lists {
            let id = certificate.key_id();
            if list.key_ids.iter().any(|revoked| revoked == id) {
                return Some(format!("the certificate's key id {id:?}"));
            }
            let serial = certificate.serial();
            // A certificate without a serial number has 0, which never means one of them.
            if serial != 0 && list.has(serial) {
                return Some(format!("the certificate's serial number {serial}"));
            }
        }
        None
    }
}

impl Certificates {
    fn has(&self, serial: u64) -> bool {
        let within = |(from, to): &(u64, u64)| (*from..=*to).contains(&serial);
        self.serials.iter().any(within)
            || self.bitmaps.iter().any(|(first, bits)| {
                let Some(at) = serial.checked_sub(*first) else {
                    return false;
                };
                let Ok(place) = usize::try_from(at / 8) else {
                    return false;
                };
                let byte = bits.iter().rev().nth(place);
                byte.is_some_and(|byte| byte >> (at % 8) & 1 == 1)
            })
    }
}

fn certificates(mut section: Bytes<'_>) -> Result<Certificates, String> {
    let mut list = Certificates {
        authority: section.string()?.to_vec(),
        ..Certificates::default()
    };
    section.string()?;
    while !section.is_empty() {
        let kind = section.u8()?;
        let mut part = Bytes(section.string()?);
        match kind {
            SERIAL_LIST => {
                while !part.is_empty() {
                    let serial = part.u64()?;
                    list.serials.push((serial, serial));
                }
            }
            SERIAL_RANGE => {
                let (from, to) = (part.u64()?, part.u64()?);
                if from > to {
                    return Err("a range of serial numbers is upside down".to_owned());
                }
                list.serials.push((from, to));
            }
            SERIAL_BITMAP => {
                let first = part.u64()?;
                list.bitmaps.push((first, part.string()?.to_vec()));
            }
            KEY_ID => {
                while !part.is_empty() {
                    let id = part.string()?;
                    let id = std::str::from_utf8(id).map_err(|_| "a key id is no text")?;
                    list.key_ids.push(id.to_owned());
                }
            }
            CERTIFICATE_EXTENSION => extension(&mut part)?,
            other => return Err(format!("its part {other} about certificates is not known")),
        }
        if !part.is_empty() {
            return Err(format!("its part {kind} about certificates is too long"));
        }
    }
    Ok(list)
}

fn digests(mut section: Bytes<'_>, len: usize) -> Result<Vec<Vec<u8>>, String> {
    let digests = section.strings()?;
    if digests.iter().all(|digest| digest.len() == len) {
        Ok(digests)
    } else {
        Err("a fingerprint has a wrong length".to_owned())
    }
}

/// Passes over an extension, unless it says that it must not be passed over.
fn extension(part: &mut Bytes<'_>) -> Result<(), String> {
    let name = String::from_utf8_lossy(part.string()?).into_owned();
    let critical = part.u8()? != 0;
    part.string()?;
    if critical {
        return Err(format!(
            "its extension {name:?} is not known, and it is critical"
        ));
    }
    Ok(())
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (front, rest) = self.0.split_at_checked(len).ok_or("it is cut off")?;
        self.0 = rest;
        Ok(front)
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], String> {
        self.take(LEN)?
            .try_into()
            .map_err(|_| "it is cut off".to_owned())
    }

    fn u8(&mut self) -> Result<u8, String> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn string(&mut self) -> Result<&'a [u8], String> {
        let len = usize::try_from(self.u32()?).map_err(|_| "it is cut off")?;
        self.take(len)
    }

    fn strings(&mut self) -> Result<Vec<Vec<u8>>, String> {
        let mut all = Vec::new();
        while !self.is_empty() {
            all.push(self.string()?.to_vec());
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Vec<u8> {
        let mut list = MAGIC.to_vec();
        list.extend(FORMAT.to_be_bytes());
        list.extend([0; 24]);
        list.extend([0; 8]);
        list
    }

    fn section(kind: u8, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len()).expect("a short section");
        [&[kind][..], &len.to_be_bytes(), body].concat()
    }

    fn named(name: &str, critical: u8) -> Vec<u8> {
        let len = u32::try_from(name.len()).expect("a short name");
        [
            &len.to_be_bytes()[..],
            name.as_bytes(),
            &[critical],
            &[0; 4],
        ]
        .concat()
    }

    #[test]
    fn serials_in_every_form() {
        let list = Certificates {
            serials: vec![(5, 5), (10, 20)],
            // Bits 0, 9 and 15 from 100 on.
            bitmaps: vec![(100, vec![0b1000_0010, 0b0000_0001])],
            ..Certificates::default()
        };
        let revoked: Vec<u64> = (0..300).filter(|serial| list.has(*serial)).collect();
        let expected: Vec<u64> = [5]
            .into_iter()
            .chain(10..=20)
            .chain([100, 109, 115])
            .collect();
        assert_eq!(revoked, expected);
        assert!(!list.has(u64::MAX));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert_eq!(Krl::read(&head()), Ok(Krl::default()));
        let with = |section: &[u8]| Krl::read(&[&head(), section].concat());
        assert!(with(&section(EXTENSION, &named("new", 0))).is_ok());
        for (bad, why) in [
            (section(EXTENSION, &named("new", 1)), "critical"),
            (section(9, b""), "not known"),
            (section(CERTIFICATES, b"\0\0\0\0"), "cut off"),
            (
                section(CERTIFICATES, &[&[0; 8][..], &section(0x30, b"")].concat()),
                "not known",
            ),
            (
                section(
                    CERTIFICATES,
                    &[
                        &[0; 8][..],
                        &section(SERIAL_RANGE, &[&9u64.to_be_bytes()[..], &[0; 8]].concat()),
                    ]
                    .concat(),
                ),
                "upside down",
            ),
            (section(FINGERPRINT_SHA256, &section(0, b"xx")), "cut off"),
            (section(FINGERPRINT_SHA256, b"\0\0\0\x01x"), "wrong length"),
            (vec![EXPLICIT_KEY, 255, 255, 255, 255], "cut off"),
        ] {
            let said = with(&bad).expect_err(why);
            assert!(said.contains(why), "{said} is not {why}");
        }
        assert!(Krl::read(b"SSHKRL\n\0\0\0\0\x02").is_err());
        for len in 0..head().len() {
            let cut = head().get(..len).map(Krl::read);
            assert!(matches!(cut, Some(Err(_))), "{len}");
        }
    }
}
