//! The search with very many tickets: newest first while somebody types, ranked where few match, opened cold and after a
//! crash. The long form runs by name with an optimised build:
//! `cargo test --release --lib -- --ignored --nocapture store::tests::exam`.

use std::time::{Duration, Instant};

use super::*;
use crate::domain::audit::{Found, Wanted};

/// Words of which the first is in almost every ticket and the last in almost none.
const WORDS: usize = 5_000;

fn word(rank: usize) -> String {
    const PARTS: [&str; 10] = ["ka", "lo", "mi", "ne", "pu", "ra", "so", "ti", "vu", "ze"];
    let digits = format!("{rank:04}");
    digits
        .chars()
        .filter_map(|digit| PARTS.get(digit.to_digit(10)? as usize))
        .copied()
        .collect()
}

/// Fills lists and index directly: it is the reading that is examined, and the log would take most of the time.
fn fill(folder: &Path, tickets: u32, words_each: u64) -> Tested {
    drop(open(folder)?);
    let conn = raw(folder)?;
    conn.execute_batch("PRAGMA synchronous = OFF; BEGIN IMMEDIATE")?;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    {
        let mut row = conn.prepare(
            "INSERT INTO ticket (n, id, ref, title, body, state, created, born, moved, updated)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7, ?7)",
        )?;
        let mut words = conn.prepare(
            "INSERT INTO ticket_fts (rowid, title, body, notes) VALUES (?1, ?2, ?3, '')",
        )?;
        for n in 1..=tickets {
            // A few common words and many rare ones, as people write.
            let mut text = |count: u64| {
                (0..count)
                    .map(|_| {
                        let (a, b) = (next() % WORDS as u64, next() % WORDS as u64);
                        word(usize::try_from(a * b / WORDS as u64).unwrap_or(0))
                    })
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            // One word is in every ticket.
            let (title, body) = (text(4), format!("{} {}", word(0), text(words_each)));
            let id = EntityId::derived("ticket", &n.to_string());
            let state = if n % 20 == 0 { "open" } else { "closed" };
            let at = NOW.0 - i64::from(tickets - n) * 1_000;
            let reference = format!("T-{n:07}");
            row.execute(rusqlite::params![
                n,
                id.as_bytes(),
                reference,
                title,
                body,
                state,
                at
            ])?;
            words.execute(rusqlite::params![n, title, body])?;
        }
    }
    conn.execute_batch("COMMIT; PRAGMA optimize")?;
    Ok(())
}

fn search(store: &Store, text: &str, best: bool) -> Result<(Found, Duration), StoreError> {
    let begun = Instant::now();
    let wanted = Wanted {
        text: text.to_owned(),
        limit: 50,
        best,
    };
    match store.ask_wait(Ask::Search(wanted))? {
        Answer::Search(found) => Ok((found, begun.elapsed())),
        other => unreachable!("a search was asked, not {other:?}"),
    }
}

/// What is typed: common words, two words, a rare one, none.
fn queries() -> [String; 5] {
    [
        word(0),
        format!("{} {}", word(1), word(2)),
        format!("{} {}", word(7), word(4_321)),
        word(4_999),
        "nowhere".to_owned(),
    ]
}

/// Types queries key by key, and says the time of each key, slowest last.
fn typed(store: &Store, best: bool, queries: &[String]) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut times = Vec::new();
    for query in queries {
        for end in 1..=query.len() {
            let Some(text) = query.get(..end).filter(|text| !text.trim().is_empty()) else {
                continue;
            };
            let (found, took) = search(store, text, best)?;
            assert!(found.hits.len() <= 50 && found.tickets <= COUNT_CAP);
            // Weighing thousands takes seconds: it is not done.
            assert!(!found.ranked || found.tickets < COUNT_CAP, "{text}");
            if !found.ranked {
                assert!(
                    found.hits.windows(2).all(|pair| pair[0].at >= pair[1].at),
                    "{text}"
                );
            }
            times.push(took);
        }
    }
    times.sort();
    Ok(times)
}

fn p99(times: &[Duration]) -> Duration {
    let at = times.len().saturating_sub(1) * 99 / 100;
    times.get(at).copied().unwrap_or_default()
}

