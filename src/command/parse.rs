//! Reads words into commands. The tree of words is made from the rows, so the prompt and the command line agree.

use clap::builder::{NonEmptyStringValueParser, Str, StyledStr};
use clap::{Arg as ClapArg, ArgAction, ArgMatches, Command as ClapCommand};

use super::row::{Arg, Args, Form, Row, Surface};
use super::{Command, line, rows};

/// Options that every command takes, before or after its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    /// Everything below this folder instead of the usual places.
    pub home: Option<std::path::PathBuf>,
    /// One JSON document.
    pub json: bool,
    /// One JSON document a line, as things happen.
    pub jsonl: bool,
    /// Less talk.
    pub quiet: bool,
    /// More talk.
    pub verbose: bool,
    /// Answers confirmations, never a typed one.
    pub yes: bool,
    /// Refuse everything that changes anything.
    pub read_only: bool,
    /// Linear output without colours or drawing.
    pub plain: bool,
}

/// What a line of words means.
#[derive(Debug)]
pub struct Parsed {
    /// The row; `None` when no command was named.
    pub row: Option<&'static Row>,
    /// Its arguments.
    pub args: Args,
    /// The options.
    pub globals: Globals,
}

impl Parsed {
    /// Builds the command, if one was named.
    ///
    /// # Errors
    /// An argument is missing or makes no sense.
    pub fn command(&self) -> Result<Option<Command>, super::ArgError> {
        self.row.map(|row| (row.build)(&self.args)).transpose()
    }
}

/// Words that could not be read: text for people, and whether it was asked for (`--help`, `--version`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The text, several lines.
    pub text: String,
    /// It is help that was asked for, and no error.
    pub asked_for: bool,
}

/// The tree of all commands that can be called from `surface`.
pub fn cli(surface: Surface) -> ClapCommand {
    let mut root = ClapCommand::new("qd")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The terminal workstation for people who run computers.")
        .after_help("Without a command qd opens the workstation. Try `qd demo` first: it brings its own hosts.")
        .disable_help_subcommand(true)
        .infer_subcommands(false)
        .args(globals());
    let mut nouns: Vec<(&'static str, ClapCommand)> = Vec::new();
    for row in rows().filter(|row| row.surface == Surface::Everywhere || row.surface == surface) {
        let mut words = row.words();
        let (Some(first), second) = (words.next(), words.next()) else {
            continue;
        };
        let leaf = leaf(row, second.unwrap_or(first));
        match second {
            None => nouns.push((first, leaf)),
            Some(_) => match nouns.iter_mut().find(|(noun, _)| *noun == first) {
                // A noun may be a command itself, as `forward` is.
                Some((_, noun)) => {
                    let whole = std::mem::take(noun).subcommand(leaf);
                    *noun = whole
                        .subcommand_negates_reqs(true)
                        .args_conflicts_with_subcommands(true);
                }
                None => nouns.push((
                    first,
                    ClapCommand::new(first)
                        .about(noun_help(first))
                        .subcommand_required(true)
                        .arg_required_else_help(true)
                        .subcommand(leaf),
                )),
            },
        }
    }
    root = root.subcommands(nouns.into_iter().map(|(_, command)| command));
    root
}

/// Reads the words of the command line, without the program's name.
///
/// # Errors
/// Words that mean nothing, or a request for help.
pub fn parse_words(words: &[String], surface: Surface) -> Result<Parsed, ParseError> {
    let tree = cli(surface);
    let tree = if surface == Surface::Screen {
        tree.no_binary_name(true).disable_version_flag(true)
    } else {
        tree.no_binary_name(true)
    };
    match tree.try_get_matches_from(shield(words)) {
        Ok(matches) => Ok(read(&matches)),
        Err(error) if surface == Surface::Screen && error.use_stderr() => Err(ParseError {
            text: super::mistake::words(&error, words),
            asked_for: false,
        }),
        Err(error) => Err(ParseError {
            text: error.render().to_string().trim_end().to_owned(),
            asked_for: !error.use_stderr(),
        }),
    }
}

/// Reads a line of the `:` prompt. `q` and `q!` are what fingers type.
///
/// # Errors
/// As [`parse_words`], or a quote that is never closed.
pub fn parse_line(text: &str) -> Result<Parsed, ParseError> {
    let plain = |text: String| ParseError {
        text,
        asked_for: false,
    };
    let mut words = line::split(text).map_err(plain)?;
    match words.first().map(String::as_str) {
        Some("q" | "q!" | "quit" | "wq" | "qa") => words = vec!["quit".to_owned()],
        // As tmux has it.
        Some("show-messages") => words = vec!["view".to_owned(), "messages".to_owned()],
        Some("t") => words.splice(0..1, ["ticket".to_owned()]).for_each(drop),
        Some(
            noun @ ("tickets" | "hosts" | "sessions" | "runs" | "runbooks" | "connections"
            | "forwards" | "alarms" | "home" | "sync" | "messages"),
        ) if words.len() == 1 => {
            words = vec!["view".to_owned(), noun.to_owned()];
        }
        _ => {}
    }
    parse_words(&words, Surface::Screen)
}

/// Puts the terms of a query behind `--`, so that `-tag:lab` stays a term, and keeps options that stand among them options.
fn shield(words: &[String]) -> Vec<String> {
    if let Some(words) = super::ssh::shield(words) {
        return words;
    }
    let Some(at) = words.windows(2).position(|pair| pair == ["ticket", "ls"]) else {
        return words.to_vec();
    };
    let (mut head, mut terms) = (words[..at + 2].to_vec(), Vec::new());
    let mut rest = words[at + 2..].iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--" => {
                terms.extend(rest.cloned());
                break;
            }
            "--home" => {
                head.push(word.clone());
                head.extend(rest.next().cloned());
            }
            "-q" | "-v" | "-h" => head.push(word.clone()),
            long if long.starts_with("--") => head.push(word.clone()),
            _ => terms.push(word.clone()),
        }
    }
    head.push("--".to_owned());
    head.extend(terms);
    head
}

