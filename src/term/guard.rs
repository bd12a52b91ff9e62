//! Stands between the parser and the crate's terminal: keeps hostile input from growing a cell, a title or a hyperlink
//! without bound, does what the crate leaves undone, and packs rows before they would scroll out of the grid.

use std::fmt::Write;

use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::Line;
use alacritty_terminal::term::cell::{Cell, Flags, Hyperlink};
use alacritty_terminal::term::{Term, TermMode};
use alacritty_terminal::vte::ansi::{self, Attr, Handler, NamedColor, Rgb};
use unicode_width::UnicodeWidthChar;

use super::emulator::Listener;
use super::grid::Grid;
use super::links::Book;
use super::past::{LIVE, Past, SLACK};
use super::screen::{Keyboard, Size};

/// How many rows the grid may hold beyond the screen: those that stay, those until some are packed, and what one command
/// of the program can scroll away at once.
pub(super) const GRID: usize = LIVE + SLACK + Size::MAX.rows as usize + 8;

/// Combining marks kept on one cell. Without a limit, one cell could hold gigabytes of them.
const MARKS_MAX: usize = 8;

/// Characters of a title; it is shown in one line.
const TITLE_MAX: usize = 256;

/// How many keyboard modes may wait below the one that holds; one more lets go of the lowest, as the protocol says.
const KEYBOARDS_MAX: usize = 16;

/// The crate knows no blinking text, but copies all sixteen flags of a cell and uses only fifteen.
pub(super) const BLINK: Flags = Flags::from_bits_retain(0x8000);

/// The answer to XTVERSION: who we are.
pub(super) const VERSION: &str =
    concat!("\x1bP>|quarterdeck(", env!("CARGO_PKG_VERSION"), ")\x1b\\");

/// The answer to DA1: a VT220 with colours, which is what programs take `xterm-256color` for.
const ATTRIBUTES: &str = "\x1b[?62;22c";

/// The answer to DA3: a unit without a number.
const UNIT: &str = "\x1bP!|00000000\x1b\\";

/// What the crate does not keep, or not within bounds.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) keyboard: Keyboards,
    pub(super) links: Book,
    /// The last link, to be shared by all cells that lead to its address.
    link: Option<(u64, Hyperlink)>,
    /// The alternate screen has been shown, so that the cursor of before is kept.
    swapped: bool,
    /// An address had to go, so that its number means another now.
    pub(super) renumbered: bool,
    /// The margins as the first row and the row after the last; none when they are those of the screen. The crate tells
    /// nobody.
    pub(super) region: Option<(usize, usize)>,
    /// Which of the four character sets is written in.
    pub(super) charset: ansi::CharsetIndex,
}

impl Kept {
    /// The number of the address that a cell leads to.
    pub(super) fn link_of(&self, cell: &Cell) -> u16 {
        let link = cell.hyperlink();
        let serial = link.and_then(|link| link.uri().parse().ok());
        serial.map_or(0, |serial| self.links.number(serial))
    }

    /// The crate's link for an address. It is given only the address's serial, so that the cells hold no more.
    fn link(&mut self, address: &str) -> Option<Hyperlink> {
        let (serial, renumbered) = self.links.keep(address)?;
        self.renumbered |= renumbered;
        match &self.link {
            Some((known, link)) if *known == serial => Some(link.clone()),
            _ => {
                let link = Hyperlink::new(Some(""), serial.to_string());
                self.link = Some((serial, link.clone()));
                Some(link)
            }
        }
    }
}

/// The keyboard modes of the kitty protocol: each of the two screens has its own, and a stack of those before.
#[derive(Debug, Default)]
pub(super) struct Keyboards([(Keyboard, Vec<Keyboard>); 2]);

impl Keyboards {
    /// What holds on the main screen or the alternate one.
    pub(super) fn now(&self, alternate: bool) -> Keyboard {
        let [main, alt] = &self.0;
        if alternate { alt.0 } else { main.0 }
    }

    fn of(&mut self, alternate: bool) -> &mut (Keyboard, Vec<Keyboard>) {
        let [main, alt] = &mut self.0;
        if alternate { alt } else { main }
    }
}

/// Takes the parser's calls.
pub(super) struct Guard<'a> {
    pub(super) term: &'a mut Term<Listener>,
    pub(super) listener: &'a Listener,
    pub(super) kept: &'a mut Kept,
    pub(super) past: &'a mut Past,
    /// Characters still allowed in this slice.
    pub(super) budget: usize,
}

