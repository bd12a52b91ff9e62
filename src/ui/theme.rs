//! Themes: a style for each role, read from TOML, and what a role looks like on poorer terminals.
//!
//! Nothing else names a colour. A role gives a true colour, its counterpart among the sixteen of the terminal (`ansi`),
//! and its attributes without any colour (`plain`), so that a selection can be seen under `NO_COLOR` too.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::domain::check::HostState;
use crate::domain::environment::Tint;
use crate::domain::run::{CellState, RunState};
use crate::domain::ticket::{TicketState, words};
use crate::model::Level;

words!(
    /// What something is, for its style.
    Role, "role" {
        /// Ordinary text on the ordinary ground.
        Fg = "fg",
        /// The ground itself.
        Bg = "bg",
        /// What matters less.
        Dim = "dim",
        /// What should be noticed.
        Accent = "accent",
        /// A title.
        Title = "title",
        /// The selected row.
        Selected = "selected",
        /// A good state.
        Ok = "ok",
        /// A state that deserves a look.
        Warn = "warn",
        /// A bad state.
        Crit = "crit",
        /// A state nobody knows.
        Unknown = "unknown",
        /// No answer.
        Unreachable = "unreachable",
        /// Too old to be believed.
        Stale = "stale",
        /// A border.
        Border = "border",
        /// The border of what has the keyboard.
        BorderFocus = "border_focus",
        /// The prompt.
        Prompt = "prompt",
        /// An error.
        Error = "error",
        /// Something said.
        Info = "info",
        /// A marked row.
        Mark = "mark",
        /// A production host.
        Prod = "prod",
        /// A host of the environment before production.
        Staging = "staging",
        /// A host where things may break.
        Dev = "dev",
        /// A host of another environment that is named.
        Lab = "lab",
        /// Keys go to several sessions.
        Broadcast = "broadcast",
        /// The heading of a table.
        Header = "header",
        /// A hint.
        Hint = "hint",
        /// A key in a hint.
        Key = "key",
        /// The letters that match the filter.
        Match = "match",
    }
);

impl From<Tint> for Role {
    fn from(tint: Tint) -> Self {
        match tint {
            Tint::Red => Self::Prod,
            Tint::Yellow => Self::Staging,
            Tint::Green => Self::Dev,
            Tint::Blue => Self::Lab,
            Tint::Plain => Self::Prompt,
        }
    }
}

impl From<HostState> for Role {
    fn from(state: HostState) -> Self {
        match state {
            HostState::Ok => Self::Ok,
            HostState::Warn => Self::Warn,
            HostState::Crit => Self::Crit,
            HostState::Unknown => Self::Unknown,
            HostState::Unreachable => Self::Unreachable,
            HostState::Stale => Self::Stale,
        }
    }
}

impl From<CellState> for Role {
    fn from(state: CellState) -> Self {
        match state {
            CellState::Waiting => Self::Dim,
            CellState::Running => Self::Accent,
            CellState::Ok => Self::Ok,
            CellState::Failed => Self::Crit,
            CellState::Skipped => Self::Stale,
            CellState::Unreachable => Self::Unreachable,
            CellState::Unknown => Self::Unknown,
        }
    }
}

impl From<RunState> for Role {
    fn from(state: RunState) -> Self {
        match state {
            RunState::Running => Self::Accent,
            RunState::Ok => Self::Ok,
            RunState::Failed => Self::Crit,
            RunState::Cancelled => Self::Warn,
            RunState::Unknown => Self::Unknown,
        }
    }
}

impl From<TicketState> for Role {
    fn from(state: TicketState) -> Self {
        match state {
            TicketState::New => Self::Accent,
            TicketState::Open => Self::Warn,
            TicketState::Waiting => Self::Unknown,
            TicketState::Resolved => Self::Ok,
            TicketState::Closed => Self::Dim,
        }
    }
}

