//! Values must arrive as one literal argument, whatever quotes the author wrote: judged by the real shells.

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

type Outcome = Result<(), Box<dyn Error>>;

/// What people who mean harm type into a field.
const EVIL: &[&str] = &[
    "'; rm -rf ~; '",
    "\"; touch pwned; \"",
    "$(touch pwned)",
    "`touch pwned`",
    "a\nb; touch pwned\n",
    "\\",
    "\\'; touch pwned; \\'",
    "'\"'\"'",
    "${HOME}",
    "* ? [a]",
    "-n",
    "",
    " ",
    "!!",
    "a'b\"c`d$e\\f",
    "#",
    "größe 界",
    "EOF",
    "EOF\ntouch pwned\n",
    "x[$(touch pwned)]",
];

fn bind<'a>(kind: ParamKind, text: &'a str) -> impl Fn(&str) -> Option<Bound<'a>> {
    move |_| {
        Some(Bound {
            kind,
            raw: false,
            text,
        })
    }
}

fn filled(interpreter: &str, script: &str, value: &str) -> Result<String, Vec<String>> {
    fill(
        Dialect::of(interpreter),
        script,
        &bind(ParamKind::String, value),
    )
}

/// Runs a script in an empty folder and returns what it printed. A value that became code would leave a file there.
fn run(interpreter: &str, script: &str) -> Result<String, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(interpreter)
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}\n{error}");
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 0, "{script}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The shells of this machine; `sh` is always there.
fn shells() -> Vec<&'static str> {
    ["sh", "dash", "ash", "bash", "zsh", "ksh", "mksh", "yash"]
        .into_iter()
        .filter(|shell| {
            Command::new(shell)
                .arg("-c")
                .arg(":")
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
        .collect()
}

#[test]
fn a_value_is_one_argument_in_every_place() -> Outcome {
    // Each script prints its first argument between angle brackets, and nothing else.
    for script in [
        "set -- {{ v }}; printf '<%s>%s' \"$1\" \"$#\"",
        "set -- '{{ v }}'; printf '<%s>%s' \"$1\" \"$#\"",
        "set -- \"{{ v }}\"; printf '<%s>%s' \"$1\" \"$#\"",
        "# it's a comment with one quote\nset -- {{v}}; printf '<%s>%s' \"$1\" \"$#\"",
        "x={{ v }}\nprintf '<%s>1' \"$x\"",
        "x=\"$(printf '%s.' {{ v }})\"; printf '<%s>1' \"${x%.}\"",
        "x=\"$(printf '%s.' \"{{ v }}\")\"; printf '<%s>1' \"${x%.}\"",
        "echo $(( (1 + 2) * 3 )) $# ${#} >/dev/null; printf '<%s>1' {{ v }}",
        "case a in a) printf '<%s>1' {{ v }};; esac",
        "f() { printf '<%s>1' \"$1\"; }; f {{ v }}",
        "printf '<%s>1' \\\n  {{ v }}",
        "cat >/dev/null <<'X'\nit's \"fine\n$(X\nX\nprintf '<%s>1' {{ v }}",
        "cat >/dev/null <<-X\n\tit's\n\tX\nprintf '<%s>1' '{{ v }}'",
        "echo `echo \"it's\" \\`echo x\\`` >/dev/null; printf '<%s>1' {{ v }}",
        "sh -c 'printf \"<%s>1\" \"$1\"' sh {{ v }}",
        "printf '<%s>1' a#b >/dev/null; printf '<%s>1' {{ v }} # it's {{ v }}",
    ] {
        for shell in shells() {
            for value in EVIL {
                let text =
                    filled(shell, script, value).map_err(|why| format!("{script}: {why:?}"))?;
                assert_eq!(run(shell, &text)?, format!("<{value}>1"), "{shell}: {text}");
            }
        }
    }
    Ok(())
}

#[test]
fn text_around_a_value_stays_apart() -> Outcome {
    for (script, expected) in [
        ("a=1; printf '<%s>' \"$a{{ v }}b\"", "<1Ab>"),
        ("a=1; printf '<%s>' $a{{ v }}'{{ v }}'\"{{ v }}\"", "<1AAA>"),
        ("printf '<%s>' /srv/{{ v }}/x.{{v}}", "</srv/A/x.A>"),
        (
            "printf '<%s>' '{{.Names}} {{end}} {{ json . }}'",
            "<{{.Names}} {{end}} {{ json . }}>",
        ),
    ] {
        for shell in shells() {
            let text = filled(shell, script, "A").map_err(|why| why.join("; "))?;
            assert_eq!(run(shell, &text)?, expected, "{text}");
        }
    }
    Ok(())
}

#[test]
fn here_documents_hold_values_as_text() -> Outcome {
    let script = "cat <<EOF\nserver {{ v }};\n\\$x $((1+1))\nEOF\necho after";
    for shell in shells() {
        for value in EVIL {
            let text = filled(shell, script, value).map_err(|why| why.join("; "))?;
            assert_eq!(
                run(shell, &text)?,
                format!("server {value};\n$x 2\nafter\n"),
                "{text}"
            );
        }
        let script = "cat <<-'EOF'\n\tserver {{ v }} $x;\n\tEOF\necho after";
        for value in ["$(touch pwned)", "it's", "\\", ""] {
            let text = filled(shell, script, value).map_err(|why| why.join("; "))?;
            assert_eq!(run(shell, &text)?, format!("server {value} $x;\nafter\n"));
        }
        for value in ["EOF", "E", "a\nb", "EOF\ntouch pwned"] {
            assert!(filled(shell, script, value).is_err(), "{value}");
        }
    }
    Ok(())
}

#[test]
fn numbers_may_be_computed_with() -> Outcome {
    for shell in shells() {
        for (value, sum) in [("8", "18"), ("-3", "7"), ("010", "20"), ("0", "10")] {
            let script = "echo $(( 10 - -{{ n }} + 0 )) \"$((10+{{n}}))\"";
            let text = fill(Dialect::of(shell), script, &bind(ParamKind::Number, value))
                .map_err(|why| why.join("; "))?;
            assert_eq!(run(shell, &text)?, format!("{sum} {sum}\n"), "{text}");
        }
    }
    assert!(filled("sh", "echo $(( {{ n }} ))", "x[$(id)]").is_err());
    Ok(())
}

#[test]
fn uncertain_places_are_refused() {
    for (interpreter, script) in [
        ("sh", "echo \\{{ v }}"),
        ("sh", "echo \"\\{{ v }}\""),
        ("bash", "echo ${{ v }}"),
        ("sh", "echo $${{ v }}"),
        ("bash", "echo $'{{ v }}'"),
        ("sh", "echo $'a\\'b'; echo {{ v }}"),
        ("sh", "echo `echo {{ v }}`"),
        ("sh", "echo ${x:-{{ v }}}"),
        ("sh", "echo \"${x:-'}\" {{ v }}"),
        ("bash", "(( {{ v }} > 1 ))"),
        ("bash", "for ((i = 0; i < {{ v }}; i++)); do :; done"),
        ("bash", "a[{{ v }}]=1"),
        ("bash", "a['{{ v }}']=1"),
        ("bash", "[[ {{ v }} -eq 1 ]]"),
        ("bash", "[[ 1 -lt \"{{ v }}\" ]]"),
        ("sh", "echo $(case x in x) echo;; esac) {{ v }}"),
        ("sh", "cat <<{{ v }}\nx\n"),
        ("sh", "cat << 'a{{ v }}'\nx\n"),
        ("sh", "cat <<EOF\n$(echo {{ v }})\nEOF"),
        ("sh", "cat <<EOF\n\\{{ v }}\nEOF"),
        ("sh", "cat <<EOF\na\\\nEOF\n{{ v }}"),
        ("sh", "sh -c 'echo {{ v }}'"),
        ("sh", "sudo -n bash -ec \"echo {{ v }}\""),
        ("sh", "eval echo {{ v }}"),
        ("sh", "ssh -p 22 web1 systemctl restart {{ v }}"),
        ("sh", "ssh web1 sh <<EOF\necho {{ v }}\nEOF"),
        ("sh", "cat <<'EOF' | sudo bash\necho {{ v }}\nEOF"),
        ("bash", "bash <<< \"echo {{ v }}\""),
        ("sh", "python3 -c \"print('{{ v }}')\""),
        ("perl", "print {{ v }}"),
        ("python3", "print('{{ v }}')"),
        ("python3", "print(f{{ v }})"),
        ("python3", "print(f'{x['a']}', {{ v }})"),
        ("python3", "'''\n{{ v }}'''"),
    ] {
        let found = slots(Dialect::of(interpreter), script);
        assert!(!found.is_empty(), "{script}");
        let refused = found
            .iter()
            .any(|slot| objection(slot, ParamKind::String, false).is_some());
        assert!(refused, "{interpreter}: {script}: {found:?}");
        assert!(filled(interpreter, script, "x").is_err(), "{script}");
    }
}

#[test]
fn values_that_cannot_be_code_may_go_where_code_goes() {
    for script in ["eval echo {{ v }}", "ssh web1 reboot {{ v }}"] {
        for slot in slots(Dialect::Sh, script) {
            assert_eq!(objection(&slot, ParamKind::Host, false), None, "{script}");
            assert_eq!(objection(&slot, ParamKind::String, true), None, "{script}");
        }
    }
    assert_eq!(slots(Dialect::Sh, "ssh {{ v }} uptime").len(), 1);
    assert!(filled("sh", "ssh {{ v }} uptime", "web1").is_ok());
}

#[test]
fn comments_stay_as_they_are() {
    for (interpreter, script) in [
        ("sh", "true # {{ v }}\n"),
        ("sh", "#{{ v }}"),
        ("python3", "x = 1 # {{ v }}"),
    ] {
        assert_eq!(slots(Dialect::of(interpreter), script), []);
        assert_eq!(filled(interpreter, script, "\nrm").as_deref(), Ok(script));
    }
}

#[test]
fn what_is_raw_is_pasted() {
    let lookup = |_: &str| {
        Some(Bound {
            kind: ParamKind::String,
            raw: true,
            text: "-l | wc -c",
        })
    };
    assert_eq!(
        fill(Dialect::Sh, "ls {{ flags }}", &lookup).as_deref(),
        Ok("ls -l | wc -c")
    );
}

#[test]
fn python_takes_literals() -> Outcome {
    if Command::new("python3").arg("--version").output().is_err() {
        return Ok(());
    }
    for value in EVIL {
        let script = "import sys\n# it's {{ v }}\nx = r'''it's''' + \"{\" + f\"{1}{{}}\"\nsys.stdout.reconfigure(encoding='utf-8')\nsys.stdout.write({{ v }})";
        let text = filled("python3", script, value).map_err(|why| why.join("; "))?;
        assert_eq!(run("python3", &text)?, *value, "{text}");
    }
    for (kind, value, shown) in [
        (ParamKind::Number, "-007.50", "-8.5"),
        (ParamKind::Bool, "true", "0"),
        (ParamKind::Bool, "false", "-1"),
    ] {
        let text = fill(Dialect::Python, "print({{ v }} - 1)", &bind(kind, value))
            .map_err(|why| why.join("; "))?;
        assert_eq!(run("python3", &text)?.trim(), shown);
    }
    Ok(())
}

#[test]
fn what_is_a_parameter() {
    for (text, name) in [
        ("{{name}}", Some("name")),
        ("{{ \tname_2 }}", Some("name_2")),
        ("{{.Names}}", None),
        ("{{ json . }}", None),
        ("{{end}}", None),
        ("{{ 2 }}", None),
        ("{{ a }", None),
        ("{{ a | b }}", None),
        ("{{\na }}", None),
        ("{a}", None),
    ] {
        assert_eq!(opening(text, 0).map(|(name, _)| name), name, "{text}");
    }
    for (text, open) in [
        ("{{ a }", true),
        ("{{ a", true),
        ("{{ a\n", true),
        ("{{ a }}", false),
        ("{{a,b},c}", false),
        ("{{.Names", false),
        ("{{print $1}}", false),
    ] {
        assert_eq!(unclosed(text, 0), open, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any value, in any of the three kinds of quotes, comes out of a real shell as it went in.
    #[test]
    fn any_value_survives_the_shell(value in "[^\\x00]{0,40}") {
        let script = "printf '<%s>' {{ v }} '{{ v }}' \"{{ v }}\" a{{ v }}\"$((1))'{{ v }}\"";
        let text = filled("sh", script, &value).expect("all places are certain");
        let out = run("sh", &text).expect("the shell runs");
        prop_assert_eq!(out, format!("<{value}><{value}><{value}><a{value}1'{value}>"));
    }
}

proptest! {
    /// No text, however broken, makes the lexers panic, and no value is lost or put outside of the text.
    #[test]
    fn any_script_is_read(script in "(\\PC|[\\n'\"`$(){}\\\\<#]|EOF|\\{\\{ v \\}\\}|<<E|\\$\\(\\(){0,40}") {
        for dialect in [Dialect::Sh, Dialect::Bash, Dialect::Python, Dialect::Other] {
            let mut end = 0;
            for slot in slots(dialect, &script) {
                prop_assert!(slot.start >= end && slot.end <= script.len());
                prop_assert!(script.is_char_boundary(slot.start) && script.is_char_boundary(slot.end));
                end = slot.end;
            }
            let _outcome = fill(dialect, &script, &bind(ParamKind::String, "x"));
        }
    }
}
