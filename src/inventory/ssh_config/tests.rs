//! The scanner against small configurations, against hostile ones, and against `ssh -G` itself.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

type Outcome = Result<(), Box<dyn Error>>;

/// A home folder with files below `.ssh`; `@/` in a text stands for that folder.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new(files: &[(&str, &str)]) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let home = Self { dir };
        for (name, text) in files {
            let path = home.path(name);
            fs::create_dir_all(path.parent().ok_or("every file has a folder")?)?;
            fs::write(&path, text.replace("@/", &home.path("").to_string_lossy()))?;
        }
        Ok(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(".ssh").join(name)
    }

    fn scan(&self, name: &str) -> Result<Scan, InventoryError> {
        scan(&self.path(name), self.dir.path())
    }
}

/// `name address port user jump` of each host, a line each; `-` for what is not known.
fn shown(scan: &Scan) -> String {
    let mut text = String::new();
    for host in &scan.hosts {
        let port = host.port.map(|port| port.to_string());
        let jump = (!host.jump.is_empty()).then(|| host.jump.join(","));
        let fields = [host.address.clone(), port, host.user.clone(), jump];
        let fields = fields.map(|field| field.unwrap_or_else(|| "-".to_owned()));
        let _ = writeln!(text, "{} {}", host.name, fields.join(" "));
    }
    text
}

fn check(files: &[(&str, &str)], expected: &str) -> Outcome {
    let home = Home::new(files)?;
    let scan = home.scan("config")?;
    let expected: String = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(shown(&scan), expected, "{files:?}");
    assert_eq!(scan.warnings, [], "{files:?}");
    Ok(())
}

#[test]
fn values_come_from_the_first_line_that_applies() -> Outcome {
    check(
        &[(
            "config",
            "User early\n\
             Host web1 web2 # two\n\tHOSTNAME=192.0.2.1\n  Port = 2201\n\
             Host web1\n Port 9\n User late\n ProxyJump a@b1:22,b2\n\
             Host \"db1\" !x db*\r\n HostName %h.example.com\r\n ProxyJump none\r\n\
             Host * !web2\n ProxyJump gate\n Port 7\n",
        )],
        "web1 192.0.2.1 2201 early a@b1:22,b2
         web2 192.0.2.1 2201 early -
         db1 db1.example.com 7 early -",
    )
}

#[test]
fn a_proxy_command_decides_about_the_jump() -> Outcome {
    check(
        &[(
            "config",
            "Host a\n ProxyCommand nc %h %p\nHost *\n ProxyJump gate\nHost b\n",
        )],
        "a - - - -
         b - - - gate",
    )
}

#[test]
fn includes_are_followed_wherever_they_stand() -> Outcome {
    check(
        &[
            (
                "config",
                "Host *\n User all\nInclude config.d/*.conf ~/.ssh/extra\nHost last\n",
            ),
            ("config.d/b.conf", "Host b\n Port 2\n"),
            ("config.d/a.conf", "Host a\nInclude @/deep\n Port 1\n"),
            ("config.d/.hidden.conf", "Host hidden\n"),
            ("deep", "HostName deep.example\nHost d\n Port 4\n"),
            ("extra", "Host e\n"),
        ],
        "a deep.example 1 all -
         d - - all -
         b - 2 all -
         e - - all -
         last - - all -",
    )
}

#[test]
fn an_include_in_a_block_applies_only_to_that_block() -> Outcome {
    check(
        &[
            ("config", "Host a\n Include inner\nHost inner1 inner2\n"),
            (
                "inner",
                "User in-a\nHost inner1\n Port 5\nHost *\n Port 6\n",
            ),
        ],
        // The blocks of the included file are listed, but apply to `a` alone.
        "a - 6 in-a -
         inner1 - - - -
         inner2 - - - -",
    )
}

#[test]
fn match_blocks_are_judged_by_text_or_not_at_all() -> Outcome {
    check(
        &[(
            "config",
            "Match exec \"touch @/ran\"\n User maybe\n\
             Match originalhost a,b\n Port 1\n\
             Match !originalhost a exec \"touch @/ran\"\n ProxyJump gate\n\
             Match all\n HostName same\n\
             Match host same\n Port 3\n\
             Host a b c\n User own\n ProxyJump own\n",
        )],
        // What a program decides is left out, not guessed.
        "a same 1 - own
         b same 1 - -
         c same 3 - -",
    )
}

