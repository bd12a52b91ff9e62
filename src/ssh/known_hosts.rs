//! Files in OpenSSH's known_hosts format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): found lines, new lines. Decides nothing.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{PublicKey, PublicKeyBase64, parse_public_key_base64};
use sha1::Sha1;

/// What a line says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    /// The host has it.
    None,
    /// It signs the keys of hosts.
    CertAuthority,
    /// It must never be trusted.
    Revoked,
}

/// A line that can be read.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) file: PathBuf,
    /// From 1.
    pub(crate) number: usize,
    pub(crate) marker: Marker,
    /// Whom it speaks of: patterns with commas between them, or one hash.
    pub(crate) hosts: String,
    pub(crate) key: PublicKey,
}

impl Line {
    /// Whether it speaks of `name`, which is in lower case.
    pub(crate) fn names(&self, name: &str) -> bool {
        matches(&self.hosts, name)
    }

    /// Whether its key is `key`.
    pub(crate) fn has(&self, key: &PublicKey) -> bool {
        self.key.key_data() == key.key_data()
    }

    /// Where it stands, for people.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.number)
    }
}

/// The lines of `file` that speak of `name`, which is in lower case. A file that does not exist has none.
///
/// # Errors
/// The file exists and cannot be read.
#[cfg(test)]
pub(crate) fn find(file: &Path, name: &str) -> io::Result<Vec<Line>> {
    let mut lines = read(file)?;
    lines.retain(|line| line.names(name));
    Ok(lines)
}

/// The lines of `file`. A file that does not exist has none.
///
/// # Errors
/// The file exists and cannot be read.
pub(crate) fn read(file: &Path) -> io::Result<Vec<Line>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(parse(&bytes, file)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(why) => Err(why),
    }
}

/// The lines in the bytes of `file`. Lines that cannot be read are passed over, as OpenSSH does.
pub(crate) fn parse(bytes: &[u8], file: &Path) -> Vec<Line> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let (marker, hosts, key) = read_line(line)?;
        Some(Line {
            file: file.to_path_buf(),
            number: index + 1,
            marker,
            hosts,
            key,
        })
    });
    lines.collect()
}

/// The marker, hosts and key of a line.
fn read_line(line: &str) -> Option<(Marker, String, PublicKey)> {
    let mut fields = line.split_whitespace().peekable();
    let marker = match *fields.peek()? {
        "@revoked" => Marker::Revoked,
        "@cert-authority" => Marker::CertAuthority,
        first if first.starts_with(['#', '@']) => return None,
        _ => Marker::None,
    };
    if marker != Marker::None {
        fields.next();
    }
    let hosts = fields.next()?;
    let algorithm = fields.next()?;
    let key = parse_public_key_base64(fields.next()?).ok()?;
    // The word before the key must tell the truth about it, as in OpenSSH.
    (key.algorithm().as_str() == algorithm).then(|| (marker, hosts.to_owned(), key))
}

