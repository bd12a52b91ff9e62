//! Writes the recording of a session, as well as it can: a full disk costs the recording, never the session.
//!
//! Only what the host writes is recorded, never what is typed. Every piece is handed to the system as soon as the disk took
//! the one before, so that the end of this process, however sudden, costs only what is on its way at that moment.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::domain::ids::SessionId;
use crate::term::cast::{Header, Recorder};
use crate::term::{Emulator, Size};

use super::config::blocking;
use super::fact::SshFact;

/// How many lines wait for the disk. When it is full lines are left out and the recording is called incomplete, because
/// the session must not wait for a disk.
const WAITING: usize = 1024;

/// How many bytes are written at once.
const BATCH: usize = 256 * 1024;

/// How long the end of a session waits for the disk.
const LAST: Duration = Duration::from_secs(5);

/// How far back in a file the end of its last whole line is looked for.
const TAIL: u64 = 1024 * 1024;

/// How much room a session that must be recorded needs at least, in bytes.
const ROOM: usize = 256 * 1024;

/// The recording of one session, while it is recorded and while it is not.
pub(crate) struct Tape {
    session: SessionId,
    facts: mpsc::Sender<SshFact>,
    title: String,
    term: String,
    recorder: Recorder,
    /// What the recording's times count from.
    started: Instant,
    out: Option<Out>,
    /// Writes the end of what was switched off; whoever writes next waits for it, since the file is the same.
    ending: Option<JoinHandle<()>>,
    written: Arc<Written>,
    /// Pieces that the disk was too slow for.
    lost: u64,
    /// Those that the recording does not tell of yet.
    missing: u64,
}

/// The way to the file.
struct Out {
    lines: mpsc::Sender<Line>,
    writer: JoinHandle<()>,
}

enum Line {
    Text(String),
    /// Nothing more is to be recorded, and that is to be told.
    Off,
}

/// What reached the file, and why no more did.
#[derive(Default)]
struct Written {
    bytes: AtomicU64,
    // A std mutex: held to set a text, never across an await.
    error: Mutex<Option<String>>,
}

/// What became of a recording.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) bytes: u64,
    pub(crate) error: Option<String>,
}

impl Tape {
    /// A session that is not recorded yet.
    pub(crate) fn new(
        session: SessionId,
        facts: mpsc::Sender<SshFact>,
        title: &str,
        term: &str,
    ) -> Self {
        Self {
            session,
            facts,
            title: title.to_owned(),
            term: term.to_owned(),
            recorder: Recorder::default(),
            started: Instant::now(),
            out: None,
            ending: None,
            written: Arc::default(),
            lost: 0,
            missing: 0,
        }
    }

    /// Begins the recording in a new file. When that fails a fact says so.
    pub(crate) fn begin(&mut self, path: PathBuf, size: Size) {
        self.started = Instant::now();
        self.roll(path, size, false);
    }

    /// Records into a file from now on, or no more. A recording that goes on begins with what is on the screen and all that is
    /// in force there.
    pub(crate) fn switch(&mut self, file: Option<PathBuf>, emulator: &mut Emulator) {
        match file {
            Some(path) if !self.is_on() => {
                if self.written.bytes.load(Ordering::Relaxed) == 0 {
                    self.started = Instant::now();
                }
                *self.written.lock() = None;
                self.roll(path, emulator.size(), true);
                let on = self.recorder.marker(self.elapsed(), "recording on");
                self.add(on);
                self.resize(emulator.size());
                self.output(emulator.repaint().as_bytes());
            }
            Some(_) => {}
            None => {
                let off = self.recorder.marker(self.elapsed(), "recording off");
                self.add(off);
                if let Some(Out { lines, writer }) = self.out.take() {
                    self.ending = Some(writer);
                    // The writer empties its queue; the session need not wait for that.
                    drop(tokio::spawn(async move { lines.send(Line::Off).await }));
                }
            }
        }
    }

    /// Whether it is recorded now.
    pub(crate) fn is_on(&self) -> bool {
        self.out.as_ref().is_some_and(|out| !out.lines.is_closed())
    }

    fn roll(&mut self, path: PathBuf, size: Size, again: bool) {
        let header = Header {
            width: size.cols,
            height: size.rows,
            timestamp: None,
            title: Some(self.title.clone()),
            env: [("TERM".to_owned(), self.term.clone())].into(),
        };
        let (lines, waiting) = mpsc::channel(WAITING);
        let job = Job {
            session: self.session,
            facts: self.facts.clone(),
            path,
            header,
            again,
            before: self.ending.take(),
            written: Arc::clone(&self.written),
        };
        let writer = tokio::spawn(job.run(waiting));
        self.out = Some(Out { lines, writer });
    }

