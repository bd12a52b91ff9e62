//! Carries copied text out of the program: into a file, or to a program of the user's. No shell is involved.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::event::Event;

/// How long the program may take; one that keeps the clipboard goes on in the background by itself.
const LIMIT: Duration = Duration::from_secs(10);

/// Writes a text to a new file that only its owner may read; never over one that exists.
pub(super) fn save(path: &Path, text: &str) -> Result<String, String> {
    let place = path.display();
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let mut file = file.map_err(|why| match why.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{place} exists already and was left as it is; name another file")
        }
        _ => format!("{place} cannot be written: {why}"),
    })?;
    let ended = if text.ends_with('\n') { "" } else { "\n" };
    write!(file, "{text}{ended}")
        .and_then(|()| file.sync_all())
        .map_err(|why| format!("{place} is incomplete: {why}"))?;
    Ok(format!(
        "{} bytes written to {place}",
        text.len() + ended.len()
    ))
}

/// Gives a text to a program. Only a failure is told.
pub(super) async fn pipe(argv: Vec<String>, text: Arc<str>, facts: mpsc::Sender<Event>) {
    if let Err(why) = give(&argv, &text).await {
        let name = argv.first().map_or("", String::as_str);
        let words = format!("copy_command {name}: {why}");
        facts.send(Event::Kept(Err(words))).await.ok();
    }
}

async fn give(argv: &[String], text: &str) -> Result<(), String> {
    let (name, arguments) = argv.split_first().ok_or("it names no program")?;
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| format!("it cannot be started: {why}"))?;
    let work = async {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(text.as_bytes()).await?;
            stdin.shutdown().await?;
        }
        child.wait().await
    };
    match timeout(LIMIT, work).await {
        Err(_) => Err(format!("it did not end within {} s", LIMIT.as_secs())),
        Ok(Err(why)) => Err(format!("it did not take the text: {why}")),
        Ok(Ok(status)) if !status.success() => Err(format!("it failed ({status})")),
        Ok(Ok(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_exists_is_left_alone() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("notes");
        assert!(save(&path, "one").is_ok_and(|words| words.starts_with("4 bytes")));
        let again = save(&path, "two").expect_err("it exists");
        assert!(again.contains("left as it is"), "{again}");
        assert_eq!(std::fs::read_to_string(&path)?, "one\n");
        Ok(())
    }

    #[tokio::test]
    async fn a_program_gets_the_text_and_no_shell_sees_it() -> Result<(), Box<dyn std::error::Error>>
    {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("taken");
        let tee = vec!["tee".to_owned(), path.display().to_string()];
        give(&tee, "$(id) `id`\n").await?;
        assert_eq!(std::fs::read_to_string(&path)?, "$(id) `id`\n");
        let missing = give(&["/no/such/program".to_owned()], "x").await;
        assert!(missing.is_err_and(|why| why.contains("cannot be started")));
        assert!(give(&["false".to_owned()], "").await.is_err());
        Ok(())
    }
}