impl Guard<'_> {
    /// Packs rows when there are too many. What scrolls away must pass here before the grid would drop it.
    fn scrolled(&mut self) {
        if self.term.history_size() > LIVE + SLACK {
            self.pack(LIVE);
        }
    }

    /// Packs rows until about `live` of them are left in the grid's history.
    pub(super) fn pack(&mut self, live: usize) {
        let packed = self.past.pack(&Grid::of(self.term, self.kept), live);
        if packed > 0 {
            let history = self.term.history_size() - packed;
            self.term.grid_mut().update_history(history);
            self.term.grid_mut().update_history(GRID);
        }
    }

    /// Whether the cell that a combining mark would join has had enough of them.
    fn cell_is_full(&self) -> bool {
        let grid = self.term.grid();
        let row = &grid[grid.cursor.point.line];
        let mut column = grid.cursor.point.column;
        if !grid.cursor.input_needs_wrap {
            column.0 = column.saturating_sub(1);
        }
        if row[column].flags.contains(Flags::WIDE_CHAR_SPACER) {
            column.0 = column.saturating_sub(1);
        }
        row[column]
            .zerowidth()
            .is_some_and(|marks| marks.len() >= MARKS_MAX)
    }

    fn alternate(&self) -> bool {
        self.term.mode().contains(TermMode::ALT_SCREEN)
    }

    fn keyboard(&mut self) -> &mut (Keyboard, Vec<Keyboard>) {
        let alternate = self.alternate();
        self.kept.keyboard.of(alternate)
    }

    fn reply(&self, text: &str) {
        self.listener.with(|out| out.reply(text));
    }

    /// What the crate leaves undone of the private modes for the alternate screen; whether nothing is left to do.
    fn older_mode(&mut self, mode: ansi::PrivateMode, on: bool) -> bool {
        match mode {
            ansi::PrivateMode::Unknown(47 | 1047) => {
                if self.alternate() != on {
                    self.term.swap_alt();
                }
            }
            // It takes the margins away, and does not change columns.
            ansi::PrivateMode::Named(ansi::NamedPrivateMode::ColumnMode) => {
                self.kept.region = None;
                return false;
            }
            ansi::PrivateMode::Unknown(1048) if on => self.term.save_cursor_position(),
            ansi::PrivateMode::Unknown(1048) => self.term.restore_cursor_position(),
            ansi::PrivateMode::Named(ansi::NamedPrivateMode::SwapScreenAndSetRestoreCursor) => {
                // Leaving the other screen twice puts the cursor back twice, as in xterm and tmux.
                if !on && !self.alternate() && self.kept.swapped {
                    self.term.restore_cursor_position();
                }
                self.kept.swapped |= on;
                return false;
            }
            _ => return false,
        }
        true
    }
}

/// Hands the calls of the parser on as they are.
macro_rules! hand_on {
    ($($name:ident($($arg:ident: $kind:ty),*);)+) => {
        $(fn $name(&mut self, $($arg: $kind),*) {
            Handler::$name(self.term, $($arg),*);
            self.scrolled();
        })+
    };
}

