//! Whatever operations a member signs, every machine makes the same of them, in whatever pieces and order the logs come, and
//! what comes of it can be shown.

use std::error::Error;
use std::io::Write;

use super::super::engine::heard;
use super::forge::Forge;
use super::world::*;
use crate::domain::audit::{AuditFilter, Wanted};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::Draft;
use crate::domain::query::Query;
use crate::domain::ticket::Ticket;
use crate::domain::time::Time;
use crate::store::{
    Ahead, Answer, Ask, Learned, Logged, Options, Piece, Store, StoreError, difference, dump,
};

type Tested = Result<(), Box<dyn Error>>;

const NOW: Time = Time(1_795_428_000_000);

struct Desk {
    folder: tempfile::TempDir,
    store: Store,
}

impl Desk {
    fn new(seed: fn() -> [u8; 32]) -> Found<Self> {
        let folder = scratch()?;
        let store = Store::open(folder.path(), || NOW, seed, Options::default()).map_err(words)?;
        Ok(Self { folder, store })
    }

    async fn learn(&self, ops: &[Logged]) -> Found<()> {
        let device = ops.first().ok_or("operations")?.device;
        let known = heard(|reply| self.store.known(reply))
            .await
            .map_err(words)?;
        let have = known.iter().find(|(known, _)| *known == device);
        let from = have.map_or(0, |(_, seq)| *seq) + 1;
        let end = heard(|reply| self.store.piece(device, from, (1, 1), reply)).await;
        let piece = Piece {
            before: end.map_err(words)?.before,
            ops: ops.to_vec(),
        };
        match heard(|reply| self.store.learn(piece, reply)).await {
            Ok(Learned::Taken { .. }) => Ok(()),
            other => Err(format!("not taken in: {other:?}")),
        }
    }

    fn dump(&self) -> Found<Vec<String>> {
        dump(self.folder.path()).map_err(words)
    }

    /// A question whose answer need not be there, but which must not fail.
    fn ask(&self, ask: Ask) -> Found<Option<Answer>> {
        match self.store.ask_wait(ask.clone()) {
            Ok(answer) => Ok(Some(answer)),
            Err(StoreError::NotFound { .. } | StoreError::Ambiguous { .. }) => Ok(None),
            Err(why) => Err(format!("{ask:?}: {why}")),
        }
    }

    /// Everything that a person may look at.
    fn look(&self) -> Found<()> {
        let query = Query::default();
        let page = self.ask(Ask::Tickets { query, limit: None })?;
        let Some(Answer::Tickets { rows, .. }) = page else {
            return Err("tickets were asked".to_owned());
        };
        for row in rows {
            let reference = row.reference.clone();
            for ask in [
                Ask::TicketHosts {
                    reference: reference.clone(),
                },
                Ask::Conflicts {
                    reference: reference.clone(),
                },
                Ask::Runs {
                    ticket: Some(reference.clone()),
                    limit: None,
                },
            ] {
                self.ask(ask)?;
            }
            if let Some(Answer::Ticket(ticket)) = self.ask(Ask::Ticket { reference })? {
                // As it goes to a window, and comes back there.
                let text = serde_json::to_string(&ticket).map_err(words)?;
                let back: Ticket = serde_json::from_str(&text)
                    .map_err(|why| format!("it cannot be read back: {why}"))?;
                if back != *ticket {
                    return Err(format!("it comes back as another: {text}"));
                }
            }
        }
        if let Some(Answer::Runs(runs)) = self.ask(Ask::Runs {
            ticket: None,
            limit: None,
        })? {
            for run in runs {
                self.ask(Ask::Run {
                    reference: run.reference,
                })?;
            }
        }
        let sessions = self.ask(Ask::Sessions { limit: None })?;
        if let Some(Answer::Sessions(sessions)) = sessions {
            for session in sessions {
                self.ask(Ask::Session {
                    reference: session.reference,
                })?;
            }
        }
        let wanted = Wanted {
            text: "word".to_owned(),
            limit: 50,
            best: true,
        };
        let filter = AuditFilter {
            limit: 500,
            ..AuditFilter::default()
        };
        for ask in [
            Ask::Hosts,
            Ask::Host {
                name: "web1".to_owned(),
            },
            Ask::Timeline {
                host: "web1".to_owned(),
                limit: 50,
            },
            Ask::Events {
                since: None,
                limit: 50,
            },
            Ask::Devices,
            Ask::Audit(filter),
            Ask::Search(wanted),
            Ask::Size,
        ] {
            self.ask(ask)?;
        }
        let store = &self.store;
        let (send, slot) = std::sync::mpsc::sync_channel(1);
        store.shared_recordings(move |tally| drop(send.send(tally)));
        slot.recv().map_err(words)?.map_err(words)?;
        let Some(Answer::Doctor(report)) = self.ask(Ask::Doctor)? else {
            return Err("the doctor was asked".to_owned());
        };
        // Stamps from far ahead are told, as they should be.
        let mut lines = report.lines.iter();
        match lines.find(|line| !line.ok && line.name != "clocks") {
            None => Ok(()),
            Some(line) => Err(format!("the doctor finds: {line:?}")),
        }
    }
}

