//! Far hosts and slow terminals, with a real bash on a real server behind a line that delays, and the real window.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quarterdeck::config::Predict;
use quarterdeck::domain::ids::{EntityId, SessionId};
use quarterdeck::domain::key::{Key, KeyCode};
use quarterdeck::domain::pane::Guessing;
use quarterdeck::ssh::{SshAsk, SshFact};
use quarterdeck::term::{Screen, Size};

use crate::support::day::Day;
use crate::support::lab::{Client, Failed, Lab};
use crate::support::proxy::Line;
use crate::support::pty::Terminal;
use crate::support::sshd::GUARD;

const SESSION: SessionId = SessionId(EntityId::from_bytes([9; 16]));

/// Half of the way to the host and back.
const HALF: Duration = Duration::from_millis(150);

fn far() -> Line {
    Line {
        delay: HALF,
        ..Line::default()
    }
}

/// A pane and every screen that it showed.
struct Pane {
    client: Client,
    shown: Vec<(Instant, Arc<Screen>)>,
}

impl Pane {
    /// Opens a pane with a shell whose prompt is known.
    async fn open(lab: &Lab, when: Predict) -> Result<Self, Failed> {
        let mut client = lab.client();
        client.engine.send(SshAsk::Predict { when });
        client.engine.send(SshAsk::Open {
            session: SESSION,
            target: client.target("web1"),
            size: Size { cols: 80, rows: 24 },
            term: "xterm-256color".to_owned(),
            recording: None,
        });
        client
            .until(|fact| matches!(fact, SshFact::SessionOpened { .. }).then_some(()))
            .await?;
        let mut pane = Self {
            client,
            shown: Vec::new(),
        };
        pane.raw("exec env -i TERM=xterm PS1='ready: ' bash --norc --noprofile -i\n");
        pane.until("a prompt", |text| text.lines().last() == Some("ready:"))
            .await?;
        // Everything that was typed has been acknowledged, and the distance is known.
        pane.guessing(|state| state != Guessing::Begun).await;
        Ok(pane)
    }

    fn raw(&self, text: &str) {
        self.client.engine.send(SshAsk::Raw {
            session: SESSION,
            bytes: text.as_bytes().to_vec(),
        });
    }

    fn key(&self, key: Key) {
        self.client.engine.send(SshAsk::Key {
            session: SESSION,
            key,
        });
    }

    fn text(&self, text: &str) {
        text.chars().for_each(|c| self.key(Key::char(c)));
    }

    async fn next(&mut self) {
        self.client.screens.notified().await;
        for (_, screen) in self.client.screens.take_dirty() {
            self.shown.push((Instant::now(), screen));
        }
    }

    /// Waits until the screen shows something; when it did.
    async fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Instant, Failed> {
        let looked = tokio::time::timeout(GUARD, async {
            loop {
                if let Some((at, screen)) = self.shown.last()
                    && wanted(&screen.text())
                {
                    return *at;
                }
                self.next().await;
            }
        });
        match looked.await {
            Ok(at) => Ok(at),
            Err(_) => Err(format!("waited in vain for {what}:\n{}", self.last()).into()),
        }
    }

    fn last(&self) -> String {
        let last = self.shown.last();
        last.map_or_else(String::new, |(_, screen)| screen.text())
    }

    fn underlined(screen: &Screen) -> bool {
        let mut cells = screen.rows.iter().flat_map(|row| &row.cells);
        cells.any(|cell| cell.style.underline)
    }

