//! Stands between the parser and the emulator crate's terminal: what the program asks passes here first. It must not let
//! foreign bytes grow anything without bound, nor let a row scroll out of the grid before it is packed.

use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::term::{Term, TermMode};
use alacritty_terminal::vte::ansi::{self, Handler, Processor, Rgb};
use unicode_width::UnicodeWidthChar;

use super::emulator::{Grid, Listener};
use super::past::{LIVE, Past, SLACK};
use super::screen::Size;

/// How many rows the grid may hold beyond the screen: those that stay, those until some are packed, and what one command
/// of the program can scroll away at once.
pub(super) const GRID: usize = LIVE + SLACK + Size::MAX.rows as usize + 8;

/// Characters of a title; it is shown in one line.
const TITLE_MAX: usize = 256;

/// Combining marks kept on one cell. Without a limit, one cell could hold gigabytes of them.
const MARKS_MAX: usize = 8;

/// Stands between parser and terminal, and keeps hostile input from growing a cell, a title or a hyperlink without bound.
pub(super) struct Guard<'a> {
    pub(super) term: &'a mut Term<Listener>,
    pub(super) past: &'a mut Past,
    /// Characters still allowed in this slice.
    pub(super) budget: usize,
}

impl Guard<'_> {
    pub(super) fn parse(&mut self, parser: &mut Processor, bytes: Option<&[u8]>) {
        parser.advance(self, bytes.unwrap_or_default());
    }

    /// Packs rows when there are too many. What scrolls away must pass here before the grid would drop it.
    fn scrolled(&mut self) {
        if self.term.history_size() > LIVE + SLACK {
            self.pack(LIVE);
        }
    }

    pub(super) fn pack(&mut self, live: usize) {
        let packed = self.past.pack(&Grid::of(self.term), live);
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
            column.0 = column.0.saturating_sub(1);
        }
        if row[column].flags.contains(Flags::WIDE_CHAR_SPACER) {
            column.0 = column.0.saturating_sub(1);
        }
        row[column]
            .zerowidth()
            .is_some_and(|marks| marks.len() >= MARKS_MAX)
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

    fn clear_screen(&mut self, mode: ansi::ClearMode) {
        let grid = Grid::of(self.term);
        match mode {
            ansi::ClearMode::Saved => self.past.before_clearing(&grid),
            ansi::ClearMode::Below => self.past.before_erasing(&grid),
            ansi::ClearMode::All | ansi::ClearMode::Above => {}
        }
        Handler::clear_screen(self.term, mode);
        self.scrolled();
    }

    fn reset_state(&mut self) {
        // The history of the first screen can be read only while that is shown.
        if self.term.mode().contains(TermMode::ALT_SCREEN) {
            Handler::unset_private_mode(
                self.term,
                ansi::NamedPrivateMode::SwapScreenAndSetRestoreCursor.into(),
            );
        }
        self.past.before_reset(&Grid::of(self.term));
        Handler::reset_state(self.term);
    }

    fn set_title(&mut self, title: Option<String>) {
        let title = title.map(|title| {
            let short: String = title.chars().take(TITLE_MAX).collect();
            crate::domain::text::line(&short)
        });
        Handler::set_title(self.term, title);
    }

    // Hyperlinks are not shown yet, and each cell could hold an address of its own.
    fn set_hyperlink(&mut self, _: Option<ansi::Hyperlink>) {}

    hand_on! {
        set_cursor_style(style: Option<ansi::CursorStyle>); set_cursor_shape(shape: ansi::CursorShape);
        goto(line: i32, column: usize); goto_line(line: i32); goto_col(column: usize);
        insert_blank(count: usize); move_up(count: usize); move_down(count: usize);
        identify_terminal(intermediate: Option<char>); device_status(code: usize);
        move_forward(count: usize); move_backward(count: usize); move_down_and_cr(count: usize);
        move_up_and_cr(count: usize); put_tab(count: u16); backspace(); carriage_return(); linefeed();
        bell(); substitute(); newline(); set_horizontal_tabstop(); scroll_up(count: usize);
        scroll_down(count: usize); insert_blank_lines(count: usize); delete_lines(count: usize);
        erase_chars(count: usize); delete_chars(count: usize); move_backward_tabs(count: u16);
        move_forward_tabs(count: u16); save_cursor_position(); restore_cursor_position();
        clear_line(mode: ansi::LineClearMode);
        clear_tabs(mode: ansi::TabulationClearMode); set_tabs(interval: u16);
        reverse_index(); terminal_attribute(attribute: ansi::Attr); set_mode(mode: ansi::Mode);
        unset_mode(mode: ansi::Mode); report_mode(mode: ansi::Mode);
        set_private_mode(mode: ansi::PrivateMode); unset_private_mode(mode: ansi::PrivateMode);
        report_private_mode(mode: ansi::PrivateMode);
        set_scrolling_region(top: usize, bottom: Option<usize>); set_keypad_application_mode();
        unset_keypad_application_mode(); set_active_charset(index: ansi::CharsetIndex);
        configure_charset(index: ansi::CharsetIndex, charset: ansi::StandardCharset);
        set_color(index: usize, color: Rgb);
        dynamic_color_sequence(prefix: String, index: usize, terminator: &str); reset_color(index: usize);
        clipboard_store(clipboard: u8, base64: &[u8]); clipboard_load(clipboard: u8, terminator: &str);
        decaln(); push_title(); pop_title(); text_area_size_pixels(); text_area_size_chars();
        report_keyboard_mode(); push_keyboard_mode(mode: ansi::KeyboardModes);
        pop_keyboard_modes(count: u16);
        set_keyboard_mode(mode: ansi::KeyboardModes, apply: ansi::KeyboardModesApplyBehavior);
        set_modify_other_keys(mode: ansi::ModifyOtherKeys); report_modify_other_keys();
        set_scp(path: ansi::ScpCharPath, update: ansi::ScpUpdateMode);
    }
}
