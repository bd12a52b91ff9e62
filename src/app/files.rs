//! Reads the files that commands need: foreign inventories, runbooks, recordings, settings. Called from worker threads only.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::command::{ExportFormat, Search};
use crate::config::{Environment, Library, Paths, Settings};
use crate::domain::runbook::{Diagnostic, Runbook};
use crate::domain::session::SessionRow;
use crate::domain::time::Time;
use crate::inventory::ssh_config;
use crate::model::FoundRow;
use crate::runbook::parse;
use crate::term::film::pattern;
use crate::ui::Theme;

use super::clock;
use super::effect::FileAsk;
use super::event::FileFact;
use super::update::FOUND;
use super::{recordings, reread, search};

/// The largest file that is read whole, in bytes: a runbook, a script or a recording beyond this is a mistake.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Where files are; cheap to clone.
#[derive(Clone)]
pub struct Files {
    inner: Arc<Inner>,
}

struct Inner {
    paths: Paths,
    settings: Settings,
    environment: Environment,
    /// Ends the search through recordings that is under way.
    searching: Mutex<Arc<AtomicBool>>,
}

/// How many lines are told at once.
const BATCH: usize = 64;

impl Files {
    /// Files at these places.
    pub fn new(paths: Paths, settings: Settings, environment: Environment) -> Self {
        Self {
            inner: Arc::new(Inner {
                paths,
                settings,
                environment,
                searching: Mutex::default(),
            }),
        }
    }

    /// Reads what is asked for.
    pub(super) fn read(&self, ask: FileAsk) -> FileFact {
        match ask {
            FileAsk::SshConfig(path) => {
                let home = self
                    .inner
                    .environment
                    .home()
                    .unwrap_or(Path::new("/"))
                    .to_path_buf();
                FileFact::Scanned(
                    ssh_config::scan(&path, &home)
                        .map(Box::new)
                        .map_err(|error| error.to_string()),
                )
            }
            FileAsk::Library => self.library(),
            FileAsk::Book(name) => FileFact::Book(self.book(&name)),
            FileAsk::Bytes(path) => FileFact::Bytes(bytes(&path)),
            FileAsk::Recording(name) => FileFact::Bytes(self.recording(&name)),
            FileAsk::Sweep { keeping, now } => {
                let paths = &self.inner.paths;
                let swept = recordings::sweep(&paths.recordings(), &paths.data, keeping, now);
                swept.lines.iter().for_each(|line| self.log(line));
                FileFact::Swept(swept)
            }
            FileAsk::Export {
                recording,
                format,
                output,
            } => FileFact::Written(self.export(&recording, format, &output)),
            // It answers several times and has a way of its own.
            FileAsk::Search { .. } => FileFact::Looked(String::new()),
            FileAsk::SettingsMark => {
                FileFact::SettingsMark(reread::mark(&self.inner.paths.settings()))
            }
            FileAsk::Settings => {
                let Inner {
                    paths,
                    settings,
                    environment,
                    ..
                } = &*self.inner;
                FileFact::Settings(reread::read(paths, environment, settings).map(Box::new))
            }
            FileAsk::CheckConfig => FileFact::Checked(self.check_config()),
            FileAsk::CheckTheme(path) => FileFact::Checked(check_theme(&path)),
        }
    }