impl Handler for Guard<'_> {
    fn input(&mut self, c: char) {
        if self.budget == 0 {
            return;
        }
        self.budget -= 1;
        if c.is_ascii() || c.width() != Some(0) || !self.cell_is_full() {
            Handler::input(self.term, c);
            self.scrolled();
        }
    }

    fn set_title(&mut self, title: Option<String>) {
        let title = title.map(|title| {
            let short: String = title.chars().take(TITLE_MAX).collect();
            crate::domain::text::line(&short)
        });
        Handler::set_title(self.term, title);
    }

    fn set_hyperlink(&mut self, link: Option<ansi::Hyperlink>) {
        let link = link.and_then(|link| self.kept.link(&link.uri));
        self.term.grid_mut().cursor.template.set_hyperlink(link);
    }

    fn terminal_attribute(&mut self, attribute: Attr) {
        let flags = &mut self.term.grid_mut().cursor.template.flags;
        match attribute {
            Attr::BlinkSlow | Attr::BlinkFast => flags.insert(BLINK),
            Attr::CancelBlink => flags.remove(BLINK),
            // SGR 21 is a double underline in ECMA-48, in xterm and in tmux.
            Attr::CancelBold => Handler::terminal_attribute(self.term, Attr::DoubleUnderline),
            other => Handler::terminal_attribute(self.term, other),
        }
    }

    fn identify_terminal(&mut self, intermediate: Option<char>) {
        match intermediate {
            None => self.reply(ATTRIBUTES),
            Some('=') => self.reply(UNIT),
            other => Handler::identify_terminal(self.term, other),
        }
    }

    /// A colour that the program has set is what it is told.
    fn dynamic_color_sequence(&mut self, prefix: String, index: usize, terminator: &str) {
        let set = (index <= NamedColor::Cursor as usize).then(|| self.term.colors()[index]);
        match set.flatten() {
            Some(Rgb { r, g, b }) => self.reply(&format!(
                "\x1b]{prefix};rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}{terminator}"
            )),
            None => Handler::dynamic_color_sequence(self.term, prefix, index, terminator),
        }
    }

    fn set_private_mode(&mut self, mode: ansi::PrivateMode) {
        if !self.older_mode(mode, true) {
            Handler::set_private_mode(self.term, mode);
        }
        self.scrolled();
    }

    fn unset_private_mode(&mut self, mode: ansi::PrivateMode) {
        if !self.older_mode(mode, false) {
            Handler::unset_private_mode(self.term, mode);
        }
        self.scrolled();
    }

    fn clear_screen(&mut self, mode: ansi::ClearMode) {
        let grid = Grid::of(self.term, self.kept);
        match mode {
            ansi::ClearMode::Saved => self.past.before_clearing(&grid),
            ansi::ClearMode::Below => self.past.before_erasing(&grid),
            ansi::ClearMode::All | ansi::ClearMode::Above => {}
        }
        let line = self.term.grid().cursor.point.line;
        if matches!(mode, ansi::ClearMode::Above) && line.0 == 1 {
            // The crate clears the lines above only when there are two of them.
            self.term.grid_mut().cursor.point.line = Line(0);
            Handler::clear_line(self.term, ansi::LineClearMode::All);
            self.term.grid_mut().cursor.point.line = line;
        }
        Handler::clear_screen(self.term, mode);
        self.scrolled();
    }

    fn reset_state(&mut self) {
        self.kept.keyboard = Keyboards::default();
        self.kept.swapped = false;
        self.kept.region = None;
        self.kept.charset = ansi::CharsetIndex::default();
        // The history of the first screen can be read only while that is shown.
        if self.alternate() {
            Handler::unset_private_mode(
                self.term,
                ansi::NamedPrivateMode::SwapScreenAndSetRestoreCursor.into(),
            );
        }
        self.past.before_reset(&Grid::of(self.term, self.kept));
        Handler::reset_state(self.term);
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        let rows = self.term.screen_lines();
        let below = bottom.unwrap_or(rows);
        // What the crate takes for no margins changes nothing.
        if top < below {
            let first = top.saturating_sub(1).min(rows);
            self.kept.region = Some((first, below.min(rows))).filter(|region| *region != (0, rows));
        }
        Handler::set_scrolling_region(self.term, top, bottom);
        self.scrolled();
    }

    fn set_active_charset(&mut self, index: ansi::CharsetIndex) {
        self.kept.charset = index;
        Handler::set_active_charset(self.term, index);
    }

    fn report_keyboard_mode(&mut self) {
        let bits = self.keyboard().0.bits();
        self.reply(&format!("\x1b[?{bits}u"));
    }

    fn push_keyboard_mode(&mut self, mode: ansi::KeyboardModes) {
        let (now, before) = self.keyboard();
        if before.len() == KEYBOARDS_MAX {
            before.remove(0);
        }
        before.push(std::mem::replace(now, Keyboard::new(mode.bits())));
    }

    fn pop_keyboard_modes(&mut self, count: u16) {
        let (now, before) = self.keyboard();
        for _ in 0..usize::from(count).min(KEYBOARDS_MAX + 1) {
            *now = before.pop().unwrap_or_default();
        }
    }

    fn set_keyboard_mode(
        &mut self,
        mode: ansi::KeyboardModes,
        apply: ansi::KeyboardModesApplyBehavior,
    ) {
        let (now, _) = self.keyboard();
        *now = Keyboard::new(match apply {
            ansi::KeyboardModesApplyBehavior::Replace => mode.bits(),
            ansi::KeyboardModesApplyBehavior::Union => now.bits() | mode.bits(),
            ansi::KeyboardModesApplyBehavior::Difference => now.bits() & !mode.bits(),
        });
    }

    hand_on! {
        set_cursor_style(style: Option<ansi::CursorStyle>); set_cursor_shape(shape: ansi::CursorShape);
        goto(line: i32, column: usize); goto_line(line: i32); goto_col(column: usize);
        insert_blank(count: usize); move_up(count: usize); move_down(count: usize);
        device_status(code: usize);
        move_forward(count: usize); move_backward(count: usize); move_down_and_cr(count: usize);
        move_up_and_cr(count: usize); put_tab(count: u16); backspace(); carriage_return(); linefeed();
        bell(); substitute(); newline(); set_horizontal_tabstop(); scroll_up(count: usize);
        scroll_down(count: usize); insert_blank_lines(count: usize); delete_lines(count: usize);
        erase_chars(count: usize); delete_chars(count: usize); move_backward_tabs(count: u16);
        move_forward_tabs(count: u16); save_cursor_position(); restore_cursor_position();
        clear_line(mode: ansi::LineClearMode);
        clear_tabs(mode: ansi::TabulationClearMode); set_tabs(interval: u16);
        reverse_index(); set_mode(mode: ansi::Mode);
        unset_mode(mode: ansi::Mode); report_mode(mode: ansi::Mode);
        report_private_mode(mode: ansi::PrivateMode);
        set_keypad_application_mode(); unset_keypad_application_mode();
        configure_charset(index: ansi::CharsetIndex, charset: ansi::StandardCharset);
        set_color(index: usize, color: Rgb); reset_color(index: usize);
        clipboard_store(clipboard: u8, base64: &[u8]); clipboard_load(clipboard: u8, terminator: &str);
        decaln(); push_title(); pop_title(); text_area_size_pixels(); text_area_size_chars();
        set_modify_other_keys(mode: ansi::ModifyOtherKeys); report_modify_other_keys();
        set_scp(path: ansi::ScpCharPath, update: ansi::ScpUpdateMode);
    }
}

