//! The commands of the SSH remote in the shells of this machine, without SSH: dash, bash, busybox, and login shells that are
//! none of these; then hosts that lie.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use quarterdeck::sync::{
    Carried, Carrier, DirectoryRemote, Head, HostAddress, HostRemote, Mishap, NewFile, ObjectKind,
    Put, Ran, Remote, RemoteError, SegmentName,
};

use super::conformance::{conforms, device, nasty};
use crate::support::lab::Failed;

/// A machine of its own in a folder: a login shell and a PATH.
struct Machine {
    login: Vec<String>,
    path: String,
    home: PathBuf,
    /// Commands so far.
    ran: Mutex<Vec<String>>,
    /// So many bytes of the input are lost when the connection breaks; none if it does not.
    cut: Mutex<Option<usize>>,
}

impl Machine {
    fn new(login: &[&str], path: &str, home: &Path) -> Arc<Self> {
        Arc::new(Self {
            login: login.iter().map(|&word| word.to_owned()).collect(),
            path: path.to_owned(),
            home: home.to_owned(),
            ran: Mutex::default(),
            cut: Mutex::default(),
        })
    }

    fn count(&self) -> usize {
        self.ran
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    fn run(&self, command: &str, input: &[u8], limit: usize) -> Result<Ran, std::io::Error> {
        let mut words = self.login.iter();
        let mut child = Command::new(words.next().map_or("sh", String::as_str))
            .args(words)
            .arg(command)
            .env("PATH", &self.path)
            .env("LC_ALL", "C.UTF-8")
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take();
        let input = input.to_vec();
        let feeding = std::thread::spawn(move || {
            // A command need not read all.
            stdin.as_mut().map(|stdin| stdin.write_all(&input).ok());
        });
        let done = child.wait_with_output()?;
        feeding.join().ok();
        let endless = done.stdout.len() > limit;
        Ok(Ran {
            status: done.status.code().and_then(|code| u32::try_from(code).ok()),
            out: done.stdout,
            err: done.stderr,
            endless,
        })
    }
}

fn no_sftp<T>() -> Result<T, Mishap> {
    Err(Mishap::Refused("no SFTP here".to_owned()))
}

/// SFTP that is not there, for carriers of tests that only run commands.
macro_rules! without_sftp {
    () => {
        fn host(&self) -> String {
            "machine".to_owned()
        }
        fn mode<'a>(&'a self, _: &'a str) -> Carried<'a, u32> {
            Box::pin(async { no_sftp() })
        }
        fn names<'a>(&'a self, _: &'a str, _: usize) -> Carried<'a, Vec<Vec<u8>>> {
            Box::pin(async { no_sftp() })
        }
        fn read<'a>(&'a self, _: &'a str, _: usize) -> Carried<'a, Vec<u8>> {
            Box::pin(async { no_sftp() })
        }
        fn create(&self, _: NewFile) -> Carried<'_, Put> {
            Box::pin(async { no_sftp() })
        }
        fn replace(&self, _: NewFile) -> Carried<'_, ()> {
            Box::pin(async { no_sftp() })
        }
        fn touch<'a>(&'a self, _: &'a str, _: u32) -> Carried<'a, ()> {
            Box::pin(async { no_sftp() })
        }
        fn remove(&self, _: Vec<String>) -> Carried<'_, ()> {
            Box::pin(async { no_sftp() })
        }
        fn make_folder<'a>(&'a self, _: &'a str, _: u32) -> Carried<'a, ()> {
            Box::pin(async { no_sftp() })
        }
        fn replaces(&self, _: String, _: String) -> Carried<'_, bool> {
            Box::pin(async { no_sftp() })
        }
    };
}

impl Carrier for Machine {
    without_sftp!();

    fn exec(&self, command: String, input: Vec<u8>, limit: usize) -> Carried<'_, Ran> {
        Box::pin(async move {
            let mut ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
            ran.push(command.clone());
            drop(ran);
            let cut = *self.cut.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = cut.map_or(input.len(), |lost| input.len().saturating_sub(lost));
            let input = input.get(..kept).unwrap_or_default();
            let done = self.run(&command, input, limit);
            if cut.is_some() {
                return Err(Mishap::Unreachable("the line was cut".to_owned()));
            }
            done.map_err(|why| Mishap::Failed(why.to_string()))
        })
    }
}

