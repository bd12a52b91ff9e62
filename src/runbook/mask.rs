//! Hides secret values in everything that is stored or shown, whatever form they took on the way.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of a secret.
pub const MASKED: &str = "••••••";

/// Finds secrets in bytes. It never shows what it looks for.
#[derive(Clone, Default)]
pub struct Mask {
    /// Longest first, so that a secret that contains another one goes whole.
    needles: Vec<SecretString>,
}

impl Mask {
    /// A mask for `secrets`; empty ones hide nothing.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles: Vec<String> = secrets.into_iter().flat_map(forms).collect();
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self {
            needles: needles.into_iter().map(SecretString::from).collect(),
        }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} forms)", self.needles.len())
    }
}

impl Mask {
    /// Replaces every secret in `bytes` by [`MASKED`].
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let (mut out, end) = self.scan(bytes, bytes.len());
        out.extend_from_slice(bytes.get(end..).unwrap_or_default());
        out
    }

    /// Replaces every secret in `text` by [`MASKED`].
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// The length of the longest form, which is how much a stream must hold back.
    fn longest(&self) -> usize {
        self.needles
            .first()
            .map_or(0, |needle| needle.expose_secret().len())
    }

    /// Masks what begins before `limit`. Returns the text and where reading stopped, which may be past the limit.
    fn scan(&self, bytes: &[u8], limit: usize) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < limit {
            let rest = bytes.get(at..).unwrap_or_default();
            let found = self
                .needles
                .iter()
                .map(|needle| needle.expose_secret().as_bytes())
                .find(|needle| rest.starts_with(needle));
            match (found, rest.first()) {
                (Some(needle), _) => {
                    out.extend_from_slice(MASKED.as_bytes());
                    at += needle.len();
                }
                (None, Some(byte)) => {
                    out.push(*byte);
                    at += 1;
                }
                (None, None) => break,
            }
        }
        (out, at)
    }
}

/// Masks output that arrives in pieces: a secret that is cut in two by a packet is still hidden.
#[derive(Debug)]
pub struct Stream {
    mask: Mask,
    held: Vec<u8>,
}

impl Stream {
    /// Begins a stream.
    pub fn new(mask: Mask) -> Self {
        Self {
            mask,
            held: Vec::new(),
        }
    }

    /// Takes a piece and returns what is certain to hold no part of a secret.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let limit = (self.held.len() + 1).saturating_sub(self.mask.longest().max(1));
        let (out, end) = self.mask.scan(&self.held, limit);
        self.held.drain(..end.min(self.held.len()));
        out
    }

    /// Returns what was held back.
    pub fn finish(self) -> Vec<u8> {
        self.mask.bytes(&self.held)
    }
}

/// The forms in which a secret turns up: itself, its lines, quoted as `set -x` prints it, percent-encoded, and base 64
/// at each of the three alignments that it can have inside a longer text.
fn forms(secret: &str) -> Vec<String> {
    /// A line or a piece of base 64 shorter than this would hide innocent text.
    const LEAST: usize = 8;
    if secret.is_empty() {
        return Vec::new();
    }
    let mut forms = vec![secret.to_owned(), secret.replace('\'', "'\\''")];
    forms.push(percent(secret));
    forms.extend(
        secret
            .lines()
            .map(str::trim)
            .filter(|line| line.len() >= LEAST)
            .map(str::to_owned),
    );
    for skip in 0..3usize {
        let (plain, web) = (base64(secret, skip, false), base64(secret, skip, true));
        forms.extend([plain, web].into_iter().filter(|text| text.len() >= LEAST));
    }
    forms
}

/// RFC 3986, section 2.1, with upper case digits.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The characters of RFC 4648's base 64 that depend on `text` alone when `before` bytes (modulo 3) precede it.
fn base64(text: &str, before: usize, web: bool) -> String {
    const PLAIN: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const WEB: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let alphabet = if web { WEB } else { PLAIN };
    let bits: Vec<bool> = text
        .bytes()
        .flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1 == 1))
        .collect();
    // Each character holds six bits; the first whole one begins where the bits of the bytes before it end.
    let skip = (6 - before * 8 % 6) % 6;
    bits.get(skip..)
        .unwrap_or_default()
        .chunks_exact(6)
        .map(|six| {
            let index = six.iter().fold(0, |sum, bit| sum << 1 | usize::from(*bit));
            char::from(alphabet.get(index).copied().unwrap_or(b'A'))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_hidden() {
        let mask = Mask::new(["hunter2-Pa'ss", ""]);
        for text in [
            "password=hunter2-Pa'ss;",
            "+ curl -u 'hunter2-Pa'\\''ss'",
            "https://x/?p=hunter2-Pa%27ss&y",
            // printf %s "hunter2-Pa'ss" | base64, then with `me:` and with `m:` before it.
            "aHVudGVyMi1QYSdzcw==",
            "bWU6aHVudGVyMi1QYSdzcw==",
            "bTpodW50ZXIyLVBhJ3Nz",
            "bWVlOmh1bnRlcjItUGEnc3M=",
        ] {
            let masked = mask.text(text);
            assert!(masked.contains(MASKED), "{text} became {masked}");
            assert!(!masked.contains("hunter2"), "{masked}");
        }
        assert_eq!(mask.text("nothing here"), "nothing here");
        assert!(!format!("{mask:?}").contains("hunter2"));
    }

    #[test]
    fn lines_of_a_long_secret_are_hidden_alone() {
        let mask = Mask::new(["-----BEGIN KEY-----\nb3BlbnNzaC1rZXk\nx\n-----END KEY-----"]);
        assert_eq!(
            mask.text("  b3BlbnNzaC1rZXk\nx y"),
            format!("  {MASKED}\nx y")
        );
    }

    #[test]
    fn a_secret_cut_by_packets_is_hidden() {
        let secret = "s3cret-value";
        let text = format!("before {secret} after {secret}");
        for cut in 1..text.len() {
            let mut stream = Stream::new(Mask::new([secret]));
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(cut) {
                out.extend(stream.push(piece));
            }
            out.extend(stream.finish());
            assert_eq!(
                String::from_utf8_lossy(&out),
                format!("before {MASKED} after {MASKED}"),
                "pieces of {cut}"
            );
        }
    }
}
