//! Names of hosts from ssh_config(5), read tolerantly: a broken line is a warning and the rest is still read. Runs nothing:
//! no `Match exec`, no `ssh`. Values are for display; a connection takes its settings from `ssh -G`.

mod line;
mod resolve;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use self::line::{Broken, Line, Word};
use self::resolve::{Condition, Entry, Field, Section};
use super::{Diagnostic, InventoryError, Scan};
use crate::domain::host::Source;

/// How deep includes may nest, as in OpenSSH.
const DEPTH_MAX: usize = 16;

/// The most files read in one scan: includes that include each other by glob would otherwise multiply without end.
const FILES_MAX: usize = 4_096;

/// The largest file read, in bytes.
const FILE_MAX: u64 = 16 * 1_048_576;

/// The most warnings kept; a file that earns more is no ssh_config.
const WARNINGS_MAX: usize = 500;

/// Reads the names of hosts from the file at `path` and all that it includes. A relative include is looked for in
/// `home/.ssh`, as OpenSSH does for every file that a user names, wherever that file lies (ssh_config(5), Include).
///
/// # Errors
/// When the file itself cannot be read. A file that it includes and that cannot be read is a warning.
pub fn scan(path: &Path, home: &Path) -> Result<Scan, InventoryError> {
    let mut reader = Reader {
        home,
        scan: Scan::default(),
        conditions: vec![Condition::Always],
        sections: Vec::new(),
        names: Vec::new(),
        known: HashSet::new(),
        open: Vec::new(),
    };
    let text = load(path)?;
    reader.file(path, &text, &[]);
    let Reader {
        mut scan,
        conditions,
        sections,
        names,
        ..
    } = reader;
    scan.hosts = resolve::hosts(names, &conditions, &sections, path);
    Ok(scan)
}

struct Reader<'a> {
    home: &'a Path,
    scan: Scan,
    conditions: Vec<Condition>,
    sections: Vec<Section>,
    /// In the order of the files, each once, with the line that named it first.
    names: Vec<(String, Source)>,
    known: HashSet<String>,
    /// The files being read now, the including ones first, to see a loop.
    open: Vec<PathBuf>,
}

/// A line and the file it stands in.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Path,
    line: u32,
}