/// A folder with the programs that `sh` and the others are on this machine.
fn programs(home: &Path, sh: &str) -> Result<String, Failed> {
    let folder = home.join("bin");
    fs::create_dir(&folder)?;
    if sh == "busybox" {
        let busybox = find("busybox").ok_or("busybox is not installed; tests/run installs it")?;
        let names = Command::new(&busybox).arg("--list").output()?;
        for name in String::from_utf8(names.stdout)?.lines() {
            symlink(&busybox, folder.join(name))?;
        }
        return Ok(folder.display().to_string());
    }
    symlink(find(sh).ok_or("a shell is not there")?, folder.join("sh"))?;
    Ok(format!("{}:/usr/bin:/bin", folder.display()))
}

fn find(program: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}

fn bag(machine: &Arc<Machine>, path: &str) -> Result<HostRemote, Failed> {
    let carrier: Arc<dyn Carrier> = Arc::<Machine>::clone(machine);
    let address = HostAddress::parse(&format!("ssh://machine{path}"))?;
    Ok(HostRemote::new(carrier, &address))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_work_in_every_shell() -> Result<(), Failed> {
    for sh in ["dash", "bash", "busybox"] {
        let home = tempfile::tempdir()?;
        let path = programs(home.path(), sh)?;
        let machine = Machine::new(&["sh", "-c"], &path, home.path());
        // A name that a shell would read otherwise.
        let bag = bag(&machine, "/~/our bag's $HOME `x` \\n!")?;
        bag.create().await?;
        conforms(&bag).await.map_err(|why| format!("{sh}: {why}"))?;
        assert_eq!(bag.has_shell().await, Some(true));
        let folder = home.path().join("our bag's $HOME `x` \\n!");
        let other = DirectoryRemote::new(&folder);
        assert_eq!(other.heads().await?.names.len(), 3, "{sh}");
        assert!(leftovers(&folder)?.is_empty(), "{sh}");
    }
    Ok(())
}

/// Hidden files anywhere in a bag.
fn leftovers(root: &Path) -> Result<Vec<PathBuf>, Failed> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path.clone());
            }
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'))
            {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_login_shell_may_be_any_and_may_greet() -> Result<(), Failed> {
    for login in [
        &["fish", "-c"][..],
        &["tcsh", "-c"],
        &["mksh", "-c"],
        &["bash", "-c"],
    ] {
        let Some(shell) = login.first().and_then(|name| find(name)) else {
            continue;
        };
        let home = tempfile::tempdir()?;
        let greeting = home.path().join("greets");
        fs::write(
            &greeting,
            format!(
                "#!/bin/sh\necho 'Welcome to qd1C'; echo again >&2; exec {} \"$@\"\n",
                shell.display()
            ),
        )?;
        fs::set_permissions(&greeting, fs::Permissions::from_mode(0o755))?;
        let greeting = greeting.display().to_string();
        let machine = Machine::new(&[&greeting, "-c"], "/usr/bin:/bin", home.path());
        let root = home.path().join("it's a \\bag!");
        let place = root.display().to_string().replace(' ', "%20");
        let bag = bag(&machine, &place)?;
        bag.create().await?;
        conforms(&bag)
            .await
            .map_err(|why| format!("{login:?}: {why}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_is_one_command_and_permissions_are_those_of_a_folder() -> Result<(), Failed> {
    for shared in [false, true] {
        let home = tempfile::tempdir()?;
        let (ours, theirs) = (home.path().join("ours"), home.path().join("theirs"));
        for root in [&ours, &theirs] {
            fs::create_dir(root)?;
            let mode = if shared { 0o2770 } else { 0o700 };
            fs::set_permissions(root, fs::Permissions::from_mode(mode))?;
        }
        let machine = Machine::new(&["sh", "-c"], "/usr/bin:/bin", home.path());
        let host = bag(&machine, &ours.display().to_string())?;
        host.create().await?;
        let folder = DirectoryRemote::create(&theirs)?;
        let one = device("one");
        for bag in [&host as &dyn Remote, &folder] {
            bag.heads().await?;
            for first in 1..=3 {
                let head = Head {
                    device: one,
                    seq: first,
                };
                let put = bag.publish(SegmentName::fresh(one, first), nasty(), head);
                assert_eq!(put.await?, Put::Created);
                bag.heads().await?;
            }
        }
        assert_eq!(modes(&ours)?, modes(&theirs)?, "shared: {shared}");
        // From the second on nothing is out of the ordinary.
        for first in 4..=6 {
            let before = machine.count();
            let head = Head {
                device: one,
                seq: first,
            };
            host.publish(SegmentName::fresh(one, first), nasty(), head)
                .await?;
            assert_eq!(machine.count(), before + 1);
            let heard = host.overheard().ok_or("heads came along")?;
            assert_eq!(heard.names, [head]);
            assert_eq!(host.overheard(), None, "once");
        }
        let before = machine.count();
        host.heads().await?;
        host.list(one, 1).await?;
        host.get(SegmentName::fresh(one, 1)).await?;
        host.objects(ObjectKind::Roster).await?;
        assert_eq!(machine.count(), before + 4);
        assert_eq!(fs::read_dir(ours.join("heads"))?.count(), 1);
    }
    Ok(())
}

/// Every path in a bag with its permission bits.
fn modes(root: &Path) -> Result<Vec<(String, u32)>, Failed> {
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
async fn a_line_cut_in_the_middle_leaves_nothing_half_written() -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    let machine = Machine::new(&["sh", "-c"], "/usr/bin:/bin", home.path());
    let root = home.path().join("bag");
    let bag = bag(&machine, &root.display().to_string())?;
    bag.create().await?;
    let one = device("one");
    // Long enough to come on standard input.
    let content = nasty().repeat(20);
    let publish = |first: u64| {
        let head = Head {
            device: one,
            seq: first,
        };
        bag.publish(SegmentName::fresh(one, first), content.clone(), head)
    };
    bag.set_head(Head {
        device: one,
        seq: 0,
    })
    .await?;
    // The first way, which looks closely, and the second, which does it all at once; each loses the end of its input.
    for (first, lost) in [(1, 1), (1, 1000), (2, 1), (2, 1000)] {
        *machine.cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(lost);
        let cut = publish(first).await;
        assert!(
            matches!(cut, Err(RemoteError::Unreachable { .. })),
            "{cut:?}"
        );
        *machine.cut.lock().unwrap_or_else(PoisonError::into_inner) = None;
        assert!(leftovers(&root)?.is_empty(), "{first} without {lost}");
        let missing = bag.get(SegmentName::fresh(one, first)).await;
        assert!(
            matches!(missing, Err(RemoteError::NotFound { .. })),
            "{missing:?}"
        );
        if lost == 1000 {
            assert_eq!(publish(first).await?, Put::Created);
        }
    }
    // All was done and only the answer was lost: saying it again finds it there, with the same content.
    *machine.cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(0);
    assert!(publish(3).await.is_err());
    *machine.cut.lock().unwrap_or_else(PoisonError::into_inner) = None;
    assert_eq!(publish(3).await?, Put::Exists);
    assert_eq!(bag.get(SegmentName::fresh(one, 3)).await?, content);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bag_that_is_not_there_is_no_empty_bag() -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    let machine = Machine::new(&["sh", "-c"], "/usr/bin:/bin", home.path());
    let bag = bag(&machine, &home.path().join("bag").display().to_string())?;
    let one = device("one");
    let head = Head {
        device: one,
        seq: 1,
    };
    let name = SegmentName::fresh(one, 1);
    let answers = [
        bag.heads().await.err(),
        bag.list(one, 1).await.err(),
        bag.get(name).await.err(),
        bag.publish(name, nasty(), head).await.err(),
        bag.put_new(name, nasty()).await.err(),
        bag.set_head(head).await.err(),
        bag.objects(ObjectKind::Roster).await.err(),
    ];
    for answer in answers {
        let why = answer.ok_or("an error")?;
        assert!(matches!(why, RemoteError::Unreachable { .. }), "{why:?}");
        assert!(why.to_string().contains("no sync folder"), "{why}");
    }
    bag.create().await?;
    // A folder or a fifo of the name is nothing that can be read, and nothing is written over it.
    fs::create_dir_all(home.path().join(format!("bag/logs/{one}/1.seg")))?;
    assert!(matches!(
        bag.get(name).await,
        Err(RemoteError::NotFound { .. })
    ));
    assert_eq!(bag.put_new(name, nasty()).await?, Put::Exists);
    Ok(())
}

/// A host that answers what it likes.
struct Liar(Box<dyn Fn(&str) -> Ran + Send + Sync>);

impl Carrier for Liar {
    without_sftp!();

    fn exec(&self, command: String, _: Vec<u8>, limit: usize) -> Carried<'_, Ran> {
        Box::pin(async move {
            let mut ran = if command.contains(".qd-no") {
                said(b"qd1s\n")
            } else {
                (self.0)(&command)
            };
            if ran.out.len() > limit {
                ran.out.truncate(limit);
                ran.endless = true;
            }
            Ok(ran)
        })
    }
}

fn said(out: &[u8]) -> Ran {
    Ran {
        status: Some(0),
        out: out.to_vec(),
        ..Ran::default()
    }
}

fn lied(answer: impl Fn(&str) -> Ran + Send + Sync + 'static) -> Result<HostRemote, Failed> {
    let address = HostAddress::parse("ssh://liar/bag")?;
    Ok(HostRemote::new(Arc::new(Liar(Box::new(answer))), &address))
}

#[tokio::test]
async fn a_host_that_lies_is_not_believed() -> Result<(), Failed> {
    let one = device("one");
    let name = SegmentName::fresh(one, 1);
    // Names that nobody of us writes are told, few of them and harmless to look at; hidden ones are nobody's business.
    let mut names = b"qd1\n.hidden\n../../etc/passwd\n\x1b[2J\n\xff\xfe\n".to_vec();
    names.extend(format!("{one}-7\n{one}-007\n{one}-99999999999999999999\n").bytes());
    names.extend((0..1000).flat_map(|n| format!("x{n}$(reboot)\n").into_bytes()));
    names.extend(std::iter::repeat_n(b'a', 100_000));
    let bag = lied(move |_| said(&names))?;
    let listing = bag.heads().await?;
    assert_eq!(
        listing.names,
        [Head {
            device: one,
            seq: 7
        }]
    );
    assert_eq!(listing.strange.len(), 8);
    assert!(
        listing
            .strange
            .iter()
            .all(|name| name.len() < 2000 && !name.contains('\x1b'))
    );
    // More than anything of ours.
    let bag = lied(|_| said(&[&b"qd1\n"[..], &vec![b'x'; 60 << 20]].concat()))?;
    let answers = [bag.heads().await.err(), bag.get(name).await.err()];
    for answer in answers {
        let why = answer.ok_or("an error")?;
        assert!(matches!(why, RemoteError::TooLong { .. }), "{why:?}");
    }
    // Answers that are none, or come from a command that failed.
    for out in [&b""[..], b"qd", b"xqd1C", b"qd1", b"qd1X", b"Welcome!\n"] {
        let bag = lied(move |_| said(out))?;
        let head = Head {
            device: one,
            seq: 1,
        };
        assert!(bag.put_new(name, nasty()).await.is_err(), "{out:?}");
        assert!(bag.publish(name, nasty(), head).await.is_err(), "{out:?}");
        assert!(bag.get(name).await.is_err(), "{out:?}");
    }
    for status in [Some(1), Some(127), None] {
        let bag = lied(move |_| Ran {
            status,
            ..said(b"qd1\nhalf of it")
        })?;
        let why = bag.get(name).await.err().ok_or("an error")?;
        assert!(!matches!(why, RemoteError::NotFound { .. }), "{why:?}");
    }
    // What it says in the heads that come along never reaches a command.
    let evil = "abcd'; touch owned; '-1";
    let bag = lied(move |command| {
        assert!(!command.contains("owned"), "{command}");
        if command.contains("cut -b") {
            said(format!("\nqd1C\n{evil}\n").as_bytes())
        } else if command.contains("x=97") {
            said(b"\nqd1Cp\n")
        } else {
            said(format!("\nqd1C\n{}-1\n{evil}\n", device("one")).as_bytes())
        }
    })?;
    bag.heads().await?;
    for first in 2..6 {
        let head = Head {
            device: one,
            seq: first,
        };
        bag.publish(SegmentName::fresh(one, first), nasty(), head)
            .await?;
        assert_eq!(bag.overheard(), None);
    }
    Ok(())
}

#[tokio::test]
async fn a_host_with_neither_is_told_in_words() -> Result<(), Failed> {
    struct Closed;
    impl Carrier for Closed {
        without_sftp!();
        fn exec(&self, _: String, _: Vec<u8>, _: usize) -> Carried<'_, Ran> {
            Box::pin(async {
                Ok(Ran {
                    status: Some(1),
                    out: b"This account is currently not available.\n".to_vec(),
                    ..Ran::default()
                })
            })
        }
    }
    let bag = HostRemote::new(Arc::new(Closed), &HostAddress::parse("ssh://machine/bag")?);
    let why = bag.heads().await.err().ok_or("an error")?.to_string();
    for word in [
        "neither",
        "not available",
        "no SFTP here",
        "ForceCommand internal-sftp",
    ] {
        assert!(why.contains(word), "{why}");
    }
    assert_eq!(bag.has_shell().await, None);
    Ok(())
}
