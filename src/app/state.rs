//! All the state of one process: the model, the windows onto it, and the work in progress. Plain data; no handle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use crate::command::Info;
use crate::config::{Alerts, BROADCAST_MINUTES, Reconnect, Recording, WindowSize};
use crate::domain::case::CaseEvent;
use crate::domain::environment::Environments;
use crate::domain::files::CopyProgress;
use crate::domain::forward::ForwardRow;
use crate::domain::ids::{DeviceId, HostId, Mint, ReqId, RunId, SessionId, TicketId, WindowId};
use crate::domain::run::{Exit, RunFact};
use crate::domain::time::Time;
use crate::health::parse::Counters;
use crate::health::schedule::{Rules, Schedule};
use crate::health::verdict::{Hysteresis, Thresholds};
use crate::model::{Inflight, KeyAlarm, Model, QuestionId, WindowCost};
use crate::runbook::machine::Machine;
use crate::runbook::mask::{self, Mask};
use crate::ssh::{self, ExecSpec};
use crate::term::Size;
use crate::ui::{Keymap, Theme, Ui, View, Want};

use super::event::{Caller, LineId};
use super::purpose::{Gather, Purpose};
use super::update::{
    Again, FileOrder, Member, SettingsFile, Source, SyncOrder, Tabs, Takers, Waits, Watched,
};

/// What a process is told when it starts.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who works here: the author of what is written.
    pub me: String,
    /// The folder of recordings.
    pub recordings: PathBuf,
    /// Whose log this store writes.
    pub device: DeviceId,
    /// OpenSSH's configuration for names that no inventory explains; `None` is its default file.
    pub ssh_config: Option<PathBuf>,
    /// The program that is OpenSSH's client.
    pub ssh_program: PathBuf,
    /// Patterns of the hosts that are reached by it.
    pub openssh_hosts: Vec<String>,
    /// Which sessions are recorded, and how long that is kept.
    pub recording: Recording,
    /// Whether everything that changes anything is refused.
    pub read_only: bool,
    /// Whether this is the demo.
    pub demo: bool,
    /// Whether the app is a process of its own, which windows come to and leave again.
    pub served: bool,
    /// Why a logout would end the app, if it would.
    pub logout: Option<String>,
    /// Which hosts are probed without being asked.
    pub probing: Probing,
    /// Limits for verdicts.
    pub thresholds: Thresholds,
    /// When typed characters are shown before a far host has echoed them.
    pub predict: crate::config::Predict,
    /// How the screen looks.
    pub theme: Theme,
    /// What the keys do.
    pub keymap: Keymap,
    /// Whose size a tab has that several windows show.
    pub window_size: WindowSize,
    /// The value of `TERM` that remote shells get.
    pub term: String,
    /// What windows and programs in panes may do with the person's terminal.
    pub terminal: TerminalRules,
    /// Thirty-two bytes that nobody can guess.
    pub seed: [u8; 32],
    /// When the process began.
    pub now: Time,
    /// How often hosts are probed.
    pub rules: Rules,
    /// The process.
    pub pid: u32,
    /// Versions and places, for whoever asks.
    pub info: Info,
    /// What keeps people from typing into the wrong place, and what calls them.
    pub guard: Guarding,
}

/// What keeps people from typing into the wrong place, and what calls them.
#[derive(Clone, Debug)]
pub struct Guarding {
    /// Which hosts are production, and what else there is.
    pub environments: Environments,
    /// How long a broadcast goes on without a key, in milliseconds.
    pub broadcast_ms: u64,
    /// How a session calls.
    pub alerts: Alerts,
    /// What becomes of panes whose connection was lost.
    pub reconnect: Reconnect,
}

impl Default for Guarding {
    fn default() -> Self {
        Self {
            environments: Environments::default(),
            broadcast_ms: BROADCAST_MINUTES * 60_000,
            alerts: Alerts::default(),
            reconnect: Reconnect::default(),
        }
    }
}

/// What windows and programs in panes may do with the person's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalRules {
    /// Windows take the mouse.
    pub mouse: bool,
    /// Programs in panes may put text on the clipboard (OSC 52).
    pub clipboard: bool,
}

impl Default for TerminalRules {
    fn default() -> Self {
        Self {
            mouse: true,
            clipboard: true,
        }
    }
}

/// Which hosts are probed without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probing {
    /// Every host of the inventory.
    All,
    /// Hosts that are on the screen.
    Visible,
    /// None.
    Asked,
}

