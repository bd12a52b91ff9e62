//! The three primitives that everything sealed here stands on: XChaCha20-Poly1305, Ed25519 and X25519.
//!
//! Nothing here knows what it seals. Every use has a label of its own, so that bytes made for one purpose are worth
//! nothing for another.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::domain::planted::planted;

/// A key of 32 bytes that is wiped when it goes.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// The bytes of a nonce.
pub(crate) const NONCE: usize = 24;
/// What sealing adds.
pub(crate) const TAG: usize = 16;
/// The bytes of a signature.
pub(crate) const SIGNATURE: usize = 64;

/// Seals `plain`; `about` is bound to it and stays readable.
pub(crate) fn seal(key: &[u8; 32], nonce: &[u8; NONCE], about: &[u8], plain: &[u8]) -> Vec<u8> {
    let payload = Payload {
        msg: plain,
        aad: bound(about),
    };
    XChaCha20Poly1305::new(&Key::from(*key))
        .encrypt(&XNonce::from(*nonce), payload)
        .expect("only text beyond 256 GiB cannot be sealed")
}

/// Opens what [`seal`] made; `None` when the key is another one, or a bit of it or of `about` is not what it was.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE],
    about: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let payload = Payload {
        msg: sealed,
        aad: bound(about),
    };
    XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&XNonce::from(*nonce), payload)
        .ok()
}

/// What is bound to a sealed text: all that stands before it.
fn bound(about: &[u8]) -> &[u8] {
    if planted!(NoAssociatedData) {
        &[]
    } else {
        about
    }
}

/// Signs `parts` for the purpose `label`.
pub(crate) fn sign(key: &SigningKey, label: &str, parts: &[u8]) -> [u8; SIGNATURE] {
    key.sign(&labelled(label, parts)).to_bytes()
}

/// Whether the owner of `key` signed `parts` for the purpose `label`.
pub(crate) fn is_signed(
    key: &[u8; 32],
    label: &str,
    parts: &[u8],
    signature: &[u8; SIGNATURE],
) -> bool {
    // The strict form also refuses keys of small order, with which anybody could have signed anything.
    VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify_strict(&labelled(label, parts), &Signature::from_bytes(signature))
            .is_ok()
    })
}

fn labelled(label: &str, parts: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(label.len() + 1 + parts.len());
    text.extend_from_slice(label.as_bytes());
    text.push(0);
    text.extend_from_slice(parts);
    text
}

/// The public half of an X25519 key (RFC 7748).
pub(crate) fn public_half(secret: &Secret) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(**secret).to_bytes()
}

/// What two X25519 keys have in common; `None` for a public key of small order, with which it would be no secret.
pub(crate) fn agree(secret: &Secret, public: &[u8; 32]) -> Option<Secret> {
    let shared = Zeroizing::new(MontgomeryPoint(*public).mul_clamped(**secret).to_bytes());
    shared.iter().any(|byte| *byte != 0).then_some(shared)
}

/// A key for the purpose `label`, from secrets and what they are bound to.
pub(crate) fn derive(label: &str, parts: &[&[u8]]) -> Secret {
    let mut hasher = blake3::Hasher::new_derive_key(label);
    for part in parts {
        // Lengths keep two lists of parts with the same bytes apart.
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    Zeroizing::new(*hasher.finalize().as_bytes())
}
