//! Colours for terminals that have fewer: the nearest one they know.

use std::fmt::Write;

use ratatui::style::{Color, Modifier};

use crate::term::Underline;
use crate::ui::{Colors, underline};

/// How cells look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Looks {
    pub(super) fg: Color,
    pub(super) bg: Color,
    /// The colour of the underline.
    pub(super) line: Color,
    pub(super) modifier: Modifier,
}

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

    /// Appends the SGR sequence (ECMA-48) that sets exactly this style. `underlines` is whether the terminal knows others
    /// than the plain one.
    pub(super) fn sgr(self, out: &mut String, looks: &Looks, underlines: bool) {
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
            if looks.modifier.contains(flag) {
                // Formatting into a string cannot fail.
                write!(out, ";{code}").ok();
            }
        }
        self.colour(out, looks.fg, 30);
        self.colour(out, looks.bg, 40);
        out.push('m');
        if underlines && looks.modifier.contains(Modifier::UNDERLINED) {
            // Apart from the rest, because a terminal that does not know it drops the sequence it stands in.
            let kinds = [
                Underline::Double,
                Underline::Curly,
                Underline::Dotted,
                Underline::Dashed,
            ];
            let bits = looks
                .modifier
                .intersection(underline(Underline::Dashed).union(underline(Underline::Dotted)));
            if let Some(place) = kinds.iter().position(|kind| underline(*kind) == bits) {
                write!(out, "\x1b[4:{}m", place + 2).ok();
            }
            self.underline_colour(out, looks.line);
        }
    }

    /// Appends the colour of the underline, in the form with colons that no terminal takes for something else.
    fn underline_colour(self, out: &mut String, color: Color) {
        match (self.0, color) {
            (Colors::None | Colors::Ansi16, _) => {}
            (Colors::TrueColor, Color::Rgb(red, green, blue)) => {
                write!(out, "\x1b[58:2::{red}:{green}:{blue}m").ok();
            }
            (Colors::Ansi256, Color::Rgb(red, green, blue)) => {
                write!(out, "\x1b[58:5:{}m", nearest_of_256(red, green, blue)).ok();
            }
            (_, color) => {
                if let Some(index) = index(color) {
                    write!(out, "\x1b[58:5:{index}m").ok();
                }
            }
        }
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

/// The first sixteen are left out: users change them, so they are near to nothing. Of the cube only the corners around the
/// colour can be near, of the greys only those about as light, so few are compared.
fn nearest_of_256(red: u8, green: u8, blue: u8) -> u8 {
    let around = |value: u8| {
        let above = STEPS.iter().position(|step| *step >= value).unwrap_or(5) as u8;
        [above.saturating_sub(1), above]
    };
    let corners = around(red).into_iter().flat_map(|r| {
        around(green).into_iter().flat_map(move |g| {
            around(blue)
                .into_iter()
                .map(move |b| 16 + 36 * r + 6 * g + b)
        })
    });
    let light = (u16::from(red) * 3 + u16::from(green) * 6 + u16::from(blue)) / 10;
    let grey = (light.saturating_sub(8) / 10).min(23) as u8;
    let greys = grey.saturating_sub(1)..=(grey + 1).min(23);
    nearest(
        corners.chain(greys.map(|grey| 232 + grey)),
        red,
        green,
        blue,
    )
}

fn nearest(among: impl Iterator<Item = u8>, red: u8, green: u8, blue: u8) -> u8 {
    let wanted = oklab(red, green, blue);
    let far = |index: u8| {
        let (r, g, b) = rgb(index);
        let found = oklab(r, g, b);
        let square = |a: f32, b: f32| (a - b) * (a - b);
        square(wanted.0, found.0) + square(wanted.1, found.1) + square(wanted.2, found.2)
    };
    among
        .map(|index| (far(index), index))
        .min_by(|(one, _), (other, _)| one.total_cmp(other))
        .map_or(0, |(_, index)| index)
}

/// Lightness and two axes of colour in Ottosson's Oklab (<https://bottosson.github.io/posts/oklab/>), in which equal
/// distances look equal.
fn oklab(red: u8, green: u8, blue: u8) -> (f32, f32, f32) {
    let linear = |value: u8| {
        let value = f32::from(value) / 255.0;
        if value <= 0.040_45 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    let (r, g, b) = (linear(red), linear(green), linear(blue));
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    (
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(fg: Color, bg: Color, modifier: Modifier) -> Looks {
        Looks {
            fg,
            bg,
            line: Color::Reset,
            modifier,
        }
    }

    #[test]
    fn underlines_have_their_kind_and_colour_where_the_terminal_knows_them() {
        let red = Color::Rgb(255, 0, 0);
        for (kind, line, colors, underlines, expected) in [
            (
                Underline::Single,
                Color::Reset,
                Colors::TrueColor,
                true,
                "\x1b[0;4m",
            ),
            (
                Underline::Double,
                Color::Reset,
                Colors::TrueColor,
                true,
                "\x1b[0;4m\x1b[4:2m",
            ),
            (
                Underline::Curly,
                red,
                Colors::TrueColor,
                true,
                "\x1b[0;4m\x1b[4:3m\x1b[58:2::255:0:0m",
            ),
            (
                Underline::Dotted,
                red,
                Colors::Ansi256,
                true,
                "\x1b[0;4m\x1b[4:4m\x1b[58:5:196m",
            ),
            (
                Underline::Dashed,
                Color::Indexed(9),
                Colors::Ansi256,
                true,
                "\x1b[0;4m\x1b[4:5m\x1b[58:5:9m",
            ),
            (Underline::Curly, red, Colors::TrueColor, false, "\x1b[0;4m"),
            (
                Underline::Curly,
                red,
                Colors::None,
                true,
                "\x1b[0;4m\x1b[4:3m",
            ),
        ] {
            let mut out = String::new();
            let mut looks = looks(Color::Reset, Color::Reset, underline(kind));
            looks.line = line;
            Depth::of(colors).sgr(&mut out, &looks, underlines);
            assert_eq!(out, expected, "{kind:?}");
        }
    }

    #[test]
    fn what_looks_alike_is_near() {
        // Dark blue is no black, a light skin is no grey, a pale green stays green.
        for (rgb, sixteen) in [
            ((0, 0, 160), 4),
            ((30, 30, 30), 0),
            ((250, 250, 240), 15),
            ((120, 120, 120), 8),
            ((200, 60, 60), 1),
            ((80, 200, 120), 2),
            ((190, 80, 200), 5),
        ] {
            let (red, green, blue) = rgb;
            assert_eq!(nearest_of_16(red, green, blue), sixteen, "{rgb:?}");
        }
    }

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
            Depth::of(colors).sgr(&mut out, &looks(fg, Color::Reset, Modifier::empty()), true);
            assert_eq!(out, expected, "{colors:?} {fg:?}");
        }
        let mut out = String::new();
        let modifier = Modifier::BOLD | Modifier::UNDERLINED;
        let black = looks(Color::Black, Color::Cyan, modifier);
        Depth::of(Colors::Ansi16).sgr(&mut out, &black, true);
        assert_eq!(out, "\x1b[0;1;4;30;46m");
    }
}
