//! What every remote must do, over the trait alone: each kind of remote runs all of it against a bag of its own.

use std::collections::BTreeMap;

use quarterdeck::domain::ids::{DeviceId, EntityId};
use quarterdeck::sync::{
    Head, ObjectKind, ObjectName, PRESENCE_MAX, Put, Remote, RemoteError, SegmentName,
};

use crate::support::lab::Failed;

pub(crate) fn device(name: &str) -> DeviceId {
    DeviceId(EntityId::derived("device", name))
}

/// Bytes that shells, terminals and line readers like to spoil.
pub(crate) fn nasty() -> Vec<u8> {
    let mut bytes = b"\n\nqd1C\n\0".to_vec();
    bytes.extend((0..=255u8).rev());
    bytes.extend(b"'$(exit 1)`\\\r\n\x04\x1a\n");
    bytes
}

/// All of it, on an empty bag.
pub(crate) async fn conforms(bag: &dyn Remote) -> Result<(), Failed> {
    nothing(bag).await?;
    segments(bag).await?;
    large(bag).await?;
    heads(bag).await?;
    publishing(bag).await?;
    objects(bag).await?;
    many_objects(bag).await?;
    presence(bag).await
}

fn is_missing<T: std::fmt::Debug>(result: Result<T, RemoteError>) -> bool {
    matches!(result, Err(RemoteError::NotFound { .. }))
}

async fn nothing(bag: &dyn Remote) -> Result<(), Failed> {
    let nobody = device("nobody");
    assert!(bag.heads().await?.names.is_empty());
    assert!(bag.list(nobody, 1).await?.names.is_empty());
    assert!(is_missing(bag.get(SegmentName::fresh(nobody, 1)).await));
    bag.delete_own(SegmentName::fresh(nobody, 1)).await?;
    for kind in ObjectKind::ALL {
        assert!(bag.objects(kind).await?.names.is_empty());
        let name = ObjectName::of(kind, b"nothing");
        assert!(is_missing(bag.get_object(&name).await));
        bag.delete_object(&name).await?;
    }
    Ok(())
}

async fn segments(bag: &dyn Remote) -> Result<(), Failed> {
    let one = device("one");
    let first = SegmentName::fresh(one, 1);
    assert_eq!(bag.put_new(first, nasty()).await?, Put::Created);
    assert_eq!(bag.put_new(first, b"other".to_vec()).await?, Put::Exists);
    assert_eq!(bag.get(first).await?, nasty(), "the first stays");
    assert!(is_missing(bag.get(SegmentName::fresh(one, 2)).await));
    let pack = SegmentName::pack(one, 1, 40);
    for (name, content) in [
        (pack, &b"pack"[..]),
        (SegmentName::fresh(one, 21), b"21"),
        (SegmentName::fresh(one, 41), b""),
    ] {
        assert_eq!(bag.put_new(name, content.to_vec()).await?, Put::Created);
        assert_eq!(bag.get(name).await?, content, "{name}");
    }
    for (from, wanted) in [
        (
            1,
            vec![
                first,
                pack,
                SegmentName::fresh(one, 21),
                SegmentName::fresh(one, 41),
            ],
        ),
        (
            30,
            vec![
                pack,
                SegmentName::fresh(one, 21),
                SegmentName::fresh(one, 41),
            ],
        ),
        (
            41,
            vec![SegmentName::fresh(one, 21), SegmentName::fresh(one, 41)],
        ),
        (99, vec![SegmentName::fresh(one, 41)]),
    ] {
        let mut listed = bag.list(one, from).await?;
        listed.names.sort_unstable();
        let mut wanted = wanted;
        wanted.sort_unstable();
        assert_eq!(listed.names, wanted, "from {from}");
        assert!(listed.strange.is_empty());
    }
    bag.delete_own(first).await?;
    assert!(is_missing(bag.get(first).await));
    assert_eq!(bag.get(pack).await?, b"pack", "only that one went");
    assert_eq!(bag.put_new(first, b"again".to_vec()).await?, Put::Created);
    Ok(())
}

async fn large(bag: &dyn Remote) -> Result<(), Failed> {
    let name = SegmentName::pack(device("large"), 1, 65_536);
    let mut state = 1u32;
    let content: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(3_000_001)
    .collect();
    assert_eq!(bag.put_new(name, content.clone()).await?, Put::Created);
    let back = bag.get(name).await?;
    assert_eq!(back.len(), content.len());
    assert!(back == content, "byte for byte");
    Ok(())
}

async fn highest(bag: &dyn Remote, device: DeviceId) -> Result<Option<u64>, Failed> {
    let listing = bag.heads().await?;
    assert!(listing.strange.is_empty(), "{listing:?}");
    let mine = listing.names.iter().filter(|head| head.device == device);
    Ok(mine.map(|head| head.seq).max())
}

async fn heads(bag: &dyn Remote) -> Result<(), Failed> {
    let (one, two) = (device("one"), device("two"));
    for seq in [1, 20, 300] {
        bag.set_head(Head { device: one, seq }).await?;
        assert_eq!(highest(bag, one).await?, Some(seq));
    }
    bag.set_head(Head {
        device: two,
        seq: 7,
    })
    .await?;
    // An answer got lost, and it is said again.
    bag.set_head(Head {
        device: two,
        seq: 7,
    })
    .await?;
    assert_eq!(highest(bag, one).await?, Some(300));
    assert_eq!(highest(bag, two).await?, Some(7));
    assert_eq!(bag.heads().await?.names.len(), 2, "old ones are gone");
    Ok(())
}