/// How fresh a page of the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It is being read.
    Reading,
    /// It is being read, and something was written since it was asked for.
    Outdated,
    /// It is as the store is.
    Fresh,
    /// Something was written since it was read.
    Stale,
}

impl Freshness {
    /// After something was written.
    pub(crate) fn outdated(self) -> Self {
        match self {
            Self::Fresh | Self::Stale => Self::Stale,
            Self::Reading | Self::Outdated => Self::Outdated,
        }
    }
}

/// All the state of one process.
#[derive(Debug)]
pub struct State {
    /// What we believe.
    pub model: Model,
    /// What each window shows.
    pub windows: BTreeMap<WindowId, Ui>,
    /// What each window cost so far, as last told.
    pub(crate) costs: BTreeMap<WindowId, WindowCost>,
    pub(crate) setup: Setup,
    pub(crate) mint: Mint,
    pub(crate) inflight: Inflight<Purpose>,
    /// Whether the inventory was read; commands that need it wait until then.
    pub(crate) ready: bool,
    pub(crate) waiting: VecDeque<Gather>,
    pub(crate) runs: BTreeMap<RunId, LiveRun>,
    pub(crate) fans: BTreeMap<u64, Fan>,
    pub(crate) sessions: BTreeMap<SessionId, LiveSession>,
    /// Who waits for something in a session.
    pub(crate) waits: Waits,
    /// When recordings were last looked through for what must go.
    pub(crate) swept: Option<Time>,
    /// The search through recordings that is under way.
    pub(crate) searching: Option<ReqId>,
    pub(crate) calls: BTreeMap<LineId, Call>,
    pub(crate) copies: BTreeMap<ReqId, LiveCopy>,
    pub(crate) rounds: Vec<Round>,
    /// Forwards by their numbers, as last told.
    pub(crate) forwards: BTreeMap<u64, LiveForward>,
    /// The number of the last forward that was asked for.
    pub(crate) last_forward: u64,
    /// Command lines whose forwards end because one failed, with the exit status.
    pub(crate) forwarding: BTreeMap<LineId, u8>,
    /// Questions of connections, by the number they are asked under, and the command line that is asked.
    pub(crate) questions: BTreeMap<QuestionId, (ssh::QuestionId, Option<LineId>)>,
    /// Command lines at which nobody sits who could be asked.
    pub(crate) nobody: BTreeSet<LineId>,
    /// Command lines that left while a run of theirs goes on.
    pub(crate) left: BTreeSet<LineId>,
    /// Command lines that were interrupted, or left, before what they asked for had begun.
    pub(crate) ended: BTreeSet<LineId>,
    /// Questions whether the app may stop, and the command lines that wait for it.
    pub(crate) stop_asked: BTreeMap<QuestionId, LineId>,
    /// Patterns of the hosts that the engine was told to reach by the system's `ssh`.
    pub(crate) system_hosts: Vec<String>,
    /// Command lines that were interrupted once.
    pub(crate) interrupted: BTreeSet<LineId>,
    pub(crate) schedule: Schedule,
    pub(crate) measured: BTreeMap<HostId, Measured>,
    /// Hosts that are on a screen.
    pub(crate) visible: BTreeSet<HostId>,
    /// Damps the verdict on this machine.
    pub(crate) here: Hysteresis,
    /// When this machine was last measured.
    pub(crate) measuring: Option<Time>,
    /// Pages that a screen shows: whether each is fresh, being read, or stale.
    pub(crate) pages: BTreeMap<Want, Freshness>,
    /// Hosts whose samples of the past were asked for.
    pub(crate) past_read: BTreeSet<HostId>,
    /// The size of each session's pane as it was last drawn.
    pub(crate) pane_sizes: BTreeMap<SessionId, Size>,
    /// Questions about steps, by the number they are asked under.
    pub(crate) steps_asked: BTreeMap<QuestionId, (RunId, u32)>,
    /// The question whether to leave although something lives.
    pub(crate) quit_asked: Option<QuestionId>,
    /// Connections that are to be made anew, by host.
    pub(crate) again: BTreeMap<String, Again>,
    /// Changes of files, by number.
    pub(crate) orders: BTreeMap<u64, FileOrder>,
    /// Questions that tell of a changed host key, and whether a ticket is wanted is the answer.
    pub(crate) alarms_asked: BTreeMap<QuestionId, KeyAlarm>,
    /// What is known of tabs besides the tabs themselves.
    pub(crate) tabs: Tabs,
    /// What is watched for in each session.
    pub(crate) watched: BTreeMap<SessionId, Watched>,
    /// The last login on each host that was written down, and when.
    pub(crate) logins: BTreeMap<String, (Time, crate::domain::audit::Login)>,
    /// Who is in the broadcast that goes on, for the cases.
    pub(crate) broadcast: Vec<Member>,
    /// When the bell of the windows last rang because of a session.
    pub(crate) rang: Time,
    /// Questions about devices of the space, and who asked for what.
    pub(crate) sync_asked: BTreeMap<QuestionId, (Caller, SyncOrder)>,
    /// The tickets that are open on a screen, as others were told, and since when.
    pub(crate) showing: BTreeMap<TicketId, Time>,
    /// Since when the process is ending.
    pub(crate) stopping: Option<Time>,
    /// What is known of the settings file.
    pub(crate) settings: SettingsFile,
    /// Whose terminal a copied text is for.
    pub(crate) takers: Takers,
    /// Where the event comes from that is being taken in.
    pub(crate) source: Source,
    /// What the last window showed when it was closed: the next one begins there.
    pub(crate) left_at: Option<View>,
}

