//! What much costs: a million operations of fifty devices, and 20,000 that wait here against 20,000 that come in.

use std::time::Instant;

use super::*;

/// The figures of `devices` devices with `each` operations each.
async fn crowd(devices: u64, each: u64) -> Tested {
    let home = tempfile::tempdir()?;
    let root = home.path();
    let (first, mut engine, bag, place) = found(root, "device0").await?;
    work(&first.store, "device0", each)?;
    let mut written = each;
    first.settle(&mut engine, &bag).await?;
    for number in 1..devices {
        let name = format!("device{number}");
        let device = Device::new(root, &name)?;
        // Written before it comes in, so that its first round only publishes what is its own.
        written += work(&device.store, &name, each)?;
        let mut own = admit(&first, &mut engine, &bag, &place, &device).await?;
        let round = own
            .round(&device.store, &bag, now(), &mut SystemRandom)
            .await;
        assert_eq!((round.error, round.pending), (None, 0), "{name}");
        drop(own);
        let folder = device.folder.clone();
        drop(device);
        std::fs::remove_dir_all(folder)?;
    }
    let learner = Device::new(root, "learner")?;
    let mut learning = admit(&first, &mut engine, &bag, &place, &learner).await?;
    let begun = Instant::now();
    let report = learner.settle(&mut learning, &bag).await?;
    let took = begun.elapsed().as_secs_f64();
    assert!(report.learned >= written, "{} of {written}", report.learned);
    assert_eq!(report.troubles, []);
    let sealed = size(&place.join("logs"))?;
    let mut idle = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let round = learning
            .round(&learner.store, &bag, now(), &mut SystemRandom)
            .await;
        assert!(round.is_idle() && round.error.is_none());
        idle.push(begun.elapsed());
    }
    idle.sort_unstable();
    let idle = idle.get(25).copied().unwrap_or_default();
    let begun = Instant::now();
    learner.store.rebuild_wait()?;
    let rebuilt = begun.elapsed().as_secs_f64();
    let local = size(&learner.folder)?;
    let per = sealed as f64 / written as f64;
    tell(&format!(
        "{written} operations of {devices} devices: {per:.1} sealed bytes each, learned in {took:.1} s ({:.0}/s), \
         {:.0} MB here, views rebuilt in {rebuilt:.1} s, an idle round {:.2} ms",
        report.learned as f64 / took,
        local as f64 / 1e6,
        idle.as_secs_f64() * 1e3,
    ))?;
    assert!(per < 60.0, "a sealed operation has {per:.1} bytes");
    Ok(())
}

/// How long one round takes when `count` operations wait on both sides.
async fn both_sides(count: u64) -> Found<std::time::Duration> {
    let home = tempfile::tempdir()?;
    let root = home.path();
    let (one, mut engine, bag, place) = found(root, "one").await?;
    let two = Device::new(root, "two")?;
    let mut other = admit(&one, &mut engine, &bag, &place, &two).await?;
    one.settle(&mut engine, &bag).await?;
    two.settle(&mut other, &bag).await?;
    work(&one.store, "one", count)?;
    work(&two.store, "two", count)?;
    one.settle(&mut engine, &bag).await?;
    let begun = Instant::now();
    let report = two.settle(&mut other, &bag).await?;
    let took = begun.elapsed();
    assert!(
        report.learned >= count && report.published >= count,
        "{report:?}"
    );
    Ok(took)
}

#[tokio::test]
async fn a_sealed_operation_is_small() -> Tested {
    crowd(3, 1_000).await?;
    both_sides(500).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "an exam of minutes; in a release build it is what the figures mean"]
async fn a_million() -> Tested {
    crowd(50, 20_000).await
}

#[tokio::test]
#[ignore = "a bench: benches/versus/sync.sh runs it beside TaskChampion"]
async fn pending_against_incoming() -> Tested {
    let count = std::env::var("QD_OPERATIONS")
        .ok()
        .and_then(|text| text.parse().ok());
    let count = count.unwrap_or(20_000);
    let took = both_sides(count).await?;
    tell(&format!("qd {count} {:.3}", took.as_secs_f64()))
}
