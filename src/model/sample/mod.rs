//! A model with a bit of everything, for tests.

mod links;

pub(crate) use links::{copies, files};

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use super::{
    HostDetail, HostHealth, Level, Model, Notice, Page, Recording, SessionState, SessionView,
};
use crate::domain::case::{Entry, EntryKind};
use crate::domain::check::HostState;
use crate::domain::host::{Effective, Host, Source};
use crate::domain::ids::{EntityId, RunId, SessionId, TicketId};
use crate::domain::layout::{Tab, TabId};
use crate::domain::run::{Cell, CellState, RunRow, RunState, Tally};
use crate::domain::runbook::{Action, Confirm, On, Param, ParamKind, Repeat, Runbook, Step};
use crate::domain::sample::{Disk, Sample};
use crate::domain::session::SessionRow;
use crate::domain::ticket::{Priority, Ticket, TicketKind, TicketState};
use crate::domain::time::Time;

/// The moment at which everything is looked at.
pub(crate) const NOW: Time = Time(1_795_428_000_000);

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn id(name: &str) -> EntityId {
    EntityId::derived("sample", name)
}

/// The id of a sample session.
pub(crate) fn session_id(name: &str) -> SessionId {
    SessionId(id(name))
}

/// A sample ticket.
pub(crate) fn ticket(
    reference: &str,
    title: &str,
    state: TicketState,
    priority: u8,
    hosts: &[&str],
) -> Ticket {
    Ticket {
        id: TicketId(id(reference)),
        reference: reference.to_owned(),
        title: title.to_owned(),
        body: String::new(),
        state,
        priority: Priority::new(priority).unwrap_or(Priority::NORMAL),
        kind: TicketKind::Incident,
        queue: "ops".to_owned(),
        owner: None,
        requester: None,
        tags: Vec::new(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        due: None,
        wait_until: None,
        created: NOW.plus(-3 * HOUR),
        updated: NOW.plus(-4 * MINUTE),
        entries: Vec::new(),
        links: Vec::new(),
        conflicts: Vec::new(),
        disputes: Vec::new(),
    }
}

fn tickets() -> Vec<Ticket> {
    let mut disk = ticket(
        "T-7K3F",
        "Disk full on web3",
        TicketState::Open,
        1,
        &["web3"],
    );
    disk.owner = Some("mira".to_owned());
    disk.due = Some(NOW.plus(2 * HOUR));
    disk.tags = vec!["disk".to_owned(), "web".to_owned()];
    let mut mail = ticket(
        "T-0Q8M",
        "Mail queue grows since the upgrade of the relay, users see delays of an hour and more",
        TicketState::New,
        2,
        &["mail1", "mail2"],
    );
    mail.requester = Some("jo@example.org".to_owned());
    let mut cert = ticket(
        "T-ZX41",
        "Renew certificate of the intranet",
        TicketState::Waiting,
        3,
        &[],
    );
    cert.due = Some(NOW.plus(-2 * DAY));
    cert.owner = Some("ole".to_owned());
    let odd = ticket(
        "T-5V2H",
        "größe 界 \u{1b}[31mred\u{1b}[0m \u{202e}evil",
        TicketState::Open,
        4,
        &["db1"],
    );
    let done = ticket("T-9PQ7", "Reboot lab switch", TicketState::Resolved, 4, &[]);
    vec![disk, mail, cert, odd, done]
}

fn entry(name: &str, ago: i64, kind: EntryKind, text: &str) -> Entry {
    Entry {
        id: name.to_owned(),
        at: NOW.plus(-ago),
        kind,
        author: "mira".to_owned(),
        text: text.to_owned(),
        host: None,
        session: None,
        run: None,
        ticket: None,
        data: BTreeMap::new(),
    }
}

fn case() -> Ticket {
    let mut case = tickets().remove(0);
    case.body = "Monitoring says /var is at 97%.\n\nThe log rotation has not run since Monday; see the runbook disk-full.".to_owned();
    case.links = vec!["T-0Q8M".to_owned()];
    let mut session = entry(
        "e3",
        20 * MINUTE,
        EntryKind::Session,
        "opened a shell on web3",
    );
    session.host = Some("web3".to_owned());
    session.session = Some("S-2M0D".to_owned());
    session.data = BTreeMap::from([
        ("exit".to_owned(), 0.into()),
        ("took_ms".to_owned(), 754_000.into()),
    ]);
    let mut run = entry("e4", 9 * MINUTE, EntryKind::Run, "disk-full on web3");
    run.run = Some("R-9QXA".to_owned());
    run.data = BTreeMap::from([("exit".to_owned(), 1.into())]);
    let mut check = entry(
        "e1",
        3 * HOUR,
        EntryKind::Check,
        "disk /var: warn -> crit (97%)",
    );
    check.host = Some("web3".to_owned());
    check.author = "health".to_owned();
    case.entries = vec![
        check,
        entry(
            "e2",
            2 * HOUR,
            EntryKind::Comment,
            "Old kernels under /boot are not the cause. Looking at the logs next, they should have been rotated on Sunday night by the timer.",
        ),
        session,
        run,
    ];
    case
}

fn host(name: &str, address: &str, groups: &[&str]) -> Host {
    let mut host = Host::named(name);
    host.address = Some(address.to_owned());
    host.user = Some("admin".to_owned());
    host.groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let source = Source {
        file: PathBuf::from("~/.ssh/config"),
        line: 12,
    };
    host.source = BTreeMap::from([
        ("address".to_owned(), source.clone()),
        ("user".to_owned(), source),
    ]);
    host
}

fn hosts() -> Vec<Host> {
    let mut db = host("db1", "10.0.2.1", &["db", "prod"]);
    db.jump = vec!["bastion".to_owned()];
    let mut old = host("old-nas", "10.0.9.9", &["lab"]);
    old.stale = true;
    vec![
        host("bastion", "198.51.100.7", &["edge"]),
        host("web1", "10.0.1.1", &["web", "prod"]),
        host("web2", "10.0.1.2", &["web", "prod"]),
        host("web3", "10.0.1.3", &["web", "prod"]),
        db,
        host("mail1", "10.0.3.1", &["mail"]),
        host("mail2", "10.0.3.2", &["mail"]),
        host("lab-with-a-very-long-name-indeed-01", "10.0.8.1", &["lab"]),
        old,
    ]
}

/// A measurement with this load, processor share and fill.
pub(crate) fn measured(ago: i64, load: f32, cpu: f32, disk: u64) -> Sample {
    Sample {
        at: NOW.plus(-ago),
        load: Some([load, load * 0.8, load * 0.6]),
        cpus: Some(4),
        cpu_percent: Some(cpu),
        mem_total_kib: Some(8 * 1024 * 1024),
        mem_available_kib: Some(3 * 1024 * 1024),
        swap_total_kib: Some(1024 * 1024),
        swap_free_kib: Some(1000 * 1024),
        uptime_s: Some(86_400 * 41),
        net_bps: Some([1_200_000, 340_000]),
        disks: vec![
            Disk {
                mount: "/".to_owned(),
                size_kib: 50_000_000,
                used_kib: 21_000_000,
            },
            Disk {
                mount: "/var".to_owned(),
                size_kib: 100_000_000,
                used_kib: disk * 1_000_000,
            },
        ],
        rtt_ms: Some(12),
    }
}

fn health() -> BTreeMap<crate::domain::ids::HostId, HostHealth> {
    let series = |disk: u64, step: i64| -> VecDeque<Sample> {
        (0..16_i64)
            .map(|index| {
                measured(
                    (16 - index) * step,
                    0.1 * index as f32,
                    (index * 6) as f32,
                    disk,
                )
            })
            .collect()
    };
    let known = |state, reasons: &[&str], disk, step| HostHealth {
        state,
        reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
        series: series(disk, step),
        last_error: None,
        at: Some(NOW.plus(-step)),
    };
    let mut gone = known(HostState::Unreachable, &[], 40, 11 * MINUTE);
    gone.last_error = Some("connection refused".to_owned());
    [
        ("web1", known(HostState::Ok, &[], 40, 5_000)),
        (
            "web2",
            known(HostState::Warn, &["load 1.50 on 4 cpus"], 40, 5_000),
        ),
        (
            "web3",
            known(HostState::Crit, &["disk /var 97%"], 97, 5_000),
        ),
        ("db1", gone),
        (
            "mail1",
            known(HostState::Stale, &["last seen 2h ago"], 60, 2 * HOUR),
        ),
    ]
    .into_iter()
    .map(|(name, health)| (Host::named(name).id, health))
    .collect()
}

fn cell(host: &str, index: u32, state: CellState, exit: Option<i32>, output: &str) -> Cell {
    Cell {
        host: host.to_owned(),
        step: String::new(),
        index,
        state,
        exit,
        attempt: 1,
        started: Some(NOW.plus(-3_000)),
        took_ms: exit.map(|_| 1_234),
        output: output.to_owned(),
        dropped: 0,
        reason: String::new(),
    }
}

fn run() -> RunRow {
    let mut failed = cell(
        "web3",
        1,
        CellState::Failed,
        Some(1),
        "rm: cannot remove '/var/log/old.1': Permission denied\n",
    );
    failed.attempt = 2;
    failed.reason = "step failed; the host's further steps are skipped".to_owned();
    RunRow {
        id: RunId(id("R-9QXA")),
        reference: "R-9QXA".to_owned(),
        book: "disk-full".to_owned(),
        hash: "0".repeat(64),
        state: RunState::Running,
        ticket: Some("T-7K3F".to_owned()),
        author: "mira".to_owned(),
        steps: ["show usage", "clean logs", "restart service", "verify"]
            .map(str::to_owned)
            .to_vec(),
        hosts: ["web1", "web2", "web3", "db1"].map(str::to_owned).to_vec(),
        params: BTreeMap::from([("path".to_owned(), "/var".to_owned())]),
        started: NOW.plus(-62_000),
        finished: None,
        tally: Tally {
            ok: 1,
            failed: 1,
            unreachable: 1,
            skipped: 0,
        },
        cells: vec![
            cell(
                "web1",
                0,
                CellState::Ok,
                Some(0),
                "Filesystem      Size  Used Avail Use% Mounted on\n/dev/vda2        98G   40G   58G  41% /var\n",
            ),
            cell("web1", 1, CellState::Ok, Some(0), "freed 12G\n"),
            cell("web1", 2, CellState::Running, None, ""),
            cell("web2", 0, CellState::Running, None, "Filesystem\x1b[2J"),
            cell("web3", 0, CellState::Ok, Some(0), "/dev/vda2 97%\n"),
            failed,
            cell("web3", 2, CellState::Skipped, None, ""),
            cell("web3", 3, CellState::Skipped, None, ""),
            cell("db1", 0, CellState::Unreachable, None, ""),
        ],
    }
}

fn step(name: &str, text: &str) -> Step {
    Step {
        name: name.to_owned(),
        action: Action::Script {
            interpreter: "sh".to_owned(),
            text: text.to_owned(),
        },
        on: On::Host,
        run: Repeat::Each,
        timeout_ms: None,
        retries: 0,
        confirm: Confirm::No,
        verify: None,
        capture: None,
        condition: None,
        become_root: false,
        ignore_errors: false,
        line: 10,
        prose: String::new(),
    }
}

fn books() -> Vec<Runbook> {
    let param = Param {
        name: "path".to_owned(),
        kind: ParamKind::String,
        default: Some("/var".to_owned()),
        regex: None,
        required: true,
        choices: Vec::new(),
        description: "Where it is full".to_owned(),
        raw: false,
    };
    let mut clean = step(
        "clean logs",
        "find {{ path }}/log -name '*.gz' -mtime +7 -delete\njournalctl --vacuum-size=200M",
    );
    clean.confirm = Confirm::Yes;
    clean.become_root = true;
    clean.prose = "Old compressed logs go first; nobody has ever missed one.".to_owned();
    let book = |name: &str, title: &str, steps: Vec<Step>| Runbook {
        when: Vec::new(),
        epilogue: String::new(),
        name: name.to_owned(),
        title: title.to_owned(),
        description: String::new(),
        tags: vec!["disk".to_owned()],
        hosts: None,
        params: Vec::new(),
        steps,
        path: Some(PathBuf::from(format!("runbooks/{name}.md"))),
        hash: String::new(),
    };
    let mut full = book(
        "disk-full",
        "A file system is full",
        vec![
            step("show usage", "df -h {{ path }}"),
            clean,
            step("verify", "df {{ path }}"),
        ],
    );
    full.params = vec![param];
    full.description =
        "Finds what fills a file system and takes away what is not needed.".to_owned();
    vec![
        full,
        book("hello", "Says hello", vec![step("hello", "uname -a")]),
    ]
}

fn recorded() -> Vec<SessionRow> {
    let row = |reference: &str, host: &str, ago: i64, exit: Option<i64>| SessionRow {
        id: session_id(reference),
        reference: reference.to_owned(),
        host: host.to_owned(),
        ticket: Some("T-7K3F".to_owned()),
        opened: NOW.plus(-ago),
        closed: exit.map(|_| NOW.plus(-ago + 754_000)),
        exit,
        bytes: 48_213,
        recording: Some("x.cast".to_owned()),
        live: false,
        shared: None,
    };
    vec![
        row("S-2M0D", "web3", 20 * MINUTE, Some(0)),
        row("S-1AAA", "db1", DAY, Some(255)),
        row("S-0ZZZ", "mail1", 3 * DAY, None),
    ]
}

fn sessions() -> Vec<SessionView> {
    let mut web = SessionView::opening(session_id("live web1"), "web1", Some("T-7K3F".to_owned()));
    web.reference = "S-4QWE".to_owned();
    web.state = SessionState::Live;
    web.title = "admin@web1: ~".to_owned();
    let mut db = SessionView::opening(session_id("live bastion"), "bastion", None);
    db.reference = "S-5RTZ".to_owned();
    db.state = SessionState::Live;
    db.activity = true;
    let mut ended = SessionView::opening(session_id("ended"), "mail1", None);
    ended.reference = "S-6UIO".to_owned();
    ended.state = SessionState::Closed("exit 0".to_owned());
    vec![web, db, ended]
}

fn page<T>(rows: Vec<T>) -> Page<T> {
    Page {
        total: rows.len(),
        rows,
        loaded: true,
        ..Page::default()
    }
}

/// A model with a bit of everything.
pub(crate) fn model() -> Model {
    let mut model = Model::new(NOW, "mira", false, false);
    model.hosts = hosts().into();
    model.tickets = page(tickets());
    model.case = Some(case());
    let mut row = run();
    row.cells.clear();
    model.runs = page(vec![row]);
    model.run = Some(run());
    model.sessions = sessions();
    model.tabs = (0..)
        .zip(&model.sessions)
        .map(|(number, session)| Tab::new(TabId(number), session.id))
        .collect();
    model.recorded = recorded();
    model.recording = recorded().into_iter().next().map(|row| Recording {
        row,
        text: "admin@web3:~$ df -h /var\nFilesystem      Size  Used Avail Use% Mounted on\n/dev/vda2        98G   95G    3G  97% /var\nadmin@web3:~$ exit\n".to_owned(),
    });
    model.health = health();
    model.books = books();
    let options = BTreeMap::from([
        ("hostname".to_owned(), vec!["10.0.2.1".to_owned()]),
        ("user".to_owned(), vec!["admin".to_owned()]),
        (
            "identityfile".to_owned(),
            vec!["~/.ssh/id_ed25519".to_owned()],
        ),
    ]);
    model.host = Some(HostDetail {
        name: "web3".to_owned(),
        effective: Some(Ok(Effective { options })),
        entries: case().entries,
        tickets: tickets().into_iter().take(1).collect(),
        keys: Some(links::keys()),
    });
    links::fill(&mut model);
    model.notices.push(Notice {
        at: NOW.plus(-90_000),
        level: Level::Info,
        text: "imported: 9 new, 0 changed, 0 stale".to_owned(),
    });
    model
}
