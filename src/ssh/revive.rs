//! Puts what a lost session showed back into a pane, out of its recording: to look at, not to type into.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::term::cast::{self, EventKind};
use crate::term::{Emulator, Size};

/// How much of the end of a recording is read: more than a pane keeps of what it showed.
const TAIL: u64 = 16 * 1024 * 1024;

/// The terminal as it was at the end of the recording, or one that says why that cannot be known. It blocks.
pub(crate) fn shown(recording: &Path, size: Size) -> Emulator {
    let mut emulator = Emulator::new(size);
    let cast = match tail(recording)
        .map_err(|why| why.to_string())
        .and_then(|text| cast::read(&text).map_err(|why| why.to_string()))
    {
        Ok(cast) => cast,
        Err(why) => {
            let words = format!(
                "What this session showed cannot be read back from {}: {why}",
                recording.display()
            );
            emulator.feed(crate::domain::text::line(&words).as_bytes());
            return emulator;
        }
    };
    // Replayed in the size it had, or full-screen programs would not be where they were.
    emulator.resize(Size::new(cast.header.width, cast.header.height));
    for event in cast.events {
        match event.kind {
            EventKind::Output(text) => emulator.feed(text.as_bytes()),
            EventKind::Resize(size) => emulator.resize(size),
            EventKind::Input(_) | EventKind::Marker(_) => {}
        }
    }
    emulator.over();
    emulator.resize(size);
    emulator
}

/// The first line of the file and as much of its end as [`TAIL`] allows, from the start of a line.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = BufReader::new(File::open(path)?);
    let mut bytes = Vec::new();
    file.by_ref().take(TAIL).read_until(b'\n', &mut bytes)?;
    let first = bytes.len() as u64;
    let length = file.get_ref().metadata()?.len();
    let from = length.saturating_sub(TAIL).max(first);
    file.seek(SeekFrom::Start(from))?;
    if from > first {
        file.by_ref()
            .take(TAIL)
            .read_until(b'\n', &mut Vec::new())?;
    }
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::term::cast::{Header, Recorder};

    fn recorded(lines: usize) -> Result<tempfile::NamedTempFile, Box<dyn Error>> {
        let header = Header {
            width: 40,
            height: 5,
            ..Header::default()
        };
        let (mut recorder, mut text) = Recorder::new(header);
        for line in 0..lines {
            let output = recorder.output(line as u64, format!("line {line}\r\n").as_bytes());
            text.push_str(&output.ok_or("a whole line")?);
        }
        text.push_str("[9999.0, \"o\", \"cut");
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        Ok(file)
    }

    #[test]
    fn what_was_shown_comes_back() -> Result<(), Box<dyn Error>> {
        let file = recorded(100)?;
        let mut emulator = shown(file.path(), Size::new(60, 10));
        assert_eq!(emulator.size(), Size::new(60, 10));
        assert!(emulator.screen().text().contains("line 99"));
        assert!(
            emulator.text().starts_with("line 0\n"),
            "with what scrolled away"
        );
        Ok(())
    }

    #[test]
    fn only_the_end_of_a_long_one_is_read() -> Result<(), Box<dyn Error>> {
        let file = recorded(700_000)?;
        assert!(file.path().metadata()?.len() > TAIL);
        let text = tail(file.path())?;
        assert!(text.len() as u64 <= TAIL + 200);
        assert!(text.starts_with("{\"version\":2"));
        assert!(cast::read(&text)?.truncated);
        Ok(())
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let text = shown(Path::new("/nonexistent.cast"), Size::new(80, 24)).text();
        assert!(
            text.contains("cannot be read back") && text.contains("No such file"),
            "{text}"
        );
    }
}