#[test]
fn listing_hosts_runs_nothing() -> Outcome {
    let home = Home::new(&[(
        "config",
        "Match exec \"touch @/ran\"\n User x\nHost a\n ProxyCommand touch @/ran\n",
    )])?;
    assert_eq!(home.scan("config")?.hosts.len(), 1);
    assert!(!home.path("ran").exists());
    Ok(())
}

#[test]
fn every_field_names_its_file_and_line() -> Outcome {
    let home = Home::new(&[
        ("config", "Include more\n\nHost a\n  Port 22\n"),
        ("more", "Host *\n# who\nUser x\nIdentityFile ~/.ssh/k\n"),
    ])?;
    let scan = home.scan("config")?;
    let host = scan.hosts.first().ok_or("one host")?;
    let place = |field: &str| {
        let source = host.source.get(field)?;
        Some((source.file.file_name()?.to_str()?, source.line))
    };
    for (field, expected) in [
        ("name", Some(("config", 3))),
        ("port", Some(("config", 4))),
        ("user", Some(("more", 3))),
        ("identityfile", Some(("more", 4))),
        ("address", None),
    ] {
        assert_eq!(place(field), expected, "{field}");
    }
    assert_eq!(host.config.as_deref(), Some(home.path("config").as_path()));
    assert_eq!(scan.files, [home.path("config"), home.path("more")]);
    Ok(())
}

#[test]
fn broken_lines_warn_with_their_place_and_the_rest_is_read() -> Outcome {
    let home = Home::new(&[
        (
            "config",
            "Host a \"b\nHost c\n  HostName\n  Port many\n User u\nHost -oProxyCommand=x d\n\
             Host e\x1b[31m\nHost 'f g'\nInclude ~bob/x\nInclude gone\nInclude folder.d\nHost h;id\nHost z\n",
        ),
        ("folder.d/x", ""),
    ])?;
    let scan = home.scan("config")?;
    assert_eq!(shown(&scan), "c - - u -\nd - - - -\nz - - - -\n");
    let places: Vec<(u32, u32, &str)> = scan
        .warnings
        .iter()
        .map(|warning| (warning.line, warning.column, warning.message.as_str()))
        .collect();
    for (line, column, says) in [
        (1, 8, "quote"),
        (3, 3, "hostname has no value"),
        (4, 8, "no port"),
        (6, 6, "taken for an option"),
        (7, 6, "control characters"),
        (8, 6, "blanks"),
        (9, 9, "other users"),
        (10, 9, "does not exist"),
        (11, 9, "not a regular file"),
        (12, 6, "a shell acts on"),
    ] {
        assert!(
            places
                .iter()
                .any(|(l, c, message)| (*l, *c) == (line, column) && message.contains(says)),
            "line {line}: {places:#?}"
        );
    }
    assert_eq!(places.len(), 10);
    assert!(places.iter().all(|(.., message)| !message.contains('\x1b')));
    Ok(())
}

