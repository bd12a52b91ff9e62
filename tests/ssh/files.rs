//! Files on hosts: listing, changing names, copying, against servers of OpenSSH.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use quarterdeck::domain::files::{CopyJob, CopyProgress, CopyReport, Place};
use quarterdeck::domain::ids::ReqId;
use quarterdeck::ssh::{FileListing, FilesAsk, SshAsk, SshFact};

use crate::support::lab::{Client, Failed, Lab};
use crate::support::proxy::Line;
use crate::support::sshd::Sshd;

/// What a server needs to have files. It starts in its own folder: the home of the account that runs the tests is not
/// theirs to write to.
pub(super) fn internal(lab: &Lab, name: &str) -> String {
    let folder = lab.at(&format!("server-{name}"));
    format!("Subsystem sftp internal-sftp -d {}", folder.display())
}

/// A server with files.
pub(super) fn serve(lab: &Lab, name: &str) -> Result<Sshd, Failed> {
    lab.server(name, "", &internal(lab, name))
}

pub(super) fn here(path: &Path) -> Place {
    Place {
        host: None,
        path: path.to_string_lossy().into_owned(),
    }
}

pub(super) fn there(host: &str, path: impl AsRef<Path>) -> Place {
    Place {
        host: Some(host.to_owned()),
        path: path.as_ref().to_string_lossy().into_owned(),
    }
}

pub(super) fn job(from: &[Place], to: &Place) -> CopyJob {
    CopyJob {
        from: from.to_vec(),
        to: to.clone(),
        recursive: false,
        preserve: false,
        resume: false,
    }
}

pub(super) fn start(client: &Client, job: CopyJob) -> ReqId {
    let req = client.req();
    let places = job.from.iter().chain([&job.to]);
    let targets: BTreeMap<_, _> = places
        .filter_map(|place| place.host.clone())
        .map(|host| (host.clone(), client.target(&host)))
        .collect();
    client.engine.send(SshAsk::Copy {
        req,
        job,
        targets,
        interactive: false,
    });
    req
}

pub(super) async fn report(
    client: &mut Client,
    req: ReqId,
) -> Result<Result<CopyReport, String>, Failed> {
    client
        .until(|fact| match fact {
            SshFact::CopyDone { req: of, result } if *of == req => Some(result.clone()),
            _ => None,
        })
        .await
}

pub(super) async fn copy(client: &mut Client, job: CopyJob) -> Result<CopyReport, Failed> {
    let req = start(client, job);
    Ok(report(client, req).await??)
}

/// The same, of which nothing may fail.
pub(super) async fn copied(client: &mut Client, job: CopyJob) -> Result<CopyReport, Failed> {
    let report = copy(client, job).await?;
    assert!(report.failed.is_empty(), "{report:?}");
    assert_eq!((report.stopped, &report.lost), (false, &None), "{report:?}");
    Ok(report)
}

pub(super) async fn ask(
    client: &mut Client,
    host: Option<&str>,
    ask: FilesAsk,
) -> Result<Result<FileListing, String>, Failed> {
    let req = client.req();
    let target = host.map(|host| client.target(host));
    client.engine.send(SshAsk::Files { req, target, ask });
    client
        .until(|fact| match fact {
            SshFact::FilesDone { req: of, result } if *of == req => Some(result.clone()),
            _ => None,
        })
        .await
}

/// Bytes that do not repeat at the length of any block.
pub(super) fn bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Everything below a folder: path, kind and contents.
pub(super) fn tree(folder: &Path) -> Result<BTreeMap<PathBuf, Option<Vec<u8>>>, Failed> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            let name = path.strip_prefix(folder)?.to_path_buf();
            if fs::metadata(&path)?.is_dir() {
                found.insert(name, None);
                waiting.push(path);
            } else {
                found.insert(name, Some(fs::read(&path)?));
            }
        }
    }
    Ok(found)
}

/// What OpenSSH's own program does with the same words.
fn scp(lab: &Lab, words: &[&str]) -> Result<bool, Failed> {
    let done = Command::new("scp")
        .arg("-qF")
        .arg(lab.config())
        .args(words)
        .output()?;
    Ok(done.status.success())
}

