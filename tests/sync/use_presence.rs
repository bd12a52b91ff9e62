//! Who has a ticket open: sealed, signed, overwritten by its owner, worth nothing after a while, and never an operation.

use quarterdeck::domain::ids::{EntityId, TicketId};
use quarterdeck::domain::time::Time;
use quarterdeck::sync::{
    DirectoryRemote, PRESENCE_LIFE_MS, PRESENCE_MAX, Remote, SyncEngine, SystemRandom, init,
    own_identity,
};

use super::{NOW, Tested, open};

#[tokio::test]
async fn what_others_have_open_is_seen_by_members_for_a_while() -> Tested {
    let home = tempfile::tempdir()?;
    let (here, there) = (home.path().join("here"), home.path().join("there"));
    let (a, b) = (open(&here, || [1; 32])?, open(&there, || [2; 32])?);
    let root = home.path().join("bag");
    let bag = DirectoryRemote::create(&root)?;
    let mut random = SystemRandom;
    let mut one = init(&here.join("sync"), &a, &bag, NOW, &mut random).await?;
    let joiner = own_identity(&there.join("sync"), &b, &mut random)?;
    one.welcome(joiner.public(), &a, &bag, NOW, &mut random)
        .await?;
    one.round(&a, &bag, NOW, &mut random).await;
    let mut two = SyncEngine::open(&there.join("sync"), one.space(), &b).await?;
    two.round(&b, &bag, NOW, &mut random).await;
    assert_eq!(
        one.others_present(&bag, NOW).await?,
        Some(vec![]),
        "nobody yet"
    );

    let ticket = TicketId(EntityId::derived("ticket", "disk"));
    let open_now = [(ticket, NOW)];
    let before = b.ask_wait(quarterdeck::store::Ask::Heads)?;
    let said = two
        .say_presence(&bag, (NOW, "kai", &open_now), &mut random)
        .await?;
    assert!(said, "a folder keeps it");
    let seen = one.others_present(&bag, NOW.plus(1_000)).await?;
    let seen = seen.ok_or("a folder keeps it")?;
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].device, seen[0].who.as_str()), (b.device(), "kai"));
    assert_eq!(seen[0].tickets, open_now);
    assert_eq!(
        two.others_present(&bag, NOW).await?,
        Some(vec![]),
        "not oneself"
    );
    let after = b.ask_wait(quarterdeck::store::Ask::Heads)?;
    assert_eq!(
        format!("{before:?}"),
        format!("{after:?}"),
        "it is no operation"
    );

    // Whoever keeps the folder reads neither the login nor the ticket, and cannot make it last or move it.
    let path = root.join("presence").join(b.device().to_string());
    let sealed = std::fs::read(&path)?;
    assert!(sealed.len() < PRESENCE_MAX);
    assert!(!sealed.windows(3).any(|word| word == b"kai"));
    assert!(!sealed.windows(16).any(|word| word == ticket.0.as_bytes()));
    for late in [PRESENCE_LIFE_MS, -PRESENCE_LIFE_MS - 1] {
        let seen = one.others_present(&bag, Time(NOW.0 + late)).await?;
        assert_eq!(seen, Some(vec![]), "{late}");
    }
    for at in (0..sealed.len()).step_by(7) {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed)?;
        assert_eq!(
            one.others_present(&bag, NOW).await?,
            Some(vec![]),
            "byte {at}"
        );
    }
    std::fs::write(&path, &sealed)?;
    let other = root.join("presence").join("7".repeat(32));
    std::fs::rename(&path, &other)?;
    assert_eq!(
        one.others_present(&bag, NOW).await?,
        Some(vec![]),
        "under another name"
    );
    std::fs::rename(&other, &path)?;
    std::fs::write(&other, vec![0; PRESENCE_MAX + 1])?;
    assert_eq!(
        one.others_present(&bag, NOW).await?.map(|seen| seen.len()),
        Some(1)
    );
    let strange = one.round(&a, &bag, NOW, &mut random).await;
    assert_eq!(strange.troubles, [], "it is no trouble of a round");

    // Taken back; and a device that was sent away is not heard.
    two.say_presence(&bag, (NOW, "kai", &[]), &mut random)
        .await?;
    assert!(!path.exists());
    two.say_presence(&bag, (NOW, "kai", &open_now), &mut random)
        .await?;
    one.retire(b.device(), &a, &bag, NOW, &mut random).await?;
    assert_eq!(one.others_present(&bag, NOW).await?, Some(vec![]));
    assert_eq!(bag.presences().await?.map(|all| all.len()), Some(1));
    Ok(())
}