fn globals() -> Vec<ClapArg> {
    let switch = |name: &'static str, help: &'static str| {
        ClapArg::new(name)
            .long(name)
            .global(true)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    vec![
        ClapArg::new("home")
            .long("home")
            .global(true)
            .value_name("DIR")
            .value_parser(NonEmptyStringValueParser::new())
            .help("Keep everything below DIR"),
        switch("json", "Print one JSON document"),
        switch("jsonl", "Print one JSON document a line"),
        switch("quiet", "Say less").short('q'),
        switch("verbose", "Say more").short('v'),
        switch("yes", "Answer confirmations with yes, never a typed one"),
        switch("read-only", "Refuse everything that changes anything"),
        switch("plain", "Linear output without colours or drawing"),
    ]
}

fn noun_help(noun: &str) -> &'static str {
    match noun {
        "ticket" => "Tickets: what is wrong or wanted",
        "host" => "The inventory",
        "forward" => "Connections carried through a host",
        "session" => "Sessions and their recordings",
        "server" => "The app that windows and commands come to",
        "replay" => "The recording that is played",
        "runbook" => "Runbooks: Markdown files with shell fences",
        "run" => "Runs of runbooks on hosts",
        "config" => "Settings",
        "connection" => "Connections that this process holds",
        "file" => "What is selected in the view of two folders",
        "sync" => "Sync with other devices, through a place that is trusted with nothing",
        "theme" => "Themes",
        "monitor" => "What calls you to a session",
        "view" => "What the screen shows",
        "layout" => "How panes are arranged, and arrangements with a name",
        "tab" => "Tabs of sessions",
        "pane" => "The panes of a tab",
        _ => "More commands",
    }
}

fn leaf(row: &'static Row, word: &'static str) -> ClapCommand {
    let help = row.help.strip_suffix('.').unwrap_or(row.help);
    ClapCommand::new(word)
        .about(StyledStr::from(help))
        .args(row.args.iter().map(clap_arg))
}

fn clap_arg(arg: &'static Arg) -> ClapArg {
    let mut made = ClapArg::new(arg.name).help(arg.help).required(arg.required);
    let value = Str::from(arg.name.to_uppercase());
    made = match arg.form {
        Form::Positional => made.value_name(value),
        Form::Rest => made
            .value_name(value)
            .num_args(1..)
            .allow_hyphen_values(false),
        Form::Trailing => made
            .value_name(value)
            .num_args(1..)
            .last(true)
            .allow_hyphen_values(true),
        Form::Switch(_) => made.long(arg.name).action(ArgAction::SetTrue),
        Form::Flag(_) => made
            .long(arg.name)
            .value_name(value)
            .allow_hyphen_values(true),
        Form::Repeated(_) => made
            .long(arg.name)
            .value_name(value)
            .action(ArgAction::Append)
            .allow_hyphen_values(true),
    };
    match arg.form {
        Form::Switch(Some(short)) | Form::Flag(Some(short)) | Form::Repeated(Some(short)) => {
            made.short(short)
        }
        _ => made,
    }
}