async fn publishing(bag: &dyn Remote) -> Result<(), Failed> {
    let three = device("three");
    for (first, seq) in [(1, 4), (5, 9), (10, 10)] {
        let name = SegmentName::fresh(three, first);
        let head = Head { device: three, seq };
        assert_eq!(bag.publish(name, nasty(), head).await?, Put::Created);
        assert_eq!(bag.get(name).await?, nasty());
        assert_eq!(highest(bag, three).await?, Some(seq));
    }
    let (name, head) = (
        SegmentName::fresh(three, 5),
        Head {
            device: three,
            seq: 99,
        },
    );
    assert_eq!(
        bag.publish(name, b"other".to_vec(), head).await?,
        Put::Exists
    );
    assert_eq!(
        highest(bag, three).await?,
        Some(10),
        "not over something else"
    );
    assert_eq!(bag.get(name).await?, nasty());
    Ok(())
}

async fn objects(bag: &dyn Remote) -> Result<(), Failed> {
    for kind in ObjectKind::ALL {
        let name = ObjectName::of(kind, &nasty());
        assert_eq!(bag.put_object(&name, nasty()).await?, Put::Created);
        assert_eq!(bag.put_object(&name, nasty()).await?, Put::Exists);
        assert_eq!(bag.get_object(&name).await?, nasty());
        assert_eq!(bag.objects(kind).await?.names, vec![name.clone()]);
        bag.delete_object(&name).await?;
        bag.delete_object(&name).await?;
        assert!(bag.objects(kind).await?.names.is_empty());
    }
    Ok(())
}

/// Several objects at once: all are told of in the end, each as it is, in answers of bounded size.
pub(crate) async fn many_objects(bag: &dyn Remote) -> Result<(), Failed> {
    for kind in [ObjectKind::Pairing, ObjectKind::Hot] {
        let missing = ObjectName::of(kind, b"nowhere");
        let mut wanted = BTreeMap::from([(missing.clone(), None)]);
        assert!(bag.get_objects(&[]).await?.is_empty());
        // Nothing of that sort at all yet.
        let found = bag.get_objects(std::slice::from_ref(&missing)).await?;
        assert!(
            matches!(found.as_slice(), [(name, Err(RemoteError::NotFound { .. }))] if *name == missing)
        );
        for number in 0..30u8 {
            let content = match number {
                0 => Vec::new(),
                1 => b"\nn\nl\n12\n".to_vec(),
                // Two of these are more than one answer may have.
                2..=4 => vec![number; 700_000],
                number => [nasty(), vec![number; 40]].concat(),
            };
            let name = ObjectName::of(kind, &content);
            assert_eq!(bag.put_object(&name, content.clone()).await?, Put::Created);
            wanted.insert(name, Some(content));
        }
        let mut left: Vec<ObjectName> = wanted.keys().cloned().collect();
        while !left.is_empty() {
            let found = bag.get_objects(&left).await?;
            assert!(!found.is_empty(), "it gets on");
            for (name, one) in found {
                let at = left.iter().position(|left| *left == name);
                left.swap_remove(at.ok_or("only what was asked for, and once")?);
                match (one, &wanted[&name]) {
                    (Ok(bytes), Some(content)) => assert!(bytes == *content, "{name}"),
                    (Err(RemoteError::NotFound { .. }), None) => {}
                    (other, _) => return Err(format!("{name}: {other:?}").into()),
                }
            }
        }
        for name in wanted.into_keys() {
            bag.delete_object(&name).await?;
        }
    }
    Ok(())
}

/// What a device has open: its last word counts, whatever came before, and it can take it back.
pub(crate) async fn presence(bag: &dyn Remote) -> Result<(), Failed> {
    let said = async || -> Result<BTreeMap<_, _>, Failed> {
        let all = bag.presences().await?.ok_or("it keeps presence")?;
        Ok(all.into_iter().collect())
    };
    let (one, two) = (device("one"), device("two"));
    assert!(said().await?.is_empty(), "nobody yet");
    assert!(
        bag.set_presence(one, None).await?,
        "taken back before it was said"
    );
    for content in [
        b"first".to_vec(),
        nasty(),
        vec![0; PRESENCE_MAX],
        Vec::new(),
        b"last".to_vec(),
    ] {
        assert!(bag.set_presence(one, Some(content.clone())).await?);
        assert_eq!(said().await?, BTreeMap::from([(one, content)]));
    }
    bag.set_presence(two, Some(nasty())).await?;
    let both = BTreeMap::from([(one, b"last".to_vec()), (two, nasty())]);
    assert_eq!(said().await?, both);
    // What is too long is passed over, and keeps nobody else from being read.
    bag.set_presence(one, Some(vec![1; PRESENCE_MAX + 1]))
        .await?;
    assert_eq!(said().await?, BTreeMap::from([(two, nasty())]));
    for device in [one, two, two] {
        assert!(bag.set_presence(device, None).await?);
    }
    assert!(said().await?.is_empty());
    Ok(())
}