    /// Waits until what is done with keys is so.
    async fn guessing(&self, wanted: impl Fn(Guessing) -> bool) {
        let waited = async {
            while !self
                .client
                .engine
                .panes()
                .iter()
                .any(|row| wanted(row.guessing))
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(GUARD, waited).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_typed_far_away_is_seen_at_once_and_what_is_hidden_never() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let _line = lab.through("web1", &web, far(), "").await?;
    let mut pane = Pane::open(&lab, Predict::Auto).await?;
    // The first key of a line finds out whether keys are echoed.
    pane.text("e");
    pane.until("the first echo", |text| text.ends_with("ready: e"))
        .await?;
    pane.guessing(|state| state == Guessing::Shown).await;
    let (mut early, mut line) = (0, "ready: e".to_owned());
    for c in "cho seen-at-once".chars() {
        let typed = Instant::now();
        pane.key(Key::char(c));
        line.push(c);
        let wanted = line.trim_end().to_owned();
        let at = pane
            .until("a letter", |text| text.lines().any(|row| row == wanted))
            .await?;
        early += usize::from(at.saturating_duration_since(typed) < HALF);
    }
    // A machine that is busy enough makes one or two late.
    assert!(
        early >= 12,
        "{early} of 15 letters came before the host could have echoed them"
    );
    let guessed = pane
        .shown
        .iter()
        .filter(|(_, screen)| Pane::underlined(screen));
    assert!(guessed.count() > 5, "guesses are marked");
    // Confirmed, they look as the host wrote them.
    let plain = async {
        while pane
            .shown
            .last()
            .is_some_and(|(_, screen)| Pane::underlined(screen))
        {
            pane.next().await;
        }
    };
    tokio::time::timeout(GUARD, plain).await?;
    pane.key(Key::plain(KeyCode::Enter));
    pane.until("the answer", |text| {
        text.lines().any(|row| row == "seen-at-once")
    })
    .await?;

    // Nothing is echoed: before the question is there, and after.
    let before = pane.shown.len();
    pane.raw("IFS= read -rsp 'your code> ' code; echo \" got ${#code}\"\n");
    pane.text("QZ");
    pane.until("the question", |text| text.ends_with("your code>"))
        .await?;
    pane.text("QZQZQ");
    pane.key(Key::plain(KeyCode::Enter));
    pane.until("its length", |text| text.contains("got "))
        .await?;
    let seen = pane.shown.iter().skip(before);
    let leaked = seen.filter(|(_, screen)| screen.text().contains(['Q', 'Z']));
    assert_eq!(leaked.count(), 0, "{}", pane.last());

    // A completion is none of the keys: what was guessed wrongly is repaired.
    pane.until("a prompt", |text| text.ends_with("ready:"))
        .await?;
    pane.text("cat /etc/host");
    pane.key(Key::plain(KeyCode::Tab));
    pane.text("Xab");
    for _ in 0..3 {
        pane.key(Key::plain(KeyCode::Backspace));
    }
    pane.key(Key::ctrl('u'));
    pane.text("echo end=$((40+2))");
    pane.key(Key::plain(KeyCode::Enter));
    pane.until("the end", |text| text.lines().any(|row| row == "end=42"))
        .await?;
    let calm = async {
        while pane
            .shown
            .last()
            .is_some_and(|(_, screen)| Pane::underlined(screen))
        {
            pane.next().await;
        }
    };
    tokio::time::timeout(GUARD, calm).await?;
    assert!(
        pane.last()
            .contains("ready: echo end=$((40+2))\nend=42\nready:"),
        "{}",
        pane.last()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_setting_switches_it_off() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let web = lab.server("direct", "", "")?;
    let _line = lab.through("web1", &web, far(), "").await?;
    let mut pane = Pane::open(&lab, Predict::Never).await?;
    pane.text("e");
    pane.until("the first echo", |text| text.ends_with("ready: e"))
        .await?;
    let typed = Instant::now();
    pane.text("x");
    let at = pane
        .until("the second", |text| text.ends_with("ready: ex"))
        .await?;
    assert!(at - typed >= 2 * HALF, "it was not the host who showed it");
    assert!(
        pane.client
            .engine
            .panes()
            .iter()
            .all(|row| row.guessing == Guessing::Off)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_far_away_stops_soon_after_control_c() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let bastion = lab.server("near", "", "")?;
    // 1 Mbit/s. The test's line takes connections in at once, which looks near; so the host is behind a bastion, and how far
    // it is, is told by the channel that leads to it.
    let thin = Line {
        delay: HALF,
        rate: Some(125_000),
        ..Line::default()
    };
    let _line = lab.through("bastion", &bastion, thin, "").await?;
    let _web = lab.server("web1", "  ProxyJump bastion", "")?;
    let mut pane = Pane::open(&lab, Predict::Auto).await?;
    pane.raw("yes flooding\n");
    let bytes = |pane: &Pane| {
        pane.client
            .engine
            .panes()
            .first()
            .map_or(0, |row| row.bytes_in)
    };
    // The line is full by now.
    let full = async {
        while bytes(&pane) < 400_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(GUARD, full).await?;
    // What was shown before it began says nothing of its end.
    drop(pane.client.screens.take_dirty());
    pane.shown.clear();
    pane.until("the flood", |text| text.ends_with("flooding"))
        .await?;
    let (pressed, before) = (Instant::now(), bytes(&pane));
    pane.key(Key::ctrl('c'));
    let at = pane.until("quiet", |text| text.ends_with("ready:")).await?;
    let (took, stale) = (at - pressed, bytes(&pane) - before);
    // What a whole window holds, and what comes while the key is on its way.
    assert!(stale < 100_000, "{stale} bytes after Ctrl-C, {took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    Ok(())
}

#[test]
fn a_window_of_words_sends_no_sequence_and_says_what_is_reached() {
    let day = Day::start(2);
    day.import();
    let mut terminal = Terminal::start(
        day.program(),
        &["--plain", "--home", day.home_text()],
        &[],
        Size { cols: 80, rows: 24 },
    );
    terminal.until("the first view is said", |screen| screen.contains("Home"));
    terminal.keys("2");
    terminal.until("the hosts are said", |screen| screen.contains("Hosts: "));
    terminal.until("the first is said", |screen| screen.contains(", 1 of "));
    terminal.keys("j");
    terminal.until("the second is said", |screen| screen.contains(", 2 of "));
    terminal.keys(":session open web2\r");
    terminal.until("a prompt is said", |screen| {
        screen.trim_end().ends_with(['$', '#'])
    });
    terminal.keys("echo heard=$((40+2))\r");
    terminal.until("the answer is said", |screen| {
        screen.lines().any(|line| line == "heard=42")
    });
    terminal.keys("exit\r");
    terminal.until("the end is said", |screen| {
        screen.contains("session has ended")
    });
    let text = String::from_utf8_lossy(&terminal.written);
    assert!(!text.contains('\u{1b}'), "{}", text.escape_debug());
    assert!(
        !text.contains(|c| ('\u{2500}'..='\u{257f}').contains(&c)),
        "{text}"
    );
    terminal.signal(15);
    terminal.end();
}
