//! A bag on a far host over a thin line: round trips and bytes in the suite, times in the long form, by name.
//!
//! `cargo test --release --test all e6 -- --ignored --nocapture` writes the figures.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use quarterdeck::sync::{DirectoryRemote, Head, Put, Remote, SegmentName, SystemRandom, init};

use super::conformance::device;
use super::host_ssh::{ONLY_SFTP, bag};
use crate::support::lab::{Failed, Lab};
use crate::support::proxy::{Line, Proxy};

/// How many devices there are.
const DEVICES: u64 = 50;

/// What it takes on an open connection.
struct Figures {
    time: Duration,
    up: u64,
    down: u64,
    half_trips: u64,
}

struct Watch<'a> {
    line: &'a Proxy,
    begun: Instant,
    up: u64,
    down: u64,
}

impl<'a> Watch<'a> {
    fn start(line: &'a Proxy) -> Self {
        line.half_trips();
        Self {
            line,
            begun: Instant::now(),
            up: line.taken(),
            down: line.given(),
        }
    }

    fn stop(self) -> Figures {
        Figures {
            time: self.begun.elapsed(),
            up: self.line.taken() - self.up,
            down: self.line.given() - self.down,
            half_trips: self.line.half_trips(),
        }
    }
}

/// A segment as the program seals it, of so many operations.
async fn segment(lab: &Lab, kind: &str, operations: usize) -> Result<Vec<u8>, Failed> {
    let words = |why: Box<dyn std::error::Error>| Failed::from(why.to_string());
    let home = lab.at(&format!("store-{kind}-{operations}"));
    let store = super::open(&home, || [7; 32]).map_err(words)?;
    let root = home.join("bag");
    let bag = DirectoryRemote::create(&root)?;
    let mut random = SystemRandom;
    let mut engine = init(&home.join("sync"), &store, &bag, super::NOW, &mut random).await?;
    engine.round(&store, &bag, super::NOW, &mut random).await;
    for number in 0..operations / 2 {
        let title = format!("disk {} of db{} is full", number % 7, number);
        super::write(&store, &title).map_err(words)?;
    }
    let report = engine.round(&store, &bag, super::NOW, &mut random).await;
    assert_eq!(report.published, u64::try_from(operations)?, "{report:?}");
    let own = store.device();
    let newest = bag.list(own, 1).await?.names.into_iter().max();
    Ok(bag.get(newest.ok_or("a segment")?).await?)
}

/// Ready to publish and to pull: the connection is open, and this device has published before.
async fn measured(
    lab: &Lab,
    line: Line,
    server: &str,
    kind: &str,
) -> Result<(Figures, Figures, Figures), Failed> {
    let (few, many) = (
        segment(lab, kind, 20).await?,
        segment(lab, kind, 1000).await?,
    );
    let server = lab.server(&format!("direct-{kind}"), "", server)?;
    let proxy = lab.through(kind, &server, line, "").await?;
    let client = lab.client();
    let root = lab.at(&format!("bag-{kind}"));
    let local = DirectoryRemote::create(&root)?;
    for number in 0..DEVICES {
        let head = Head {
            device: device(&format!("device {number}")),
            seq: 1000 + number * 37,
        };
        local.set_head(head).await?;
    }
    let other = device("device 1");
    local
        .put_new(SegmentName::fresh(other, 38), many.clone())
        .await?;
    let (far, _) = bag(&client, lab, kind, Path::new(&root))?;
    let own = device("device 0");
    far.heads().await?;
    for first in [2001, 2002] {
        let head = Head {
            device: own,
            seq: first,
        };
        let put = far.publish(SegmentName::fresh(own, first), few.clone(), head);
        assert_eq!(put.await?, Put::Created);
    }
    // The spare channel is there when the connection says that it has been measured and nothing is on its way.
    client
        .rows(|rows| {
            rows.iter()
                .any(|row| row.rtt_ms.is_some_and(|rtt| rtt >= 40))
        })
        .await?;
    far.heads().await?;
    let mut publishings = Vec::new();
    for first in [2003, 2023, 2043] {
        let publishing = Watch::start(&proxy);
        let seq = first + 19;
        let head = Head { device: own, seq };
        let name = SegmentName::fresh(own, first);
        let put = far.publish(name, few.clone(), head).await?;
        assert_eq!(put, Put::Created);
        let heads = match far.overheard() {
            Some(heads) => heads,
            None => far.heads().await?,
        };
        publishings.push(publishing.stop());
        assert_eq!(heads.names.len(), usize::try_from(DEVICES)?);
        assert!(heads.names.contains(&head));
    }
    // A disk that is slow with one of them makes the talk about other things count.
    let publishing = publishings
        .into_iter()
        .min_by_key(|one| (one.half_trips, one.time));
    let publishing = publishing.ok_or("a figure")?;
    let idle = Watch::start(&proxy);
    far.heads().await?;
    let idle = idle.stop();
    let pulling = Watch::start(&proxy);
    far.heads().await?;
    let listed = far.list(other, 38).await?;
    let name = *listed.names.first().ok_or("a segment")?;
    assert!(far.get(name).await? == many);
    Ok((publishing, idle, pulling.stop()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e6_round_trips_and_bytes_are_few() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let far = Line {
        delay: Duration::from_millis(40),
        ..Line::default()
    };
    let (publishing, idle, pulling) = measured(&lab, far.clone(), "", "shell").await?;
    // One round trip, and what opens the next spare channel may overlap.
    assert!(publishing.half_trips <= 2, "{}", publishing.half_trips);
    let bytes = publishing.up + publishing.down;
    assert!(
        bytes <= 2700,
        "{} up, {} down",
        publishing.up,
        publishing.down
    );
    assert!(
        idle.half_trips <= 3 && idle.up + idle.down <= 3200,
        "{} {}",
        idle.up,
        idle.down
    );
    assert!(pulling.half_trips <= 9, "{}", pulling.half_trips);
    let (publishing, idle, pulling) = measured(&lab, far, ONLY_SFTP, "files").await?;
    assert!(publishing.half_trips <= 14, "{}", publishing.half_trips);
    assert!(publishing.up + publishing.down <= 20_000);
    assert!(idle.half_trips <= 4, "{}", idle.half_trips);
    assert!(pulling.half_trips <= 14, "{}", pulling.half_trips);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute; its figures go to docs/developers/measurements.md"]
async fn e6_times_on_a_thin_line() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let thin = Line {
        delay: Duration::from_millis(150),
        rate: Some(8000),
        piece: Some(1024),
        ..Line::default()
    };
    for (kind, server, publish_most) in [("shell", "", 1300), ("files", ONLY_SFTP, 5000)] {
        let (publishing, idle, pulling) = measured(&lab, thin.clone(), server, kind).await?;
        for (what, figures, most) in [
            ("20 operations out, 50 heads in", &publishing, publish_most),
            ("50 heads", &idle, 5000),
            ("1,000 operations in", &pulling, 8000),
        ] {
            let millis = figures.time.as_millis();
            writeln!(
                std::io::stdout(),
                "{kind}: {what}: {millis} ms (at most {most}), {} up, {} down, {} half round trips",
                figures.up,
                figures.down,
                figures.half_trips
            )?;
            assert!(millis <= most, "{kind}: {what}: {millis} ms");
        }
    }
    Ok(())
}
