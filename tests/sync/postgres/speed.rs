//! Fifty programs at once. The short form counts; the long form, by name, measures.

use std::time::Instant;

use quarterdeck::sync::{
    Head, POSTGRES_ROW_SECURITY, POSTGRES_STATEMENTS, Put, Remote, SegmentName,
};

use super::{device, remote, server};
use crate::support::lab::Failed;
use crate::support::postgres::Postgres;

use super::Tested;

const CLIENTS: u64 = 50;

/// Every client publishes `each` segments of 1244 bytes, twenty operations' worth. Answers segments in a second.
async fn crowd(places: Vec<String>, each: u64) -> Result<f64, Failed> {
    let mut bags = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let bag = remote(place)?;
        bag.heads().await?;
        bags.push((bag, device(&format!("{place} {number}"))));
    }
    let begun = Instant::now();
    let clients: Vec<_> = bags
        .into_iter()
        .map(|(bag, device)| {
            tokio::spawn(async move {
                for number in 0..each {
                    let (first, last) = (number * 20 + 1, number * 20 + 20);
                    let name = SegmentName::fresh(device, first);
                    let head = Head { device, seq: last };
                    let put = bag.publish(name, vec![number as u8; 1244], head).await?;
                    if put != Put::Created {
                        return Err::<_, Failed>(format!("{name} was there").into());
                    }
                }
                Ok(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    Ok((each * places.len() as u64) as f64 / begun.elapsed().as_secs_f64())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_write_at_once_and_nothing_is_missing() -> Tested {
    let server = server().await?;
    let place = server.socket("owner", "qd", "crowd");
    crowd(vec![place.clone(); CLIENTS as usize], 10).await?;
    let bag = remote(&place)?;
    let heads = bag.heads().await?.names;
    assert_eq!(heads.len() as u64, CLIENTS);
    for head in heads {
        assert_eq!(head.seq, 200);
        let names = bag.list(head.device, 1).await?.names;
        assert_eq!(names.len(), 10, "{}", head.device);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, run by name"]
async fn measure_fifty_clients() -> Tested {
    let server = Postgres::start_on_disk()?;
    remote(&server.socket("owner", "qd", "main"))?
        .create()
        .await?;
    // What the server itself can do at this moment, asked by a program in C: the same statement, and a bare insert.
    let publish = POSTGRES_STATEMENTS
        .iter()
        .find(|text| text.starts_with("WITH put"))
        .ok_or("no statement publishes")?;
    let key = "\\set n random(1, 9000000000000)\n";
    let me = "decode(md5(CAST(:client_id AS TEXT)), 'hex')";
    let sealed = format!("decode('{}', 'hex')", "ab".repeat(1244));
    let values = [
        ("$1", "'pgbench'"),
        ("$2", me),
        ("$3", ":n"),
        ("$4", "0"),
        ("$5", sealed.as_str()),
        ("$6", ":n"),
    ];
    let filled = values
        .iter()
        .fold((*publish).to_owned(), |text, (mark, value)| {
            text.replace(mark, value)
        });
    let bare = format!(
        "{key}INSERT INTO quarterdeck.segment VALUES ('pgbench', {me}, :n, 1, {sealed}) ON CONFLICT DO NOTHING;"
    );
    let whole = format!("{key}{};", filled.replace('\n', " "));
    say(&format!(
        "pgbench, this statement unprepared: {:.0}/s",
        server.pgbench(&whole, "extended")?
    ))?;
    say(&format!(
        "pgbench, this statement prepared: {:.0}/s",
        server.pgbench(&whole, "prepared")?
    ))?;
    say(&format!(
        "pgbench, bare insert prepared: {:.0}/s",
        server.pgbench(&bare, "prepared")?
    ))?;
    for (what, roles) in [("one role", false), ("row security, a role each", true)] {
        if roles {
            server.admin("qd", POSTGRES_ROW_SECURITY)?;
        }
        let mut places = Vec::new();
        for number in 0..CLIENTS {
            let role = if roles {
                let role = format!("person{number}");
                server.admin(
                    "qd",
                    &format!("CREATE ROLE {role} LOGIN IN ROLE quarterdeck_team"),
                )?;
                role
            } else {
                "owner".to_owned()
            };
            places.push(server.socket(&role, "qd", "speed"));
        }
        for run in 0..2 {
            let bag = format!("speed{run}{}", u8::from(roles));
            let places = places
                .iter()
                .map(|place| place.replace("bag=speed", &format!("bag={bag}")))
                .collect();
            let rate = crowd(places, 400).await?;
            say(&format!("{what}: {rate:.0} segments/s"))?;
        }
    }
    let bag = remote(&server.socket("owner", "qd", "speed10"))?;
    let begun = Instant::now();
    for _ in 0..200 {
        bag.heads().await?;
    }
    let each = begun.elapsed() / 200;
    say(&format!("heads of 50 devices: {} us", each.as_micros()))?;
    let sizes = "SELECT pg_total_relation_size('quarterdeck.segment') / (SELECT count(*) FROM quarterdeck.segment)";
    say(&format!(
        "bytes on disk for a segment of 1244: {}",
        server.admin("qd", sizes)?
    ))
}

/// Where a measurement is read.
fn say(line: &str) -> Tested {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}")?;
    Ok(())
}