fn read(matches: &ArgMatches) -> Parsed {
    let mut words = Vec::new();
    let mut inner = matches;
    while let Some((word, next)) = inner.subcommand() {
        words.push(word.to_owned());
        inner = next;
    }
    let id = words.join(".");
    let row = super::row(&id);
    let mut args = Args::default();
    for arg in row.map_or(&[][..], |row| row.args) {
        match arg.form {
            Form::Switch(_) => {
                if inner.get_flag(arg.name) {
                    args.push(arg.name, "");
                }
            }
            Form::Positional | Form::Rest | Form::Trailing | Form::Flag(_) | Form::Repeated(_) => {
                for value in inner.get_many::<String>(arg.name).into_iter().flatten() {
                    args.push(arg.name, value);
                }
            }
        }
    }
    let on = |name: &str| inner.get_flag(name);
    let globals = Globals {
        home: inner.get_one::<String>("home").map(Into::into),
        json: on("json"),
        jsonl: on("jsonl"),
        quiet: on("quiet"),
        verbose: on("verbose"),
        yes: on("yes"),
        read_only: on("read-only"),
        plain: on("plain"),
    };
    Parsed { row, args, globals }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{HostCommand, RunCommand, ScreenCommand, TicketCommand};

    fn words(line: &str) -> Parsed {
        let words = line::split(line).expect("the test's line is quoted well");
        parse_words(&words, Surface::Line)
            .unwrap_or_else(|why| unreachable!("{line}: {}", why.text))
    }

    fn command(line: &str) -> Command {
        words(line)
            .command()
            .unwrap_or_else(|why| unreachable!("{line}: {why}"))
            .expect("a command is named")
    }

    #[test]
    fn the_tree_is_sound() {
        cli(Surface::Line).debug_assert();
        cli(Surface::Screen).debug_assert();
    }

    #[test]
    fn globals_stand_before_and_after() {
        assert!(words("--json ticket ls").globals.json);
        assert!(words("ticket ls --json").globals.json);
        assert_eq!(
            words("--home /tmp/x host ls").globals.home,
            Some("/tmp/x".into())
        );
        assert!(words("").row.is_none());
    }

    #[test]
    fn a_query_keeps_its_hyphens() {
        let Command::Ticket(TicketCommand::List { query }) =
            command("ticket ls state:open -tag:lab \"disk full\"")
        else {
            unreachable!("it is a list")
        };
        assert_eq!(query, ["state:open", "-tag:lab", "disk full"]);
        let parsed = words("ticket ls -queue:net state:open --json");
        assert!(parsed.globals.json && !parsed.globals.quiet);
        assert_eq!(parsed.args.all("query"), ["-queue:net", "state:open"]);
    }

    #[test]
    fn commands_after_two_hyphens_stay_as_they_are() {
        let Command::Ssh(ssh) = command("ssh web1 --ticket T-7K3F -- uname -a --json") else {
            unreachable!("it is ssh")
        };
        assert_eq!(
            (ssh.command, ssh.ticket),
            (
                vec!["uname".to_owned(), "-a".to_owned(), "--json".to_owned()],
                Some("T-7K3F".to_owned())
            )
        );
    }

    #[test]
    fn a_noun_may_be_a_command_itself() {
        use crate::command::ForwardCommand;
        use crate::domain::forward::{Endpoint, ForwardRule};
        let dynamic = ForwardRule::Dynamic {
            listen: Endpoint::tcp("", 1080),
        };
        for (line, expected) in [
            (
                "forward -D 1080 web1",
                ForwardCommand::Start {
                    host: "web1".to_owned(),
                    rules: vec![dynamic.clone()],
                },
            ),
            (
                "forward ls1 -D 1080",
                ForwardCommand::Start {
                    host: "ls1".to_owned(),
                    rules: vec![dynamic],
                },
            ),
            ("forward ls", ForwardCommand::List),
            ("forward stop 4", ForwardCommand::Stop { id: 4 }),
        ] {
            let parsed =
                parse_line(line).unwrap_or_else(|why| unreachable!("{line}: {}", why.text));
            assert_eq!(parsed.command(), Ok(Some(Command::Forward(expected))));
        }
        assert!(words("forward web1 -L 80:web").command().is_err());
        let Command::Ssh(ssh) = command("ssh -NA web1 -L 1:a:2 -R 3") else {
            unreachable!("it is ssh")
        };
        assert_eq!((ssh.forwards.len(), ssh.agent), (2, Some(true)));
        assert!(ssh.no_command && ssh.command.is_empty());
    }

    #[test]
    fn runs_take_parameters() {
        let Command::Run(RunCommand::Start(start)) =
            command("run start disk -H 'web*' -p path=/var -p 'note='\\''; rm -rf ~; '\\''' -f 3")
        else {
            unreachable!("it is a start")
        };
        assert_eq!(
            start.params.get("note").map(String::as_str),
            Some("'; rm -rf ~; '")
        );
        assert_eq!((start.forks, start.pattern.as_str()), (Some(3), "web*"));
        assert!(words("run start disk -H a -p nothing").command().is_err());
        assert!(words("run start disk -H a -f 0").command().is_err());
    }

    #[test]
    fn the_prompt_knows_what_fingers_type() {
        for (line, expected) in [
            ("q", Command::Screen(ScreenCommand::Quit)),
            ("hosts", Command::Screen(ScreenCommand::Hosts)),
            (
                "t ls owner:me",
                Command::Ticket(TicketCommand::List {
                    query: vec!["owner:me".to_owned()],
                }),
            ),
            (
                "host ls -H web*",
                Command::Host(HostCommand::List {
                    pattern: Some("web*".to_owned()),
                    columns: None,
                }),
            ),
        ] {
            let parsed =
                parse_line(line).unwrap_or_else(|why| unreachable!("{line}: {}", why.text));
            assert_eq!(parsed.command(), Ok(Some(expected)), "{line}");
        }
        assert!(
            parse_line("exec -H all -- reboot").is_err(),
            "streaming commands need a terminal of their own"
        );
        assert!(parse_line("no such thing").is_err());
    }
}
