//! What every remote must do, whatever it is made of: a function over the trait, to be called with an empty bag.

use quarterdeck::sync::{
    Head, OBJECT_MAX, ObjectKind, ObjectName, Put, Remote, RemoteError, SegmentName,
};

use super::device;
use crate::support::lab::Failed;

/// Goes through all methods of a remote whose bag is empty.
pub(super) async fn every_remote(bag: &dyn Remote) -> Result<(), Failed> {
    nothing(bag).await?;
    segments(bag).await?;
    listings(bag).await?;
    heads(bag).await?;
    published(bag).await?;
    crate::sync::conformance::many_objects(bag).await?;
    objects(bag).await?;
    crate::sync::conformance::presence(bag).await?;
    at_once(bag).await
}

/// An empty bag has nothing, and says so by names only.
async fn nothing(bag: &dyn Remote) -> Result<(), Failed> {
    let name = SegmentName::fresh(device("nobody"), 1);
    assert!(matches!(
        bag.get(name).await,
        Err(RemoteError::NotFound { .. })
    ));
    let object = ObjectName::of(ObjectKind::Roster, b"nothing");
    assert!(matches!(
        bag.get_object(&object).await,
        Err(RemoteError::NotFound { .. })
    ));
    assert_eq!(bag.list(device("nobody"), 1).await?.names, []);
    for kind in ObjectKind::ALL {
        assert_eq!(bag.objects(kind).await?.names, []);
    }
    // What is not there is removed without an error.
    bag.delete_own(name).await?;
    bag.delete_object(&object).await?;
    Ok(())
}

/// A name is created once, whatever comes later under it; fresh ones by device and first number.
async fn segments(bag: &dyn Remote) -> Result<(), Failed> {
    let (me, other) = (device("me"), device("other"));
    let every: Vec<u8> = (0..=255).collect();
    let name = SegmentName::fresh(me, 1);
    assert_eq!(bag.put_new(name, every.clone()).await?, Put::Created);
    assert_eq!(bag.put_new(name, every.clone()).await?, Put::Exists);
    assert_eq!(bag.put_new(name, b"another".to_vec()).await?, Put::Exists);
    assert_eq!(bag.get(name).await?, every);
    // A pack of the same first number, one that ends elsewhere, and the log of another device are other names.
    for name in [
        SegmentName::pack(me, 1, 1),
        SegmentName::pack(me, 1, 9),
        SegmentName::fresh(other, 1),
    ] {
        let sealed = name.to_string().into_bytes();
        assert_eq!(
            bag.put_new(name, sealed.clone()).await?,
            Put::Created,
            "{name}"
        );
        assert_eq!(bag.get(name).await?, sealed);
    }
    bag.delete_own(SegmentName::pack(me, 1, 1)).await?;
    bag.delete_own(SegmentName::pack(me, 1, 1)).await?;
    assert!(matches!(
        bag.get(SegmentName::pack(me, 1, 1)).await,
        Err(RemoteError::NotFound { .. })
    ));
    assert_eq!(bag.get(name).await?, every);
    // Empty, and as long as the engine makes them.
    let empty = SegmentName::fresh(device("sizes"), 1);
    bag.put_new(empty, Vec::new()).await?;
    assert_eq!(bag.get(empty).await?, b"");
    let long = SegmentName::fresh(device("sizes"), 2);
    let sealed: Vec<u8> = (0..4u32 << 20)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    bag.put_new(long, sealed.clone()).await?;
    assert!(bag.get(long).await? == sealed, "4 MiB came back changed");
    Ok(())
}

