//! Blank bodies: what stands in a log in the place of an operation whose content was purged.
//!
//! A blank keeps the hash of the body that it replaces, and the chain of a log goes over that hash. So the same chain
//! holds whether a device has the body or the blank, and nobody can put another body in a blank's place.

/// A CBOR map of two keys, always with the same bytes: `{"kind": "blank", "digest": <32 bytes>}`.
const BEGIN: &[u8] = b"\xa2dkindeblankfdigest\x58\x20";

/// What the chain of a log takes of a body: its blake3 hash, or, of a blank, the hash that it keeps.
pub fn digest(body: &[u8]) -> [u8; 32] {
    kept(body).unwrap_or_else(|| *blake3::hash(body).as_bytes())
}

/// The blank that takes the place of `body`. A blank stays as it is.
pub fn blank(body: &[u8]) -> Vec<u8> {
    let mut out = BEGIN.to_vec();
    out.extend_from_slice(&digest(body));
    out
}

/// Whether the content of `body` was purged.
pub fn is_blank(body: &[u8]) -> bool {
    kept(body).is_some()
}

fn kept(body: &[u8]) -> Option<[u8; 32]> {
    body.strip_prefix(BEGIN)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::op::Op;

    /// These bytes are in the logs of people: if this test fails, the change is wrong, not the test.
    #[test]
    fn a_blank_keeps_the_hash_and_nothing_else() {
        let body = b"\xa1dkindcset with a password";
        let blank = super::blank(body);
        assert_eq!(blank.len(), 53);
        assert_eq!(blank[..21], *b"\xa2dkindeblankfdigest\x58\x20");
        assert_eq!(digest(&blank), *blake3::hash(body).as_bytes());
        assert_eq!(digest(&blank), digest(body));
        assert!(is_blank(&blank) && !is_blank(body) && !is_blank(&blank[..52]));
        assert_eq!(super::blank(&blank), blank, "a blank stays");
        // Every program carries it: it is a map of a kind that is not understood.
        assert_eq!(Op::decode(&blank), Ok(None));
    }
}
