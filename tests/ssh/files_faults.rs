//! Files where something is against us: a host that lies, a disk that is full, rights that are missing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use quarterdeck::ssh::FilesAsk;

use super::files::{ask, bytes, copied, copy, here, job, serve, there, tree};
use crate::support::hostile::Hostile;
use crate::support::lab::{Failed, Lab};
use crate::support::sshd::keygen;

async fn hostile(lab: &Lab) -> Result<Hostile, Failed> {
    keygen(&lab.at("hostile-key"), "ed25519", "")?;
    let server = Hostile::start(&lab.at("hostile-key")).await?;
    lab.host("bad", server.port, "")?;
    lab.know(server.port, &server.key)?;
    Ok(server)
}

/// CVE-2019-6111 and its kin: names that lead out of the destination.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_host_writes_nowhere_but_into_the_destination() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _bad = hostile(&lab).await?;
    let mut client = lab.client();
    fs::create_dir_all(lab.at("outer/out"))?;
    let mut plan = job(&[there("bad", "tree")], &here(&lab.at("outer/out")));
    plan.recursive = true;
    let report = copy(&mut client, plan).await?;
    let refused = |words: &str| {
        let found = report.failed.iter().filter(|line| line.contains(words));
        found.count()
    };
    assert_eq!(refused("leads elsewhere"), 5, "{report:?}");
    assert_eq!(refused("in each other"), 1, "{report:?}");
    assert!(
        report
            .failed
            .iter()
            .all(|line| !line.contains(char::is_control)),
        "{report:?}"
    );
    let outer: Vec<_> = fs::read_dir(lab.at("outer"))?.flatten().collect();
    assert_eq!(outer.len(), 1, "{outer:?}");
    let tree = tree(&lab.at("outer/out"))?;
    let files = tree.values().flatten().count();
    assert_eq!(files, 2, "good and the red one");
    assert_eq!(
        fs::read(lab.at("outer/out/tree/good"))?,
        Hostile::contents(5)
    );
    // A pattern takes only names that are names.
    fs::create_dir(lab.at("globbed"))?;
    let report = copy(
        &mut client,
        job(&[there("bad", "tree/*")], &here(&lab.at("globbed"))),
    )
    .await?;
    assert!(report.lost.is_none(), "{report:?}");
    assert!(!lab.at("escape").exists() && !lab.at("outer/escape").exists());
    let listing = ask(&mut client, Some("bad"), FilesAsk::List("tree".to_owned())).await??;
    assert!(
        listing
            .entries
            .iter()
            .all(|entry| !entry.name.contains('/'))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_that_are_lies_do_no_harm() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let _bad = hostile(&lab).await?;
    let mut client = lab.client();
    copied(
        &mut client,
        job(&[there("bad", "stingy")], &here(&lab.at("stingy"))),
    )
    .await?;
    assert!(fs::read(lab.at("stingy"))? == Hostile::contents(100_000));
    for (name, words) in [("shrinks", "became shorter"), ("generous", "other bytes")] {
        let report = copy(
            &mut client,
            job(&[there("bad", name)], &here(&lab.at(name))),
        )
        .await?;
        assert!(report.failed[0].contains(words), "{report:?}");
        assert!(!lab.at(name).exists(), "{name} is not whole");
        assert!(!lab.at(&format!(".{name}.qd-part")).exists());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_extensions_is_used_within_the_standard() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let folder = lab.at("server-plain");
    let denied = "posix-rename,statvfs,limits,expand-path,fsync,hardlink,lsetstat";
    let subsystem = format!(
        "Subsystem sftp internal-sftp -P {denied} -d {}",
        folder.display()
    );
    let plain = lab.server("plain", "", &subsystem)?;
    let mut client = lab.client();
    fs::write(lab.at("new"), bytes(1_000_000))?;
    fs::write(plain.folder.join("old"), "old")?;
    copied(
        &mut client,
        job(&[here(&lab.at("new"))], &there("plain", "old")),
    )
    .await?;
    assert!(fs::read(plain.folder.join("old"))? == bytes(1_000_000));
    let names: Vec<_> = tree(&plain.folder)?.into_keys().collect();
    assert!(
        !names
            .iter()
            .any(|name| name.to_string_lossy().contains("qd-part"))
    );
    copied(
        &mut client,
        job(&[there("plain", "old")], &here(&lab.at("back"))),
    )
    .await?;
    assert!(fs::read(lab.at("back"))? == bytes(1_000_000));
    Ok(())
}

/// A small disk of its own; none where mounting is not allowed.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        fs::create_dir_all(at).ok()?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(at);
        let output = mount.output().ok()?;
        output.status.success().then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.0).status().ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_named_and_the_others_go_on() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let (far, near) = (web.folder.join("small"), lab.at("small"));
    let (Some(_far), Some(_near)) = (SmallDisk::mount(&far), SmallDisk::mount(&near)) else {
        return Ok(());
    };
    let mut client = lab.client();
    fs::write(lab.at("big"), bytes(3 << 20))?;
    fs::write(lab.at("little"), "little")?;
    let local = [here(&lab.at("big")), here(&lab.at("little"))];
    let remote = [
        there("web1", lab.at("big")),
        there("web1", lab.at("little")),
    ];
    for (from, to, folder) in [
        (&local, there("web1", "small"), &far),
        (&remote, here(&near), &near),
    ] {
        let report = copy(&mut client, job(from, &to)).await?;
        assert_eq!((report.files, report.failed.len()), (1, 1), "{report:?}");
        assert!(report.failed[0].contains("no space is left"), "{report:?}");
        let names: Vec<_> = tree(folder)?.into_keys().collect();
        assert_eq!(names, [Path::new("little")], "what is not whole is gone");
    }
    Ok(())
}