/// A listing from a number on has everything that may hold it, and need not have more.
async fn listings(bag: &dyn Remote) -> Result<(), Failed> {
    let me = device("lister");
    let fresh = |first| SegmentName::fresh(me, first);
    let pack = |first, last| SegmentName::pack(me, first, last);
    for name in [fresh(1), fresh(5), fresh(9), pack(1, 4), pack(1, 8)] {
        bag.put_new(name, b"x".to_vec()).await?;
    }
    for (from, wanted) in [
        (
            0,
            vec![fresh(1), pack(1, 4), pack(1, 8), fresh(5), fresh(9)],
        ),
        (
            1,
            vec![fresh(1), pack(1, 4), pack(1, 8), fresh(5), fresh(9)],
        ),
        (
            2,
            vec![fresh(1), pack(1, 4), pack(1, 8), fresh(5), fresh(9)],
        ),
        (5, vec![fresh(1), pack(1, 8), fresh(5), fresh(9)]),
        (8, vec![fresh(5), pack(1, 8), fresh(9)]),
        (9, vec![fresh(5), fresh(9)]),
        (u64::MAX, vec![fresh(9)]),
    ] {
        let mut wanted = wanted;
        wanted.sort_unstable();
        let mut found = bag.list(me, from).await?.names;
        found.sort_unstable();
        assert_eq!(found, wanted, "from {from}");
    }
    assert_eq!(bag.list(device("nobody"), 1).await?.names, []);
    Ok(())
}

/// A head goes forwards, never back.
async fn heads(bag: &dyn Remote) -> Result<(), Failed> {
    let me = device("header");
    for (seq, shown) in [(3, 3), (3, 3), (9, 9), (7, 9), (10, 10)] {
        bag.set_head(Head { device: me, seq }).await?;
        let heads = bag.heads().await?;
        let mine: Vec<u64> = heads
            .names
            .iter()
            .filter(|head| head.device == me)
            .map(|head| head.seq)
            .collect();
        assert_eq!(mine.iter().max(), Some(&shown), "after {seq}");
        assert_eq!(heads.strange, [] as [String; 0]);
    }
    Ok(())
}

/// Publishing sets the head only over what it created.
async fn published(bag: &dyn Remote) -> Result<(), Failed> {
    let me = device("publisher");
    let head = |seq| Head { device: me, seq };
    let name = SegmentName::fresh(me, 1);
    assert_eq!(
        bag.publish(name, b"one".to_vec(), head(4)).await?,
        Put::Created
    );
    assert_eq!(
        bag.publish(name, b"one".to_vec(), head(4)).await?,
        Put::Exists
    );
    assert_eq!(
        bag.publish(name, b"foreign".to_vec(), head(90)).await?,
        Put::Exists
    );
    assert_eq!(bag.get(name).await?, b"one");
    let mine: Vec<Head> = bag
        .heads()
        .await?
        .names
        .into_iter()
        .filter(|head| head.device == me)
        .collect();
    assert_eq!(mine, [head(4)]);
    Ok(())
}

/// Objects are created once, read whole, and removed.
async fn objects(bag: &dyn Remote) -> Result<(), Failed> {
    for kind in ObjectKind::ALL {
        let content = vec![
            7;
            if kind == ObjectKind::Keyring {
                OBJECT_MAX
            } else {
                100
            }
        ];
        let name = ObjectName::of(kind, &content);
        assert_eq!(bag.put_object(&name, content.clone()).await?, Put::Created);
        assert_eq!(bag.put_object(&name, b"other".to_vec()).await?, Put::Exists);
        assert!(bag.get_object(&name).await? == content, "{name}");
        assert_eq!(bag.objects(kind).await?.names, [name]);
    }
    for name in bag.objects(ObjectKind::Pairing).await?.names {
        bag.delete_object(&name).await?;
        bag.delete_object(&name).await?;
    }
    assert_eq!(bag.objects(ObjectKind::Pairing).await?.names, []);
    assert_eq!(bag.objects(ObjectKind::Roster).await?.names.len(), 1);
    Ok(())
}

/// Of many that create one name at once, one does.
async fn at_once(bag: &dyn Remote) -> Result<(), Failed> {
    let me = device("crowded");
    for first in 1..=5u64 {
        let name = SegmentName::fresh(me, first);
        let put = |byte: u8| bag.put_new(name, vec![byte; 64]);
        let (a, b, c) = tokio::join!(put(1), put(2), put(3));
        let created: Vec<u8> = [a?, b?, c?]
            .iter()
            .zip(1u8..)
            .filter(|(put, _)| **put == Put::Created)
            .map(|(_, byte)| byte)
            .collect();
        assert_eq!(created.len(), 1, "{name}");
        assert_eq!(bag.get(name).await?.first(), created.first());
    }
    Ok(())
}