#[test]
fn loops_and_depth_end_with_a_warning() -> Outcome {
    let home = Home::new(&[
        ("config", "Host a\nInclude b\nHost c\n"),
        ("b", "Host b\nInclude config\nInclude b\n"),
        ("wide", "Include wide.d/*\n"),
        ("wide.d/1", "Host w1\nInclude wide.d/*\n"),
        ("wide.d/2", "Host w2\nInclude wide.d/*\n"),
    ])?;
    let scan = home.scan("config")?;
    let names: Vec<&str> = scan.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let says: Vec<u32> = scan.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(says, [2, 3]);
    assert!(
        scan.warnings
            .iter()
            .all(|w| w.message.contains("includes itself"))
    );
    let scan = home.scan("wide")?;
    assert_eq!(scan.hosts.len(), 2);
    assert!(!scan.warnings.is_empty());

    let mut files: Vec<(String, String)> = (0..20)
        .map(|level| {
            (
                format!("l{level}"),
                format!("Host h{level}\nInclude l{}\n", level + 1),
            )
        })
        .collect();
    files.push(("l20".into(), "Host h20\n".into()));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let scan = Home::new(&files)?.scan("l0")?;
    // The file itself and sixteen levels of includes.
    assert_eq!(scan.hosts.len(), 17);
    assert!(
        scan.warnings
            .iter()
            .any(|w| w.message.contains("16 levels"))
    );
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_says_why() -> Outcome {
    let home = Home::new(&[("config", "")])?;
    let why = home.scan("gone").expect_err("there is no such file");
    assert!(matches!(why, InventoryError::Unreadable { .. }), "{why}");
    let why = scan(home.dir.path(), home.dir.path()).expect_err("a folder is no file");
    assert!(matches!(why, InventoryError::NotAFile(_)), "{why}");
    let why = scan(Path::new("/dev/zero"), home.dir.path()).expect_err("a device never ends");
    assert!(matches!(why, InventoryError::NotAFile(_)), "{why}");
    Ok(())
}

#[test]
fn six_hundred_hosts_in_one_include_are_all_there() -> Outcome {
    // A known failure of such readers: an include after `Host *` showed a handful of hundreds.
    let hosts: String = (0..600)
        .map(|number| format!("Host node{number}\n  HostName 10.0.0.{}\n", number % 250))
        .collect();
    let home = Home::new(&[
        ("config", "Host *\n  User ops\n\nInclude fleet\n"),
        ("fleet", &hosts),
    ])?;
    let scan = home.scan("config")?;
    assert_eq!(scan.hosts.len(), 600);
    assert!(
        scan.hosts
            .iter()
            .all(|host| host.user.as_deref() == Some("ops"))
    );
    Ok(())
}

#[test]
fn ten_thousand_hosts_are_read_without_comparing_each_to_each() -> Outcome {
    let mut text = "Host *\n User ops\n".to_owned();
    for number in 0..10_000 {
        let _ = write!(
            text,
            "Host n{number} alias{number}\n HostName 10.1.{}.{}\n Port 2{}\n",
            number / 250,
            number % 250,
            number % 10
        );
    }
    text.push_str("Host n1*\n ProxyJump gate\n");
    let home = Home::new(&[("config", &text)])?;
    assert_eq!(home.scan("config")?.hosts.len(), 20_000);
    Ok(())
}

/// What `ssh -G` says, in the form of [`shown`] for one host; none where there is no ssh to ask.
fn oracle(config: &Path, name: &str) -> Result<Option<[String; 4]>, Box<dyn Error>> {
    let output = match Command::new("ssh")
        .arg("-G")
        .arg("-F")
        .arg(config)
        .arg(name)
        .output()
    {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("ssh -G {name}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let get = |option: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(option)?.strip_prefix(' '))
            .unwrap_or("-")
            .to_owned()
    };
    Ok(Some([
        get("hostname"),
        get("port"),
        get("user"),
        get("proxyjump"),
    ]))
}

/// Compares every host of a configuration with `ssh -G`. What the scanner leaves open must be OpenSSH's default.
fn compare(home: &Home) -> Outcome {
    let config = home.path("config");
    let scan = home.scan("config")?;
    assert_eq!(scan.warnings, []);
    let Some([_, _, login, _]) = oracle(Path::new("/dev/null"), "localhost")? else {
        return Ok(());
    };
    for host in &scan.hosts {
        let Some(truth) = oracle(&config, &host.name)? else {
            return Ok(());
        };
        let jump = if host.jump.is_empty() {
            "-".to_owned()
        } else {
            host.jump.join(",")
        };
        let ours = [
            host.address.clone().unwrap_or_else(|| host.name.clone()),
            host.port.unwrap_or(22).to_string(),
            host.user.clone().unwrap_or_else(|| login.clone()),
            jump,
        ];
        let text = fs::read_to_string(&config)?;
        assert_eq!(ours, truth, "{} in\n{text}", host.name);
    }
    Ok(())
}

#[test]
fn the_corpus_agrees_with_openssh() -> Outcome {
    compare(&Home::new(&[
        (
            "config",
            "# top\nUser top\nHost web1 web2 web3 \n\tHostName=%h.example.com\n\tPort\t=\t2201\n\
             Include @/team.d/*\n\
             Host *.lab !secret.lab\n  User \"lab user\"\n  ProxyJump gate.lab\n\
             host secret.lab x.lab\n  PORT 2222\n\
             Host db1 # the first\n  HostName 192.0.2.9\n  ProxyJump ann@gate1,gate2\n  Port 1\n  Port 2\n\
             Host db1 db2\n  Port 3\n  User late\n  ProxyCommand none\n\
             Host q1 'q2' \"q3\"\n  HostName 'q.example.com'\n\
             Host *1 db?\r\n  ProxyJump last\r\n\
             Host pc\n  ProxyCommand nc %h %p\n  ProxyJump never\n\
             Host nj\n  ProxyJump none\n\
             Host *\n  Port 2022\n  ProxyJump rest\n",
        ),
        (
            "team.d/10-a",
            "HostName included.example.com\nUser inc\nHost team1\n  Port 77\nHost web2\n  User web2inc\n",
        ),
        ("team.d/20-b", "Host *\n  IdentityFile ~/.ssh/team\n"),
    ])?)
}

/// A value of each sort that OpenSSH takes.
fn setting() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]\\.example".prop_map(|name| format!("HostName {name}")),
        "%h\\.[a-c]".prop_map(|name| format!("hostname = {name}")),
        (1u16..99).prop_map(|port| format!("Port={port}")),
        "[u-w]".prop_map(|user| format!("User \"{user}\"")),
        "[g-i](,[j-l])?".prop_map(|jump| format!("ProxyJump {jump}")),
        Just("ProxyJump none".to_owned()),
        Just("ProxyCommand nc %h %p".to_owned()),
    ]
}

