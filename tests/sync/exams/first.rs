//! The first sync of a new device with a bag on a real OpenSSH server behind a thin line: when its list has something, when
//! it has all that is open, when it has everything.
//!
//! `cargo test --test all first_sync_over_a_thin_line -- --ignored --nocapture`; `QD_OPEN`, `QD_CLOSED` (tickets) and
//! `QD_EXAM_SECONDS` (when it is cut short) make it another one.

use std::pin::pin;
use std::time::{Duration, Instant};

use quarterdeck::domain::ids::DeviceId;
use quarterdeck::domain::query::Query;
use quarterdeck::store::{Answer, Ask};
use quarterdeck::sync::{Identity, Limits};

use super::super::host_ssh;
use super::*;
use crate::support::lab::Lab;
use crate::support::proxy::Line;

/// How often it is looked what the new device shows.
const LOOK: Duration = Duration::from_secs(1);

/// A space that has work of years.
struct History {
    /// Devices, with the founder and without the new one.
    devices: u64,
    open: u64,
    closed: u64,
}

/// How far it came, after how many seconds.
#[derive(Default)]
struct Stages {
    entered: f64,
    first: Option<f64>,
    hot: Option<f64>,
    whole: Option<f64>,
    /// Open tickets in the list in the end.
    shown: u64,
    /// Operations in the logs here, and of all.
    logs: (u64, u64),
    down: u64,
    ended: f64,
}

/// The life of a ticket: twelve operations, and one more of those that are closed.
fn live(drafts: &mut Vec<Draft>, dice: &mut Dice, number: u64, open: bool) {
    let entity = ticket(&format!("first {number}"));
    drafts.extend([
        set(entity, "title", dice.words(6)),
        set(entity, "body", dice.words(30)),
        set(entity, "state", "new"),
        set(entity, "priority", 1 + dice.below(4) as i64),
        set(entity, "kind", "incident"),
        set(entity, "queue", "ops"),
        set(entity, "requester", dice.words(1)),
        Draft::Reference { entity },
        Draft::Flag {
            entity,
            set: "tags".to_owned(),
            member: dice.words(1),
            on: true,
        },
        set(entity, "state", "open"),
    ]);
    for _ in 0..2 {
        let words = 5 + dice.below(36);
        drafts.push(Draft::Note {
            entity,
            kind: "comment".to_owned(),
            author: "mira".to_owned(),
            text: dice.words(words),
            at: now().0,
        });
    }
    if !open {
        drafts.push(set(entity, "state", "closed"));
    }
}

fn open_tickets(store: &Store) -> Found<u64> {
    let query = Query::parse_line("state:open", now(), "").map_err(|why| format!("{why:?}"))?;
    match store.ask_wait(Ask::Tickets { query, limit: None })? {
        Answer::Tickets { total, .. } => Ok(total),
        _ => Err("tickets were asked".into()),
    }
}

/// Everything that is open has come, with its texts.
async fn all_hot(store: &Store) -> Found<bool> {
    let (answer, slot) = tokio::sync::oneshot::channel();
    store.kept("early/done", |result| drop(answer.send(result)));
    Ok(!slot.await??.is_empty())
}

async fn in_logs(store: &Store) -> Found<u64> {
    let (answer, slot) = tokio::sync::oneshot::channel();
    store.known(|result| drop(answer.send(result)));
    Ok(slot.await??.iter().map(|(_, last)| last).sum())
}

