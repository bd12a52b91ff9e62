//! Colours for terminals that have fewer: the nearest one they know.

use std::fmt::Write;

use ratatui::style::{Color, Modifier};

use crate::ui::Colors;

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Depth(Colors);

/// The sixteen colours as xterm has them; only used to find the nearest.
const SIXTEEN: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

/// The steps of xterm's colour cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

impl Depth {
    pub(super) const fn of(colors: Colors) -> Self {
        Self(colors)
    }

    /// Appends the SGR sequence (ECMA-48) that sets exactly this style.
    pub(super) fn sgr(self, out: &mut String, fg: Color, bg: Color, modifier: Modifier) {
        out.push_str("\x1b[0");
        for (flag, code) in [
            (Modifier::BOLD, 1),
            (Modifier::DIM, 2),
            (Modifier::ITALIC, 3),
            (Modifier::UNDERLINED, 4),
            (Modifier::SLOW_BLINK, 5),
            (Modifier::REVERSED, 7),
            (Modifier::CROSSED_OUT, 9),
        ] {
            if modifier.contains(flag) {
                // Formatting into a string cannot fail.
                write!(out, ";{code}").ok();
            }
        }
        self.colour(out, fg, 30);
        self.colour(out, bg, 40);
        out.push('m');
    }

    /// Appends a colour; `base` is 30 for the text and 40 for the ground.
    fn colour(self, out: &mut String, color: Color, base: u8) {
        let indexed = match (self.0, color) {
            (Colors::None, _) | (_, Color::Reset) => return,
            (Colors::TrueColor, Color::Rgb(red, green, blue)) => {
                write!(out, ";{};2;{red};{green};{blue}", base + 8).ok();
                return;
            }
            (Colors::Ansi256, Color::Rgb(red, green, blue)) => nearest_of_256(red, green, blue),
            (Colors::Ansi16, Color::Rgb(red, green, blue)) => nearest_of_16(red, green, blue),
            (Colors::Ansi16, Color::Indexed(index)) if index > 15 => {
                let (red, green, blue) = rgb(index);
                nearest_of_16(red, green, blue)
            }
            (_, color) => match index(color) {
                Some(index) => index,
                None => return,
            },
        };
        match indexed {
            0..8 => write!(out, ";{}", base + indexed),
            8..16 => write!(out, ";{}", base + 60 + indexed - 8),
            16.. => write!(out, ";{};5;{indexed}", base + 8),
        }
        .ok();
    }
}

/// The place of a named colour in the palette.
fn index(color: Color) -> Option<u8> {
    Some(match color {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(index) => index,
        Color::Reset | Color::Rgb(..) => return None,
    })
}

/// What xterm shows for a colour of the palette.
fn rgb(index: u8) -> (u8, u8, u8) {
    match index {
        0..16 => SIXTEEN.get(usize::from(index)).copied().unwrap_or_default(),
        16..232 => {
            let cube = index - 16;
            let step = |digit: u8| STEPS.get(usize::from(digit % 6)).copied().unwrap_or(0);
            (step(cube / 36), step(cube / 6), step(cube))
        }
        232.. => {
            let grey = 8 + (index - 232) * 10;
            (grey, grey, grey)
        }
    }
}

fn nearest_of_16(red: u8, green: u8, blue: u8) -> u8 {
    nearest(0..=15, red, green, blue)
}

/// The first sixteen are left out: users change them, so they are near to nothing.
fn nearest_of_256(red: u8, green: u8, blue: u8) -> u8 {
    nearest(16..=255, red, green, blue)
}

fn nearest(range: std::ops::RangeInclusive<u8>, red: u8, green: u8, blue: u8) -> u8 {
    let first = *range.start();
    range
        .min_by_key(|index| {
            let (r, g, b) = rgb(*index);
            let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
            // The eye sees differences of green best and of blue least.
            3 * square(red, r) + 4 * square(green, g) + 2 * square(blue, b)
        })
        .unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_what_the_terminal_has() {
        let orange = Color::Rgb(255, 135, 0);
        for (colors, fg, expected) in [
            (Colors::TrueColor, orange, "\x1b[0;38;2;255;135;0m"),
            (Colors::Ansi256, orange, "\x1b[0;38;5;208m"),
            (Colors::Ansi16, Color::Rgb(250, 5, 5), "\x1b[0;91m"),
            (Colors::Ansi16, Color::Indexed(196), "\x1b[0;91m"),
            (Colors::Ansi16, Color::Indexed(3), "\x1b[0;33m"),
            (Colors::Ansi256, Color::Indexed(240), "\x1b[0;38;5;240m"),
            (Colors::Ansi256, Color::Rgb(8, 8, 8), "\x1b[0;38;5;232m"),
            (Colors::None, orange, "\x1b[0m"),
            (Colors::TrueColor, Color::LightBlue, "\x1b[0;94m"),
            (Colors::TrueColor, Color::Reset, "\x1b[0m"),
        ] {
            let mut out = String::new();
            Depth::of(colors).sgr(&mut out, fg, Color::Reset, Modifier::empty());
            assert_eq!(out, expected, "{colors:?} {fg:?}");
        }
        let mut out = String::new();
        let modifier = Modifier::BOLD | Modifier::UNDERLINED;
        Depth::of(Colors::Ansi16).sgr(&mut out, Color::Black, Color::Cyan, modifier);
        assert_eq!(out, "\x1b[0;1;4;30;46m");
    }
}