/// The answer to DECRQSS: the setting as the sequence that would set it, or that it is not known.
pub(super) fn status(term: &Term<Listener>, what: &[u8]) -> String {
    let answer = match what {
        b"m" => format!("{}m", sgr(&term.grid().cursor.template)),
        b" q" => format!("{} q", cursor_style(term.cursor_style())),
        b"\"p" => "62;1\"p".to_owned(),
        _ => return "\x1bP0$r\x1b\\".to_owned(),
    };
    format!("\x1bP1$r{answer}\x1b\\")
}

/// The number by which a style of the cursor is set (DECSCUSR); 0 is the reader's own.
pub(super) fn cursor_style(style: ansi::CursorStyle) -> u8 {
    let steady = match style.shape {
        ansi::CursorShape::Block => 2,
        ansi::CursorShape::Underline => 4,
        ansi::CursorShape::Beam => 6,
        // Nobody said more than that it blinks.
        ansi::CursorShape::HollowBlock if style.blinking => 2,
        ansi::CursorShape::HollowBlock | ansi::CursorShape::Hidden => return 0,
    };
    steady - u8::from(style.blinking)
}

/// The parameters that set the looks of what is written next.
pub(super) fn sgr(template: &Cell) -> String {
    let mut text = "0".to_owned();
    for (flag, code) in [
        (Flags::BOLD, "1"),
        (Flags::DIM, "2"),
        (Flags::ITALIC, "3"),
        (Flags::UNDERLINE, "4"),
        (Flags::DOUBLE_UNDERLINE, "4:2"),
        (Flags::UNDERCURL, "4:3"),
        (Flags::DOTTED_UNDERLINE, "4:4"),
        (Flags::DASHED_UNDERLINE, "4:5"),
        (BLINK, "5"),
        (Flags::INVERSE, "7"),
        (Flags::HIDDEN, "8"),
        (Flags::STRIKEOUT, "9"),
    ] {
        if template.flags.contains(flag) {
            // Formatting into a string cannot fail, here and below.
            write!(text, ";{code}").ok();
        }
    }
    for (color, base) in [
        (Some(template.fg), 30),
        (Some(template.bg), 40),
        (template.underline_color(), 50),
    ] {
        match color {
            Some(ansi::Color::Spec(Rgb { r, g, b })) => {
                write!(text, ";{}:2::{r}:{g}:{b}", base + 8)
            }
            Some(ansi::Color::Indexed(index)) => write!(text, ";{}:5:{index}", base + 8),
            Some(ansi::Color::Named(name)) => match name as usize {
                index @ 0..=7 => write!(text, ";{}", base + index),
                index @ 8..=15 => write!(text, ";{}", base + 52 + index),
                _ => Ok(()),
            },
            None => Ok(()),
        }
        .ok();
    }
    text
}

/// The answer to XTGETTCAP, one for each name: what a program with `TERM=xterm-256color` may rely on beyond that entry.
pub(super) fn capability(names: &[u8]) -> String {
    let mut answers = String::new();
    for name in names.split(|byte| *byte == b';') {
        let known = match name.to_ascii_lowercase().as_slice() {
            // TN, Co, colors, RGB; both sides are in hexadecimal digits.
            b"544e" => Some("xterm-256color"),
            b"436f" | b"636f6c6f7273" => Some("256"),
            b"524742" => Some("8/8/8"),
            _ => None,
        };
        let name: String = name
            .iter()
            .filter(|byte| byte.is_ascii_hexdigit())
            .map(|byte| char::from(*byte))
            .collect();
        match known {
            Some(value) => {
                write!(answers, "\x1bP1+r{name}=").ok();
                value.bytes().for_each(|byte| {
                    write!(answers, "{byte:02X}").ok();
                });
                answers.push_str("\x1b\\");
            }
            None => {
                write!(answers, "\x1bP0+r{name}\x1b\\").ok();
            }
        }
    }
    answers
}