/// Rights bind everybody but a superuser, so as one the test serves and copies as somebody else would have to; there it
/// checks only what a superuser meets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_rights_are_named() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    let locked = web.folder.join("locked");
    fs::create_dir(&locked)?;
    fs::write(locked.join("secret"), "secret")?;
    fs::write(lab.at("x"), "x")?;
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000))?;
    let bound = fs::metadata(&locked)?.uid() != 0;
    let down = copy(
        &mut client,
        job(&[there("web1", "locked/secret")], &here(&lab.at("y"))),
    )
    .await?;
    let up = copy(
        &mut client,
        job(&[here(&lab.at("x"))], &there("web1", "locked/x")),
    )
    .await?;
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700))?;
    for report in [down, up] {
        let denied = report
            .failed
            .iter()
            .any(|line| line.contains("permission denied"));
        assert_eq!(denied, bound, "{report:?}");
    }
    // Where nobody may write at all.
    let report = copy(
        &mut client,
        job(&[here(&lab.at("x"))], &there("web1", "/proc/nothing")),
    )
    .await?;
    assert_eq!(report.failed.len(), 1, "{report:?}");
    assert!(
        report.failed[0].contains("web1:/proc/nothing"),
        "{report:?}"
    );
    // What the system makes up when it is read has no size.
    copied(
        &mut client,
        job(
            &[there("web1", "/proc/self/status")],
            &here(&lab.at("status")),
        ),
    )
    .await?;
    assert!(fs::read_to_string(lab.at("status"))?.contains("Name:"));
    Ok(())
}

/// The memory of this process in KiB, where the system tells.
fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_no_text_arrive_as_they_are() -> Result<(), Failed> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let lab = Lab::new()?;
    let web = serve(&lab, "web1")?;
    let mut client = lab.client();
    let root = web.folder.join("odd");
    fs::create_dir(&root)?;
    for name in [&b"latin-\xfc"[..], b"latin-\xf6", b"\x1b]0;x\x07"] {
        fs::write(root.join(OsStr::from_bytes(name)), name)?;
    }
    let mut down = job(&[there("web1", "odd")], &here(&lab.at("odd")));
    down.recursive = true;
    copied(&mut client, down).await?;
    assert_eq!(tree(&lab.at("odd"))?, tree(&root)?);
    let mut up = job(&[here(&lab.at("odd"))], &there("web1", "back"));
    up.recursive = true;
    copied(&mut client, up).await?;
    assert_eq!(tree(&web.folder.join("back"))?, tree(&root)?);
    Ok(())
}

/// Host to host with a reader that is slower than the writer: what is on its way is bounded. The file is far larger than
/// what may be under way, and the high-water mark of the whole test process is looked at, so the bound is generous.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_by_what_is_under_way() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let (one, two) = (serve(&lab, "one")?, serve(&lab, "two")?);
    let mut client = lab.client();
    // A file with a hole takes no room at its source.
    fs::File::create(one.folder.join("big"))?.set_len(256 << 20)?;
    let before = memory();
    copied(
        &mut client,
        job(&[there("one", "big")], &there("two", "big")),
    )
    .await?;
    assert_eq!(fs::metadata(two.folder.join("big"))?.len(), 256 << 20);
    if let (Some(before), Some(after)) = (before, memory()) {
        let grown = after.saturating_sub(before);
        assert!(grown < 128 << 10, "{grown} KiB more");
    }
    Ok(())
}