    /// Adds a line to the log; a log that cannot be written stops nothing.
    pub(super) fn log(&self, text: &str) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.inner.paths.log());
        if let Ok(mut log) = log {
            drop(writeln!(
                log,
                "{} {}",
                clock::now(),
                crate::domain::text::line(text)
            ));
        }
    }

    /// The program that gets what is copied, if the settings name one.
    pub(super) fn copy_command(&self) -> Option<Vec<String>> {
        let argv = &self.inner.settings.session.copy_command;
        (!argv.is_empty()).then(|| argv.clone())
    }

    /// A path that a person wrote: `~` is the home, and what is relative begins there too.
    pub(super) fn at_home(&self, path: &Path) -> std::path::PathBuf {
        let home = self.inner.environment.home().unwrap_or(Path::new("/"));
        self.inner
            .environment
            .expand(&path.display().to_string(), home)
    }

    fn library(&self) -> FileFact {
        let library = Library::read(&self.inner.paths, &self.inner.settings);
        let mut broken: Vec<Diagnostic> = library
            .problems
            .iter()
            .map(|problem| whole_file(&self.inner.paths.runbooks(), problem.to_string()))
            .collect();
        let mut books: Vec<Runbook> = Vec::new();
        for found in library.books {
            match parse::parse(&found.path, &found.name, &found.text) {
                Ok(book) => books.push(book),
                Err(findings) => broken.extend(findings),
            }
        }
        FileFact::Library { books, broken }
    }

    /// A runbook by its name in the library, else by its path. No findings means that there is none.
    fn book(&self, name: &str) -> Result<Box<Runbook>, Vec<Diagnostic>> {
        let library = Library::read(&self.inner.paths, &self.inner.settings);
        if let Some(found) = library.books.into_iter().find(|book| book.name == name) {
            return parse::parse(&found.path, &found.name, &found.text).map(Box::new);
        }
        let path = Path::new(name);
        if !path.is_file() {
            return Err(Vec::new());
        }
        let text = bytes(path).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text; save it as such".to_owned())
        });
        let text = text.map_err(|why| vec![whole_file(path, why)])?;
        let title = path.file_stem().map_or_else(
            || name.to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        );
        parse::parse(path, &title, &text).map(Box::new)
    }

    /// A recording; a name that leads out of the folder is refused, whoever wrote it into the store.
    fn recording(&self, wanted: &recordings::Wanted) -> Result<Vec<u8>, String> {
        bytes(&wanted.find(&self.inner.paths.recordings())?)
    }

    fn export(
        &self,
        wanted: &recordings::Wanted,
        format: ExportFormat,
        output: &Path,
    ) -> Result<String, String> {
        let text = recordings::exported(&self.recording(wanted)?, format)?;
        recordings::write_new(output, &text)?;
        Ok(format!("written to {}", output.display()))
    }

    /// Looks for a text in recordings, and tells what is found in batches; a search that began before ends.
    pub(super) fn search(
        &self,
        search: &Search,
        rows: Vec<SessionRow>,
        now: Time,
        tell: impl Fn(FileFact) -> bool,
    ) {
        let stop = Arc::new(AtomicBool::new(false));
        {
            let mut last = self
                .inner
                .searching
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *last, Arc::clone(&stop)).store(true, Ordering::Relaxed);
        }
        let begun = pattern(&search.wanted, search.regex)
            .and_then(|wanted| Ok((wanted, search::chosen(rows, search, now)?)));
        let (wanted, rows) = match begun {
            Ok(begun) => begun,
            Err(why) => {
                tell(FileFact::Looked(why));
                return;
            }
        };
        let (mut batch, mut count) = (Vec::new(), 0);
        let folder = self.inner.paths.recordings();
        let elsewhere = search::elsewhere(&folder, &rows);
        let tally = search::run(&folder, &rows, &wanted, &stop, |row, hit| {
            let Ok(hit) = hit else { return true };
            batch.push(FoundRow {
                reference: row.reference.clone(),
                host: row.host.clone(),
                at: hit.at,
                line: hit.line,
            });
            count += 1;
            let full = batch.len() >= BATCH || count == FOUND;
            (!full || tell(FileFact::Found(std::mem::take(&mut batch)))) && count < FOUND
        });
        tell(FileFact::Found(batch));
        let more = if count >= FOUND { "the first " } else { "" };
        tell(FileFact::Looked(format!(
            "{more}{count} lines in {} recordings{}",
            tally.recordings,
            search::elsewhere_words(&elsewhere)
        )));
    }

    fn check_config(&self) -> Vec<Diagnostic> {
        match Settings::load(&self.inner.paths, &self.inner.environment) {
            Ok(_) => Vec::new(),
            Err(crate::config::Error::Invalid(findings)) => findings,
            Err(error) => vec![whole_file(&self.inner.paths.settings(), error.to_string())],
        }
    }
}

fn check_theme(path: &Path) -> Vec<Diagnostic> {
    let text = bytes(path)
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned()));
    match text.map(|text| Theme::parse(&text)) {
        Err(why) => vec![whole_file(path, why)],
        Ok(Ok(_)) => Vec::new(),
        Ok(Err(findings)) => findings
            .into_iter()
            .map(|finding| Diagnostic {
                file: path.to_owned(),
                line: finding.line,
                column: finding.column,
                message: finding.message,
            })
            .collect(),
    }
}

fn whole_file(path: &Path, message: String) -> Diagnostic {
    Diagnostic {
        file: path.to_owned(),
        line: 1,
        column: 1,
        message,
    }
}

/// The bytes of a file.
///
/// # Errors
/// Why it cannot be read, in words.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |why: std::io::Error| format!("{} cannot be read: {why}", path.display());
    let mut read = Vec::new();
    let mut file = File::open(path).map_err(failed)?.take(LARGEST + 1);
    file.read_to_end(&mut read).map_err(failed)?;
    if read.len() as u64 > LARGEST {
        return Err(format!(
            "{} is larger than {} MiB, which no such file should be",
            path.display(),
            LARGEST >> 20
        ));
    }
    Ok(read)
}