async fn exam(history: History, line: Line, limits: Limits, most: Duration) -> Found<Stages> {
    let lab = Lab::new().map_err(words)?;
    let root = lab.at("space");
    std::fs::create_dir(&root)?;
    let (founder, mut engine, bag, place) = found(&root, "founder").await?;
    for number in 1..history.devices {
        let device = DeviceId(EntityId::derived("device", &number.to_string()));
        let identity = Identity::generate(device, &mut SystemRandom)?;
        let public = identity.public();
        engine
            .welcome(public, &founder.store, &bag, now(), &mut SystemRandom)
            .await?;
    }
    let (mut dice, mut drafts) = (Dice(3), Vec::new());
    for number in 0..history.closed + history.open {
        live(&mut drafts, &mut dice, number, number >= history.closed);
        if drafts.len() >= 500 {
            founder
                .store
                .append_wait(std::mem::take(&mut drafts).into())?;
        }
    }
    founder.store.append_wait(drafts.into())?;
    let mut engine = engine.with_limits(limits);
    founder.settle(&mut engine, &bag).await?;
    let parts = std::fs::read_dir(place.join("hot"))?.count();
    assert!(parts > 0, "there is an excerpt");
    let all = in_logs(&founder.store).await?;

    let server = lab.server("direct", "", "").map_err(words)?;
    let proxy = lab.through("hub", &server, line, "").await.map_err(words)?;
    let client = lab.client();
    let (far, _) = host_ssh::bag(&client, &lab, "hub", &place).map_err(words)?;
    let new = Device::new(&root, "new")?;
    let begun = Instant::now();
    let seconds = || begun.elapsed().as_secs_f64();
    let random = &mut SystemRandom;
    let identity = own_identity(&new.keys(), &new.store, random)?;
    let joiner = Joiner::start(&identity, now(), random)?;
    let code = joiner.code().clone();
    ask_to_join(&joiner, &far).await?;
    let keys = new.keys();
    let (admitted, joined) = tokio::join!(
        engine.admit(&code, None, &founder.store, &bag, now(), random),
        super::super::come_in(joiner, &code, (&keys, &new.store), &far, now())
    );
    admitted?;
    let mut joined = joined?.with_limits(limits);
    let mut stages = Stages {
        entered: seconds(),
        ..Stages::default()
    };
    'rounds: loop {
        let mut dice = SystemRandom;
        let mut round = pin!(joined.round(&new.store, &far, now(), &mut dice));
        let report = loop {
            let report = tokio::time::timeout(LOOK, &mut round).await.ok();
            stages.shown = open_tickets(&new.store)?;
            if stages.shown > 0 {
                stages.first.get_or_insert_with(seconds);
            }
            if all_hot(&new.store).await? {
                stages.hot.get_or_insert_with(seconds);
            }
            if let Some(report) = report {
                break report;
            }
            if begun.elapsed() > most {
                break 'rounds;
            }
        };
        assert_eq!((report.error, &report.troubles), (None, &vec![]));
        if !report.more && report.learned == 0 {
            stages.whole = Some(seconds());
            break;
        }
    }
    stages.logs = (in_logs(&new.store).await?, all);
    (stages.down, stages.ended) = (proxy.given(), seconds());
    Ok(stages)
}

fn words(why: crate::support::lab::Failed) -> String {
    why.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_device_shows_what_is_open_before_it_has_the_logs_over_a_real_line() -> Tested {
    let history = History {
        devices: 3,
        open: 20,
        closed: 60,
    };
    let line = Line {
        delay: Duration::from_millis(20),
        ..Line::default()
    };
    // Everything is small, so that it takes several rounds and parts.
    let limits = Limits {
        behind: 100,
        excerpt_every: 200,
        round_bytes: 8 << 10,
        part: 4 << 10,
        ops: 100,
        ..Limits::default()
    };
    let stages = exam(history, line, limits, Duration::from_secs(60)).await?;
    let (first, hot, whole) = (stages.first, stages.hot, stages.whole);
    assert!(first.is_some() && first <= hot, "{first:?} {hot:?}");
    assert!(hot < whole, "{hot:?} {whole:?}");
    assert_eq!(stages.shown, 20);
    assert!(stages.logs.0 >= stages.logs.1, "{:?}", stages.logs);
    Ok(())
}

fn number(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes ten minutes; its figures go to docs/developers/measurements.md"]
async fn first_sync_over_a_thin_line() -> Tested {
    let history = History {
        devices: 50,
        open: number("QD_OPEN", 5_050),
        closed: number("QD_CLOSED", 10_000),
    };
    let line = Line {
        delay: Duration::from_millis(150),
        rate: Some(8000),
        piece: Some(1024),
        ..Line::default()
    };
    let most = Duration::from_secs(number("QD_EXAM_SECONDS", 600));
    let stages = exam(history, line, Limits::default(), most).await?;
    let after = |time: Option<f64>| {
        time.map_or_else(|| "not yet".to_owned(), |time| format!("after {time:.0} s"))
    };
    tell(&format!(
        "in the space after {:.0} s, first list {}, all hot {}, everything {}; {:.0} s: {} open tickets, {} of {} operations, {} bytes down",
        stages.entered,
        after(stages.first),
        after(stages.hot),
        after(stages.whole),
        stages.ended,
        stages.shown,
        stages.logs.0,
        stages.logs.1,
        stages.down
    ))
}
