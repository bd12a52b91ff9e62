//! Which files stand behind the settings of a host, and whether one of them changed. Reads only what it needs for that.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How deep `Include` may nest, as in OpenSSH.
const DEPTH: usize = 16;

/// The state of one file or folder at the time its contents were used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// The file, or the folder that an `Include` pattern looks into.
    pub path: PathBuf,
    /// Modification time in nanoseconds since 1970; `None` if it did not exist or could not be looked at.
    pub modified_ns: Option<i64>,
    /// Length in bytes, 0 if it did not exist.
    pub len: u64,
}

impl FileStamp {
    /// Looks at `path` now.
    pub fn of(path: &Path) -> Self {
        let found = std::fs::metadata(path).ok();
        Self {
            path: path.to_path_buf(),
            modified_ns: found.as_ref().map(|data| {
                data.mtime()
                    .saturating_mul(1_000_000_000)
                    .saturating_add(data.mtime_nsec())
            }),
            len: found.map_or(0, |data| data.len()),
        }
    }
}

/// Whether every file is as it was. Without files nothing is known, which counts as changed.
pub(crate) fn unchanged(stamps: &[FileStamp]) -> bool {
    !stamps.is_empty()
        && stamps
            .iter()
            .all(|stamp| FileStamp::of(&stamp.path) == *stamp)
}

/// The files behind a configuration.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) stamps: Vec<FileStamp>,
    /// A `Match exec` or `Match localnetwork` makes the settings depend on more than files.
    pub(crate) volatile: bool,
}

/// Finds them: `config` and what it includes, or OpenSSH's default files.
///
/// With `-F` OpenSSH leaves the system's file out, so it is left out here too.
pub(crate) fn sources(config: Option<&Path>) -> Sources {
    let mut sources = Sources::default();
    let user_folder = account_home().join(".ssh");
    match config {
        Some(path) => walk(path, &user_folder, 0, &mut sources),
        None => {
            walk(&user_folder.join("config"), &user_folder, 0, &mut sources);
            let system = Path::new("/etc/ssh");
            walk(&system.join("ssh_config"), system, 0, &mut sources);
        }
    }
    sources
}

fn walk(path: &Path, folder: &Path, depth: usize, sources: &mut Sources) {
    if depth > DEPTH || sources.stamps.iter().any(|stamp| stamp.path == path) {
        return;
    }
    sources.stamps.push(FileStamp::of(path));
    let Ok(bytes) = std::fs::read(path) else {
        return;
    };
    for line in String::from_utf8_lossy(&bytes).lines() {
        let (keyword, rest) = split_keyword(line);
        if keyword.eq_ignore_ascii_case("match") {
            let rest = rest.to_ascii_lowercase();
            sources.volatile |= rest.contains("exec") || rest.contains("localnetwork");
        } else if keyword.eq_ignore_ascii_case("include") {
            for pattern in words(rest) {
                include(&pattern, folder, depth, sources);
            }
        }
    }
}

fn include(pattern: &str, folder: &Path, depth: usize, sources: &mut Sources) {
    let path = match pattern.strip_prefix("~/") {
        Some(rest) => account_home().join(rest),
        None => folder.join(pattern),
    };
    let is_pattern = path.to_string_lossy().contains(['*', '?', '[']);
    if !is_pattern {
        walk(&path, folder, depth + 1, sources);
        return;
    }
    // A file that appears in the folder changes the settings, and changes the folder's time.
    if let Some(parent) = path.parent() {
        sources.stamps.push(FileStamp::of(parent));
    }
    let Ok(found) = glob::glob(&path.to_string_lossy()) else {
        return;
    };
    for path in found.flatten() {
        walk(&path, folder, depth + 1, sources);
    }
}

/// The keyword of a line and the rest, with white space or one `=` between them.
fn split_keyword(line: &str) -> (&str, &str) {
    let line = line.trim();
    let end = line
        .find(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    (keyword, rest.strip_prefix('=').unwrap_or(rest).trim_start())
}

/// Words as ssh_config has them: separated by white space, quoted to keep it.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted && word.is_none() => break,
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The account's home, where `ssh` looks for its files: from the user database, as `ssh` does, not from `$HOME`.
pub(crate) fn account_home() -> PathBuf {
    account()
        .map(|(_, home)| home)
        .or_else(|| std::env::var_os("HOME").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("/"))
}

/// The account's name.
pub(crate) fn account_name() -> String {
    account()
        .map(|(name, _)| name)
        .or_else(|| std::env::var("USER").ok())
        .unwrap_or_default()
}

fn account() -> Option<(String, PathBuf)> {
    let id = rustix::process::getuid().as_raw().to_string();
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?;
        let home = fields.nth(2)?;
        (uid == id && !home.is_empty()).then(|| (name.to_owned(), PathBuf::from(home)))
    })
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;

    use super::*;

    #[test]
    fn words_and_keywords() {
        assert_eq!(split_keyword("  Include = a b"), ("Include", "a b"));
        assert_eq!(split_keyword("Host=x"), ("Host", "x"));
        assert_eq!(words("a \"b c\" d\"e\" # f"), ["a", "b c", "de"]);
    }

    #[test]
    fn included_files_count_wherever_the_include_stands() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let parts = folder.path().join("parts");
        fs::create_dir(&parts)?;
        fs::write(parts.join("one"), "Host a\n  Port 1\n")?;
        let config = folder.path().join("config");
        fs::write(
            &config,
            format!(
                "Host *\n  User x\nMatch all\n  Include {}/*\n",
                parts.display()
            ),
        )?;
        let found = sources(Some(&config));
        let paths: Vec<_> = found.stamps.iter().map(|stamp| &stamp.path).collect();
        assert_eq!(paths, [&config, &parts, &parts.join("one")]);
        assert!(!found.volatile);
        assert!(unchanged(&found.stamps));
        fs::write(parts.join("one"), "Host a\n  Port 11\n")?;
        assert!(!unchanged(&found.stamps), "a longer file is another file");

        let found = sources(Some(&config));
        fs::write(parts.join("two"), "")?;
        let folder_before = FileStamp {
            modified_ns: Some(0),
            ..FileStamp::of(&parts)
        };
        assert!(!unchanged(&[folder_before]));
        assert_eq!(found.stamps.len() + 1, sources(Some(&config)).stamps.len());
        Ok(())
    }

    #[test]
    fn a_match_exec_is_volatile_and_loops_end() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("config");
        fs::write(
            &config,
            format!("Include {}\nMatch host a exec \"true\"\n", config.display()),
        )?;
        let found = sources(Some(&config));
        assert!(found.volatile);
        assert_eq!(found.stamps.len(), 1);
        assert!(!unchanged(&[]));
        Ok(())
    }

    #[test]
    fn a_missing_file_is_a_stamp_too() {
        let stamp = FileStamp::of(Path::new("/nonexistent/config"));
        assert_eq!((stamp.modified_ns, stamp.len), (None, 0));
        assert!(unchanged(&[stamp]));
    }
}
