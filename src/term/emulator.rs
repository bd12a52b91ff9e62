//! The emulator itself; only it, its guard, and what reads its grid and its modes know the crate behind it. It must not let
//! foreign bytes grow anything without bound, and must not answer a question that would tell a remote host what was copied.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use alacritty_terminal::event::{Event, EventListener, WindowSize};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::term::{self, Osc52, Term, TermDamage, TermMode};
use alacritty_terminal::vte::ansi::{self, Processor, Rgb};

use super::envelope::{Aside, Envelope};
use super::force;
use super::grid::Grid;
use super::guard::{self, GRID, Guard, Kept};
use super::outbox::{Notice, Outbox, Requests, palette};
use super::past::{LIVE, Past};
use super::screen::{Cell, CursorShape, Modes, Mouse, Row, Screen, Size};

/// Bytes are parsed in slices of this size, so that the limits below are checked often.
const SLICE: usize = 4 * 1024;

/// What a cell measures in the answer to CSI 14 t, in pixels. We draw in a terminal and know only cells.
const CELL_PIXELS: (u16, u16) = (8, 16);

/// Receives the parser's events. A std mutex, because the parser hands them over behind a shared reference; it is never
/// contended, since the emulator is owned by one task.
#[derive(Clone, Default)]
pub(super) struct Listener(Arc<Mutex<Outbox>>);

impl Listener {
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Outbox) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl EventListener for Listener {
    fn send_event(&self, event: Event) {
        self.with(|out| match event {
            Event::PtyWrite(text) => out.reply(&text),
            Event::ColorRequest(index, format) => {
                let (r, g, b) = match index {
                    0..=255 => palette(index as u8),
                    257 => out.requests.background,
                    _ => out.requests.foreground,
                };
                out.reply(&format(Rgb { r, g, b }));
            }
            Event::TextAreaSizeRequest(format) => {
                let size = out.requests.size;
                out.reply(&format(WindowSize {
                    num_lines: size.rows,
                    num_cols: size.cols,
                    cell_width: CELL_PIXELS.0,
                    cell_height: CELL_PIXELS.1,
                }));
            }
            Event::Title(title) => out.title = Some(title),
            Event::ResetTitle => out.title = Some(String::new()),
            Event::ClipboardStore(_, text) => out.clipboard = Some(text),
            Event::Bell => out.bell = true,
            // A remote host must not read what the reader copied.
            Event::ClipboardLoad(..)
            | Event::MouseCursorDirty
            | Event::CursorBlinkingChange
            | Event::Wakeup
            | Event::Exit
            | Event::ChildExit(_) => {}
        });
    }
}

/// A terminal emulator: fed with what a program writes, it keeps the screen that a person should see.
pub struct Emulator {
    term: Term<Listener>,
    parser: Processor,
    envelope: Envelope,
    listener: Listener,
    /// What the crate does not keep, or not within bounds.
    kept: Kept,
    size: Size,
    title: String,
    notices: Vec<Notice>,
    shown: Option<Arc<Screen>>,
    /// Reused between slices.
    passed: Vec<u8>,
    /// Reused between rows.
    cells: Vec<Cell>,
    /// What is kept beyond the grid, and who looks at it.
    pub(super) past: Past,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator")
            .field("size", &self.size)
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

impl Emulator {
    /// An empty screen of `size`, brought within [`Size::MIN`] and [`Size::MAX`].
    pub fn new(size: Size) -> Self {
        let size = size.clamped();
        let listener = Listener::default();
        listener.with(|out| {
            out.requests = Requests {
                size,
                foreground: palette(7),
                background: palette(0),
            };
        });
        let config = term::Config {
            scrolling_history: GRID,
            osc52: Osc52::OnlyCopy,
            // No program can ask for a hollow block, so this one says that none asked for anything.
            default_cursor_style: ansi::CursorStyle {
                shape: ansi::CursorShape::HollowBlock,
                blinking: false,
            },
            // The crate's stack of keyboard modes, when full, removes from the wrong stack and panics; the guard keeps them.
            kitty_keyboard: false,
            ..term::Config::default()
        };
        Self {
            term: Term::new(config, &Cells(size), listener.clone()),
            parser: Processor::new(),
            envelope: Envelope::default(),
            listener,
            kept: Kept::default(),
            size,
            title: String::new(),
            notices: Vec::new(),
            shown: None,
            passed: Vec::new(),
            cells: Vec::new(),
            past: Past::default(),
        }
    }