fn leftovers(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let tree = tree(folder)?;
    let part = |path: &PathBuf| path.to_string_lossy().ends_with(".qd-part");
    Ok(tree.into_keys().filter(part).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contents_of_every_size_arrive_both_ways() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    let (up, down) = (web.folder.join("up"), lab.at("down"));
    fs::create_dir(&up)?;
    fs::create_dir(&down)?;
    let block = 255 * 1024;
    let sizes = [
        0,
        1,
        32 * 1024 - 1,
        32 * 1024,
        32 * 1024 + 1,
        block - 1,
        block,
        block + 1,
        256 * 1024,
        5_000_000,
    ];
    let mut sources = Vec::new();
    for size in sizes {
        let path = lab.at(&format!("f{size}"));
        fs::write(&path, bytes(size))?;
        sources.push(here(&path));
    }
    let report = copied(&mut client, job(&sources, &there("web1", "up"))).await?;
    assert_eq!(report.files, sizes.len() as u64);
    assert_eq!(report.bytes, sizes.iter().sum::<usize>() as u64);
    let back: Vec<_> = sizes
        .iter()
        .map(|size| there("web1", up.join(format!("f{size}"))))
        .collect();
    copied(&mut client, job(&back, &here(&down))).await?;
    for size in sizes {
        let name = format!("f{size}");
        assert!(fs::read(up.join(&name))? == bytes(size), "{size} up");
        assert!(fs::read(down.join(&name))? == bytes(size), "{size} down");
    }
    assert!(leftovers(&up)?.is_empty() && leftovers(&down)?.is_empty());
    assert_eq!(client.connections("web1"), 1, "copies share a connection");
    Ok(())
}

/// A tree with folders, links, odd names and an empty folder.
fn plant(root: &Path) -> Result<(), Failed> {
    fs::create_dir_all(root.join("a/b c/'q\"uote'"))?;
    fs::create_dir_all(root.join("empty"))?;
    fs::create_dir_all(root.join("größe 界"))?;
    for (name, text) in [
        ("one", "1"),
        ("a/two words", "22"),
        ("a/b c/new\nline", "333"),
        ("a/b c/'q\"uote'/$(touch x);*", "4444"),
        ("größe 界/ü", "55555"),
        ("-rf", "666666"),
        ("back\\slash", "7"),
        (".hidden", "8"),
    ] {
        fs::write(root.join(name), text)?;
    }
    symlink("one", root.join("link"))?;
    symlink("a", root.join("folder-link"))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trees_arrive_whole_as_scp_brings_them() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    let root = lab.at("tree");
    plant(&root)?;
    let mut recursive = job(&[here(&root)], &there("web1", "new"));
    recursive.recursive = true;
    copied(&mut client, recursive.clone()).await?;
    let expected = tree(&root)?;
    assert_eq!(tree(&web.folder.join("new"))?, expected, "under a new name");
    copied(&mut client, recursive).await?;
    assert_eq!(
        tree(&web.folder.join("new/tree"))?,
        expected,
        "into a folder that is there"
    );
    fs::remove_dir_all(web.folder.join("new/tree"))?;

    let mut back = job(&[there("web1", "new/")], &here(&lab.at("back")));
    back.recursive = true;
    copied(&mut client, back).await?;
    assert_eq!(tree(&lab.at("back"))?, expected);
    let theirs = lab.at("theirs").display().to_string();
    assert!(scp(&lab, &["-r", "web1:new", &theirs])?);
    assert_eq!(tree(&lab.at("theirs"))?, expected, "scp does the same");

    // What is in a folder, beside what is there.
    let mut contents = job(&[there("web1", "new/.")], &here(&lab.at("back")));
    contents.recursive = true;
    fs::write(lab.at("back/kept"), "mine")?;
    copied(&mut client, contents).await?;
    assert_eq!(fs::read_to_string(lab.at("back/kept"))?, "mine");
    assert_eq!(fs::read_to_string(lab.at("back/one"))?, "1");

    let report = copy(
        &mut client,
        job(&[there("web1", "new")], &here(&lab.at("x"))),
    )
    .await?;
    assert!(report.failed[0].contains("-r copies folders"), "{report:?}");
    assert!(!lab.at("x").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_go_round_and_things_that_are_no_files_are_told() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    let root = web.folder.join("loops");
    fs::create_dir_all(root.join("in/deep"))?;
    fs::write(root.join("in/good"), "good")?;
    symlink("..", root.join("in/up"))?;
    symlink(&root, root.join("in/deep/round"))?;
    symlink("nowhere", root.join("dangling"))?;
    assert!(
        Command::new("mkfifo")
            .arg(root.join("pipe"))
            .status()?
            .success()
    );
    for (from, to) in [
        (there("web1", "loops"), here(&lab.at("out"))),
        (here(&root), there("web1", "out")),
    ] {
        let mut recursive = job(&[from], &to);
        recursive.recursive = true;
        let report = copy(&mut client, recursive).await?;
        assert_eq!((report.files, report.failed.len()), (1, 4), "{report:?}");
        for words in ["above it", "nowhere", "a pipe"] {
            assert!(
                report.failed.iter().any(|line| line.contains(words)),
                "{words}: {report:?}"
            );
        }
    }
    assert_eq!(fs::read_to_string(lab.at("out/in/good"))?, "good");
    // Into itself.
    let mut selfish = job(
        &[there("web1", "loops/in")],
        &there("web1", "loops/in/copy"),
    );
    selfish.recursive = true;
    let report = copy(&mut client, selfish).await?;
    assert!(
        tree(&root.join("in/copy")).is_ok_and(|tree| tree.len() < 10),
        "{report:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_and_permissions_are_kept_when_wanted() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let root = lab.at("kept");
    fs::create_dir(&root)?;
    for (name, mode) in [("script", 0o750), ("secret", 0o400)] {
        fs::write(root.join(name), name)?;
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode))?;
        fs::File::open(root.join(name))?.set_modified(then)?;
    }
    fs::set_permissions(&root, fs::Permissions::from_mode(0o711))?;
    fs::File::open(&root)?.set_modified(then)?;
    let mut up = job(&[here(&root)], &there("web1", "kept"));
    (up.recursive, up.preserve) = (true, true);
    copied(&mut client, up).await?;
    let mut down = job(&[there("web1", "kept")], &here(&lab.at("again")));
    (down.recursive, down.preserve) = (true, true);
    copied(&mut client, down).await?;
    for folder in [web.folder.join("kept"), lab.at("again")] {
        for (name, mode) in [("script", 0o750), ("secret", 0o400), (".", 0o711)] {
            let meta = fs::metadata(folder.join(name))?;
            assert_eq!(meta.mode() & 0o7777, mode, "{name} in {}", folder.display());
            assert_eq!(
                meta.mtime(),
                1_000_000_000,
                "{name} in {}",
                folder.display()
            );
        }
    }
    // Without -p a new file has the source's bits within the umask, and what was there keeps its own.
    let fresh = job(&[there("web1", "kept/script")], &here(&lab.at("fresh")));
    copied(&mut client, fresh).await?;
    let meta = fs::metadata(lab.at("fresh"))?;
    assert_eq!(meta.mode() & 0o700, 0o700);
    assert!(meta.modified()? > then);
    fs::set_permissions(lab.at("fresh"), fs::Permissions::from_mode(0o604))?;
    let over = job(&[there("web1", "kept/secret")], &here(&lab.at("fresh")));
    copied(&mut client, over).await?;
    assert_eq!(fs::read_to_string(lab.at("fresh"))?, "secret");
    assert_eq!(fs::metadata(lab.at("fresh"))?.mode() & 0o7777, 0o604);
    let old = web.folder.join("kept/script");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o700))?;
    copied(
        &mut client,
        job(&[here(&lab.at("fresh"))], &there("web1", "kept/script")),
    )
    .await?;
    assert_eq!(fs::metadata(&old)?.mode() & 0o7777, 0o700);
    assert_eq!(fs::read_to_string(&old)?, "secret");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_its_owner_and_links_keep_leading_to_it() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    fs::write(lab.at("new"), "new")?;
    let real = web.folder.join("real");
    fs::write(&real, "old")?;
    // Only a superuser can give files away; for others the owner is the same anyway.
    let given = std::os::unix::fs::chown(&real, Some(12), Some(34)).is_ok();
    symlink("real", web.folder.join("alias"))?;
    copied(
        &mut client,
        job(&[here(&lab.at("new"))], &there("web1", "alias")),
    )
    .await?;
    assert!(fs::symlink_metadata(web.folder.join("alias"))?.is_symlink());
    assert_eq!(fs::read_to_string(&real)?, "new");
    let meta = fs::metadata(&real)?;
    assert!(!given || (meta.uid(), meta.gid()) == (12, 34));
    // A link that leads nowhere is replaced, not written through.
    symlink(lab.at("elsewhere"), lab.at("trap"))?;
    copied(
        &mut client,
        job(&[there("web1", "real")], &here(&lab.at("trap"))),
    )
    .await?;
    assert!(!lab.at("elsewhere").exists());
    assert_eq!(fs::read_to_string(lab.at("trap"))?, "new");
    // So is a link that waits under the name of the partial file.
    symlink(lab.at("elsewhere"), lab.at(".safe.qd-part"))?;
    copied(
        &mut client,
        job(&[there("web1", "real")], &here(&lab.at("safe"))),
    )
    .await?;
    assert!(!lab.at("elsewhere").exists());
    assert_eq!(fs::read_to_string(lab.at("safe"))?, "new");
    // A device is written where it stands.
    copied(
        &mut client,
        job(&[there("web1", "real")], &here(Path::new("/dev/null"))),
    )
    .await?;
    assert!(!fs::metadata("/dev/null")?.is_file());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_failure_does_not_keep_the_others() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    fs::create_dir(web.folder.join("in"))?;
    fs::write(web.folder.join("in/a"), "a")?;
    fs::write(web.folder.join("in/z"), "z")?;
    fs::create_dir(lab.at("out"))?;
    let sources = [
        there("web1", "in/a"),
        there("web1", "in/gone"),
        there("web1", "in/z"),
    ];
    let report = copy(&mut client, job(&sources, &here(&lab.at("out")))).await?;
    assert_eq!((report.files, report.failed.len()), (2, 1), "{report:?}");
    let words = &report.failed[0];
    assert!(
        words.contains("web1:in/gone") && words.contains("no such file"),
        "{words}"
    );
    // A folder under the name of a file, a file under the name of a folder, a name that is too long.
    fs::create_dir_all(lab.at("out/a/b"))
        .err()
        .ok_or("a file is in the way")?;
    fs::remove_file(lab.at("out/a"))?;
    fs::create_dir(lab.at("out/a"))?;
    let report = copy(
        &mut client,
        job(&[there("web1", "in/a")], &here(&lab.at("out/a/../a"))),
    )
    .await?;
    assert!(
        report.failed.is_empty(),
        "it goes into the folder: {report:?}"
    );
    let long = "x".repeat(300);
    let report = copy(
        &mut client,
        job(&[here(&lab.at("out/z"))], &there("web1", &long)),
    )
    .await?;
    assert!(report.failed[0].contains("too long"), "{report:?}");
    let close = "y".repeat(255);
    copied(
        &mut client,
        job(&[here(&lab.at("out/z"))], &there("web1", &close)),
    )
    .await?;
    assert_eq!(fs::read_to_string(web.folder.join(&close))?, "z");
    let several = [here(&lab.at("out/z")), here(&lab.at("out/a/a"))];
    let report = copy(&mut client, job(&several, &there("web1", "not-there"))).await?;
    assert!(report.failed[0].contains("no such folder"), "{report:?}");
    let report = copy(&mut client, job(&several, &there("web1", "in/z"))).await?;
    assert!(report.failed[0].contains("not a folder"), "{report:?}");
    let report = copy(
        &mut client,
        job(&[there("web1", "in/a")], &there("web1", "in/a")),
    )
    .await?;
    assert!(
        report.failed[0].contains("the file that is copied"),
        "{report:?}"
    );
    assert_eq!(fs::read_to_string(web.folder.join("in/a"))?, "a");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_to_host_goes_through_here() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let (one, two) = (serve(&lab, "one")?, serve(&lab, "two")?);
    let mut client = lab.client();
    plant(&one.folder.join("tree"))?;
    fs::write(one.folder.join("tree/big"), bytes(9_000_000))?;
    let mut across = job(&[there("one", "tree")], &there("two", "tree"));
    across.recursive = true;
    copied(&mut client, across).await?;
    assert!(tree(&one.folder.join("tree"))? == tree(&two.folder.join("tree"))?);
    // From several places at once.
    fs::write(lab.at("mine"), "mine")?;
    fs::create_dir(two.folder.join("all"))?;
    let sources = [
        here(&lab.at("mine")),
        there("one", "tree/one"),
        there("two", "tree/-rf"),
    ];
    copied(&mut client, job(&sources, &there("two", "all"))).await?;
    assert_eq!(tree(&two.folder.join("all"))?.len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patterns_and_homes_are_expanded_on_the_host() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    for folder in ["log/a", "log/b", "log/c"] {
        fs::create_dir_all(web.folder.join(folder))?;
    }
    for name in ["a/x.log", "b/y.log", "b/.z.log", "c/x.txt", "c/[odd]*.log"] {
        fs::write(web.folder.join("log").join(name), name)?;
    }
    let cases: [(&str, &[&str]); 6] = [
        ("~/log/[ab]/*.log", &["x.log", "y.log"]),
        ("log/?/x.*", &["x.log", "x.txt"]),
        ("log/c/[odd]*.log", &["[odd]*.log"]),
        ("log/c/\\[odd\\]\\*.log", &["[odd]*.log"]),
        ("./log/b/.z*", &[".z.log"]),
        ("~/log/c/x.txt", &["x.txt"]),
    ];
    for (pattern, names) in cases {
        let out = lab.at("globbed");
        fs::create_dir(&out)?;
        copied(&mut client, job(&[there("web1", pattern)], &here(&out))).await?;
        let found: Vec<String> = tree(&out)?
            .into_keys()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(found, names, "{pattern}");
        fs::remove_dir_all(&out)?;
    }
    let report = copy(
        &mut client,
        job(&[there("web1", "log/*.none")], &here(&lab.at("x"))),
    )
    .await?;
    assert!(
        report.failed[0].contains("no name there is like it"),
        "{report:?}"
    );
    Ok(())
}

