//! Sample connections, forwards, folders, copies and keys, for tests.

use super::{HOUR, MINUTE, NOW};
use crate::domain::connection::{ConnectionRow, ConnectionState, ConnectionUsers};
use crate::domain::files::{CopyJob, CopyProgress, CopyReport, FileEntry, FileKind, Place};
use crate::domain::forward::{Endpoint, ForwardRow, ForwardRule, ForwardState};
use crate::model::{Copies, CopyEnd, CopyView, Files, KeyAlarm, KeyOffer, Model};

fn connection(id: u64, host: &str, address: &str, state: ConnectionState) -> ConnectionRow {
    ConnectionRow {
        id,
        host: host.to_owned(),
        user: "admin".to_owned(),
        address: address.to_owned(),
        port: 22,
        via: Vec::new(),
        state,
        age_ms: 47 * 60_000,
        rtt_ms: Some(12),
        silent_ms: None,
        users: ConnectionUsers::default(),
        bytes_in: 4_812_331,
        bytes_out: 212_004,
        kex: "mlkem768x25519-sha256".to_owned(),
        post_quantum: true,
        cipher: "chacha20-poly1305@openssh.com".to_owned(),
        host_key: "ssh-ed25519".to_owned(),
        server: "OpenSSH_9.9".to_owned(),
        auth: "publickey agent:mira@desk".to_owned(),
        bulk: false,
        channel_limit: None,
        notes: Vec::new(),
    }
}

pub(super) fn connections() -> Vec<ConnectionRow> {
    let mut bastion = connection(1, "bastion", "198.51.100.7", ConnectionState::Up);
    bastion.users = ConnectionUsers {
        sessions: 1,
        probes: 1,
        jumps: 1,
        ..ConnectionUsers::default()
    };
    bastion.notes = vec![
        "Authorised use only.\nEverything is logged.\u{1b}[2J".to_owned(),
        "known_hosts line 14 was ignored: it has no key".to_owned(),
    ];
    let mut web = connection(2, "web1", "10.0.1.1", ConnectionState::Up);
    web.users = ConnectionUsers {
        sessions: 1,
        commands: 2,
        probes: 1,
        files: 1,
        forwards: 3,
        jumps: 0,
    };
    web.age_ms = 9 * 60_000;
    web.bytes_in = 3 << 30;
    let mut bulk = connection(3, "web1", "10.0.1.1", ConnectionState::Up);
    (bulk.bulk, bulk.age_ms, bulk.rtt_ms) = (true, 14_000, None);
    bulk.users.files = 1;
    let mut db = connection(4, "db1", "10.0.2.1", ConnectionState::Up);
    (db.post_quantum, db.rtt_ms) = (false, Some(184));
    db.kex = "curve25519-sha256".to_owned();
    db.via = vec!["bastion".to_owned()];
    db.users.probes = 1;
    db.channel_limit = Some(10);
    let waiting = ConnectionState::Waiting {
        retry_ms: 11_400,
        why: "connection refused by 10.0.3.1 port 22".to_owned(),
    };
    let mut mail = connection(5, "mail1", "10.0.3.1", waiting);
    (mail.rtt_ms, mail.kex) = (None, String::new());
    let mut lab = connection(
        6,
        "lab-with-a-very-long-name-indeed-01",
        "10.0.8.1",
        ConnectionState::Connecting,
    );
    (lab.rtt_ms, lab.age_ms, lab.bytes_in, lab.bytes_out) = (None, 800, 0, 0);
    lab.kex.clear();
    vec![bastion, web, bulk, db, mail, lab]
}

fn tcp(host: &str, port: u16) -> Endpoint {
    Endpoint::Tcp {
        host: host.to_owned(),
        port,
    }
}

fn forward(id: u64, host: &str, rule: ForwardRule, state: ForwardState) -> ForwardRow {
    ForwardRow {
        id,
        host: host.to_owned(),
        rule,
        state,
        configured: false,
        open: 2,
        total: 117,
        bytes_in: 88_000_000,
        bytes_out: 1_300_000,
        reached: true,
        trouble: None,
    }
}

pub(super) fn forwards() -> Vec<ForwardRow> {
    let grafana = ForwardRule::Local {
        listen: tcp("", 3000),
        to: tcp("grafana.internal", 3000),
    };
    let back = ForwardRule::Remote {
        listen: tcp("", 8022),
        to: Some(tcp("localhost", 22)),
    };
    let socks = ForwardRule::Dynamic {
        listen: tcp("127.0.0.1", 1080),
    };
    let mut first = forward(1, "web1", grafana, ForwardState::Listening);
    first.trouble = Some("grafana.internal:3000: the host could not connect (refused)".to_owned());
    let failed = ForwardState::Failed {
        why: "the server refused port 8022; see AllowTcpForwarding in its sshd_config".to_owned(),
    };
    let mut second = forward(2, "web1", back, failed);
    (second.open, second.total, second.configured) = (0, 0, true);
    let waiting = ForwardState::Waiting {
        why: "connection lost".to_owned(),
    };
    let third = forward(3, "mail1", socks, waiting);
    vec![first, second, third]
}

