//! Power cuts: of every file only what was flushed is left, and all that was acknowledged must be in it.

use std::process::Command;

use super::crash::{acks, notes, sound, spawn};
use super::*;

/// Makes the flushing shadow of a folder, see `tests/support/shadow.c`.
fn shim(folder: &Path) -> Result<std::path::PathBuf, Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/shadow.c");
    let library = folder.join("shadow.so");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .output()?;
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(library)
}

/// Cuts the power after about so many acknowledgements; how many of them are not in what was flushed.
fn cut(shim: &Path, durability: &str, after: usize) -> Result<usize, Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let (live, shadow) = (place.path().join("live"), place.path().join("shadow"));
    for folder in [&live, &shadow] {
        std::fs::create_dir(folder)?;
    }
    let mut child = spawn(&live, "cut", u64::MAX, |command| {
        command
            .env("LD_PRELOAD", shim)
            .env("QD_SHADOW_FROM", &live)
            .env("QD_SHADOW_TO", &shadow)
            .env(crate::store::open::DURABILITY, durability);
    })?;
    let mut acks = acks(&mut child)?;
    let mut said: std::collections::BTreeSet<String> = acks.by_ref().take(after).collect();
    child.kill()?;
    said.extend(acks);
    child.wait()?;
    assert!(said.len() >= after, "the child wrote");
    // Whatever else is wrong there, opening it must say so and not lose what was flushed.
    let Ok(store) = open(&shadow) else {
        return Ok(said.len());
    };
    sound(&store)?;
    let there = notes(&shadow)?;
    Ok(said.difference(&there).count())
}

fn cuts(count: usize) -> Tested {
    let folder = tempfile::tempdir()?;
    let shim = shim(folder.path())?;
    let (mut lost, mut lossy) = (0, 0);
    for round in 0..count {
        // Seeded by the round, so that a failure can be had again.
        let after = 3 + (round * 7_919) % 211;
        lost += cut(&shim, "FULL", after)?;
        lossy += usize::from(cut(&shim, "NORMAL", after)? > 0);
    }
    assert_eq!(lost, 0, "acknowledged and gone");
    assert!(
        lossy > 0,
        "the exam finds nothing: with NORMAL acknowledged writes must be missing"
    );
    std::io::Write::write_all(
        &mut std::io::stdout(),
        format!("\n{count} cuts each: 0 lost with FULL, {lossy} lost some with NORMAL\n")
            .as_bytes(),
    )?;
    Ok(())
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails() -> Tested {
    cuts(3)
}

#[test]
#[ignore = "an exam of a minute"]
fn long_power_cuts() -> Tested {
    cuts(40)
}
