//! Writes the recording of a session, as well as it can: a full disk costs the recording, never the session.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::term::Size;
use crate::term::cast::{Header, Recorder};

use super::config::blocking;

/// How many lines wait for the disk. When it is full lines are left out and the recording is called incomplete, because
/// the session must not wait for a disk.
const WAITING: usize = 1024;

/// How many bytes are written at once.
const BATCH: usize = 256 * 1024;

/// How long the end of a session waits for the disk.
const LAST: Duration = Duration::from_secs(5);

/// A recording in progress.
pub(crate) struct Recording {
    recorder: Recorder,
    lines: mpsc::Sender<String>,
    writer: JoinHandle<(u64, Option<String>)>,
    started: Instant,
    lost: u64,
}

/// What became of a recording.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) bytes: u64,
    pub(crate) error: Option<String>,
}

impl Recording {
    /// Starts a recording in a new file.
    ///
    /// # Errors
    /// The file exists already or cannot be made.
    pub(crate) async fn start(
        path: PathBuf,
        size: Size,
        title: &str,
        term: &str,
    ) -> Result<Self, String> {
        let failed = |why: io::Error| format!("cannot record into {}: {why}", path.display());
        let opened = {
            let path = path.clone();
            blocking(move || open(&path)).await
        };
        let (file, timestamp) = opened.map_err(failed)?;
        let header = Header {
            width: size.cols,
            height: size.rows,
            timestamp,
            title: Some(title.to_owned()),
            env: [("TERM".to_owned(), term.to_owned())].into(),
        };
        let (recorder, first) = Recorder::new(header);
        let (lines, waiting) = mpsc::channel(WAITING);
        // There is room for the first line in an empty queue.
        lines.try_send(first).ok();
        Ok(Self {
            recorder,
            lines,
            writer: tokio::spawn(write(file, waiting)),
            started: Instant::now(),
            lost: 0,
        })
    }

    /// What the host wrote.
    pub(crate) fn output(&mut self, bytes: &[u8]) {
        if let Some(line) = self.recorder.output(self.elapsed(), bytes) {
            self.add(line);
        }
    }

    /// The pane's new size.
    pub(crate) fn resize(&mut self, size: Size) {
        let line = self.recorder.resize(self.elapsed(), size);
        self.add(line);
    }

    /// Ends it, and says what became of it.
    pub(crate) async fn finish(mut self) -> Recorded {
        let lost = self.lost;
        if let Some(line) = self.recorder.finish() {
            self.lines.try_send(line).ok();
        }
        // The writer ends with its queue.
        drop(self.lines);
        let (bytes, error) = match tokio::time::timeout(LAST, &mut self.writer).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => (0, Some("the writer of the recording broke".to_owned())),
            Err(_) => (
                0,
                Some("the disk did not take the end of the recording in time".to_owned()),
            ),
        };
        let incomplete = (lost > 0).then(|| {
            format!("the disk was too slow: {lost} pieces of output are not in the recording")
        });
        Recorded {
            bytes,
            error: error.or(incomplete),
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn add(&mut self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.lost += 1;
        }
    }
}

/// Makes the file, for its owner alone, and tells when that was.
fn open(path: &Path) -> io::Result<(File, Option<i64>)> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    // The file's own time is the time of day that a recording begins with.
    let made = file.metadata()?.modified()?;
    let seconds = made.duration_since(UNIX_EPOCH).ok();
    Ok((
        file,
        seconds.and_then(|since| i64::try_from(since.as_secs()).ok()),
    ))
}

/// Writes lines as they come, several at once when the disk is slower.
async fn write(file: File, mut lines: mpsc::Receiver<String>) -> (u64, Option<String>) {
    let mut file = Some(file);
    let mut bytes = 0;
    let mut error = None;
    while let Some(line) = lines.recv().await {
        // After an error the queue is still emptied, so that the session sees no difference.
        let Some(mut out) = file.take() else { continue };
        let mut batch = line;
        while batch.len() < BATCH
            && let Ok(next) = lines.try_recv()
        {
            batch.push_str(&next);
        }
        let len = batch.len() as u64;
        let written = blocking(move || {
            out.write_all(batch.as_bytes())?;
            Ok::<File, io::Error>(out)
        });
        match written.await {
            Ok(out) => {
                file = Some(out);
                bytes += len;
            }
            Err(why) => error = Some(format!("the recording stops here: {why}")),
        }
    }
    (bytes, error)
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::term::cast::{self, EventKind};

    #[tokio::test]
    async fn a_recording_can_be_read_back() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("recordings/one.cast");
        let size = Size::new(80, 24);
        let mut recording = Recording::start(path.clone(), size, "web1", "xterm").await?;
        recording.output(b"hello \xc3");
        recording.output(b"\xa4\r\n");
        recording.resize(Size::new(100, 30));
        let recorded = recording.finish().await;
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
        let kinds: Vec<_> = cast.events.into_iter().map(|event| event.kind).collect();
        assert_eq!(
            kinds,
            [
                EventKind::Output("hello ".to_owned()),
                EventKind::Output("\u{e4}\r\n".to_owned()),
                EventKind::Resize(Size::new(100, 30)),
            ]
        );
        let again = Recording::start(path, size, "web1", "xterm").await;
        assert!(again.is_err(), "a recording is never overwritten");
        Ok(())
    }

    #[tokio::test]
    async fn a_full_disk_costs_only_the_recording() -> Result<(), Box<dyn Error>> {
        let file = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
        let (lines, waiting) = mpsc::channel(4);
        let writer = tokio::spawn(write(file, waiting));
        for _ in 0..20 {
            lines.send("line\n".to_owned()).await?;
        }
        drop(lines);
        let (bytes, error) = writer.await?;
        assert_eq!(bytes, 0);
        assert!(error.is_some_and(|why| why.contains("recording stops")));
        Ok(())
    }
}