    /// Takes what the program wrote, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        for slice in bytes.chunks(SLICE) {
            let mut passed = std::mem::take(&mut self.passed);
            let mut rest = slice;
            let mut budget = self.budget(slice.len());
            while !rest.is_empty() {
                passed.clear();
                let taken = self.envelope.pass(rest, &mut passed);
                rest = rest.get(taken..).unwrap_or_default();
                let mut guard = Guard {
                    term: &mut self.term,
                    listener: &self.listener,
                    kept: &mut self.kept,
                    past: &mut self.past,
                    budget,
                };
                self.parser.advance(&mut guard, &passed);
                budget = guard.budget;
                if let Some(aside) = self.envelope.take_aside() {
                    self.aside(aside);
                }
            }
            self.passed = passed;
        }
        self.collect();
    }

    /// Sees to what the parser does not know. What came before it has been parsed, so answers keep the order of questions.
    fn aside(&mut self, aside: Aside) {
        match aside {
            Aside::Version => self.listener.with(|out| out.reply(guard::VERSION)),
            Aside::Status(what) => {
                let answer = guard::status(&self.term, &what);
                self.listener.with(|out| out.reply(&answer));
            }
            Aside::Capability(names) => {
                let answer = guard::capability(&names);
                self.listener.with(|out| out.reply(&answer));
            }
            Aside::Notify(text) => self.notice(Notice::Notify(text)),
            // What stands before it is on the screen by now.
            Aside::Mark(mark) => self.past.mark(&Grid::of(&self.term, &self.kept), mark),
        }
    }

    /// The program is gone, perhaps in the middle of a sequence: what it asked of the terminal no longer holds. The
    /// picture stays, also that of the alternate screen; nothing a dead program asked for may change what is sent or
    /// drawn after it.
    pub fn over(&mut self) {
        // CAN ends whatever sequence was cut off; the cursor keeps its place while origin and margins are reset.
        const OVER: &[u8] = b"\x18\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1007h\
            \x1b[?2004l\x1b[?1l\x1b[?7h\x1b[?25h\x1b[4l\x1b[20l\x1b>\x1b7\x1b[?6l\x1b[r\x1b8\x1b[m\x1b[0 q\
            \x1b]8;;\x07\x1b]104\x07\x1b]110\x07\x1b]111\x07\x1b]112\x07\x1b(B\x1b)B\x1b*B\x1b+B\x0f";
        self.stop_sync();
        self.kept.keyboard = guard::Keyboards::default();
        self.feed(OVER);
    }

    /// How many characters a slice may put on the screen: each of its bytes one, and a few screens more for REP, which
    /// repeats a character up to 65,535 times for eight bytes.
    fn budget(&self, slice: usize) -> usize {
        let area = usize::from(self.size.cols) * usize::from(self.size.rows);
        slice + self.parser.sync_bytes_count() + 4 * area
    }

    fn collect(&mut self) {
        let (title, bell, clipboard) = self.listener.with(|out| {
            (
                out.title.take(),
                std::mem::take(&mut out.bell),
                out.clipboard.take(),
            )
        });
        if let Some(title) = title
            && title != self.title
        {
            self.title.clone_from(&title);
            self.notice(Notice::Title(title));
        }
        if bell {
            self.notice(Notice::Bell);
        }
        if let Some(text) = clipboard {
            self.notice(Notice::Clipboard(text));
        }
    }

    /// One notice of each sort is kept, the latest: a person can use no more.
    fn notice(&mut self, notice: Notice) {
        self.notices
            .retain(|old| std::mem::discriminant(old) != std::mem::discriminant(&notice));
        self.notices.push(notice);
    }

    /// The answers to what the program asked (DSR, DA, DECRQM, colours), to be written to its input. Taking empties them.
    pub fn take_replies(&mut self) -> Vec<u8> {
        self.listener.with(|out| std::mem::take(&mut out.replies))
    }

    /// What happened since notices were last taken: at most one of each sort, the latest.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Gives the screen another size; long lines are wrapped anew. The program must be told by other means.
    pub fn resize(&mut self, size: Size) {
        let size = size.clamped();
        if size != self.size {
            // The crate sets the margins to the whole screen then.
            self.kept.region = None;
        }
        // What a synchronised update holds back was written for the old size.
        self.stop_sync();
        self.listener.with(|out| out.requests.size = size);
        // Narrower rows are more rows: by halves, so that never more of them are in the grid than it may hold.
        while size.cols < self.size.cols {
            self.pack(LIVE / 4);
            self.size.cols = size.cols.max(self.size.cols.div_ceil(2));
            self.term.resize(Cells(self.size));
        }
        self.size = size;
        self.term.resize(Cells(size));
        self.past.foothold.forget();
        self.pack(LIVE);
    }

    /// Packs rows until about `live` of them are left in the grid's history.
    fn pack(&mut self, live: usize) {
        Guard {
            term: &mut self.term,
            listener: &self.listener,
            kept: &mut self.kept,
            past: &mut self.past,
            budget: 0,
        }
        .pack(live);
    }

    /// The colours of text and background that the program is told when it asks (OSC 10 and 11).
    pub fn set_ground(&mut self, foreground: (u8, u8, u8), background: (u8, u8, u8)) {
        self.listener.with(|out| {
            out.requests.foreground = foreground;
            out.requests.background = background;
        });
    }

    /// When a synchronised update (DECSET 2026) that the program began must be shown even though it is not finished:
    /// call [`Self::stop_sync`] then, or half an update stays hidden. None when nothing is held back.
    pub fn sync_deadline(&self) -> Option<Instant> {
        self.parser.sync_timeout().sync_timeout()
    }

    /// Shows what a synchronised update held back.
    pub fn stop_sync(&mut self) {
        if self.sync_deadline().is_some() {
            let budget = self.budget(0);
            let mut guard = Guard {
                term: &mut self.term,
                listener: &self.listener,
                kept: &mut self.kept,
                past: &mut self.past,
                budget,
            };
            self.parser.stop_sync(&mut guard);
            self.collect();
        }
    }

    /// The size now.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The title now, as in [`Screen::title`].
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The modes now; they decide how keys and pastes are encoded.
    pub fn modes(&self) -> Modes {
        let mode = *self.term.mode();
        Modes {
            app_cursor: mode.contains(TermMode::APP_CURSOR),
            app_keypad: mode.contains(TermMode::APP_KEYPAD),
            bracketed_paste: mode.contains(TermMode::BRACKETED_PASTE),
            focus: mode.contains(TermMode::FOCUS_IN_OUT),
            alt_screen: mode.contains(TermMode::ALT_SCREEN),
            alternate_scroll: mode.contains(TermMode::ALTERNATE_SCROLL),
            newline: mode.contains(TermMode::LINE_FEED_NEW_LINE),
            mouse: if mode.contains(TermMode::MOUSE_MOTION) {
                Mouse::Motion
            } else if mode.contains(TermMode::MOUSE_DRAG) {
                Mouse::Drag
            } else if mode.contains(TermMode::MOUSE_REPORT_CLICK) {
                Mouse::Click
            } else {
                Mouse::None
            },
            mouse_sgr: mode.contains(TermMode::SGR_MOUSE),
            keyboard: self.kept.keyboard.now(mode.contains(TermMode::ALT_SCREEN)),
        }
    }

    /// What makes a terminal of the same size show what this one shows, and write on as this one would.
    pub fn repaint(&mut self) -> String {
        // What is held back would be in neither half.
        self.stop_sync();
        let screen = self.live_screen();
        force::repaint(&screen, &self.term, &self.kept)
    }

    /// The rows of the grid.
    pub(super) fn grid(&self) -> Grid<'_> {
        Grid::of(&self.term, &self.kept)
    }

    /// Forgets the grid's history, after somebody took it.
    pub(super) fn clear_grid_history(&mut self) {
        // The next screen is read anew.
        self.shown = None;
        self.past.foothold.forget();
        self.term.grid_mut().clear_history();
    }

    /// The screen as it is shown: that of now, or what somebody looks at in copy mode. It is the very same as the one before
    /// when nothing changed, and shares all unchanged rows.
    pub fn screen(&mut self) -> Arc<Screen> {
        let screen = self.live_screen();
        self.looked_at(screen)
    }

    /// The screen as the program left it, whoever looks around in the pane.
    pub fn live_screen(&mut self) -> Arc<Screen> {
        if std::mem::take(&mut self.kept.renumbered) {
            // A number of an address means something else now, so no row of before can be shared.
            self.shown = None;
        }
        let rows = self.rows();
        let mode = *self.term.mode();
        let point = self.term.grid().cursor.point;
        let row = usize::try_from(point.line.0).unwrap_or(0);
        let style = self.term.cursor_style();
        let visible = mode.contains(TermMode::SHOW_CURSOR)
            && style.shape != ansi::CursorShape::Hidden
            && row < rows.len();
        let screen = Screen {
            size: self.size,
            rows,
            cursor: visible.then_some((row as u16, point.column.0 as u16)),
            cursor_shape: match style.shape {
                ansi::CursorShape::Underline => CursorShape::Underline,
                ansi::CursorShape::Beam => CursorShape::Bar,
                ansi::CursorShape::Block
                | ansi::CursorShape::HollowBlock
                | ansi::CursorShape::Hidden => CursorShape::Block,
            },
            cursor_style: guard::cursor_style(style),
            title: self.title.clone(),
            modes: self.modes(),
            scrolled_back: 0,
            history: self.history_len(),
            links: self.kept.links.shown(),
            copy: None,
            shell: self.past.marks.state,
            passed: None,
        };
        match &self.shown {
            Some(before) if **before == screen => before.clone(),
            _ => {
                let screen = Arc::new(screen);
                self.shown = Some(screen.clone());
                screen
            }
        }
    }

    /// The rows in view, all read anew, to compare with.
    #[cfg(test)]
    pub(super) fn rows_afresh(&self) -> Vec<Row> {
        (0..i32::from(self.size.rows))
            .map(|index| {
                let mut cells = Vec::new();
                let wrapped = self.grid().cells_of(index, &mut cells);
                Row { cells, wrapped }
            })
            .collect()
    }

    /// The rows in view. Only damaged rows are read anew; after a scroll, rows that merely moved are found and shared.
    fn rows(&mut self) -> Vec<Arc<Row>> {
        let count = usize::from(self.size.rows);
        let old = self.shown.take();
        let damaged: Option<Vec<usize>> = match self.term.damage() {
            TermDamage::Full => None,
            TermDamage::Partial(lines) => Some(lines.map(|line| line.line).collect()),
        };
        self.term.reset_damage();
        let before: &[Arc<Row>] = match &old {
            Some(screen) if screen.size == self.size => &screen.rows,
            _ => &[],
        };
        let mut cells = std::mem::take(&mut self.cells);
        let mut read = |index: usize, shift: usize| {
            let wrapped = self.grid().cells_of(index as i32, &mut cells);
            let same = |row: &&Arc<Row>| row.wrapped == wrapped && row.cells == cells;
            [index, index + shift]
                .into_iter()
                .find_map(|place| before.get(place).filter(same).cloned())
                .unwrap_or_else(|| {
                    Arc::new(Row {
                        cells: cells.clone(),
                        wrapped,
                    })
                })
        };
        let rows = match damaged {
            Some(lines) if before.len() == count => {
                let mut rows = before.to_vec();
                for line in lines {
                    if let Some(row) = rows.get_mut(line) {
                        *row = read(line, 0);
                    }
                }
                rows
            }
            _ => {
                let first = read(0, 0);
                let shift = before.iter().position(|row| **row == *first).unwrap_or(0);
                (0..count).map(|index| read(index, shift)).collect()
            }
        };
        self.cells = cells;
        self.shown = old;
        rows
    }
}

/// A size as the crate wants it.
struct Cells(Size);

impl Dimensions for Cells {
    fn total_lines(&self) -> usize {
        self.screen_lines()
    }

    fn screen_lines(&self) -> usize {
        usize::from(self.0.rows)
    }

    fn columns(&self) -> usize {
        usize::from(self.0.cols)
    }
}