fn file(name: &str, kind: FileKind, size: u64, ago: i64) -> FileEntry {
    FileEntry {
        name: name.to_owned(),
        kind,
        size,
        mode: if kind == FileKind::Folder {
            0o755
        } else {
            0o644
        },
        owner: "admin".to_owned(),
        modified: Some(NOW.plus(-ago)),
        target: None,
        folder: kind == FileKind::Folder,
    }
}

/// A folder of this machine and one of web1.
pub(crate) fn files() -> Files {
    let mut files = Files::default();
    let here = vec![
        file("backup", FileKind::Folder, 4096, 30 * 24 * HOUR),
        file(".profile", FileKind::File, 807, 900 * 24 * HOUR),
        file("access.log", FileKind::File, 12, HOUR),
        file("notes.md", FileKind::File, 18_204, 3 * MINUTE),
    ];
    files.listed(&(None, String::new()), "/home/mira".to_owned(), here);
    let mut current = file("current", FileKind::Link, 11, 24 * HOUR);
    (current.target, current.folder) = (Some("nginx/2026-11".to_owned()), true);
    let mut run = file("rotate.sh", FileKind::File, 1_432, 200 * 24 * HOUR);
    (run.mode, run.owner) = (0o4755, "root".to_owned());
    let there = vec![
        file("nginx", FileKind::Folder, 4096, 2 * HOUR),
        current,
        file("access.log", FileKind::File, 48_213_004, 2_000),
        file("error.log", FileKind::File, 9_213, 40 * MINUTE),
        file(
            "größe 界界 \u{1b}[31mred\u{202e}gpj.exe",
            FileKind::File,
            3,
            HOUR,
        ),
        run,
    ];
    let web = Some("web1".to_owned());
    files.listed(&(web, String::new()), "/var/log".to_owned(), there);
    files
}

fn place(host: Option<&str>, path: &str) -> Place {
    Place {
        host: host.map(str::to_owned),
        path: path.to_owned(),
    }
}

/// A copy that runs, one that has just ended, and one that failed.
pub(crate) fn copies() -> Copies {
    let mut copies = Copies::default();
    let job = |from: Vec<Place>, to: Place| CopyJob {
        from,
        to,
        recursive: false,
        preserve: true,
        resume: false,
    };
    let copy = |id, job, end| CopyView {
        id,
        job,
        ticket: Some("T-7K3F".to_owned()),
        started: NOW.plus(-20_000),
        progress: CopyProgress::default(),
        end,
    };
    let home = || place(None, "/home/mira");
    let ended = CopyEnd {
        at: NOW.plus(-2_000),
        result: Ok(CopyReport {
            files: 3,
            bytes: 1_203_400,
            resumed: 0,
            took_ms: 900,
            ..CopyReport::default()
        }),
    };
    let failed = CopyEnd {
        at: NOW.plus(-5_000),
        result: Ok(CopyReport {
            files: 1,
            failed: vec!["db1:/srv/secret: permission denied".to_owned()],
            ..CopyReport::default()
        }),
    };
    let from = vec![place(Some("db1"), "/srv/secret")];
    copies.push(copy(11, job(from, home()), Some(failed)));
    let from = vec![place(None, "/home/mira/notes.md")];
    let to = place(Some("web1"), "/tmp");
    copies.push(copy(12, job(from, to), Some(ended)));
    let from = vec![
        place(Some("web1"), "/var/log/access.log"),
        place(Some("web1"), "/var/log/nginx"),
    ];
    let mut running = copy(13, job(from, home()), None);
    running.progress = CopyProgress {
        file: "access.log".to_owned(),
        files_done: 12,
        files: 40,
        bytes_done: 20_000_000,
        bytes: 48_213_004,
        speed: 3_400_000,
        left_s: Some(8),
        ..CopyProgress::default()
    };
    copies.push(running);
    copies
}

pub(super) fn alarm() -> KeyAlarm {
    KeyAlarm {
        at: NOW.plus(-3 * MINUTE),
        target: "db1".to_owned(),
        host: "[10.0.2.1]:2222".to_owned(),
        file: "~/.ssh/known_hosts".into(),
        line: 14,
        known: "SHA256:8cYbU0v1oSxk5pC3n4bJmQ2a7fYdE9hTgR6wZiLqKjM".to_owned(),
        shown: "SHA256:Jq3fT7nVbW0yRz8uPkL5sXc2mHdG1aEoI9tBvNwQxSY".to_owned(),
    }
}

/// Seven keys: one more than most servers let us try.
pub(super) fn keys() -> Vec<KeyOffer> {
    (1..=7)
        .map(|index| KeyOffer {
            source: if index == 7 {
                "~/.ssh/id_rsa".to_owned()
            } else {
                "agent".to_owned()
            },
            algorithm: if index == 7 { "ssh-rsa" } else { "ssh-ed25519" }.to_owned(),
            fingerprint: format!("SHA256:{index}cYbU0v1oSxk5pC3n4bJmQ2a7fYdE9hTgR6wZiLqKjM"),
            comment: format!("mira@desk{index}"),
            certificate: index == 1,
            locked: index == 7,
        })
        .collect()
}

pub(super) fn fill(model: &mut Model) {
    model.connections = connections();
    model.connections_at = Some(NOW);
    model.forwards = forwards();
    model.files = files();
    model.alarms.push_back(alarm());
}
