//! Host patterns: what they name, what they refuse, and that garbage does no harm.

use super::*;
use proptest::prelude::*;

struct Tickets;

impl Lookup for Tickets {
    fn ticket_hosts(&self, reference: &str) -> Option<Vec<String>> {
        (reference == "T-7K3F").then(|| vec!["db1".into(), "gone".into(), "web02".into()])
    }
}

/// web01 to web04, db1, db2, n1 to n9, and old1, which is stale.
fn fleet() -> Vec<Host> {
    let names = ["web01", "web02", "web03", "web04", "db2", "db1", "old1"];
    let mut hosts: Vec<Host> = names.iter().copied().map(Host::named).collect();
    hosts.extend((1..=9).map(|number| Host::named(&format!("n{number}"))));
    for host in &mut hosts {
        if host.name.starts_with("web") {
            host.groups.push("prod".into());
        }
        if host.name.starts_with("db") || host.name == "old1" {
            host.tags.push("db".into());
        }
        host.stale = host.name == "old1";
        if host.name == "web03" {
            host.state = HostState::Crit;
        }
    }
    hosts
}

fn resolve(pattern: &str) -> Result<Vec<String>, PatternError> {
    let hosts = fleet();
    let found = Pattern::parse(pattern)?.resolve(&hosts, &Tickets)?;
    Ok(found.into_iter().map(|host| host.name.clone()).collect())
}

#[test]
fn what_patterns_name() {
    for (pattern, expected) in [
        ("web01", "web01"),
        ("db1,db2", "db2 db1"),
        (" db1 , db2 ", "db2 db1"),
        ("web*", "web01 web02 web03 web04"),
        ("*1", "web01 db1 n1"),
        ("db?", "db2 db1"),
        ("web[01-03]", "web01 web02 web03"),
        ("web[02-20]", "web02 web03 web04"),
        ("n[1-3,7]", "n1 n2 n3 n7"),
        ("n[1-3:7]:db1", "db1 n1 n2 n3 n7"),
        ("w*[01-02]", "web01 web02"),
        ("@prod", "web01 web02 web03 web04"),
        ("tag=db", "db2 db1"),
        ("state=crit", "web03"),
        ("ticket=T-7K3F", "web02 db1"),
        ("web*:&@prod:!web03", "web01 web02 web04"),
        ("!web03,&@prod,all", "web01 web02 web04"),
        ("!web*,!n*,all", "db2 db1"),
        ("web*,db*,&tag=db", "db2 db1"),
        // Intersections hold for the whole union, wherever they stand.
        ("web01,&@prod,db1", "web01"),
        (
            "all,!tag=none",
            "web01 web02 web03 web04 db2 db1 n1 n2 n3 n4 n5 n6 n7 n8 n9",
        ),
        // A stale host is met only when it is named.
        ("old1", "old1"),
        ("old[1-2]", "old1"),
        ("old1,&tag=db", "old1"),
        ("tag=db,old1", "db2 db1 old1"),
    ] {
        let found = resolve(pattern).unwrap_or_else(|why| unreachable!("{pattern}: {why}"));
        assert_eq!(found.join(" "), expected, "{pattern}");
    }
}

#[test]
fn what_is_refused_and_how() {
    for (pattern, says) in [
        ("", "empty"),
        (" ", "empty"),
        (",", "at character 1"),
        ("web01,", "at character 7"),
        ("web01,,db1", "at character 7"),
        ("web01:!", "at character 7"),
        ("!web01", "all:!web01"),
        ("&@prod", "all:&@prod"),
        ("web[01", "not closed"),
        ("web01]", "not opened"),
        ("web[a-c]", "not numbers"),
        ("web[+1-3]", "not numbers"),
        ("web[]", "not numbers"),
        ("web[3-1]", "backwards"),
        ("web[0-99999]", "65536"),
        ("web[0-999][0-999]", "65536"),
        ("web[1-18446744073709551615]", "65536"),
        ("colour=red", "tag=, state= or ticket="),
        ("tag=", "no value"),
        ("@", "no value"),
        ("state=down", "ok warn crit"),
        ("wbe01", "did you mean web01"),
        ("WEB01", "did you mean web01"),
        ("web*,!web3", "did you mean web03"),
        ("zzz", "qd host ls"),
        ("old*", "matches no host"),
        ("n[10-12]", "no host in"),
        ("all,!n[01-09]", "no host in"),
        ("@prd", "did you mean prod"),
        ("all:!@staging", "no group"),
        ("ticket=T-0000", "no ticket T-0000"),
        ("web01,&db1", "matches no host"),
        ("mail*", "matches no host"),
    ] {
        let why = resolve(pattern).expect_err(pattern).to_string();
        assert!(why.contains(says), "{pattern}: {why}");
    }
}

#[test]
fn tickets_are_listed_before_they_are_needed() -> Result<(), PatternError> {
    let pattern = Pattern::parse("ticket=T-7K3F,web*,!ticket=T-0001")?;
    assert_eq!(pattern.tickets(), ["T-7K3F", "T-0001"]);
    assert_eq!(pattern.to_string(), "ticket=T-7K3F,web*,!ticket=T-0001");
    Ok(())
}

#[test]
fn ranges_keep_their_padding() -> Result<(), PatternError> {
    for (range, expected) in [
        ("a", "a"),
        ("a[08-11]b", "a08b a09b a10b a11b"),
        ("a[8-11]", "a8 a9 a10 a11"),
        ("r[1-2]n[01,3]", "r1n01 r1n3 r2n01 r2n3"),
    ] {
        assert_eq!(expand(range)?.join(" "), expected, "{range}");
    }
    Ok(())
}

#[test]
fn globs() {
    for (glob, text, expected) in [
        ("*", "", true),
        ("a*b*c", "a--b-bc", true),
        ("a*b*c", "acb", false),
        ("?", "ü", true),
        ("?", "", false),
        ("a", "a", true),
        ("a", "ab", false),
        ("*.example.com", "www.example.com", true),
    ] {
        assert_eq!(fits(glob, text), expected, "{glob} {text}");
    }
    // Would take for ever if every star were tried against every place.
    assert!(!fits(&"*a".repeat(40), &"a".repeat(39)));
}

#[test]
fn ten_thousand_hosts_are_quick() -> Result<(), PatternError> {
    let hosts: Vec<Host> = (0..10_000)
        .map(|number| Host::named(&format!("node{number:05}")))
        .collect();
    let found = Pattern::parse("node[00000-09999]:!node[05000-09999]")?.resolve(&hosts, &())?;
    assert_eq!(found.len(), 5_000);
    Ok(())
}

proptest! {
    #[test]
    fn garbage_never_panics_and_never_widens(text in "[a-z0-9@=*?!&,:\\[\\]é -]{0,24}") {
        let hosts = fleet();
        if let Ok(pattern) = Pattern::parse(&text)
            && let Ok(found) = pattern.resolve(&hosts, &Tickets)
        {
            prop_assert!(!found.is_empty());
            let fewer = resolve(&format!("{text},!web*,&tag=db")).unwrap_or_default();
            let whole: Vec<&str> = found.iter().map(|host| host.name.as_str()).collect();
            prop_assert!(fewer.iter().all(|name| whole.contains(&name.as_str())));
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,40}") {
        drop(Pattern::parse(&text));
    }
}
