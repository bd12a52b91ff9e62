//! A bag on a real OpenSSH server: an account with a shell, an account that has only SFTP, and both at one bag.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use quarterdeck::app::sync::host::open_host;
use quarterdeck::ssh::{Asking, Errands, ExecSpec, Reply, SshAsk, SshFact, Stdin};
use quarterdeck::sync::{
    Carried, Carrier, DirectoryRemote, Head, HostAddress, HostRemote, Mishap, NewFile, Put, Ran,
    Remote, RemoteError, SegmentName, SystemRandom, init,
};

use super::conformance::{conforms, device, nasty};
use crate::support::lab::{Client, Failed, Lab};
use crate::support::proxy::Line;

/// An account that can do nothing but SFTP.
pub(super) const ONLY_SFTP: &str = "Subsystem sftp internal-sftp\nForceCommand internal-sftp";

/// The bag in a folder on a host of the lab.
pub(super) fn bag(
    client: &Client,
    lab: &Lab,
    host: &str,
    folder: &Path,
) -> Result<(HostRemote, Errands), Failed> {
    let address = HostAddress::parse(&format!("ssh://{host}{}", folder.display()))?;
    Ok(open_host(&client.engine, &address, Some(lab.config())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ways_do_what_a_folder_does() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let shell = lab.server("shell", "", "")?;
    let files = lab.server("files", "", ONLY_SFTP)?;
    let client = lab.client();
    for (host, has_shell) in [("shell", true), ("files", false)] {
        let folder = lab.at(&format!("bag of {host}"));
        let address = folder.display().to_string().replace(' ', "%20");
        let (bag, _) = bag(&client, &lab, host, Path::new(&address))?;
        bag.create().await?;
        bag.create().await?;
        conforms(&bag)
            .await
            .map_err(|why| format!("{host}: {why}"))?;
        assert_eq!(bag.has_shell().await, Some(has_shell));
        let same = DirectoryRemote::new(&folder);
        assert_eq!(same.heads().await?.names.len(), 3, "{host}");
        // Everything else is as the folder's own would be.
        let missing = self::bag(&client, &lab, host, &lab.at("none"))?.0;
        for why in [
            missing.heads().await.err(),
            missing.list(device("one"), 1).await.err(),
            missing
                .get(SegmentName::fresh(device("one"), 1))
                .await
                .err(),
            missing
                .put_new(SegmentName::fresh(device("one"), 1), nasty())
                .await
                .err(),
        ] {
            assert!(
                matches!(why, Some(RemoteError::Unreachable { .. })),
                "{host}: {why:?}"
            );
        }
    }
    assert_eq!(
        (shell.logins(), files.logins()),
        (1, 1),
        "one connection each"
    );
    let local = DirectoryRemote::create(&lab.at("local"))?;
    conforms(&local).await
}

/// Every path in a bag with its permission bits.
fn modes(root: &Path) -> Result<Vec<(String, u32)>, Failed> {
    use std::os::unix::fs::MetadataExt;
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let within = path.strip_prefix(root)?.display().to_string();
            found.push((within, fs::metadata(&path)?.mode() & 0o7777));
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bag_is_shared_by_a_folder_a_shell_and_sftp() -> Result<(), Failed> {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new()?;
    let _shell = lab.server("shell", "", "")?;
    let _files = lab.server("files", "", ONLY_SFTP)?;
    let client = lab.client();
    for mode in [0o700, 0o2770] {
        let roots = [lab.at(&format!("a{mode}")), lab.at(&format!("b{mode}"))];
        for root in &roots {
            fs::create_dir(root)?;
            fs::set_permissions(root, fs::Permissions::from_mode(mode))?;
        }
        let [root, other] = &roots;
        let (by_shell, _) = bag(&client, &lab, "shell", root)?;
        let (by_sftp, _) = bag(&client, &lab, "files", other)?;
        by_shell.create().await?;
        by_sftp.create().await?;
        let one = device("one");
        for (bag, name) in [(&by_shell, "shell"), (&by_sftp, "sftp")] {
            let head = Head {
                device: one,
                seq: 9,
            };
            let put = bag.publish(SegmentName::fresh(one, 1), nasty(), head);
            assert_eq!(put.await?, Put::Created, "{name}");
        }
        assert_eq!(modes(root)?, modes(other)?);
        // All three at one bag: what one wrote, the others have and do not write over.
        let (also, _) = bag(&client, &lab, "files", root)?;
        let local = DirectoryRemote::new(root);
        let all: [&dyn Remote; 3] = [&by_shell, &also, &local];
        for (number, writer) in (2u64..).zip(all) {
            let name = SegmentName::fresh(one, number);
            assert_eq!(writer.put_new(name, nasty()).await?, Put::Created);
            writer
                .set_head(Head {
                    device: one,
                    seq: 10 + number,
                })
                .await?;
            for reader in all {
                assert_eq!(reader.get(name).await?, nasty());
                assert_eq!(reader.put_new(name, b"x".to_vec()).await?, Put::Exists);
                let heads = reader.heads().await?.names;
                let highest = heads.iter().map(|head| head.seq).max();
                assert_eq!(highest, Some(10 + number));
            }
        }
    }
    Ok(())
}

/// Where a line breaks, as parts of what it carries in all.
const CUTS: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_at_any_step_leaves_nothing_half_and_it_can_be_said_again()
-> Result<(), Failed> {
    let lab = Lab::new()?;
    let shell = lab.server("shell", "", "")?;
    let files = lab.server("files", "", ONLY_SFTP)?;
    let client = lab.client();
    let one = device("one");
    let root = lab.at("bag");
    let local = DirectoryRemote::create(&root)?;
    let mut first = 0;
    for (server, kind) in [(&shell, "shell"), (&files, "files")] {
        let whole = lab
            .through(&format!("{kind}-whole"), server, Line::default(), "")
            .await?;
        let (bag, _) = bag(&client, &lab, &format!("{kind}-whole"), &root)?;
        bag.heads().await?;
        let before = whole.given();
        first += 1;
        let head = Head {
            device: one,
            seq: first,
        };
        bag.publish(SegmentName::fresh(one, first), nasty(), head)
            .await?;
        let after = whole.given();
        for cut in 0..=CUTS {
            first += 1;
            let name = SegmentName::fresh(one, first);
            let head = Head {
                device: one,
                seq: first,
            };
            let line = Line {
                breaks_after: Some(before + (after - before) * cut / CUTS),
                ..Line::default()
            };
            let host = format!("{kind}-{cut}");
            let _broken = lab.through(&host, server, line, "").await?;
            let (broken, _) = self::bag(&client, &lab, &host, &root)?;
            // How far it gets is no matter.
            broken.heads().await.ok();
            if let Err(why) = broken.publish(name, nasty(), head).await {
                assert!(!matches!(why, RemoteError::NotFound { .. }), "{why:?}");
            }
            match local.get(name).await {
                Ok(content) => assert_eq!(content, nasty(), "{host}: whole"),
                Err(RemoteError::NotFound { .. }) => {}
                Err(why) => return Err(why.into()),
            }
            let put = bag.publish(name, nasty(), head).await?;
            if put == Put::Exists {
                bag.set_head(head).await?;
            }
            assert_eq!(local.get(name).await?, nasty(), "{host}");
            assert_eq!(bag.heads().await?.names, [head], "{host}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_background_asks_nobody_and_by_hand_somebody_is_asked() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _server = lab.stranger("web1", "", "")?;
    let root = lab.at("bag");
    DirectoryRemote::create(&root)?;
    let mut client = lab.client();
    let (bag, errands) = bag(&client, &lab, "web1", &root)?;
    let why = bag.heads().await.err().ok_or("an error")?;
    assert!(matches!(why, RemoteError::Unreachable { .. }), "{why:?}");
    let text = why.to_string();
    assert!(
        text.contains("not known") && text.contains("qd sync now"),
        "{text}"
    );
    assert!(client.facts.try_recv().is_err(), "nothing was asked");
    errands.ask(Asking::Request(client.req()));
    let by_hand = bag.clone();
    let round = tokio::spawn(async move { by_hand.heads().await });
    let question = client
        .until(|fact| match fact {
            SshFact::Question { id, .. } => Some(*id),
            _ => None,
        })
        .await?;
    let reply = Reply::Yes;
    client.engine.send(SshAsk::Answer { question, reply });
    assert!(round.await??.names.is_empty());
    errands.ask(Asking::Nobody);
    bag.heads().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_gives_its_channel_to_whoever_needs_one() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let server = lab.server("direct", "", "Subsystem sftp internal-sftp\nMaxSessions 2")?;
    let line = lab.through("web1", &server, Line::default(), "").await?;
    let mut client = lab.client();
    let root = lab.at("bag");
    DirectoryRemote::create(&root)?;
    let (bag, errands) = bag(&client, &lab, "web1", &root)?;
    let heads = format!("{}/heads", root.display());
    // The session for files stays open, and somebody else has the other channel.
    errands
        .names(&heads, 10)
        .await
        .map_err(|why| format!("{why:?}"))?;
    let spec = ExecSpec {
        stdin: Stdin::Stream,
        ..ExecSpec::collect("cat", 100)
    };
    let long = client.start("web1", spec);
    client
        .until(|fact| match fact {
            SshFact::ExecStarted { req } if *req == long => Some(()),
            _ => None,
        })
        .await?;
    assert_eq!(client.run("web1", "echo in").await?.stdout, "in\n");
    // It may have taken a busy server so long to count one less that another connection was made.
    let shared = line.accepted() == 1;
    let rows = client
        .rows(|rows| rows.iter().all(|row| row.users.probes == 0))
        .await?;
    if shared {
        assert_eq!(rows.first().and_then(|row| row.channel_limit), Some(2));
        // One of two is in use: sync would take the last one, so it waits, and says why.
        let why = bag.heads().await.err().ok_or("an error")?.to_string();
        assert!(why.contains("sessions use all channels"), "{why}");
    }
    let (req, data) = (long, None);
    client.engine.send(SshAsk::Stdin { req, data });
    client.done(long).await?;
    bag.heads().await?;
    assert_eq!(shared, line.accepted() == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_meet_on_a_host() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _shell = lab.server("shell", "", "")?;
    let _files = lab.server("files", "", ONLY_SFTP)?;
    let client = lab.client();
    let root = lab.at("bag");
    let (one_bag, _) = bag(&client, &lab, "shell", &root)?;
    let (two_bag, _) = bag(&client, &lab, "files", &root)?;
    one_bag.create().await?;
    let words = |why: Box<dyn std::error::Error>| Failed::from(why.to_string());
    let a = super::open(&lab.at("here"), || [1; 32]).map_err(words)?;
    let b = super::open(&lab.at("there"), || [2; 32]).map_err(words)?;
    let (keys_a, keys_b) = (lab.at("here").join("sync"), lab.at("there").join("sync"));
    let (now, mut random) = (super::NOW, SystemRandom);
    super::write(&a, "disk full on db1").map_err(words)?;
    super::write(&b, "certificate of web2").map_err(words)?;
    let mut one = init(&keys_a, &a, &one_bag, now, &mut random).await?;
    let identity = super::own_identity(&keys_b, &b, &mut random)?;
    let joiner = super::Joiner::start(&identity, now, &mut random)?;
    let code = joiner.code().clone();
    super::ask_to_join(&joiner, &two_bag).await?;
    let (admitted, two) = tokio::join!(
        one.admit(&code, None, &a, &one_bag, now, &mut random),
        super::come_in(joiner, &code, (&keys_b, &b), &two_bag, now)
    );
    admitted?;
    let mut two = two.map_err(words)?;
    for _ in 0..2 {
        let report = two.round(&b, &two_bag, now, &mut random).await;
        assert_eq!((report.error, report.troubles), (None, vec![]));
        let report = one.round(&a, &one_bag, now, &mut random).await;
        assert_eq!((report.error, report.troubles), (None, vec![]));
    }
    let titles = super::titles(&a).map_err(words)?;
    assert_eq!(titles, ["certificate of web2", "disk full on db1"]);
    assert_eq!(super::titles(&b).map_err(words)?, titles);
    // One that publishes hears at once that the other wrote meanwhile.
    for round in ["first", "second"] {
        super::write(&a, round).map_err(words)?;
        one.round(&a, &one_bag, now, &mut random).await;
    }
    super::write(&a, "third").map_err(words)?;
    super::write(&b, "meanwhile").map_err(words)?;
    // The other writes between the heads and the publishing of the one: as if it were so, its head is hidden till then.
    let behind = Behind(
        one_bag.clone(),
        std::sync::Mutex::new(Some(one_bag.heads().await?)),
    );
    let report = two.round(&b, &two_bag, now, &mut random).await;
    assert_eq!(report.error, None);
    let report = one.round(&a, &behind, now, &mut random).await;
    assert!(
        report.more && report.published > 0 && report.learned == 0,
        "{report:?}"
    );
    let report = one.round(&a, &one_bag, now, &mut random).await;
    assert!(report.learned > 0 && !report.more, "{report:?}");
    Ok(())
}

/// A bag whose first listing of heads is of a moment ago.
struct Behind(
    HostRemote,
    std::sync::Mutex<Option<quarterdeck::sync::Listing<Head>>>,
);

impl Remote for Behind {
    fn place(&self) -> String {
        self.0.place()
    }
    fn heads(&self) -> quarterdeck::sync::Reply<'_, quarterdeck::sync::Listing<Head>> {
        let stale = self
            .1
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        match stale {
            Some(stale) => Box::pin(async move { Ok(stale) }),
            None => self.0.heads(),
        }
    }
    fn list(
        &self,
        device: quarterdeck::domain::ids::DeviceId,
        from: u64,
    ) -> quarterdeck::sync::Reply<'_, quarterdeck::sync::Listing<SegmentName>> {
        self.0.list(device, from)
    }
    fn get(&self, name: SegmentName) -> quarterdeck::sync::Reply<'_, Vec<u8>> {
        self.0.get(name)
    }
    fn put_new(&self, name: SegmentName, sealed: Vec<u8>) -> quarterdeck::sync::Reply<'_, Put> {
        self.0.put_new(name, sealed)
    }
    fn set_head(&self, head: Head) -> quarterdeck::sync::Reply<'_, ()> {
        self.0.set_head(head)
    }
    fn publish(
        &self,
        name: SegmentName,
        sealed: Vec<u8>,
        head: Head,
    ) -> quarterdeck::sync::Reply<'_, Put> {
        self.0.publish(name, sealed, head)
    }
    fn overheard(&self) -> Option<quarterdeck::sync::Listing<Head>> {
        self.0.overheard()
    }
    fn delete_own(&self, name: SegmentName) -> quarterdeck::sync::Reply<'_, ()> {
        self.0.delete_own(name)
    }
    fn objects(
        &self,
        kind: quarterdeck::sync::ObjectKind,
    ) -> quarterdeck::sync::Reply<'_, quarterdeck::sync::Listing<quarterdeck::sync::ObjectName>>
    {
        self.0.objects(kind)
    }
    fn get_object<'a>(
        &'a self,
        name: &'a quarterdeck::sync::ObjectName,
    ) -> quarterdeck::sync::Reply<'a, Vec<u8>> {
        self.0.get_object(name)
    }
    fn put_object<'a>(
        &'a self,
        name: &'a quarterdeck::sync::ObjectName,
        bytes: Vec<u8>,
    ) -> quarterdeck::sync::Reply<'a, Put> {
        self.0.put_object(name, bytes)
    }
    fn delete_object<'a>(
        &'a self,
        name: &'a quarterdeck::sync::ObjectName,
    ) -> quarterdeck::sync::Reply<'a, ()> {
        self.0.delete_object(name)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_floods_or_refuses_is_told_in_words() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _flood = lab.server(
        "flood",
        "",
        "Subsystem sftp internal-sftp\nForceCommand yes",
    )?;
    let _polite = lab.server("polite", "", "ForceCommand echo not for you")?;
    let client = lab.client();
    for (host, word) in [("flood", "not SFTP"), ("polite", "not for you")] {
        let (bag, _) = bag(&client, &lab, host, &lab.at("bag"))?;
        let why = bag.heads().await.err().ok_or("an error")?.to_string();
        assert!(
            why.contains("neither") && why.contains(word),
            "{host}: {why}"
        );
    }
    lab.host("nobody", 1, "")?;
    let (bag, _) = bag(&client, &lab, "nobody", &lab.at("bag"))?;
    let why = bag.get(SegmentName::fresh(device("one"), 1)).await.err();
    assert!(
        matches!(why, Some(RemoteError::Unreachable { .. })),
        "{why:?}"
    );
    Ok(())
}

