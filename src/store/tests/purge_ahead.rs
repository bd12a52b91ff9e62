//! Purges and operations that are shown ahead of their logs: what was purged is shown by neither, whichever comes first,
//! and nobody's word without a log removes anything.

use super::early::{ahead, early, excerpt, wait};
use super::purge::{SECRET, chains, device, fill, holds, log_of, purge, sound};
use super::*;
use crate::domain::audit::{AuditFact, Login};
use crate::domain::op::is_blank;
use crate::store::doctor;
use crate::store::read::Scene;

/// Three devices on empty stores.
fn three(homes: &[tempfile::TempDir; 3]) -> Result<[Store; 3], StoreError> {
    let [a, b, c] = homes;
    Ok([
        device(a.path(), 0)?,
        device(b.path(), 1)?,
        device(c.path(), 2)?,
    ])
}

fn homes() -> Result<[tempfile::TempDir; 3], std::io::Error> {
    Ok([
        tempfile::tempdir()?,
        tempfile::tempdir()?,
        tempfile::tempdir()?,
    ])
}

/// Whether any row of the merge tables, or of what is ahead, holds the secret.
fn shows(folder: &Path) -> Result<Vec<String>, rusqlite::Error> {
    let hex = SECRET.bytes().map(|byte| format!("{byte}, "));
    let bytes: String = hex.collect();
    let told = |line: &String| line.contains(SECRET) || line.contains(bytes.trim_end_matches(", "));
    let mut lines = dump(folder)?;
    lines.retain(told);
    let conn = raw(folder)?;
    let mut statement = conn.prepare("SELECT body FROM early")?;
    let bodies = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    for body in bodies {
        let body = body?;
        if body
            .windows(SECRET.len())
            .any(|piece| piece == SECRET.as_bytes())
        {
            lines.push(format!("early {}", String::from_utf8_lossy(&body)));
        }
    }
    Ok(lines)
}

#[test]
fn what_is_shown_ahead_of_its_log_can_be_purged() -> Tested {
    let homes = homes()?;
    let [a, b, c] = three(&homes)?;
    let [here, there, third] = &homes;
    let reference = fill(&a)?;
    let whole = log_of(&a, a.device())?;
    let given = excerpt(&a, u64::MAX)?;
    ahead(&c, a.device(), given.ops.clone())?;
    assert!(!shows(third.path())?.is_empty(), "the test can see it");
    sound(&c)?;

    let done = purge(&c, &reference, None)?;
    assert!(done.operations >= 4, "{done:?}");
    assert_eq!(shows(third.path())?, [""; 0]);
    assert_eq!(early(&c)?, given.ops.len() as u64, "they stay, blank");
    assert_eq!(show(&c, &reference)?.title, "(purged)");
    let folded = dump(third.path())?;
    c.rebuild_wait()?;
    assert_eq!(difference(&folded, &dump(third.path())?), [""; 0]);
    sound(&c)?;

    // What stands in the place of a blank one is the same operation, whichever of the two is blank.
    for slice in (Piece {
        before: [0; 32],
        ops: whole.clone(),
    })
    .slices(3)
    {
        let learned = wait(|reply| c.learn(slice, reply))?;
        assert!(matches!(learned, Learned::Taken { .. }), "{learned:?}");
    }
    assert_eq!(early(&c)?, 0);
    assert_eq!(wait(|reply| c.kept(CONTRADICTED, reply))?, []);
    // Of what nobody knew here nothing was purged: the old body was in no excerpt.
    purge(&c, &reference, None)?;
    assert_eq!(shows(third.path())?, [""; 0]);
    let of_c = log_of(&c, c.device())?;
    b.absorb_wait(whole)?;
    for store in [&a, &b] {
        store.absorb_wait(of_c.clone())?;
        assert_eq!(log_of(store, a.device())?, log_of(&c, a.device())?);
    }
    for home in [here, there] {
        assert_eq!(
            difference(&dump(third.path())?, &dump(home.path())?),
            [""; 0]
        );
    }
    sound(&c)?;
    drop((a, b, c));
    for home in &homes {
        assert_eq!(holds(home.path(), SECRET)?, [""; 0]);
    }
    Ok(())
}

#[test]
fn one_entry_that_is_shown_ahead_of_its_log_can_be_purged() -> Tested {
    let homes = homes()?;
    let [a, _, c] = three(&homes)?;
    let reference = fill(&a)?;
    ahead(&c, a.device(), excerpt(&a, u64::MAX)?.ops)?;
    let entries = show(&c, &reference)?.entries;
    let secret: Vec<String> = entries
        .iter()
        .filter(|entry| entry.text.contains(SECRET))
        .map(|entry| entry.id.to_string())
        .collect();
    assert_eq!(secret.len(), 2, "a comment and an event: {entries:?}");
    for id in &secret {
        assert!(purge(&c, id, None)?.operations >= 1);
    }
    let left = show(&c, &reference)?;
    assert!(
        left.entries
            .iter()
            .all(|entry| !entry.text.contains(SECRET))
    );
    assert_eq!((left.title.as_str(), left.tags.len()), ("one", 1));
    c.absorb_wait(log_of(&a, a.device())?)?;
    let left = show(&c, &reference)?;
    assert!(
        left.entries
            .iter()
            .all(|entry| !entry.text.contains(SECRET))
    );
    sound(&c)
}