fn apart(what: &str, one: &Desk, two: &[String]) -> Found<()> {
    match difference(&one.dump()?, two).as_slice() {
        [] => Ok(()),
        lines => Err(format!("{what}: {}", lines.join("\n"))),
    }
}

/// Two members' logs, on two machines, in two orders.
async fn fold(seed: u64) -> Found<()> {
    let device = |name| DeviceId(EntityId::derived("device", name));
    let mut forge = Forge::new(Dice(seed), Vec::new());
    let first = forge.log(device("one"), 20);
    let second = forge.log(device("two"), 20);
    let whole = Desk::new(|| [1; 32])?;
    whole.learn(&first).await?;
    whole.learn(&second).await?;
    let pieces = Desk::new(|| [2; 32])?;
    // Some come ahead of their logs.
    let dice = &mut forge.dice;
    let mut ops: Vec<Logged> = first.iter().chain(&second).cloned().collect();
    ops.retain(|_| dice.once_in(3));
    let ahead = Ahead {
        maker: device("one"),
        ops,
        facts: Vec::new(),
    };
    heard(|reply| pieces.store.ahead(ahead, reply))
        .await
        .map_err(words)?;
    let (mut left, mut right) = (second.as_slice(), first.as_slice());
    while !left.is_empty() || !right.is_empty() {
        if left.is_empty() || dice.once_in(2) {
            std::mem::swap(&mut left, &mut right);
        }
        let (now, later) = left.split_at((1 + dice.below(4)).min(left.len()));
        left = later;
        if !now.is_empty() {
            pieces.learn(now).await?;
        }
    }
    let lines = whole.dump()?;
    apart("the other order gives other tables", &pieces, &lines)?;
    pieces.store.rebuild_wait().map_err(words)?;
    apart("folding anew gives other tables", &pieces, &lines)?;
    whole.look()?;
    // And whoever works on can: what is written over all that is taken in by others.
    let entity = crate::domain::op::Entity {
        kind: crate::domain::op::EntityKind::Ticket,
        id: EntityId::derived("thing", "0"),
    };
    let draft = Draft::Set {
        entity,
        field: "title".to_owned(),
        value: "honest".into(),
    };
    whole.store.append_wait(vec![draft].into()).map_err(words)?;
    let own = heard(|reply| whole.store.piece(whole.store.device(), 1, (9, 9999), reply));
    pieces.learn(&own.await.map_err(words)?.ops).await
}

fn run(seeds: std::ops::Range<u64>) -> Tested {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut found = Vec::new();
    for seed in seeds {
        if let Err(why) = runtime.block_on(fold(seed)) {
            found.push(format!("seed {seed}: {why}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    Ok(())
}

#[test]
fn what_a_member_signs_is_folded_alike_everywhere() -> Tested {
    run(1..25)
}

/// `cargo test --release --lib -- --ignored long_folding --nocapture`
#[test]
#[ignore = "minutes; run by name"]
fn long_folding() -> Tested {
    run(1000..2000)?;
    writeln!(std::io::stderr(), "1000 seeds")?;
    Ok(())
}
