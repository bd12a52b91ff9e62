//! Configurations as people really write them: the names that the inventory finds in each, and where a good part of them
//! leads to, by what real servers wrote down. The system's `ssh` must leave the same lines.
//!
//! The data lie in `configs/*.conf`. A line that begins with `#: ` is for this test: `config` begins one, `names` lists the
//! hosts to be found, `warn` how many warnings the scanner gives, `file` begins an included file, `repeat` writes a line of
//! many words, `reach NAME LOGIN KEY SERVER HOP…` says where a name leads. `<E9>` is a byte, `{A}` the port of a server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quarterdeck::domain::host::Target;
use quarterdeck::inventory::ssh_config;
use quarterdeck::ssh::{ExecSpec, SshAsk, SshFact};

use crate::support::day::login;
use crate::support::lab::{Failed, Lab};
use crate::support::sshd::{Login, Sshd, fingerprint, keygen};

use super::config_agrees::{Dice, Pair};

const DATA: &[(&str, &str)] = &[
    ("laptops", include_str!("configs/laptops.conf")),
    ("bastions", include_str!("configs/bastions.conf")),
    ("matches", include_str!("configs/matches.conf")),
    ("includes", include_str!("configs/includes.conf")),
    ("broken", include_str!("configs/broken.conf")),
];

/// One configuration and what is expected of it.
#[derive(Default)]
struct Case {
    title: String,
    names: Vec<String>,
    warnings: usize,
    reach: Vec<Reach>,
    /// The first is the one to read.
    files: Vec<(String, String)>,
}

/// Where a name leads.
struct Reach {
    name: String,
    user: String,
    key: String,
    server: String,
    /// Each a server and the key that opens it.
    hops: Vec<(String, String)>,
}

fn cases(group: &str, data: &str) -> Result<Vec<Case>, Failed> {
    let mut cases: Vec<Case> = Vec::new();
    for line in data.lines() {
        let Some(directive) = line.strip_prefix("#: ") else {
            let file = cases.last_mut().and_then(|case| case.files.last_mut());
            if let Some((_, text)) = file {
                let _ = writeln!(text, "{line}");
            }
            continue;
        };
        let (verb, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        if verb == "config" {
            cases.push(Case {
                title: format!("{group}: {rest}"),
                files: vec![("config".to_owned(), String::new())],
                ..Case::default()
            });
            continue;
        }
        let case = cases.last_mut().ok_or("a config comes first")?;
        let mut words = rest.split_whitespace().map(str::to_owned);
        match verb {
            "names" => case.names = words.collect(),
            "warn" => case.warnings = rest.parse()?,
            "file" => case.files.push((rest.to_owned(), String::new())),
            "repeat" => {
                let (count, rest) = rest.split_once(' ').ok_or("repeat N LINE")?;
                let word = rest
                    .split(' ')
                    .find(|word| word.contains('%'))
                    .ok_or("repeat needs a word with %")?;
                let many: Vec<String> = (0..count.parse()?)
                    .map(|number: usize| word.replace('%', &number.to_string()))
                    .collect();
                if let Some((_, text)) = case.files.last_mut() {
                    let _ = writeln!(text, "{}", rest.replace(word, &many.join(" ")));
                }
            }
            "reach" => {
                let mut next = || words.next().ok_or("reach NAME LOGIN KEY SERVER HOP…");
                case.reach.push(Reach {
                    name: next()?,
                    user: next()?,
                    key: next()?,
                    server: next()?,
                    hops: words
                        .map(|hop| match hop.split_once(':') {
                            Some((server, key)) => (server.to_owned(), key.to_owned()),
                            None => (hop, "login".to_owned()),
                        })
                        .collect(),
                });
            }
            other => return Err(format!("{other} is no directive").into()),
        }
    }
    Ok(cases)
}

impl Case {
    /// Writes the files below `home/.ssh`; the path of the first.
    fn write(&self, home: &Path, values: &BTreeMap<&str, String>) -> Result<PathBuf, Failed> {
        let folder = home.join(".ssh");
        for (name, text) in &self.files {
            let mut text = text.replace("{dir}", &folder.display().to_string());
            for (name, value) in values {
                text = text.replace(&format!("{{{name}}}"), value);
            }
            if let Some((before, _)) = text.split_once("<EOF>") {
                text = before.to_owned();
            }
            let path = folder.join(name);
            fs::create_dir_all(path.parent().ok_or("a file has a folder")?)?;
            fs::write(path, bytes(&text))?;
        }
        Ok(folder.join("config"))
    }
}

/// Puts in the bytes that are written as `<E9>`.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        bytes.extend(before.as_bytes());
        let byte = after
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(|_| after.get(2..3) == Some(">"));
        rest = match byte {
            Some(byte) => {
                bytes.push(byte);
                after.get(3..).unwrap_or_default()
            }
            None => {
                bytes.push(b'<');
                after
            }
        };
    }
    bytes.extend(rest.as_bytes());
    bytes
}