impl From<Level> for Role {
    fn from(level: Level) -> Self {
        match level {
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Colors {
    /// None, or none are wanted (<https://no-color.org>).
    None,
    /// The sixteen.
    Ansi16,
    /// The palette of 256.
    Ansi256,
    /// All of them.
    #[default]
    TrueColor,
}

/// A theme: a style for every role.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    /// Made for a light ground.
    pub light: bool,
    roles: BTreeMap<Role, Looks>,
}

/// A role on each kind of terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Looks {
    full: Style,
    ansi: Style,
    plain: Style,
}

/// What is wrong with a theme file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeError {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for ThemeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ThemeError {}

const BUILTIN: &[(&str, &str)] = &[
    ("dusk", include_str!("../../themes/dusk.toml")),
    ("paper", include_str!("../../themes/paper.toml")),
];

/// Red, green and blue.
pub type Rgb = (u8, u8, u8);
/// Roles that came after the first themes, and those whose looks they have in a theme that does not name them.
const LATER: &[(Role, Role)] = &[
    (Role::Staging, Role::Prompt),
    (Role::Dev, Role::Prompt),
    (Role::Lab, Role::Prompt),
    (Role::Broadcast, Role::Error),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    light: bool,
    roles: BTreeMap<Spanned<String>, Spanned<RoleFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleFile {
    fg: Option<Spanned<String>>,
    bg: Option<Spanned<String>>,
    /// Attributes that go with the true colours: `bold dim`.
    style: Option<Spanned<String>>,
    /// `bold yellow on black`.
    ansi: Option<Spanned<String>>,
    /// `bold reverse underline dim`.
    plain: Option<Spanned<String>>,
}

/// The names of the built-in themes, the default first.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|(name, _)| *name)
}

impl Theme {
    /// The built-in theme `name`.
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(known, _)| *known == name)?;
        // A test reads every built-in theme, so the second `None` cannot come about in a built program.
        Self::parse(text).ok()
    }

    /// Reads a theme file.
    ///
    /// # Errors
    /// Every mistake in it, in the order of the file: broken TOML, unknown or missing roles, colours that are none.
    pub fn parse(text: &str) -> Result<Self, Vec<ThemeError>> {
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![place(text, at, error.message().to_owned())]
        })?;
        let mut errors = Vec::new();
        let mut roles = BTreeMap::new();
        for (name, spec) in &file.roles {
            match name.get_ref().parse::<Role>() {
                Ok(role) => {
                    let looks = looks(text, spec.get_ref(), &mut errors);
                    roles.insert(role, looks);
                }
                Err(why) => errors.push(place(text, name.span().start, why)),
            }
        }
        // Themes were written before these roles were there: they look as others do until they are named.
        for (role, like) in LATER {
            let looks = roles.get(like).copied().unwrap_or_default();
            roles.entry(*role).or_insert(looks);
        }
        let missing: Vec<_> = Role::ALL
            .iter()
            .filter(|role| !LATER.iter().any(|(later, _)| later == *role))
            .filter(|role| !file.roles.keys().any(|name| name.get_ref() == role.word()))
            .map(|role| role.word())
            .collect();
        if !missing.is_empty() {
            let at = text.find("[roles]").unwrap_or(0);
            let message = format!("these roles are missing; add them: {}", missing.join(" "));
            errors.push(place(text, at, message));
        }
        errors.sort_by_key(|error| (error.line, error.column));
        if errors.is_empty() {
            Ok(Self {
                name: file.name,
                light: file.light,
                roles,
            })
        } else {
            Err(errors)
        }
    }

    /// The colours of text and ground, if the theme names both: what programs in panes are told when they ask. A theme that
    /// leaves them to the terminal tells whether it is made for a light one.
    pub fn ground(&self) -> Option<(Rgb, Rgb)> {
        let of = |role, color: fn(Style) -> Option<Color>| match color(
            self.style(role, Colors::TrueColor),
        ) {
            Some(Color::Rgb(red, green, blue)) => Some((red, green, blue)),
            _ => None,
        };
        let named = of(Role::Fg, |style| style.fg).zip(of(Role::Bg, |style| style.bg));
        let light = self.light.then_some(((0, 0, 0), (255, 255, 255)));
        named.or(light)
    }

    /// How `role` looks with `colors`.
    pub fn style(&self, role: Role, colors: Colors) -> Style {
        let looks = self.roles.get(&role).copied().unwrap_or_default();
        match colors {
            Colors::TrueColor | Colors::Ansi256 => looks.full,
            Colors::Ansi16 => looks.ansi,
            Colors::None => looks.plain,
        }
    }
}

impl Default for Theme {
    fn default() -> Self {
        Self::builtin("dusk").unwrap_or_else(|| Self {
            name: "none".to_owned(),
            light: false,
            roles: BTreeMap::new(),
        })
    }
}

fn looks(text: &str, spec: &RoleFile, errors: &mut Vec<ThemeError>) -> Looks {
    let mut full = Style::default();
    if let Some(fg) = &spec.fg {
        full.fg = noted(text, fg, hex(fg.get_ref()), errors);
    }
    if let Some(bg) = &spec.bg {
        full.bg = noted(text, bg, hex(bg.get_ref()), errors);
    }
    let mut words = |value: &Option<Spanned<String>>, colors: bool| {
        value.as_ref().map_or_else(Style::default, |value| {
            noted(text, value, phrase(value.get_ref(), colors), errors).unwrap_or_default()
        })
    };
    let attributes = words(&spec.style, false);
    Looks {
        full: full.patch(attributes),
        ansi: words(&spec.ansi, true),
        plain: words(&spec.plain, false),
    }
}