/// SFTP whose rename replaces, as some servers have it.
struct Replacing;

impl Carrier for Replacing {
    fn host(&self) -> String {
        "replacing".to_owned()
    }
    fn exec(&self, _: String, _: Vec<u8>, _: usize) -> Carried<'_, Ran> {
        Box::pin(async { Err(Mishap::Refused("no commands".to_owned())) })
    }
    fn mode<'a>(&'a self, _: &'a str) -> Carried<'a, u32> {
        Box::pin(async { Ok(0o40_700) })
    }
    fn names<'a>(&'a self, _: &'a str, _: usize) -> Carried<'a, Vec<Vec<u8>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn read<'a>(&'a self, _: &'a str, _: usize) -> Carried<'a, Vec<u8>> {
        Box::pin(async { Err(Mishap::NotThere) })
    }
    fn create(&self, _: NewFile) -> Carried<'_, Put> {
        Box::pin(async { Ok(Put::Created) })
    }
    fn replace(&self, _: NewFile) -> Carried<'_, ()> {
        Box::pin(async { Ok(()) })
    }
    fn touch<'a>(&'a self, _: &'a str, _: u32) -> Carried<'a, ()> {
        Box::pin(async { Ok(()) })
    }
    fn remove(&self, _: Vec<String>) -> Carried<'_, ()> {
        Box::pin(async { Ok(()) })
    }
    fn make_folder<'a>(&'a self, _: &'a str, _: u32) -> Carried<'a, ()> {
        Box::pin(async { Ok(()) })
    }
    fn replaces(&self, _: String, _: String) -> Carried<'_, bool> {
        Box::pin(async { Ok(true) })
    }
}

#[tokio::test]
async fn nothing_is_written_where_a_rename_replaces() -> Result<(), Failed> {
    let bag = HostRemote::new(Arc::new(Replacing), &HostAddress::parse("ssh://host/bag")?);
    let name = SegmentName::fresh(device("one"), 1);
    let why = bag.put_new(name, nasty()).await.err().ok_or("an error")?;
    assert!(why.to_string().contains("renames over"), "{why}");
    Ok(())
}
