//! The addresses of hyperlinks (OSC 8), kept once each and only so many: what a host can write without end must not be
//! kept without end, and nothing that is unsafe to open is kept at all.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

/// The longest address in bytes, as other terminals have it.
const LONGEST: usize = 2_083;

/// How many addresses are kept; one more takes the place of the oldest, whose cells then lead nowhere.
pub(super) const MOST: usize = 1_024;

/// What an address may begin with. Whatever else a system would open at a click (`javascript:`, `vscode:`, a program's own
/// scheme) is not for a remote host to choose.
const SCHEMES: &[&str] = &[
    "http://", "https://", "mailto:", "ftp://", "ftps://", "sftp://", "file://", "ssh://",
];

/// The addresses that the cells of a screen lead to, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(Vec<Arc<str>>);

impl Links {
    /// The address of this number; numbers begin with 1.
    pub fn get(&self, number: u16) -> Option<&Arc<str>> {
        self.0.get(usize::from(number).checked_sub(1)?)
    }

    /// How many addresses there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The addresses of one emulator. Every cell keeps the serial of its address, which never comes again; the number of an
/// address on the screen is the place where it is kept, and is used again.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Shared with screens; a new address makes a new one.
    shown: Arc<Links>,
    /// The serials of the addresses, place by place.
    serials: Vec<u64>,
    /// The place of an address.
    places: HashMap<Arc<str>, u16>,
    last: u64,
}

impl Book {
    /// Keeps an address and gives its serial; none if it is not one to keep. The flag says that another had to go, and
    /// that its number means something else now.
    pub(super) fn keep(&mut self, address: &str) -> Option<(u64, bool)> {
        let address: Arc<str> = safe(address)?.into();
        if let Some(place) = self.places.get(&address) {
            let serial = self.serials.get(usize::from(*place))?;
            return Some((*serial, false));
        }
        self.last += 1;
        let place = (self.last as usize - 1) % MOST;
        // Copied only if a screen holds the addresses of before.
        let all = &mut Arc::make_mut(&mut self.shown).0;
        let evicted = match (all.get_mut(place), self.serials.get_mut(place)) {
            (Some(old), Some(serial)) => {
                self.places.remove(old);
                (*old, *serial) = (address.clone(), self.last);
                true
            }
            _ => {
                all.push(address.clone());
                self.serials.push(self.last);
                false
            }
        };
        self.places.insert(address, place as u16);
        Some((self.last, evicted))
    }

    /// The number on the screen of an address by its serial; 0 if it is no longer kept.
    pub(super) fn number(&self, serial: u64) -> u16 {
        let place = (serial.wrapping_sub(1) % MOST as u64) as usize;
        match self.serials.get(place) {
            Some(kept) if *kept == serial => place as u16 + 1,
            _ => 0,
        }
    }

    /// The addresses as they are now.
    pub(super) fn shown(&self) -> Arc<Links> {
        Arc::clone(&self.shown)
    }
}

/// An address that may be handed to a terminal and opened by a click: of a known scheme, and nothing in it but the printable
/// ASCII that addresses are made of (RFC 3986). Letters beyond ASCII are percent-encoded; controls and blanks make it none.
fn safe(address: &str) -> Option<String> {
    let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
    if address.len() > LONGEST || !SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) {
        return None;
    }
    let mut text = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            c if c.is_ascii_graphic() => text.push(c),
            c if c.is_ascii() || c.is_control() => return None,
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Formatting into a string cannot fail.
                    write!(text, "%{byte:02X}").ok();
                }
            }
        }
    }
    (text.len() <= LONGEST).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_addresses_are_kept() {
        for (address, kept) in [
            ("https://example.org/a?b=c;d#e", true),
            ("HTTP://example.org", true),
            ("mailto:a@example.org", true),
            ("file://web1/etc/hosts", true),
            ("ssh://web1", true),
            ("javascript:alert(1)", false),
            ("vscode://file/x", false),
            ("example.org", false),
            ("", false),
            ("https://a b", false),
            ("https://a\u{7}b", false),
            ("https://a\u{9b}b", false),
            ("https://ö.example", true),
        ] {
            assert_eq!(Book::default().keep(address).is_some(), kept, "{address:?}");
        }
        let long = format!("https://{}", "x".repeat(LONGEST));
        assert_eq!(Book::default().keep(&long), None);
        assert_eq!(
            safe("file://web1/ö x")
                .as_deref()
                .or(safe("file://web1/ö").as_deref()),
            Some("file://web1/%C3%B6")
        );
    }

    #[test]
    fn an_address_is_kept_once_and_the_oldest_goes_first() {
        let mut book = Book::default();
        let serial = |kept: Option<(u64, bool)>| kept.map(|(serial, _)| serial);
        let first = serial(book.keep("https://a/0")).expect("it is safe");
        assert_eq!(serial(book.keep("https://a/0")), Some(first));
        for index in 1..MOST {
            book.keep(&format!("https://a/{index}"));
        }
        assert_eq!(
            book.shown().get(book.number(first)).map(|link| &**link),
            Some("https://a/0")
        );
        let (next, evicted) = book.keep("https://b").expect("it is safe");
        assert!(evicted);
        assert_eq!(book.number(first), 0);
        assert_eq!(
            book.shown().get(book.number(next)).map(|link| &**link),
            Some("https://b")
        );
        assert_eq!((book.shown().len(), book.places.len()), (MOST, MOST));
    }
}
