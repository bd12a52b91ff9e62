//! Row security: each person has a role that adds rows of its own devices and can neither write, alter nor remove others'.

use quarterdeck::sync::{
    Head, ObjectKind, ObjectName, POSTGRES_ROW_SECURITY, Put, Remote, RemoteError, SegmentName,
};

use super::{conformance, device, refusal, remote, server, two_devices};
use crate::support::postgres::Postgres;

use super::Tested;

fn people(server: &Postgres) -> Tested {
    server.psql("qd", "postgres", POSTGRES_ROW_SECURITY)?;
    for name in ["ann", "bob"] {
        server.admin("qd", &format!("CREATE ROLE {name} LOGIN"))?;
        server.admin("qd", &format!("GRANT quarterdeck_team TO {name}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_writes_only_rows_of_its_own_devices() -> Tested {
    let server = server().await?;
    people(&server)?;
    let place = |role: &str| server.socket(role, "qd", "main");
    let (ann, bob) = (remote(&place("ann"))?, remote(&place("bob"))?);
    let (hers, his) = (device("ann's"), device("bob's"));
    let head = |device, seq| Head { device, seq };
    let of_ann = SegmentName::fresh(hers, 1);
    assert_eq!(
        ann.publish(of_ann, b"hers".to_vec(), head(hers, 5)).await?,
        Put::Created
    );
    // A second program of hers, and a second segment on the same connection.
    let again = remote(&place("ann"))?;
    assert_eq!(
        again
            .put_new(SegmentName::fresh(hers, 6), b"more".to_vec())
            .await?,
        Put::Created
    );
    assert_eq!(
        bob.publish(SegmentName::fresh(his, 1), b"his".to_vec(), head(his, 1))
            .await?,
        Put::Created
    );

    // Whatever bob tries with her log is refused in words or does nothing.
    let forged = b"forged".to_vec();
    for result in [
        bob.put_new(SegmentName::fresh(hers, 7), forged.clone())
            .await
            .map(|_| ()),
        bob.put_new(SegmentName::pack(hers, 1, 5), forged.clone())
            .await
            .map(|_| ()),
        bob.put_new(of_ann, forged.clone()).await.map(|_| ()),
        bob.publish(SegmentName::fresh(hers, 7), forged, head(hers, 9))
            .await
            .map(|_| ()),
        bob.set_head(head(hers, 99)).await,
        bob.set_presence(hers, Some(b"forged".to_vec()))
            .await
            .map(drop),
    ] {
        let why = refusal(result);
        assert!(matches!(why, RemoteError::Denied { .. }), "{why}");
        assert!(why.is_permanent());
        assert!(why.to_string().contains("row-level security"), "{why}");
    }
    bob.delete_own(of_ann).await?;
    assert!(ann.set_presence(hers, Some(b"she".to_vec())).await?);
    bob.set_presence(hers, None).await?;
    assert_eq!(
        bob.presences().await?,
        Some(vec![(hers, b"she".to_vec())]),
        "he may read it"
    );
    assert_eq!(ann.get(of_ann).await?, b"hers");
    assert_eq!(bob.get(of_ann).await?, b"hers", "he may read it");
    assert_eq!(
        bob.heads().await?.names.iter().max_by_key(|head| head.seq),
        Some(&head(hers, 5))
    );

    // Nor by hand, past the program.
    for sql in [
        "UPDATE quarterdeck.segment SET sealed = 'x'",
        "UPDATE quarterdeck.object SET content = 'x'",
        "UPDATE quarterdeck.device SET owner = 'bob'",
        "DELETE FROM quarterdeck.device",
        "DELETE FROM quarterdeck.head",
        "TRUNCATE quarterdeck.segment",
        "DROP TABLE quarterdeck.segment",
        "ALTER TABLE quarterdeck.segment DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE quarterdeck.mine (x INT)",
        "INSERT INTO quarterdeck.device VALUES ('main', '\\x00', 'ann')",
    ] {
        assert!(server.psql("qd", "bob", sql).is_err(), "{sql}");
    }
    // These touch no row of hers.
    for sql in [
        "UPDATE quarterdeck.head SET last_seq = 0",
        "DELETE FROM quarterdeck.segment",
        "DELETE FROM quarterdeck.object WHERE kind <> 'pairing'",
    ] {
        server.psql("qd", "bob", sql)?;
    }
    let hex = hers.to_string();
    let left = "SELECT (SELECT count(*) FROM quarterdeck.segment WHERE encode(device, 'hex') = '";
    let heads = "'), (SELECT last_seq FROM quarterdeck.head WHERE encode(device, 'hex') = '";
    assert_eq!(
        server.admin("qd", &format!("{left}{hex}{heads}{hex}')"))?,
        "2|5"
    );

    // Roster objects are everybody's to add and nobody's to remove; what pairing left goes.
    let roster = ObjectName::of(ObjectKind::Roster, b"signed");
    assert_eq!(
        ann.put_object(&roster, b"signed".to_vec()).await?,
        Put::Created
    );
    bob.delete_object(&roster).await?;
    assert_eq!(bob.get_object(&roster).await?, b"signed");

    // Who is not in the team sees nothing.
    server.admin("qd", "CREATE ROLE eve LOGIN")?;
    let eve = remote(&place("eve"))?;
    let why = refusal(eve.heads().await);
    assert!(matches!(why, RemoteError::Denied { .. }), "{why}");
    // Nor can she make tables where she should not.
    let elsewhere = remote(&server.socket("eve", "postgres", "main"))?;
    let why = refusal(elsewhere.create().await).to_string();
    assert!(
        why.contains("may not create") && why.contains("sync-postgres.md"),
        "{why}"
    );
    // Where they are made, whoever is in the team need have no right to make them.
    ann.create().await?;

    // The claims were lost with a database that was restored: they are made again on the way.
    server.admin("qd", "DELETE FROM quarterdeck.device")?;
    ann.set_head(head(hers, 8)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_sync_works_under_row_security() -> Tested {
    let server = server().await?;
    people(&server)?;
    conformance_as_ann(&server).await?;
    let home = tempfile::tempdir()?;
    two_devices(home.path(), &server.socket("ann", "qd", "space")).await
}

async fn conformance_as_ann(server: &Postgres) -> Tested {
    conformance::every_remote(&remote(&server.socket("ann", "qd", "all"))?).await?;
    Ok(())
}