impl Reader<'_> {
    /// Reads the text of a file under the conditions of `chain`, those of the blocks it is included in.
    fn file(&mut self, path: &Path, text: &[u8], chain: &[usize]) {
        self.scan.files.push(path.to_owned());
        self.open.push(canonical(path));
        self.sections.push(Section::new(chain, 0));
        let mut condition = 0;
        for (index, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
            let place = Place {
                file: path,
                line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            };
            let Ok(content) = std::str::from_utf8(bytes) else {
                // Comments may be in any encoding; they are not read.
                if bytes.trim_ascii_start().starts_with(b"#") {
                    continue;
                }
                self.warn(place, 1, "the line is not UTF-8; it is left out".to_owned());
                continue;
            };
            match line::cut(content) {
                Ok(None) => {}
                Ok(Some(line)) => self.line(place, line, chain, &mut condition),
                Err(Broken { column, message }) => self.warn(place, column, message),
            }
        }
        self.open.pop();
    }

    fn line(&mut self, place: Place<'_>, line: Line, chain: &[usize], condition: &mut usize) {
        match line.keyword.as_str() {
            "host" => {
                let block = self.host(place, &line.words);
                *condition = self.block(block, chain);
            }
            "match" => {
                let block = Condition::matching(&line.words);
                *condition = self.block(block, chain);
            }
            "include" => {
                let mut inner = chain.to_vec();
                inner.push(*condition);
                for word in &line.words {
                    self.include(place, word, &inner);
                }
                // What follows the include belongs to the same block, but comes after all that was included.
                self.sections.push(Section::new(chain, *condition));
            }
            keyword => {
                if let Some(field) = Field::of(keyword) {
                    self.value(place, field, &line);
                }
            }
        }
    }

    /// Begins a block and gives the number of its condition.
    fn block(&mut self, condition: Condition, chain: &[usize]) -> usize {
        self.conditions.push(condition);
        let id = self.conditions.len() - 1;
        self.sections.push(Section::new(chain, id));
        id
    }

    fn host(&mut self, place: Place<'_>, words: &[Word]) -> Condition {
        let patterns: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        for word in words {
            let name = word.text.as_str();
            if name.starts_with('!') || name.contains(['*', '?']) {
                continue;
            }
            match refusal(name) {
                Some(why) => {
                    let shown = crate::domain::text::line(name);
                    self.warn(
                        place,
                        word.column,
                        format!("the host {shown:?} is left out: {why}"),
                    );
                }
                None => {
                    if self.known.insert(name.to_owned()) {
                        let source = Source {
                            file: place.file.to_owned(),
                            line: place.line,
                        };
                        self.names.push((name.to_owned(), source));
                    }
                }
            }
        }
        Condition::host(&patterns)
    }

    fn value(&mut self, place: Place<'_>, field: Field, line: &Line) {
        let Some(word) = line.words.first() else {
            return;
        };
        if field == Field::Port && !word.text.parse::<u16>().is_ok_and(|port| port > 0) {
            let shown = crate::domain::text::line(&word.text);
            self.warn(
                place,
                word.column,
                format!("{shown:?} is no port; use 1 to 65535"),
            );
            return;
        }
        let entry = Entry {
            field,
            value: word.text.clone(),
            source: Source {
                file: place.file.to_owned(),
                line: place.line,
            },
        };
        if let Some(section) = self.sections.last_mut() {
            section.entries.push(entry);
        }
    }

    fn include(&mut self, place: Place<'_>, word: &Word, chain: &[usize]) {
        let wanted = word.text.as_str();
        let (base, rest) = match self.anchored(wanted) {
            Ok(anchored) => anchored,
            Err(why) => return self.warn(place, word.column, why.to_owned()),
        };
        let path = base.join(rest);
        if !wanted.contains(['*', '?', '[']) {
            if path.try_exists().is_ok_and(|exists| !exists) {
                let shown = path.display();
                let message =
                    format!("{shown} does not exist; correct the path, or remove the line");
                return self.warn(place, word.column, message);
            }
            return self.included(place, word, &path, chain);
        }
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            // As glob(3): a star does not match hidden files.
            require_literal_leading_dot: true,
        };
        let Some(base) = base.to_str() else {
            let message = "the path is not UTF-8; rename the folder".to_owned();
            return self.warn(place, word.column, message);
        };
        // Brackets in the name of the home folder are no pattern.
        let pattern = match base {
            "" => rest.to_owned(),
            base => format!("{}/{rest}", glob::Pattern::escape(base)),
        };
        match glob::glob_with(&pattern, options) {
            Ok(paths) => {
                for found in paths.take(FILES_MAX) {
                    match found {
                        Ok(path) => self.included(place, word, &path, chain),
                        Err(error) => {
                            self.warn(place, word.column, format!("cannot look into {error}"))
                        }
                    }
                }
            }
            Err(error) => {
                let message = format!("this is no file pattern: {error}");
                self.warn(place, word.column, message);
            }
        }
    }

    /// The folder and the rest of an include's path, as OpenSSH anchors it.
    fn anchored<'w>(&self, wanted: &'w str) -> Result<(PathBuf, &'w str), &'static str> {
        match wanted.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                Ok((self.home.to_owned(), rest.trim_start_matches('/')))
            }
            Some(_) => Err("homes of other users are not looked up; write the path in full"),
            None if wanted.starts_with('/') => Ok((PathBuf::new(), wanted)),
            None => Ok((self.home.join(".ssh"), wanted)),
        }
    }

    fn included(&mut self, place: Place<'_>, word: &Word, path: &Path, chain: &[usize]) {
        let shown = path.display();
        let problem = if self.open.contains(&canonical(path)) {
            format!(
                "{shown} includes itself, directly or through others; remove one of the includes"
            )
        } else if self.open.len() > DEPTH_MAX {
            format!(
                "{shown} is included more than {DEPTH_MAX} levels deep; it is left out, as OpenSSH does"
            )
        } else if self.scan.files.len() >= FILES_MAX {
            format!("{shown} is left out: more than {FILES_MAX} files are included")
        } else {
            match load(path) {
                Ok(text) => return self.file(path, &text, chain),
                Err(error) => error.to_string(),
            }
        };
        self.warn(place, word.column, problem);
    }

    fn warn(&mut self, place: Place<'_>, column: u32, message: String) {
        let message = match self.scan.warnings.len() {
            WARNINGS_MAX.. => return,
            count if count == WARNINGS_MAX - 1 => {
                "there are more problems than are listed; is this an ssh_config?".to_owned()
            }
            _ => message,
        };
        self.scan.warnings.push(Diagnostic {
            file: place.file.to_owned(),
            line: place.line,
            column,
            // A message quotes the file, and the file may hold escapes.
            message: crate::domain::text::line(&message),
        });
    }
}

/// Why a name cannot be a host: what OpenSSH itself refuses on its command line, because a shell or a terminal would act
/// on it.
fn refusal(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.starts_with('-') {
        Some("a name that begins with - would be taken for an option")
    } else if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        Some("a name must not hold blanks or control characters")
    } else if crate::domain::text::line(name) != name {
        Some("a name must not change the direction of writing")
    } else if name.contains([
        '\'', '`', '"', '$', '\\', ';', '&', '<', '>', '|', '(', ')', '{', '}',
    ]) {
        Some("a name must not hold characters that a shell acts on")
    } else if name.len() > 255 {
        Some("a name has at most 255 bytes")
    } else {
        None
    }
}

/// The path by which a loop is seen; the path itself when the file is not there.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The bytes of a regular file; anything else could block for ever or never end.
fn load(path: &Path) -> Result<Vec<u8>, InventoryError> {
    let unreadable = |why: io::Error| InventoryError::Unreadable {
        path: path.to_owned(),
        why,
    };
    // Asked before opening, because opening a pipe waits for its writer.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(InventoryError::NotAFile(path.to_owned()));
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_MAX + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > FILE_MAX {
        return Err(InventoryError::TooLarge {
            path: path.to_owned(),
            limit: FILE_MAX,
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