/// Who heard of a purge is shown nothing of it, though an excerpt was made before.
#[test]
fn what_was_purged_before_is_blank_when_it_comes_ahead() -> Tested {
    let homes = homes()?;
    let [a, b, c] = three(&homes)?;
    let reference = fill(&a)?;
    let (whole, old) = (log_of(&a, a.device())?, excerpt(&a, u64::MAX)?.ops);
    b.absorb_wait(whole)?;
    purge(&b, &reference, None)?;
    c.absorb_wait(log_of(&b, b.device())?)?;
    let taken = ahead(&c, a.device(), old.clone())?;
    assert_eq!(taken, old.len() as u64);
    assert_eq!(shows(homes[2].path())?, [""; 0]);
    // And one that was made afterwards holds nothing of it.
    let new = excerpt(&b, u64::MAX)?.ops;
    let secret = |op: &Logged| {
        let mut pieces = op.body.windows(SECRET.len());
        pieces.any(|piece| piece == SECRET.as_bytes())
    };
    assert!(old.iter().any(secret));
    assert!(!new.iter().any(|op| secret(op) || is_blank(&op.body)));
    drop((a, b, c));
    assert_eq!(holds(homes[2].path(), SECRET)?, [""; 0]);
    Ok(())
}

/// The log comes blank, since its owner mended it, and the purge stands in a log that comes much later.
#[test]
fn a_log_that_brings_blanks_takes_away_what_was_shown() -> Tested {
    let homes = homes()?;
    let [a, b, c] = three(&homes)?;
    let reference = fill(&a)?;
    let login = Login {
        host: "db1".to_owned(),
        user: SECRET.to_owned(),
        ..Login::default()
    };
    let id = EntityId::derived("audit", "one");
    a.append_wait(batch([AuditFact::Login(login).draft(id, NOW, "mira")]))?;
    let whole = log_of(&a, a.device())?;
    ahead(&c, a.device(), whole.clone())?;
    assert!(!shows(homes[2].path())?.is_empty(), "the test can see it");

    b.absorb_wait(whole)?;
    purge(&b, &reference, None)?;
    purge(&b, &id.to_string(), None)?;
    let blanks = log_of(&b, a.device())?;
    assert!(blanks.iter().filter(|op| is_blank(&op.body)).count() >= 6);
    c.absorb_wait(blanks)?;
    assert_eq!(early(&c)?, 0);
    assert_eq!(
        shows(homes[2].path())?,
        [""; 0],
        "before any purge is known"
    );
    let folded = dump(homes[2].path())?;
    c.rebuild_wait()?;
    assert_eq!(difference(&folded, &dump(homes[2].path())?), [""; 0]);
    c.absorb_wait(log_of(&b, b.device())?)?;
    assert_eq!(
        difference(&dump(homes[1].path())?, &dump(homes[2].path())?),
        [""; 0]
    );
    sound(&c)?;
    drop((a, b, c));
    assert_eq!(holds(homes[2].path(), SECRET)?, [""; 0]);
    Ok(())
}

/// What a purge removes cannot come back, so it must stand in a log: a word ahead of one is not enough.
#[test]
fn a_purge_ahead_of_its_log_removes_nothing() -> Tested {
    let homes = homes()?;
    let [a, b, c] = three(&homes)?;
    let reference = fill(&a)?;
    let whole = log_of(&a, a.device())?;
    b.absorb_wait(whole.clone())?;
    purge(&b, &reference, None)?;
    let of_b = log_of(&b, b.device())?;
    c.absorb_wait(whole.clone())?;
    for maker in [a.device(), b.device()] {
        ahead(&c, maker, of_b.clone())?;
    }
    assert_eq!(log_of(&c, a.device())?, whole);
    c.rebuild_wait()?;
    assert_eq!(log_of(&c, a.device())?, whole);
    let gone = Untrusted {
        after: vec![],
        makers: vec![a.device()],
    };
    assert!(wait(|reply| c.distrust(gone, reply))? > 0);
    assert!(chains(&c)?.iter().all(|chain| chain.broken.is_none()));
    sound(&c)?;
    // Its log is enough.
    c.absorb_wait(of_b)?;
    assert_eq!(log_of(&c, a.device())?, log_of(&b, a.device())?);
    assert_eq!(
        difference(&dump(homes[1].path())?, &dump(homes[2].path())?),
        [""; 0]
    );
    sound(&c)
}

/// A connection remembers how the index was laid out; a purge lays it out anew, and the check must see that.
#[test]
fn the_index_is_no_damage_because_another_connection_changed_it() -> Tested {
    let folder = tempfile::tempdir()?;
    let store = device(folder.path(), 0)?;
    let conn = raw(folder.path())?;
    let scene = Scene {
        conn: &conn,
        folder: folder.path(),
        now: NOW,
    };
    let is_sound = || -> Tested {
        let snapshot = conn.unchecked_transaction()?;
        let report = doctor::contents(scene).map_err(|_| "the check failed")?;
        assert!(report.ok, "{report:?}");
        Ok(snapshot.finish()?)
    };
    // Each write is a piece of the index; the purge makes one of them all.
    let reference = fill(&store)?;
    is_sound()?;
    purge(&store, &reference, None)?;
    is_sound()
}
