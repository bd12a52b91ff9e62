//! Whether somebody else could plant commands in a file or folder that is run as its reader.

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::error::Error;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Refuses `path` when its group or everybody may write to it; the error names the `chmod` to run.
pub(super) fn check(path: &Path, metadata: &Metadata) -> Result<(), Error> {
    let mode = metadata.permissions().mode();
    let (who, fix) = match (mode & GROUP_WRITES != 0, mode & OTHERS_WRITE != 0) {
        (false, false) => return Ok(()),
        (true, false) => ("its group", "g-w"),
        (false, true) => ("everybody", "o-w"),
        (true, true) => ("its group and everybody", "go-w"),
    };
    Err(Error::Unsafe {
        path: path.to_path_buf(),
        who,
        fix,
        quoted: quote(path),
    })
}

/// The path as a shell takes it, for people who copy the line.
fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if text.chars().all(plain) && !text.starts_with('-') {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_survives_a_shell() {
        for (path, expected) in [
            ("/home/mira/.config", "/home/mira/.config"),
            ("/home/my books", "'/home/my books'"),
            ("it's", r"'it'\''s'"),
            ("-rf", "'-rf'"),
        ] {
            assert_eq!(quote(Path::new(path)), expected);
        }
    }
}