#[test]
fn thousands_of_hits_are_never_weighed_among_twenty_thousand_tickets() -> Tested {
    let folder = tempfile::tempdir()?;
    fill(folder.path(), 20_000, 8)?;
    let store = open(folder.path())?;
    for best in [false, true] {
        let times = typed(&store, best, &["nowhere".to_owned(), word(0)])?;
        // Bounded by what is done, not by the clock: this build is not optimised, and the machine has other work.
        assert!(p99(&times) < Duration::from_secs(10), "{:?}", p99(&times));
    }
    let (common, _) = search(&store, &word(0), true)?;
    assert_eq!((common.tickets, common.ranked), (COUNT_CAP, false));
    assert!(
        common.notes.iter().any(|note| note.contains("too many")),
        "{:?}",
        common.notes
    );
    let (rare, _) = search(&store, &word(4_700), true)?;
    assert!(rare.ranked && rare.tickets < COUNT_CAP, "{}", rare.tickets);
    Ok(())
}

/// Figures of the long form, told on standard error.
fn tell(text: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{text}").ok();
}

/// Lets the kernel forget what it read; only the superuser may.
fn forget() -> bool {
    std::process::Command::new("sync").status().ok();
    std::fs::write("/proc/sys/vm/drop_caches", "1").is_ok()
}

fn opened(folder: &Path, what: &str) -> Tested {
    let begun = Instant::now();
    let store = open(folder)?;
    let open = begun.elapsed();
    let ask = Ask::Tickets {
        query: crate::domain::query::Query::default(),
        limit: Some(100),
    };
    store.ask_wait(ask)?;
    let list = begun.elapsed();
    let (_, first) = search(&store, &word(3), false)?;
    tell(&format!(
        "{what}: open {open:?}, first list {list:?}, first search {first:?}"
    ));
    Ok(())
}

#[test]
#[ignore = "a million tickets; by name, with an optimised build"]
fn a_key_is_answered_soon_with_a_million_tickets() -> Tested {
    let tickets = std::env::var("QD_TICKETS").map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    fill(folder.path(), tickets, 40)?;
    tell(&format!("{tickets} tickets made in {:?}", begun.elapsed()));
    let size = std::fs::metadata(folder.path().join("store.db"))?.len();
    tell(&format!("{} MB", size / 1_000_000));
    let cold = if forget() {
        "cold"
    } else {
        "warm (no right to drop caches)"
    };
    opened(folder.path(), cold)?;
    opened(folder.path(), "warm")?;
    let store = open(folder.path())?;
    for best in [false, true] {
        let times = typed(&store, best, &queries())?;
        let middle = times.get(times.len() / 2).copied().unwrap_or_default();
        let last = times.last().copied().unwrap_or_default();
        let order = if best { "ranked" } else { "newest" };
        tell(&format!(
            "{order}: {} keys, p50 {middle:?}, p99 {:?}, worst {last:?}",
            times.len(),
            p99(&times)
        ));
        assert!(
            p99(&times) < Duration::from_millis(100),
            "{:?}",
            p99(&times)
        );
    }
    drop(store);
    // A process that dies leaves its log; whoever opens next reads it.
    let crashed = tempfile::tempdir()?;
    let conn = raw(folder.path())?;
    conn.execute_batch(
        "PRAGMA wal_autocheckpoint = 0; BEGIN IMMEDIATE;
         CREATE TABLE filler (x BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 26000)
         INSERT INTO filler SELECT randomblob(3900) FROM n; COMMIT",
    )?;
    for name in ["store.db", "store.db-wal"] {
        std::fs::copy(folder.path().join(name), crashed.path().join(name))?;
    }
    drop(conn);
    let left = std::fs::metadata(crashed.path().join("store.db-wal"))?.len();
    assert!(left > 100_000_000, "{left}");
    opened(
        crashed.path(),
        &format!("after a crash with {} MB left", left / 1_000_000),
    )
}

/// Four processes of 1,000 groups each; the short form with 250 is with the other sudden ends.
#[test]
#[ignore = "by name: it takes a while on a loaded machine"]
fn four_processes_write_a_thousand_times_each() -> Tested {
    super::crash::many(1_000)
}