    /// What the host wrote.
    pub(crate) fn output(&mut self, bytes: &[u8]) {
        if self.out.is_some()
            && let Some(line) = self.recorder.output(self.elapsed(), bytes)
        {
            self.add(line);
        }
    }

    /// The pane's new size.
    pub(crate) fn resize(&mut self, size: Size) {
        let line = self.recorder.resize(self.elapsed(), size);
        self.add(line);
    }

    /// A place to jump to.
    pub(crate) fn mark(&mut self, label: &str) {
        let line = self.recorder.marker(self.elapsed(), label);
        self.add(line);
    }

    /// Ends it, and says what became of it.
    pub(crate) async fn finish(mut self) -> Recorded {
        let mut late = None;
        let writer = match self.out.take() {
            Some(Out { lines, writer }) => {
                if let Some(line) = std::mem::take(&mut self.recorder).finish() {
                    lines.try_send(Line::Text(line)).ok();
                }
                // The writer ends with its queue.
                drop(lines);
                Some(writer)
            }
            None => self.ending.take(),
        };
        if let Some(mut writer) = writer {
            late = match tokio::time::timeout(LAST, &mut writer).await {
                Ok(Ok(())) => None,
                Ok(Err(_)) => Some("the writer of the recording broke".to_owned()),
                Err(_) => Some("the disk did not take the end of the recording in time".to_owned()),
            };
        }
        let incomplete = (self.lost > 0).then(|| {
            format!(
                "the disk was too slow: {} pieces of output are not in the recording",
                self.lost
            )
        });
        let error = self.written.lock().take();
        Recorded {
            bytes: self.written.bytes.load(Ordering::Relaxed),
            error: error.or(late).or(incomplete),
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn add(&mut self, line: String) {
        let Some(Out { lines, .. }) = &self.out else {
            return;
        };
        if self.missing > 0 && lines.capacity() > 1 {
            let missing = std::mem::take(&mut self.missing);
            let told = self.recorder.marker(
                u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                &format!("{missing} pieces of output are missing here: the disk was too slow"),
            );
            lines.try_send(Line::Text(told)).ok();
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = lines.try_send(Line::Text(line)) {
            self.lost += 1;
            self.missing += 1;
        }
    }
}

impl Written {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing side.
struct Job {
    session: SessionId,
    facts: mpsc::Sender<SshFact>,
    path: PathBuf,
    header: Header,
    /// The file may be there already, and the switch is to be told.
    again: bool,
    /// Whoever wrote into the same file before.
    before: Option<JoinHandle<()>>,
    written: Arc<Written>,
}

impl Job {
    /// Writes lines as they come, several at once when the disk is slower.
    async fn run(mut self, mut lines: mpsc::Receiver<Line>) {
        if let Some(before) = self.before.take() {
            // One that broke has nothing to write any more.
            before.await.ok();
        }
        let (path, again) = (self.path.clone(), self.again);
        let opened = blocking(move || open(&path, again)).await;
        let (mut file, first) = match opened {
            Ok((file, begun)) => (file, self.first_line(begun)),
            Err(why) => {
                let why = format!("cannot record into {}: {why}", self.path.display());
                return self.stopped(why).await;
            }
        };
        if again {
            self.changed(true).await;
        }
        let mut pending = first;
        loop {
            let mut batch = match pending.take() {
                Some(first) => first,
                None => match lines.recv().await {
                    Some(Line::Text(line)) => line,
                    Some(Line::Off) => return self.changed(false).await,
                    None => return,
                },
            };
            let mut off = false;
            while batch.len() < BATCH
                && let Ok(next) = lines.try_recv()
            {
                match next {
                    Line::Text(line) => batch.push_str(&line),
                    Line::Off => {
                        off = true;
                        break;
                    }
                }
            }
            let (len, good) = (
                batch.len() as u64,
                self.written.bytes.load(Ordering::Relaxed),
            );
            let written = blocking(move || put(file, &batch)).await;
            match written {
                Ok(out) => {
                    file = out;
                    self.written.bytes.store(good + len, Ordering::Relaxed);
                }
                Err(why) => {
                    return self
                        .stopped(format!("the recording stops here: {why}"))
                        .await;
                }
            }
            if off {
                return self.changed(false).await;
            }
        }
    }

    /// The header, for a file that has none yet; `begun` is when it was made.
    fn first_line(&mut self, begun: Option<Option<i64>>) -> Option<String> {
        self.header.timestamp = begun?;
        Some(Recorder::new(self.header.clone()).1)
    }

    async fn changed(&self, on: bool) {
        let session = self.session;
        // It fails only when the loop is gone.
        self.facts
            .send(SshFact::RecordingChanged { session, on })
            .await
            .ok();
    }

    async fn stopped(self, why: String) {
        *self.written.lock() = Some(why.clone());
        let session = self.session;
        self.facts
            .send(SshFact::RecordingStopped { session, why })
            .await
            .ok();
    }
}

/// Writes a batch; what the disk took only half of is taken back, so that the file ends with a whole line.
fn put(mut file: File, batch: &str) -> io::Result<File> {
    let before = file.stream_position();
    match file.write_all(batch.as_bytes()) {
        Ok(()) => Ok(file),
        Err(why) => {
            if let Ok(before) = before {
                // A device has no length; then there is nothing to take back.
                file.set_len(before).ok();
            }
            Err(why)
        }
    }
}

/// Opens the file, for its owner alone. For one without a header it tells when it was made.
fn open(path: &Path, again: bool) -> io::Result<(File, Option<Option<i64>>)> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(again).write(true).mode(0o600);
    let mut file = if again {
        options.create(true).truncate(false).open(path)?
    } else {
        options.create_new(true).open(path)?
    };
    if again && heal(&mut file)? > 0 {
        return Ok((file, None));
    }
    // The file's own time is the time of day that a recording begins with.
    let made = file.metadata()?.modified()?;
    let seconds = made.duration_since(UNIX_EPOCH).ok();
    let seconds = seconds.and_then(|since| i64::try_from(since.as_secs()).ok());
    Ok((file, Some(seconds)))
}

/// Goes to the end of the last whole line and cuts off what is behind it; says where that is.
fn heal(file: &mut File) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let from = len.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(len - from).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n');
    let end = whole.map_or(0, |at| from + at as u64 + 1);
    if end < len {
        file.set_len(end)?;
    }
    file.seek(SeekFrom::Start(end))
}

/// Whether a recording could be made beside `path`: what a session that must be recorded asks before it begins.
///
/// # Errors
/// Why not, in words.
pub(crate) async fn possible(path: PathBuf) -> Result<(), String> {
    let trial = path.with_extension("trial");
    let tried = {
        let trial = trial.clone();
        blocking(move || {
            let (mut file, _) = open(&trial, false)?;
            let full = file.write_all(&vec![b' '; ROOM]);
            std::fs::remove_file(&trial)?;
            full
        })
    };
    tried.await.map_err(|why| {
        format!(
            "it cannot be recorded, and [recording] strict is set: {}: {why}; make room or unset it",
            trial.parent().unwrap_or(&trial).display()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::ids::EntityId;
    use crate::term::cast::{self, EventKind};

    const SIZE: Size = Size::new(80, 24);

    fn tape() -> (Tape, mpsc::Receiver<SshFact>) {
        let (facts, told) = mpsc::channel(16);
        let session = SessionId(EntityId::from_bytes([7; 16]));
        (Tape::new(session, facts, "web1", "xterm"), told)
    }

    fn kinds(path: &Path) -> Result<Vec<EventKind>, Box<dyn Error>> {
        let cast = cast::read(&std::fs::read_to_string(path)?)?;
        Ok(cast.events.into_iter().map(|event| event.kind).collect())
    }

    #[tokio::test]
    async fn a_recording_can_be_read_back() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("recordings/one.cast");
        let (mut tape, _told) = tape();
        tape.begin(path.clone(), SIZE);
        tape.output(b"hello \xc3");
        tape.output(b"\xa4\r\n");
        tape.resize(Size::new(100, 30));
        tape.mark("here");
        let recorded = tape.finish().await;
        assert_eq!(recorded.error, None);
        let text = std::fs::read_to_string(&path)?;
        assert_eq!(recorded.bytes, text.len() as u64);
        assert_eq!(
            std::fs::metadata(&path)?.permissions().mode() & 0o777,
            0o600
        );
        let cast = cast::read(&text)?;
        assert_eq!(cast.header.title.as_deref(), Some("web1"));
        assert!(cast.header.timestamp.is_some());
        assert_eq!(
            kinds(&path)?,
            [
                EventKind::Output("hello ".to_owned()),
                EventKind::Output("\u{e4}\r\n".to_owned()),
                EventKind::Resize(Size::new(100, 30)),
                EventKind::Marker("here".to_owned()),
            ]
        );
        let (mut again, mut told) = self::tape();
        again.begin(path, SIZE);
        assert!(
            matches!(told.recv().await, Some(SshFact::RecordingStopped { why, .. }) if why.contains("cannot record")),
            "a recording is never overwritten"
        );
        Ok(())
    }

    #[tokio::test]
    async fn what_happens_while_it_is_off_is_not_in_the_file() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("one.cast");
        let (mut tape, mut told) = tape();
        let mut emulator = Emulator::new(SIZE);
        tape.begin(path.clone(), SIZE);
        tape.output(b"before\r\n");
        tape.switch(None, &mut emulator);
        assert!(matches!(
            told.recv().await,
            Some(SshFact::RecordingChanged { on: false, .. })
        ));
        tape.output(b"secret\r\n");
        tape.mark("unheard");
        emulator.feed(b"on the screen");
        tape.switch(Some(path.clone()), &mut emulator);
        assert!(matches!(
            told.recv().await,
            Some(SshFact::RecordingChanged { on: true, .. })
        ));
        tape.output(b" and after");
        assert_eq!(tape.finish().await.error, None);
        let text = std::fs::read_to_string(&path)?;
        assert!(
            !text.contains("secret") && !text.contains("unheard"),
            "{text}"
        );
        assert_eq!(text.matches("\"version\"").count(), 1);
        let whole = cast::text(&cast::read(&text)?);
        assert!(whole.contains("on the screen and after"), "{whole}");
        assert!(kinds(&path)?.contains(&EventKind::Marker("recording off".to_owned())));
        Ok(())
    }

    #[tokio::test]
    async fn what_goes_on_at_once_waits_for_the_end_of_what_was_before()
    -> Result<(), Box<dyn Error>> {
        const TIMES: usize = 40;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("one.cast");
        let (mut tape, mut told) = tape();
        drop(tokio::spawn(
            async move { while told.recv().await.is_some() {} },
        ));
        let mut emulator = Emulator::new(SIZE);
        tape.begin(path.clone(), SIZE);
        for _ in 0..TIMES {
            tape.output(b"line after line\r\n");
            tape.switch(None, &mut emulator);
            tape.switch(Some(path.clone()), &mut emulator);
        }
        assert_eq!(tape.finish().await.error, None);
        let off = EventKind::Marker("recording off".to_owned());
        let kinds = kinds(&path)?;
        assert_eq!(kinds.iter().filter(|kind| **kind == off).count(), TIMES);
        Ok(())
    }

    #[tokio::test]
    async fn a_full_disk_costs_only_the_recording_and_is_told_at_once() {
        let (mut tape, mut told) = tape();
        // A device that is always full takes the place of the file.
        tape.switch(Some("/dev/full".into()), &mut Emulator::new(SIZE));
        let mut stopped = None;
        while let Some(fact) = told.recv().await {
            if let SshFact::RecordingStopped { why, .. } = fact {
                stopped = Some(why);
                break;
            }
        }
        assert!(stopped.is_some_and(|why| why.contains("recording stops")));
        for _ in 0..3 * WAITING {
            tape.output(b"the session goes on");
        }
        assert!(!tape.is_on());
        let recorded = tape.finish().await;
        assert_eq!(recorded.bytes, 0);
        assert!(
            recorded
                .error
                .is_some_and(|why| why.contains("recording stops"))
        );
    }

    #[test]
    fn half_a_line_is_cut_off_before_a_recording_goes_on() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("one.cast");
        std::fs::write(&path, "{}\n[1, \"o\", \"a\"]\n[2, \"o\", \"unfin")?;
        let (mut file, begun) = open(&path, true)?;
        assert!(begun.is_none(), "it has its header");
        file.write_all(b"next\n")?;
        assert_eq!(
            std::fs::read_to_string(&path)?,
            "{}\n[1, \"o\", \"a\"]\nnext\n"
        );
        Ok(())
    }

    #[tokio::test]
    async fn whether_it_can_be_recorded_leaves_nothing_behind() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        assert_eq!(possible(folder.path().join("a.cast")).await, Ok(()));
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        let why = possible("/proc/none/a.cast".into()).await;
        assert!(why.is_err_and(|why| why.contains("strict")));
        Ok(())
    }
}
