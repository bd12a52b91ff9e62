//! Paths and names as bytes: joining, taking apart, and refusing what a hostile host might call a file.

use crate::domain::text;

/// The longest way down a tree that is followed.
pub(crate) const DEEPEST: usize = 100;

/// A path for people.
pub(crate) fn shown(path: &[u8]) -> String {
    text::line(&String::from_utf8_lossy(path))
}

/// `host:path`, or the path alone on this machine.
pub(crate) fn place(host: Option<&str>, path: &[u8]) -> String {
    match host {
        Some(host) => format!("{}:{}", text::line(host), shown(path)),
        None => shown(path),
    }
}

/// `folder/name`; a name in no folder is left alone.
pub(crate) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.to_vec();
    if !path.is_empty() && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The folder that a path lies in, and its last part. A path without a slash lies in the empty folder.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let path = trimmed(path);
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => {
            let (folder, name) = path.split_at(at + 1);
            (trimmed(folder), name)
        }
        None => (&[], path),
    }
}

/// Without slashes at its end, unless it is nothing else.
pub(crate) fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/');
    match end {
        Some(end) => path.get(..=end).unwrap_or(path),
        None => path.get(..1).unwrap_or(path),
    }
}

/// The name that a source gets in the destination's folder; `None` when it has none of its own, as `.`, `..` and `/`.
pub(crate) fn own(path: &[u8]) -> Option<&[u8]> {
    match split(path).1 {
        b"" | b"." | b".." | b"/" => None,
        name => Some(name),
    }
}

/// Whether a name that a host listed may be used as one: a host that says `../x` or `a/b` wants to write elsewhere
/// (CVE-2019-6111).
pub(crate) fn honest(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// The longest name that leaves room for what a partial file's name adds: file systems take 255 bytes.
const LONGEST: usize = 240;

/// The hidden file beside `path` that is written before it gets the name.
pub(crate) fn part(path: &[u8]) -> Vec<u8> {
    let (folder, name) = split(path);
    let name = if name.len() > LONGEST {
        // Its beginning for people, and a hash so that two long names do not meet.
        let hash = blake3::hash(name).to_hex();
        let hash = hash.get(..16).unwrap_or_default();
        [name.get(..200).unwrap_or(name), b"-", hash.as_bytes()].concat()
    } else {
        name.to_vec()
    };
    join(folder, &[b".", name.as_slice(), b".qd-part"].concat())
}

/// Whether a path holds a pattern.
pub(crate) fn has_pattern(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_apart_and_together() {
        for (path, folder, name) in [
            ("a", "", "a"),
            ("/a", "/", "a"),
            ("a/b", "a", "b"),
            ("a/b//", "a", "b"),
            ("/a//b", "/a", "b"),
            ("/", "/", ""),
            ("", "", ""),
        ] {
            let (found_folder, found_name) = split(path.as_bytes());
            assert_eq!(
                (shown(found_folder), shown(found_name)),
                (folder.to_owned(), name.to_owned()),
                "{path}"
            );
        }
        assert_eq!(join(b"/", b"a"), b"/a");
        assert_eq!(join(b"", b"a"), b"a");
        assert_eq!(part(b"/x/y"), b"/x/.y.qd-part");
        assert_eq!(part(b"y"), b".y.qd-part");
        let (long, other) = ([b'x'; 255], [[b'x'; 254].as_slice(), b"y"].concat());
        assert!(part(&long).len() <= 255 && part(&long) != part(&other));
    }

    #[test]
    fn sources_without_a_name_have_none() {
        for (path, expected) in [
            ("x/", Some("x")),
            ("x/.", None),
            ("..", None),
            ("/", None),
            ("", None),
            ("./a b", Some("a b")),
        ] {
            assert_eq!(
                own(path.as_bytes()).map(shown).as_deref(),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\0b"] {
            assert!(!honest(bad.as_bytes()), "{bad:?}");
        }
        for good in ["a", "...", "a b", "a\nb", "-rf", "ä", "..a", "a\\..\\b"] {
            assert!(honest(good.as_bytes()), "{good:?}");
        }
    }
}