fn noted<T>(
    text: &str,
    at: &Spanned<String>,
    value: Result<T, String>,
    errors: &mut Vec<ThemeError>,
) -> Option<T> {
    value
        .map_err(|why| errors.push(place(text, at.span().start, why)))
        .ok()
}

fn hex(text: &str) -> Result<Color, String> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
    digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .map(Color::from_u32)
        .ok_or_else(|| format!("{text:?} is no colour; write #rrggbb"))
}

/// Reads `bold yellow on black`.
fn phrase(text: &str, colors: bool) -> Result<Style, String> {
    let (mut style, mut ground) = (Style::default(), false);
    for word in text.split_whitespace() {
        let modifier = match word {
            "bold" => Some(Modifier::BOLD),
            "dim" => Some(Modifier::DIM),
            "italic" => Some(Modifier::ITALIC),
            "underline" => Some(Modifier::UNDERLINED),
            "reverse" => Some(Modifier::REVERSED),
            _ => None,
        };
        match (modifier, word, color(word)) {
            (Some(modifier), ..) => style = style.add_modifier(modifier),
            (None, "on", _) if colors => ground = true,
            (None, _, Some(color)) if colors => {
                if ground {
                    style.bg = Some(color);
                } else {
                    style.fg = Some(color);
                }
            }
            _ if colors => {
                return Err(format!(
                    "{word:?} is neither an attribute nor one of the sixteen colours; write for example \"bold lightred on black\""
                ));
            }
            _ => {
                return Err(format!(
                    "{word:?} is no attribute; use bold, dim, italic, underline or reverse"
                ));
            }
        }
    }
    Ok(style)
}

fn color(word: &str) -> Option<Color> {
    Some(match word {
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "gray" => Color::Gray,
        "darkgray" => Color::DarkGray,
        "lightred" => Color::LightRed,
        "lightgreen" => Color::LightGreen,
        "lightyellow" => Color::LightYellow,
        "lightblue" => Color::LightBlue,
        "lightmagenta" => Color::LightMagenta,
        "lightcyan" => Color::LightCyan,
        "white" => Color::White,
        "default" => Color::Reset,
        _ => return None,
    })
}

fn place(text: &str, at: usize, message: String) -> ThemeError {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    ThemeError {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_is_complete_and_has_its_name() {
        for (name, text) in BUILTIN {
            let theme = Theme::parse(text).unwrap_or_else(|errors| {
                unreachable!(
                    "{name}: {}",
                    errors
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join("\n")
                )
            });
            assert_eq!(theme.name, *name);
        }
        assert!(Theme::builtin("dusk").is_some_and(|theme| !theme.light));
        assert!(Theme::builtin("paper").is_some_and(|theme| theme.light));
    }

    #[test]
    fn without_colour_a_selection_is_reversed_and_no_role_has_a_colour() {
        for theme in names().filter_map(Theme::builtin) {
            let selected = theme.style(Role::Selected, Colors::None);
            assert!(selected.add_modifier.contains(Modifier::REVERSED));
            for role in Role::ALL {
                let style = theme.style(*role, Colors::None);
                assert_eq!((style.fg, style.bg), (None, None), "{role}");
                let sixteen = theme.style(*role, Colors::Ansi16);
                for color in [sixteen.fg, sixteen.bg].into_iter().flatten() {
                    assert!(
                        !matches!(color, Color::Rgb(..) | Color::Indexed(_)),
                        "{role}"
                    );
                }
            }
        }
    }

    #[test]
    fn mistakes_are_pointed_at() {
        let text = include_str!("../../themes/dusk.toml")
            .replace("#d7dae0", "grey")
            .replace("unreachable =", "unreachble =");
        let errors = Theme::parse(&text).expect_err("two mistakes and a missing role");
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(
            lines
                .iter()
                .any(|line| line.contains("\"grey\" is no colour; write #rrggbb"))
        );
        assert!(
            lines
                .iter()
                .any(|line| line.contains("\"unreachble\" is no role"))
        );
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with("add them: unreachable"))
        );
        let broken = Theme::parse("name = \"x\"\nlight = 3\n").expect_err("3 is no boolean");
        assert_eq!((broken[0].line, broken[0].column), (2, 9));
    }
}