/// What is kept of a host between samples.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// Counters of the sample before.
    pub counters: Option<Counters>,
    /// Damps the verdict.
    pub hysteresis: Hysteresis,
    /// Samples taken over this connection.
    pub samples: u64,
    /// When it was last measured, or could not be.
    pub at: Time,
    /// It is being asked now.
    pub asked: bool,
    /// Samples taken since a round began.
    pub round_samples: u32,
    /// The file systems were listed since a round began.
    pub round_disks: bool,
    /// The file systems as last listed.
    pub disks: Vec<crate::domain::sample::Disk>,
}

/// A run that this process works on.
#[derive(Debug)]
pub(crate) struct LiveRun {
    /// Who asked for it.
    pub caller: Caller,
    /// The rules of the run.
    pub machine: Machine,
    /// Its reference; empty until the first batch is durable.
    pub reference: String,
    /// The names of the steps.
    pub steps: Vec<String>,
    /// Hides secrets in what is shown.
    pub mask: Mask,
    /// The entry on the timeline.
    pub case: CaseEvent,
    /// Facts by the token of the batch that carries them, told when it is durable.
    pub told: BTreeMap<u64, Vec<RunFact>>,
    /// Output of the steps that run now, and the bytes that were not kept.
    pub output: BTreeMap<(String, u32), (Vec<u8>, u64)>,
    /// Hides secrets in what is emitted, also those that are split over two pieces.
    pub streams: BTreeMap<(String, u32, bool), mask::Stream>,
    /// Requests of the steps that run now.
    pub requests: BTreeMap<(String, u32), ReqId>,
    /// The run is over; the lock goes when this token is durable.
    pub finished: bool,
}

/// A session that this process owns.
#[derive(Debug)]
pub(crate) struct LiveSession {
    /// Who opened it.
    pub caller: Caller,
    /// The entry on the timeline.
    pub case: CaseEvent,
    /// The recording's file name.
    pub recording: String,
    /// Where it leads.
    pub host: String,
    /// It leads nowhere: its shell is on this machine.
    pub local: bool,
    /// Whoever opened it was told that it is open.
    pub told: bool,
}

/// The one command, or the raw shell, of a command line.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Which command line.
    pub line: LineId,
    /// The request.
    pub req: ReqId,
    /// The host's name.
    pub host: String,
    /// What is asked of it.
    pub spec: ExecSpec,
    /// What begins an escape at the start of a line.
    pub escape: Option<u8>,
    /// The program that serves it instead of the engine.
    pub here: Option<Vec<String>>,
    /// The entry on the ticket, if there is one.
    pub case: Option<CaseEvent>,
    /// The beginning of the output, for the entry.
    pub kept: Vec<u8>,
}

/// A forward that this process carries.
#[derive(Debug)]
pub(crate) struct LiveForward {
    /// Who asked for it; nobody if a host's settings did.
    pub caller: Option<Caller>,
    /// As last told.
    pub row: ForwardRow,
}

/// One command on many hosts.
#[derive(Debug)]
pub(crate) struct Fan {
    /// Who asked for it.
    pub caller: Caller,
    /// What was asked.
    pub command: crate::command::ExecCommand,
    /// What runs on each host.
    pub spec: ExecSpec,
    /// Hosts that wait for their turn.
    pub waiting: VecDeque<String>,
    /// Hosts that are at it.
    pub running: BTreeMap<String, ReqId>,
    /// What came back, and in which order.
    pub results: Vec<FanResult>,
    /// Partial lines and kept output by host.
    pub output: BTreeMap<String, FanOutput>,
    /// The entries on the ticket, by host.
    pub cases: BTreeMap<String, CaseEvent>,
    /// Nothing new may begin.
    pub stopped: bool,
    /// Hosts that never had their turn.
    pub skipped: Vec<String>,
    /// Entries that are being written.
    pub records: usize,
    /// An entry could not be written.
    pub unrecorded: bool,
}