fn progress(fact: &SshFact, wanted: ReqId) -> Option<CopyProgress> {
    match fact {
        SshFact::CopyProgress { req, progress } if *req == wanted => Some(progress.clone()),
        _ => None,
    }
}

/// A file that no disk takes before a copy of it can be cut off.
const BIG: u64 = 192 << 20;

/// Cuts a copy off in the middle with `cut`, then goes on with it.
async fn cut_and_go_on(
    lab: &Lab,
    client: &mut Client,
    plan: CopyJob,
    to: &Path,
    cut: impl Fn(&Client, ReqId),
) -> Result<(CopyReport, CopyReport), Failed> {
    let req = start(client, plan.clone());
    loop {
        let now = client.until(|fact| progress(fact, req)).await?;
        assert!(
            now.bytes_done < BIG,
            "it was over before it could be cut off"
        );
        if now.bytes_done > 12 << 20 {
            break;
        }
    }
    cut(client, req);
    let first = report(client, req).await??;
    assert!(!to.exists(), "a half file has the name");
    let folder = to.parent().ok_or("it lies in a folder")?;
    assert_eq!(leftovers(folder)?.len(), 1, "{first:?}");
    assert!(
        first.notes.iter().any(|note| note.contains("--resume")),
        "{first:?}"
    );
    let mut again = plan;
    again.resume = true;
    let second = copied(client, again).await?;
    assert!(second.resumed > 4 << 20, "{second:?}");
    assert_eq!(second.resumed + second.bytes, BIG, "{second:?}");
    assert!(
        fs::read(to)? == fs::read(lab.at("big"))?,
        "the contents differ"
    );
    assert!(leftovers(folder)?.is_empty());
    Ok((first, second))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_was_cut_off_goes_on() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _web = serve(&lab, "web1")?;
    let mut client = lab.client();
    fs::write(lab.at("big"), bytes(BIG as usize))?;
    fs::create_dir(lab.at("out"))?;
    let to = lab.at("out/copy");
    let plan = job(&[there("web1", lab.at("big"))], &here(&to));
    let (first, _) = cut_and_go_on(&lab, &mut client, plan, &to, |client, _| {
        let target = client.target("web1");
        client.engine.send(SshAsk::Disconnect { target });
    })
    .await?;
    assert!(first.lost.is_some() && !first.stopped, "{first:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_stopped_goes_on() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    fs::write(lab.at("big"), bytes(BIG as usize))?;
    fs::create_dir(web.folder.join("in"))?;
    let to = web.folder.join("in/copy");
    let plan = job(&[here(&lab.at("big"))], &there("web1", "in/copy"));
    let (first, _) = cut_and_go_on(&lab, &mut client, plan.clone(), &to, |client, req| {
        client.engine.send(SshAsk::Cancel { req });
    })
    .await?;
    assert!(first.stopped && first.lost.is_none(), "{first:?}");
    // What is whole already is not copied again.
    let mut again = plan;
    again.resume = true;
    let third = copied(&mut client, again).await?;
    assert_eq!((third.bytes, third.resumed), (0, BIG));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_line_broke_goes_on() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "direct")?;
    let line = lab.through("web1", &web, Line::default(), "").await?;
    let mut client = lab.client();
    fs::write(lab.at("big"), bytes(BIG as usize))?;
    fs::create_dir(web.folder.join("in"))?;
    let to = web.folder.join("in/copy");
    let plan = job(&[here(&lab.at("big"))], &there("web1", "in/copy"));
    let (first, _) = cut_and_go_on(&lab, &mut client, plan, &to, |_, _| line.cut()).await?;
    assert!(first.lost.is_some() && !first.stopped, "{first:?}");
    assert_eq!(line.accepted(), 2, "one connection before, one after");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partial_file_of_something_else_is_not_gone_on_with() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    let source = web.folder.join("source");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::write(&source, bytes(300_000))?;
    fs::File::open(&source)?.set_modified(long_ago)?;
    let part = lab.at(".copy.qd-part");
    let mut plan = job(&[there("web1", "source")], &here(&lab.at("copy")));
    plan.resume = true;
    let mut other = bytes(300_000);
    other[99_999] ^= 1;
    other.truncate(100_000);
    let newer = SystemTime::now() + Duration::from_secs(3600);
    let cases: [(Vec<u8>, Option<SystemTime>, &str, u64); 4] = [
        (bytes(100_000), None, "", 100_000),
        (other, None, "not the file", 0),
        (bytes(400_000), None, "smaller", 0),
        (bytes(100_000), Some(newer), "changed since", 0),
    ];
    for (left, touched, words, resumed) in cases {
        fs::remove_file(lab.at("copy")).ok();
        fs::write(&part, left)?;
        if let Some(newer) = touched {
            fs::File::open(&source)?.set_modified(newer)?;
        }
        let report = copied(&mut client, plan.clone()).await?;
        assert_eq!(report.resumed, resumed, "{report:?}");
        let told = report.notes.iter().any(|note| note.contains(words));
        assert!(words.is_empty() || told, "{words}: {report:?}");
        assert!(fs::read(lab.at("copy"))? == bytes(300_000), "{words}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_on_its_way_when_an_upload_broke_is_sent_again() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    let whole = bytes(16 << 20);
    fs::write(lab.at("source"), &whole)?;
    // The host wrote the last block before those in front of it, then the line broke: the end is right, a hole is not.
    let mut left = whole.clone();
    left.truncate(12 << 20);
    let hole = left.len() - 200_000..left.len() - 100_000;
    left.get_mut(hole).ok_or("a hole")?.fill(0);
    fs::write(web.folder.join(".copy.qd-part"), left)?;
    let mut plan = job(&[here(&lab.at("source"))], &there("web1", "copy"));
    plan.resume = true;
    let report = copied(&mut client, plan).await?;
    assert!(
        report.resumed > 0 && report.resumed < 12 << 20,
        "{report:?}"
    );
    assert!(fs::read(web.folder.join("copy"))? == whole, "{report:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_small_files_take_little_time() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    let root = lab.at("many");
    for folder in 0..20 {
        fs::create_dir_all(root.join(folder.to_string()))?;
        for file in 0..100 {
            let path = root.join(format!("{folder}/{file}"));
            fs::write(path, format!("{folder}/{file}"))?;
        }
    }
    let mut up = job(&[here(&root)], &there("web1", "many"));
    up.recursive = true;
    assert_eq!(copied(&mut client, up).await?.files, 2000);
    let mut down = job(&[there("web1", "many")], &here(&lab.at("back")));
    down.recursive = true;
    assert_eq!(copied(&mut client, down).await?.files, 2000);
    assert_eq!(tree(&web.folder.join("many"))?, tree(&root)?);
    assert_eq!(tree(&lab.at("back"))?, tree(&root)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_are_listed_and_names_changed() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web: Sshd = serve(&lab, "web1")?;
    let mut client = lab.client();
    let root = web.folder.join("look");
    fs::create_dir_all(root.join("Zeta/deep/er"))?;
    fs::write(root.join("Zeta/deep/er/x"), "x")?;
    fs::create_dir(root.join("alpha"))?;
    fs::write(root.join("b"), "12345")?;
    fs::write(root.join("A"), "")?;
    symlink("Zeta", root.join("mirror"))?;
    symlink("gone", root.join("nowhere"))?;
    for host in [Some("web1"), None] {
        let path = root.display().to_string();
        let listing = ask(&mut client, host, FilesAsk::List(path.clone())).await??;
        assert_eq!(listing.path, path);
        let names: Vec<_> = listing
            .entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.folder))
            .collect();
        let expected = [
            ("alpha", true),
            ("mirror", true),
            ("Zeta", true),
            ("A", false),
            ("b", false),
            ("nowhere", false),
        ];
        assert_eq!(names, expected, "{host:?}");
        let b = &listing.entries[4];
        assert_eq!((b.size, b.mode & 0o600), (5, 0o600));
        assert!(b.modified.is_some() && !b.owner.is_empty());
        assert_eq!(listing.entries[5].target.as_deref(), Some("gone"));
        let one = ask(&mut client, host, FilesAsk::Stat(format!("{path}/mirror"))).await??;
        assert_eq!(one.entries.len(), 1);
        assert!(one.entries[0].folder && one.entries[0].target.as_deref() == Some("Zeta"));

        let made = FilesAsk::MakeFolder(format!("{path}/made"));
        ask(&mut client, host, made.clone()).await??;
        let why = ask(&mut client, host, made)
            .await?
            .err()
            .ok_or("made twice")?;
        assert!(why.contains("there already"), "{why}");
        let rename = |from: &str, to: &str| FilesAsk::Rename {
            from: format!("{path}/{from}"),
            to: format!("{path}/{to}"),
        };
        ask(&mut client, host, rename("made", "renamed")).await??;
        let why = ask(&mut client, host, rename("renamed", "b")).await?;
        assert!(why.is_err_and(|why| why.contains("there already")));
        assert_eq!(fs::read_to_string(root.join("b"))?, "12345");
        ask(
            &mut client,
            host,
            FilesAsk::Remove(format!("{path}/renamed")),
        )
        .await??;
    }
    // A link goes, not what it leads to; a folder goes with all that is in it.
    let path = root.display().to_string();
    ask(
        &mut client,
        Some("web1"),
        FilesAsk::Remove(format!("{path}/mirror")),
    )
    .await??;
    assert!(root.join("Zeta/deep/er/x").exists());
    ask(
        &mut client,
        Some("web1"),
        FilesAsk::Remove(format!("{path}/Zeta")),
    )
    .await??;
    assert!(!root.join("Zeta").exists());
    let why = ask(&mut client, Some("web1"), FilesAsk::Remove("/".to_owned())).await?;
    assert!(why.is_err());
    let home = ask(&mut client, Some("web1"), FilesAsk::List(String::new())).await??;
    assert!(
        home.entries.iter().any(|entry| entry.name == "look"),
        "{home:?}"
    );
    let why = ask(&mut client, Some("web1"), FilesAsk::List("none".to_owned())).await?;
    let why = why.err().ok_or("it is not there")?;
    assert!(
        why.contains("web1:none") && why.contains("no such"),
        "{why}"
    );
    let sessions = web
        .log
        .text()
        .matches("Starting session: subsystem 'sftp'")
        .count();
    assert_eq!(sessions, 1, "listings share one session");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_for_files_only_serves_and_one_without_files_says_so() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let folder = lab.at("server-files");
    let forced = format!(
        "Subsystem sftp internal-sftp\nForceCommand internal-sftp -d {}",
        folder.display()
    );
    let files = lab.server("files", "", &forced)?;
    let _none = lab.server("none", "", "")?;
    let _broken = lab.server("broken", "", "Subsystem sftp /no/such/program")?;
    let chatty = format!(
        "{}\nForceCommand echo Welcome to this host, dear friend",
        internal(&lab, "chatty")
    );
    let _chatty = lab.server("chatty", "", &chatty)?;
    let mut client = lab.client();
    fs::write(lab.at("x"), "x")?;
    copied(
        &mut client,
        job(&[here(&lab.at("x"))], &there("files", "x")),
    )
    .await?;
    assert_eq!(fs::read_to_string(files.folder.join("x"))?, "x");
    for (host, words) in [
        ("none", "Subsystem sftp internal-sftp"),
        ("broken", "Subsystem sftp"),
        ("chatty", "Welcome"),
    ] {
        let req = start(&client, job(&[here(&lab.at("x"))], &there(host, "x")));
        let why = report(&mut client, req)
            .await?
            .err()
            .ok_or("it cannot work")?;
        assert!(why.contains(words) && why.contains(host), "{why}");
    }
    Ok(())
}