/// Whether the first field of a line means `name`: a hash, or patterns of which none with `!` may match.
fn matches(patterns: &str, name: &str) -> bool {
    if patterns.starts_with('|') {
        return match patterns.parse() {
            Ok(HostPatterns::HashedName { salt, hash }) => digest(&salt, name) == Some(hash),
            _ => false,
        };
    }
    let mut found = false;
    for pattern in patterns.split(',').filter(|pattern| !pattern.is_empty()) {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('!') {
            Some(pattern) if wildcard(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= wildcard(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// Whether `text` fits a pattern in which `*` stands for any text and `?` for one character.
pub(crate) fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where to go on when the text after the last star does not fit.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(seen) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((place, from)) => {
                    star = Some((place, from + 1));
                    at = place + 1;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

/// The hash of a name: HMAC-SHA1 with the salt as key.
fn digest(salt: &[u8], name: &str) -> Option<[u8; 20]> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).ok()?;
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().as_slice().try_into().ok()
}

/// The lines that say that `names` have `key`: one, or one for each name where they are hashed.
///
/// # Errors
/// There is no randomness for the salts.
pub(crate) fn lines_for(names: &[&str], key: &PublicKey, hashed: bool) -> io::Result<String> {
    let mut text = String::new();
    let mut put = |hosts: &str| {
        text.push_str(&format!(
            "{hosts} {} {}\n",
            key.algorithm().as_str(),
            key.public_key_base64()
        ));
    };
    if !hashed {
        put(&names.join(","));
        return Ok(text);
    }
    for name in names {
        let mut salt = vec![0u8; 20];
        getrandom::fill(&mut salt).map_err(|why| io::Error::other(why.to_string()))?;
        let hash = digest(&salt, name).ok_or_else(|| io::Error::other("the name has no hash"))?;
        put(&HostPatterns::HashedName { salt, hash }.to_string());
    }
    Ok(text)
}

/// Adds the line that `names` have `key`, hashed if wanted, unless a line for the first name has it; what others wrote
/// stays.
///
/// It goes out in one append under a lock, so that two writers cannot mix theirs; the folder is made 0700, the file 0600.
///
/// # Errors
/// The system's, or no randomness for the salt.
pub(crate) fn append(file: &Path, names: &[&str], key: &PublicKey, hashed: bool) -> io::Result<()> {
    let text = lines_for(names, key, hashed)?;
    if let Some(folder) = file.parent().filter(|folder| !folder.exists()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut target = locked(|| {
        std::fs::OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(file)
    })?;
    // Another connection may just have written it.
    let first = names.first().copied().unwrap_or_default();
    let there = read(file)?
        .iter()
        .any(|line| line.marker == Marker::None && line.names(first) && line.has(key));
    if there {
        return Ok(());
    }
    let whole = if ends_with_newline(&mut target)? {
        text
    } else {
        format!("\n{text}")
    };
    target.write_all(whole.as_bytes())?;
    target.flush()
}

/// Takes the lines out of `file` that `gone` says, and adds `more` at its end. Everything else stays as it is, byte for
/// byte; the new file takes the old one's place at once. A file that does not change is not written.
///
/// # Errors
/// The system's, or somebody else keeps writing to the file.
pub(crate) fn rewrite(file: &Path, gone: impl Fn(&Line) -> bool, more: &str) -> io::Result<()> {
    // A link to the file stays a link.
    let file = match std::fs::canonicalize(file) {
        Ok(path) => path,
        Err(why) if why.kind() == io::ErrorKind::NotFound => file.to_path_buf(),
        Err(why) => return Err(why),
    };
    let folder = file.parent().unwrap_or(Path::new("."));
    for _ in 0..TRIES {
        let source = match locked(|| std::fs::File::open(&file)) {
            Ok(source) => Some(source),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => return Err(why),
        };
        let before = stamp(&file)?;
        let old = match &source {
            Some(_) => std::fs::read(&file)?,
            None => Vec::new(),
        };
        let new = without(&old, &file, &gone, more);
        if new == old {
            return Ok(());
        }
        let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
        if let Some(source) = &source {
            fresh
                .as_file()
                .set_permissions(source.metadata()?.permissions())?;
        }
        fresh.write_all(&new)?;
        fresh.as_file().sync_all()?;
        // OpenSSH takes no lock: if it wrote meanwhile, its lines must not be lost.
        if stamp(&file)? != before {
            continue;
        }
        fresh.persist(&file).map_err(|why| why.error)?;
        return Ok(());
    }
    Err(io::Error::other("others keep writing to it"))
}

/// How often a file is rewritten again because somebody wrote to it meanwhile.
const TRIES: usize = 5;

/// How long another writer is waited for.
const LOCK: Duration = Duration::from_secs(5);

fn without(old: &[u8], file: &Path, gone: &impl Fn(&Line) -> bool, more: &str) -> Vec<u8> {
    let dropped: Vec<usize> = parse(old, file)
        .iter()
        .filter(|line| gone(line))
        .map(|line| line.number)
        .collect();
    let kept = old
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(index, _)| !dropped.contains(&(index + 1)));
    let mut new: Vec<u8> = kept.flat_map(|(_, line)| line.iter().copied()).collect();
    if !more.is_empty() && new.last().is_some_and(|last| *last != b'\n') {
        new.push(b'\n');
    }
    new.extend(more.as_bytes());
    new
}

/// What changes when somebody writes to a file.
fn stamp(file: &Path) -> io::Result<Option<(u64, u64, i64, i64)>> {
    match std::fs::metadata(file) {
        Ok(data) => Ok(Some((
            data.ino(),
            data.len(),
            data.mtime(),
            data.mtime_nsec(),
        ))),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// Opens a file and waits until no other process of ours writes to it. The lock ends with the file's handle.
fn locked(open: impl Fn() -> io::Result<std::fs::File>) -> io::Result<std::fs::File> {
    let until = Instant::now() + LOCK;
    loop {
        let file = open()?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            // Whoever had the lock may have put another file in its place.
            Ok(()) if is_current(&file, open()?)? => return Ok(file),
            Ok(()) => {}
            Err(why) if why == rustix::io::Errno::WOULDBLOCK => {
                std::thread::sleep(Duration::from_millis(5));
            }
            // Not every file system has locks, and /dev/null needs none.
            Err(_) => return Ok(file),
        }
        if Instant::now() > until {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "another process keeps it locked",
            ));
        }
    }
}

fn is_current(file: &std::fs::File, now: std::fs::File) -> io::Result<bool> {
    let (held, there) = (file.metadata()?, now.metadata()?);
    Ok((held.dev(), held.ino()) == (there.dev(), there.ino()))
}

fn ends_with_newline(file: &mut std::fs::File) -> io::Result<bool> {
    let data = file.metadata()?;
    if !data.is_file() || data.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    const ED: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn key() -> Result<PublicKey, Box<dyn Error>> {
        Ok(PublicKey::from_openssh(ED)?)
    }

    #[test]
    fn patterns() {
        let cases = [
            ("web1", "web1", true),
            ("WEB1", "web1", true),
            ("web1,web2", "web2", true),
            ("web*,!web3", "web2", true),
            ("web*,!web3", "web3", false),
            ("!web3,web*", "web3", false),
            ("*.example.net", "a.example.net", true),
            ("*.example.net", "example.net", false),
            ("w?b*1", "web-a-1", true),
            ("[10.0.0.1]:2222", "[10.0.0.1]:2222", true),
            ("10.0.0.1", "[10.0.0.1]:2222", false),
            ("", "", false),
            ("|1|bad|hash", "web1", false),
        ];
        for (patterns, name, expected) in cases {
            assert_eq!(matches(patterns, name), expected, "{patterns} for {name}");
        }
    }

    #[test]
    fn lines_tell_marker_and_number() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("known_hosts");
        fs::write(
            &file,
            format!(
                "# note\n\nother {ED}\n@revoked * {ED}\n@cert-authority web1 {ED} ca\nweb1 {ED} me\nweb1 ssh-rsa {ED}\nweb1 junk\n"
            ),
        )?;
        let found = find(&file, "web1")?;
        let seen: Vec<_> = found
            .iter()
            .map(|line| (line.number, line.marker))
            .collect();
        assert_eq!(
            seen,
            [
                (4, Marker::Revoked),
                (5, Marker::CertAuthority),
                (6, Marker::None)
            ]
        );
        assert!(find(&folder.path().join("absent"), "web1")?.is_empty());
        assert!(find(folder.path(), "web1").is_err(), "a folder is no file");
        Ok(())
    }

    #[test]
    fn ssh_keygen_finds_what_we_append() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("ssh/known_hosts");
        append(&file, &["web1"], &key()?, false)?;
        append(&file, &["[10.0.0.1]:2222"], &key()?, true)?;
        assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
        let parent = file.parent().ok_or("no parent")?;
        assert_eq!(fs::metadata(parent)?.permissions().mode() & 0o777, 0o700);
        let text = fs::read_to_string(&file)?;
        assert!(!text.contains("10.0.0.1"), "the name is hashed: {text}");
        for (name, line) in [("web1", 1), ("[10.0.0.1]:2222", 2)] {
            let out = Command::new("ssh-keygen")
                .args(["-F", name, "-f"])
                .arg(&file)
                .output()?;
            let said = String::from_utf8(out.stdout)?;
            assert!(
                said.contains(&format!("found: line {line}")),
                "{name}: {said}"
            );
            assert_eq!(find(&file, name)?.len(), 1, "{name}");
        }
        assert!(find(&file, "10.0.0.1")?.is_empty());
        Ok(())
    }

    #[test]
    fn we_find_what_ssh_keygen_hashed() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("known_hosts");
        fs::write(&file, format!("web1,10.0.0.9 {ED}\n[db]:2200 {ED}\n"))?;
        let done = Command::new("ssh-keygen")
            .arg("-H")
            .arg("-f")
            .arg(&file)
            .output()?;
        assert!(done.status.success());
        assert!(fs::read_to_string(&file)?.starts_with("|1|"));
        for name in ["web1", "10.0.0.9", "[db]:2200"] {
            assert_eq!(find(&file, name)?.len(), 1, "{name}");
        }
        assert!(find(&file, "db")?.is_empty());
        Ok(())
    }

    #[test]
    fn a_last_line_without_its_end_stays_whole() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("known_hosts");
        fs::write(&file, format!("web1 {ED}"))?;
        append(&file, &["web2"], &key()?, false)?;
        assert_eq!(
            fs::read_to_string(&file)?,
            format!("web1 {ED}\nweb2 {ED}\n")
        );
        append(Path::new("/dev/null"), &["web2"], &key()?, false)?;
        Ok(())
    }

    #[test]
    fn a_rewrite_keeps_what_it_does_not_know() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("known_hosts");
        let foreign: &[u8] = b"# note\xff\n\nweb2 junk\n";
        fs::write(&file, [foreign, format!("web1 {ED}").as_bytes()].concat())?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640))?;
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link)?;
        rewrite(&link, |_| false, &format!("web3 {ED}\n"))?;
        let expected = [foreign, format!("web1 {ED}\nweb3 {ED}\n").as_bytes()].concat();
        assert_eq!(fs::read(&file)?, expected);
        rewrite(&file, |line| line.names("web1"), "")?;
        assert_eq!(
            fs::read(&file)?,
            [foreign, format!("web3 {ED}\n").as_bytes()].concat()
        );
        assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link)?.is_symlink());
        let before = stamp(&file)?;
        rewrite(&file, |line| line.names("web9"), "")?;
        assert_eq!(stamp(&file)?, before, "nothing to do, nothing written");
        Ok(())
    }

    #[test]
    fn many_writers_lose_nothing() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("known_hosts");
        fs::write(&file, format!("# kept\nold {ED}"))?;
        let key = key()?;
        std::thread::scope(|scope| {
            for index in 0..8 {
                let (file, key) = (&file, &key);
                scope.spawn(move || {
                    for turn in 0..5 {
                        let name = format!("web{index}-{turn}");
                        append(file, &[&name], key, false).expect("it is appended");
                        let more = lines_for(&[&format!("{name}-too")], key, false);
                        let gone = |line: &Line| line.names("old");
                        rewrite(file, gone, &more.expect("a line")).expect("it is rewritten");
                    }
                });
            }
        });
        let lines = read(&file)?;
        assert_eq!(lines.len(), 80, "{}", fs::read_to_string(&file)?);
        assert!(fs::read_to_string(&file)?.starts_with("# kept\n"));
        Ok(())
    }
}