/// What one host of a fan-out came to.
#[derive(Debug)]
pub(crate) struct FanResult {
    /// The host's name.
    pub host: String,
    /// How it ended.
    pub exit: Exit,
    /// How long it took.
    pub took_ms: u64,
}

/// What a host of a fan-out wrote.
#[derive(Debug, Default)]
pub(crate) struct FanOutput {
    /// Kept output, both streams as they came.
    pub kept: Vec<u8>,
    /// Bytes that were not kept.
    pub dropped: u64,
    /// The line that has not ended, for standard output and standard error.
    pub partial: [Vec<u8>; 2],
}

/// A copy of files that somebody waits for.
#[derive(Debug)]
pub(crate) struct LiveCopy {
    /// Who asked for it.
    pub caller: Caller,
    /// What was asked.
    pub command: crate::command::CopyCommand,
    /// The entry on the ticket, if there is one.
    pub case: Option<CaseEvent>,
    /// How far it is.
    pub progress: CopyProgress,
    /// A person asked to stop.
    pub stopped: bool,
}

/// One round of probes that somebody waits for.
#[derive(Debug)]
pub(crate) struct Round {
    /// Who waits.
    pub caller: Caller,
    /// The hosts, in order.
    pub hosts: Vec<HostId>,
    /// Those that have not been measured.
    pub missing: BTreeSet<HostId>,
    /// Those that were asked.
    pub begun: BTreeSet<HostId>,
    /// Again and again.
    pub watch: bool,
    /// When it begins again; `None` while it is at it.
    pub next: Option<Time>,
    /// The pause before that, in milliseconds.
    pub pause: u64,
}

impl State {
    /// A process that has just begun.
    pub fn new(setup: Setup) -> Self {
        Self {
            model: Model {
                now: setup.now,
                me: setup.me.clone(),
                demo: setup.demo,
                read_only: setup.read_only,
                environments: setup.guard.environments.clone(),
                ..Model::default()
            },
            windows: BTreeMap::new(),
            costs: BTreeMap::new(),
            mint: Mint::new(setup.seed),
            inflight: Inflight::default(),
            ready: false,
            waiting: VecDeque::new(),
            runs: BTreeMap::new(),
            fans: BTreeMap::new(),
            sessions: BTreeMap::new(),
            waits: Waits::new(),
            swept: None,
            searching: None,
            calls: BTreeMap::new(),
            copies: BTreeMap::new(),
            rounds: Vec::new(),
            forwards: BTreeMap::new(),
            last_forward: 0,
            forwarding: BTreeMap::new(),
            questions: BTreeMap::new(),
            nobody: BTreeSet::new(),
            left: BTreeSet::new(),
            ended: BTreeSet::new(),
            stop_asked: BTreeMap::new(),
            system_hosts: Vec::new(),
            interrupted: BTreeSet::new(),
            schedule: Schedule::new(setup.rules),
            measured: BTreeMap::new(),
            visible: BTreeSet::new(),
            here: Hysteresis::default(),
            measuring: None,
            pages: BTreeMap::new(),
            past_read: BTreeSet::new(),
            pane_sizes: BTreeMap::new(),
            steps_asked: BTreeMap::new(),
            quit_asked: None,
            settings: SettingsFile::default(),
            takers: Takers::default(),
            source: Source::default(),
            left_at: None,
            again: BTreeMap::new(),
            orders: BTreeMap::new(),
            alarms_asked: BTreeMap::new(),
            tabs: Tabs::default(),
            watched: BTreeMap::new(),
            broadcast: Vec::new(),
            logins: BTreeMap::new(),
            rang: Time(0),
            sync_asked: BTreeMap::new(),
            showing: BTreeMap::new(),
            stopping: None,
            setup,
        }
    }

    /// Whether a person may be asked on behalf of `caller`.
    pub(crate) fn may_ask(&self, caller: Caller) -> bool {
        match caller {
            Caller::Window(_) => true,
            Caller::Line(line) => !self.nobody.contains(&line) && !self.left.contains(&line),
        }
    }

    /// The next probes of these hosts are due at once.
    pub(crate) fn schedule_now(&mut self, hosts: &[HostId]) {
        hosts.iter().for_each(|host| self.schedule.hurry(*host));
    }
}