fn all() -> Result<Vec<Case>, Failed> {
    let mut found = Vec::new();
    for (group, data) in DATA {
        found.extend(cases(group, data)?);
    }
    Ok(found)
}

#[test]
fn the_inventory_finds_the_names_that_a_person_finds() -> Result<(), Failed> {
    let cases = all()?;
    assert!(cases.len() >= 50, "{}", cases.len());
    let values = BTreeMap::from([
        ("A", "2201".to_owned()),
        ("B", "2202".to_owned()),
        ("C", "2203".to_owned()),
        ("me", "somebody".to_owned()),
    ]);
    for case in cases {
        let home = tempfile::tempdir()?;
        let config = case.write(home.path(), &values)?;
        fs::write(config.with_file_name("common"), "User x\n")?;
        let scan = ssh_config::scan(&config, home.path())?;
        let names: Vec<&str> = scan.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, case.names, "{}", case.title);
        assert_eq!(
            scan.warnings.len(),
            case.warnings,
            "{}: {:?}",
            case.title,
            scan.warnings
        );
    }
    Ok(())
}

#[test]
fn the_inventory_finds_the_names_of_made_up_files() -> Result<(), Failed> {
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let home = tempfile::tempdir()?;
        let folder = home.path().join(".ssh");
        fs::create_dir_all(folder.join("conf.d"))?;
        let mut names = Vec::new();
        // Included files come where they are included: here before everything else.
        for part in 0..3 {
            let (text, found) = dice.listed(&format!("p{part}"));
            names.extend(found);
            fs::write(folder.join(format!("conf.d/{part}.conf")), text)?;
        }
        let (text, found) = dice.listed("main");
        names.extend(found);
        fs::write(
            folder.join("config"),
            format!("Include conf.d/*.conf\n{text}"),
        )?;
        let scan = ssh_config::scan(&folder.join("config"), home.path())?;
        let found: Vec<&str> = scan.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(found, names, "seed {seed}:\n{text}");
        assert_eq!(scan.warnings, [], "seed {seed}:\n{text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_readers_agree_about_each_of_them() -> Result<(), Failed> {
    let values = BTreeMap::from([
        ("A", "2201".to_owned()),
        ("B", "2202".to_owned()),
        ("C", "2203".to_owned()),
        ("me", login()),
    ]);
    let mut pair = Pair::new();
    let mut answers = 0;
    for case in all()? {
        let home = tempfile::tempdir()?;
        let config = case.write(home.path(), &values)?;
        fs::write(config.with_file_name("common"), "User x\n")?;
        let mut names: Vec<&str> = case.names.iter().map(String::as_str).collect();
        names.push("somewhere-else");
        answers += pair.compare(&config, &names, &case.title).await?;
    }
    assert!(answers > 100, "{answers}");
    Ok(())
}

/// Three servers that all know both keys, and where they are.
struct Network {
    lab: Lab,
    servers: BTreeMap<&'static str, Sshd>,
    keys: BTreeMap<&'static str, String>,
    values: BTreeMap<&'static str, String>,
}

impl Network {
    fn new() -> Result<Self, Failed> {
        let lab = Lab::new()?;
        keygen(&lab.at("second"), "ed25519", "")?;
        let mut authorized = fs::read_to_string(lab.authorized())?;
        authorized.push_str(&fs::read_to_string(lab.at("second.pub"))?);
        fs::write(lab.authorized(), authorized)?;
        let mut values = BTreeMap::from([("me", login())]);
        let mut servers = BTreeMap::new();
        for name in ["A", "B", "C"] {
            let server = lab.server(name, "", "")?;
            values.insert(name, server.port.to_string());
            servers.insert(name, server);
        }
        let keys = BTreeMap::from([
            ("login", fingerprint(&lab.at("login.pub"))?),
            ("second", fingerprint(&lab.at("second.pub"))?),
        ]);
        Ok(Self {
            lab,
            servers,
            keys,
            values,
        })
    }

    /// Writes a case with the settings that all of them share.
    fn write(&self, case: &Case, home: &Path) -> Result<PathBuf, Failed> {
        let config = case.write(home, &self.values)?;
        let folder = config.parent().ok_or("a file has a folder")?;
        for (key, copy) in [
            ("login", "login"),
            ("second", "second"),
            ("second", "with blank"),
        ] {
            fs::copy(self.lab.at(key), folder.join(copy))?;
        }
        fs::write(
            folder.join("common"),
            format!(
                "User {}\nIdentityFile {}/login\nIdentitiesOnly yes\nUserKnownHostsFile {}\nGlobalKnownHostsFile none\n\
                 StrictHostKeyChecking yes\nConnectTimeout 10\nKexAlgorithms curve25519-sha256\n",
                login(),
                folder.display(),
                self.lab.known_hosts().display()
            ),
        )?;
        Ok(config)
    }

    fn marks(&self) -> BTreeMap<&'static str, usize> {
        let marks = self.servers.iter();
        marks.map(|(name, server)| (*name, server.mark())).collect()
    }

    /// Checks that since the marks each server wrote down what is expected, and nothing else.
    fn check(
        &self,
        reach: &Reach,
        marks: &BTreeMap<&'static str, usize>,
        who: &str,
    ) -> Result<(), Failed> {
        let mut expected: BTreeMap<&str, Vec<Login>> = BTreeMap::new();
        let mut expect = |server: &str, key: &str| -> Result<(), Failed> {
            let (server, _) = self
                .servers
                .get_key_value(server)
                .ok_or("there is no such server")?;
            expected.entry(server).or_default().push(Login {
                user: login(),
                fingerprint: self.keys.get(key).ok_or("there is no such key")?.clone(),
            });
            Ok(())
        };
        for (server, key) in &reach.hops {
            expect(server, key)?;
        }
        let stranger = reach.user != "ME";
        if !stranger {
            expect(&reach.server, &reach.key)?;
        }
        for (name, server) in &self.servers {
            let mark = marks.get(name).copied().unwrap_or_default();
            let wanted = expected.remove(name).unwrap_or_default();
            if stranger && *name == reach.server {
                let line = format!("Invalid user {} from 127.0.0.1", reach.user);
                let said = server
                    .log
                    .wait(|text| text.get(mark..).is_some_and(|text| text.contains(&line)));
                assert!(said, "{who} {}: {}", reach.name, server.since(mark));
            }
            let count = wanted.len();
            // The log is read by a thread of its own; what must come is waited for.
            server.log.wait(|text| {
                let since = text.get(mark..).unwrap_or_default();
                since.matches("Accepted publickey for ").count() >= count
            });
            assert_eq!(
                server.opened(mark),
                wanted,
                "{who} to {} at {name}",
                reach.name
            );
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_lead_where_the_servers_say_and_where_ssh_leads() -> Result<(), Failed> {
    let network = Network::new()?;
    let mut reached = 0;
    for case in all()? {
        if case.reach.is_empty() {
            continue;
        }
        let home = tempfile::tempdir()?;
        let config = network.write(&case, home.path())?;
        for reach in &case.reach {
            // A fresh engine has no connection that could be shared.
            let mut client = network.lab.client();
            let marks = network.marks();
            let req = client.req();
            client.engine.send(SshAsk::Exec {
                req,
                target: Target {
                    name: reach.name.clone(),
                    config: Some(config.clone()),
                },
                spec: ExecSpec::collect("echo in", 100),
            });
            let done = client.done(req).await?;
            let title = format!("{} in {}", reach.name, case.title);
            if reach.user == "ME" {
                assert_eq!(done.stdout, "in\n", "{title}: {done:?}");
                let info = client
                    .until(|fact| match fact {
                        SshFact::Connected { target, info } if target.name == reach.name => {
                            Some(info.clone())
                        }
                        _ => None,
                    })
                    .await?;
                assert_eq!(info.via.len(), reach.hops.len(), "{title}: {info:?}");
                assert_eq!(info.user, login(), "{title}");
                let port = network.values.get(reach.server.as_str());
                assert_eq!(Some(&info.port.to_string()), port, "{title}");
            } else {
                assert!(done.why().contains(&reach.user), "{title}: {done:?}");
            }
            network.check(reach, &marks, "we")?;
            reached += 1;
        }
        // The system's program must leave the same lines. It is slow, so it is asked about ways and conditions only.
        let asked = case.title.starts_with("bastions") || case.title.starts_with("matches");
        if let Some(reach) = case.reach.last().filter(|_| asked) {
            let marks = network.marks();
            let output = Command::new("ssh")
                .args(["-o", "BatchMode=yes", "-F"])
                .arg(&config)
                .args([&reach.name, "echo in"])
                .env_remove("SSH_AUTH_SOCK")
                .output()?;
            assert_eq!(
                output.status.success(),
                reach.user == "ME",
                "{}: {}",
                case.title,
                String::from_utf8_lossy(&output.stderr)
            );
            network.check(reach, &marks, "ssh")?;
        }
    }
    assert!(reached >= 45, "{reached}");
    Ok(())
}