/// Blocks of patterns and settings; now and then one that includes a second file.
fn config(include: bool) -> impl Strategy<Value = String> {
    let pattern = prop_oneof![
        3 => "[ab][12]",
        1 => Just("*".to_owned()),
        1 => "[ab]\\*",
        1 => "\\?[12]",
        1 => "![ab][12]",
        1 => "!\\*[12]",
    ];
    let line = prop_oneof![
        8 => setting().boxed(),
        u32::from(include) => Just("Include @/inner".to_owned()).boxed(),
    ];
    let block = (
        proptest::collection::vec(pattern, 1..4),
        proptest::collection::vec(line, 0..4),
    )
        .prop_map(|(patterns, lines)| {
            let mut text = format!("Host {}\n", patterns.join(" "));
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
            text
        });
    (
        proptest::collection::vec(setting(), 0..2),
        proptest::collection::vec(block, 1..6),
    )
        .prop_map(|(top, blocks)| format!("{}\n{}", top.join("\n"), blocks.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn generated_configurations_agree_with_openssh(outer in config(true), inner in config(false)) {
        let home = Home::new(&[("config", &outer), ("inner", &inner)])
            .map_err(|why| TestCaseError::fail(why.to_string()))?;
        compare(&home).map_err(|why| TestCaseError::fail(why.to_string()))?;
    }
}

proptest! {
    #[test]
    fn garbage_is_read_without_harm(
        text in proptest::collection::vec(
            prop_oneof![
                "(Host|Match|Include|Port|HostName|ProxyJump|x)?[ =\t]{0,2}[-a-c*?!\"'\\\\#,.~/ \x1b\u{202e}é]{0,12}\r?\n".prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..8),
            ],
            0..12,
        )
    ) {
        let home = Home::new(&[("config", "")]).map_err(|why| TestCaseError::fail(why.to_string()))?;
        fs::write(home.path("config"), text.concat())?;
        let scan = home.scan("config").map_err(|why| TestCaseError::fail(why.to_string()))?;
        for host in &scan.hosts {
            prop_assert!(refusal(&host.name).is_none());
            prop_assert!(!shown(&scan).contains('\x1b'));
        }
    }
}
