//! Copy mode in the real program: a real shell in a pane, keys and mouse at a real terminal, and what arrives on its clipboard.

use quarterdeck::term::Size;

use crate::support::day::Day;
use crate::support::pty::Terminal;

/// As the user guide has it, with a prompt that is known.
const MARKS: &str = r#"
PS1='$ '
__mark_done() { local s=$?; [ -n "$__mark_ran" ] && printf '\e]133;D;%s\a' "$s"; __mark_ran=; printf '\e]133;A\a'; return "$s"; }
PROMPT_COMMAND="__mark_done${PROMPT_COMMAND:+; $PROMPT_COMMAND}"
PS1="$PS1"'\[\e]133;B\a\]'
PS0='\e]133;C\a${PS1:$((__mark_ran=1)):0}'
"#;

/// A local shell in a pane, with marks.
fn pane(day: &Day, size: Size) -> Terminal {
    let program = day.program();
    let mut terminal = Terminal::start(program, &["--home", day.home_text()], &[], size);
    terminal.until("the first screen is there", |screen| {
        screen.contains("tickets")
    });
    terminal.keys(":session local\r");
    terminal.until("a shell waits", |screen| screen.contains("recording"));
    let marks = day.file("marks.sh", MARKS);
    terminal.keys(&format!("exec bash --rcfile {marks}\r"));
    terminal.until("bash is there", |screen| {
        screen.lines().any(|line| line.trim_end() == "$")
    });
    terminal
}

/// Every text that was sent to the terminal's clipboard, in order.
fn clipboard(written: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(written);
    let sent = text.split("\x1b]52;c;").skip(1);
    sent.filter_map(|rest| rest.split(['\x07', '\x1b']).next())
        .map(|coded| String::from_utf8_lossy(&decode(coded)).into_owned())
        .collect()
}

/// Base 64 (RFC 4648).
fn decode(coded: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => u32::from(c - b'A'),
        b'a'..=b'z' => u32::from(c - b'a') + 26,
        b'0'..=b'9' => u32::from(c - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = coded.bytes().filter(|c| *c != b'=').collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let word = four.iter().fold(0, |word, c| word << 6 | value(*c)) << (6 * (4 - four.len()));
        let bytes = word.to_be_bytes();
        bytes
            .into_iter()
            .skip(1)
            .take(four.len() - 1)
            .collect::<Vec<_>>()
    });
    bytes.collect()
}

fn until_copied(terminal: &mut Terminal, count: usize) -> String {
    terminal.until_written("a text is on the clipboard", |written| {
        clipboard(written).into_iter().nth(count)
    })
}

#[test]
fn what_is_searched_selected_and_copied_arrives_on_the_clipboard() {
    let day = Day::start(0);
    let mut terminal = pane(&day, Size::new(80, 24));
    terminal.keys("seq -f 'row %g of the flood' 4000\r");
    terminal.until_shows("row 4000 of the flood");
    terminal.keys("\x1d[");
    terminal.until("copy mode says so", |screen| screen.contains("COPY"));
    terminal.keys("?row 17[0-9] of");
    terminal.until("the matches are counted", |screen| {
        screen.contains("row 179 of")
    });
    terminal.keys("\r");
    terminal.until("the matches are counted", |screen| {
        screen.contains("10 of 10")
    });
    terminal.keys("Vkky");
    let copied = "row 177 of the flood\nrow 178 of the flood\nrow 179 of the flood";
    assert_eq!(until_copied(&mut terminal, 0), copied);
    // Nothing that was typed in copy mode reached the shell; after it, keys do again.
    terminal.keys("q");
    terminal.keys("echo after$((1+1))\r");
    terminal.until_shows("after2");
    // Several lines are pasted only after a yes.
    terminal.keys("\x1d]");
    terminal.until_shows("paste 3 lines");
    terminal.keys("\x1b");
    // A drag of the mouse over the last row of output selects and copies.
    let screen = terminal.until("the question is gone", |screen| !screen.contains("paste 3"));
    let row = screen
        .lines()
        .position(|line| line.trim_end() == "after2")
        .unwrap_or_default()
        + 1;
    terminal.keys(&format!(
        "\x1b[<0;1;{row}M\x1b[<32;3;{row}M\x1b[<32;5;{row}M\x1b[<0;5;{row}m"
    ));
    assert_eq!(until_copied(&mut terminal, 1), "after");
}

#[test]
fn a_marked_shell_leads_from_prompt_to_prompt() {
    let day = Day::start(0);
    let mut terminal = pane(&day, Size::new(200, 50));
    terminal.keys("seq 300\r");
    terminal.until_shows("300\n$");
    terminal.keys("echo last; false\r");
    terminal.until("the status is shown", |screen| screen.contains("exit 1"));
    terminal.keys("\x1dy");
    assert_eq!(until_copied(&mut terminal, 0), "last");
    // Three prompts back is where the flood began.
    terminal.keys("\x1d[");
    terminal.until("copy mode says so", |screen| screen.contains("COPY"));
    terminal.keys("2[p");
    terminal.until("the flood's command is in view", |screen| {
        screen.contains("$ seq 300")
    });
    terminal.keys("Y");
    terminal.until("copied", |screen| screen.contains("sent 9 B"));
    assert_eq!(until_copied(&mut terminal, 1), "$ seq 300");
}
