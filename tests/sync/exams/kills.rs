//! Six processes with a store each and one bag between them, killed at any moment: nothing that was acknowledged is lost.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use quarterdeck::store::{Answer, Ask};

use super::*;

/// Tells [`worker`] what to do: its folder, the bag, its name and which life of it this is.
const ORDER: &str = "QD_TEST_SYNC_WORKER";

/// What a killed process does; without an order it is no test at all.
#[tokio::test]
async fn worker() -> Tested {
    let Ok(order) = std::env::var(ORDER) else {
        return Ok(());
    };
    let parts: Vec<&str> = order.split('|').collect();
    let &[root, name, life] = parts.as_slice() else {
        return Err("an order has three parts".into());
    };
    let root = Path::new(root);
    let device = Device::new(root, name)?;
    let bag = DirectoryRemote::new(&root.join("bag"));
    let mut engine = device.engine().await?;
    let mut out = std::io::stdout();
    for count in 0u64.. {
        let title = format!("{name} {life} {count}");
        let entity = ticket(&title);
        device.store.append_wait(
            vec![
                set(entity, "title", title.as_str()),
                Draft::Reference { entity },
            ]
            .into(),
        )?;
        // The pipe keeps what was said when this process is killed.
        out.write_all(format!("\nack {title}\n").as_bytes())?;
        if count % 8 == 7 {
            let random = &mut SystemRandom;
            let round = engine.round(&device.store, &bag, now(), random).await;
            if let Some(why) = round.error {
                return Err(why.into());
            }
        }
    }
    Ok(())
}

/// One of the processes, and what it said.
struct Life {
    child: Child,
    said: Receiver<String>,
}

fn start(root: &Path, name: &str, life: u64) -> Found<Life> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "sync::exams::kills::worker", "--nocapture"])
        .env(ORDER, format!("{}|{name}|{life}", root.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let out = child.stdout.take().ok_or("its output is a pipe")?;
    let (tell, said) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if let Some(title) = line.strip_prefix("ack ") {
                // Nobody listens any more when the exam failed.
                if tell.send(title.to_owned()).is_err() {
                    return;
                }
            }
        }
    });
    Ok(Life { child, said })
}

impl Life {
    /// Kills it; everything that it acknowledged.
    fn end(mut self) -> Found<Vec<String>> {
        let over = self.child.try_wait()?;
        assert!(over.is_none(), "it ended by itself: {over:?}");
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.said.into_iter().collect())
    }
}

fn titles(store: &Store) -> Found<BTreeSet<String>> {
    let ask = Ask::Tickets {
        query: quarterdeck::domain::query::Query::default(),
        limit: None,
    };
    let Answer::Tickets { rows, .. } = store.ask_wait(ask)? else {
        return Err("tickets were asked".into());
    };
    Ok(rows.into_iter().map(|row| row.title).collect())
}

async fn exam(processes: u64, time: Duration) -> Tested {
    let home = tempfile::tempdir()?;
    let root = home.path();
    let names: Vec<String> = (0..processes).map(|n| format!("device{n}")).collect();
    {
        let (first, mut engine, bag, place) = found(root, "device0").await?;
        for name in names.iter().skip(1) {
            admit(&first, &mut engine, &bag, &place, &Device::new(root, name)?).await?;
        }
    }
    let mut dice = Dice(11);
    let mut said = BTreeSet::new();
    let mut kills = 0;
    let mut lives = Vec::new();
    for name in &names {
        lives.push(start(root, name, 0)?);
    }
    let begun = Instant::now();
    while begun.elapsed() < time {
        let at = dice.below(processes) as usize;
        let (Some(name), Some(life)) = (names.get(at), lives.get_mut(at)) else {
            return Err("there are that many".into());
        };
        // It has said something, so it is in the middle of its work; then a moment more.
        said.insert(life.said.recv()?);
        let moment = Duration::from_millis(dice.below(30));
        let until = Instant::now() + moment;
        while let Some(rest) = until.checked_duration_since(Instant::now()) {
            match life.said.recv_timeout(rest) {
                Ok(title) => drop(said.insert(title)),
                Err(_) => break,
            }
        }
        kills += 1;
        let old = std::mem::replace(life, start(root, name, kills)?);
        said.extend(old.end()?);
    }
    for life in lives {
        said.extend(life.end()?);
    }
    let bag = DirectoryRemote::new(&root.join("bag"));
    let mut devices = Vec::new();
    for name in &names {
        let device = Device::new(root, name)?;
        let engine = device.engine().await?;
        devices.push((device, engine));
    }
    for _ in 0..2 {
        for (device, engine) in &mut devices {
            let report = device.settle(engine, &bag).await?;
            assert_eq!(report.troubles, [], "{}", device.folder.display());
        }
    }
    let mut all = None;
    for (device, _) in &devices {
        let there = titles(&device.store)?;
        let lost: Vec<&String> = said.difference(&there).take(3).collect();
        assert!(
            lost.is_empty(),
            "{lost:?} not in {}",
            device.folder.display()
        );
        let first = all.get_or_insert_with(|| there.clone());
        assert!(*first == there, "the stores are not equal");
        match device.store.ask_wait(Ask::Doctor)? {
            Answer::Doctor(report) => assert!(report.ok, "{report:?}"),
            other => unreachable!("the doctor was asked, not {other:?}"),
        }
    }
    assert!(kills > 0 && !said.is_empty());
    tell(&format!(
        "{kills} kills, {} acknowledged, 0 lost",
        said.len()
    ))
}

#[tokio::test]
async fn processes_are_killed_and_nothing_is_lost() -> Tested {
    exam(3, Duration::from_secs(3)).await
}

#[tokio::test]
#[ignore = "an exam of a minute and more"]
async fn long_kills() -> Tested {
    exam(6, Duration::from_secs(60)).await
}
