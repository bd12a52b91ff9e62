//! Real programs in real pseudo-terminals.

use std::error::Error as StdError;

use super::*;

type Outcome = Result<(), Box<dyn StdError>>;

fn sh(script: &str) -> Program {
    Program {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec![("QD_SAID".to_owned(), "yes".into())],
        without: vec!["CARGO_MANIFEST_DIR".into()],
        folder: Some("/".into()),
        cols: 81,
        rows: 25,
    }
}

async fn rest(outlet: &mut Outlet) -> String {
    let mut all = Vec::new();
    while let Some(piece) = outlet.output.recv().await {
        all.extend(piece);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn a_program_has_a_terminal_of_its_own() -> Outcome {
    let script = "test -t 0 && stty size && echo $QD_SAID $(pwd) [$CARGO_MANIFEST_DIR] && exit 7";
    let (_pty, mut outlet) = spawn(&sh(script))?;
    assert_eq!(rest(&mut outlet).await, "25 81\r\nyes / []\r\n");
    assert_eq!(outlet.exit.await?, Exit::Code(7));
    Ok(())
}

#[tokio::test]
async fn what_is_typed_arrives_and_sizes_follow() -> Outcome {
    let script = "stty -echo; echo up; read -r line; stty size; echo got=$line; kill -KILL $$";
    let (pty, mut outlet) = spawn(&sh(script))?;
    assert_eq!(outlet.output.recv().await.as_deref(), Some(&b"up\r\n"[..]));
    pty.resize(100, 30);
    pty.input().send(b"hello\n".to_vec()).await?;
    assert_eq!(rest(&mut outlet).await, "30 100\r\ngot=hello\r\n");
    assert_eq!(outlet.exit.await?, Exit::Signal("KILL".to_owned()));
    Ok(())
}

#[tokio::test]
async fn who_hangs_up_is_heard() -> Outcome {
    let (pty, mut outlet) = spawn(&sh("echo up; exec sleep 600"))?;
    assert!(outlet.output.recv().await.is_some());
    drop(pty);
    assert_eq!(outlet.exit.await?, Exit::Signal("HUP".to_owned()));
    Ok(())
}

#[tokio::test]
async fn output_waits_for_its_reader_and_loses_nothing() -> Outcome {
    let (_pty, mut outlet) = spawn(&sh("stty -opost; head -c 3000000 /dev/zero"))?;
    assert_eq!(rest(&mut outlet).await.len(), 3_000_000);
    Ok(())
}

#[test]
fn what_cannot_start_says_why() {
    let program = Program {
        argv: vec!["/no/such/program".to_owned()],
        ..Program::default()
    };
    let why = spawn(&program).err().map(|why| why.to_string());
    assert!(
        why.as_ref()
            .is_some_and(|why| why.contains("/no/such/program cannot be started")),
        "{why:?}"
    );
}
