//! Runbooks as people write them, right and wrong.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Runbook, Vec<Diagnostic>> {
    parse(Path::new("r.md"), "r", text)
}

/// `line:column message` of everything that is wrong.
fn wrong(text: &str) -> Vec<String> {
    match read(text) {
        Ok(_) => Vec::new(),
        Err(wrong) => wrong
            .iter()
            .map(|wrong| format!("{}:{} {}", wrong.line, wrong.column, wrong.message))
            .collect(),
    }
}

fn scripts(book: &Runbook) -> Vec<(&str, &str)> {
    book.steps
        .iter()
        .map(|step| match &step.action {
            Action::Script { text, .. } => (step.name.as_str(), text.as_str()),
            Action::Checklist { .. } => (step.name.as_str(), "(checklist)"),
        })
        .collect()
}

const WHOLE: &str = r#"---
title: Restart the web server
description: When it hangs
tags: [web, restart, web]
hosts: web*:&@prod
when: [WebDown, WebSlow]
layout: another tool's
params:
  - name: service
    default: nginx
    regex: '[a-z-]+'
  - {name: level, type: enum, enum: [soft, hard], default: soft}
  - name: tries
    type: number
    default: 3
  - name: password
    type: secret
---
# Restart

Look before you leap.

```sh { name=check timeout=30s }
systemctl status {{ service }}
docker ps --format '{{.Names}}'
```

Some words.

```yaml
not: a step
```

## Restart it

```console
$ systemctl restart {{ service }}
Restarted.
$ echo a \
> b
more output
```

```console
only output
```

- [ ] The page is green
- [x] Nobody **complains** about `x`

1. In a list:
   ```bash { confirm=yes capture=pid }
   $ pidof {{ service }}
   # done
   ```

~~~python3 { if='test -d /x' }
print({{ pid }}, {{ tries }})
~~~

The end, {{ not_a_parameter }}.
"#;

#[test]
fn a_whole_runbook() {
    let book = read(WHOLE).expect("nothing is wrong");
    assert_eq!(book.title, "Restart the web server");
    assert_eq!(book.tags, ["restart", "web"]);
    assert_eq!(book.hosts.as_deref(), Some("web*:&@prod"));
    assert_eq!(book.when, ["WebDown", "WebSlow"]);
    assert_eq!(
        scripts(&book),
        [
            (
                "check",
                "systemctl status {{ service }}\ndocker ps --format '{{.Names}}'\n"
            ),
            (
                "Restart it",
                "systemctl restart {{ service }}\necho a \\\nb\n"
            ),
            ("Restart it 2", "(checklist)"),
            ("Restart it 3", "pidof {{ service }}\n# done\n"),
            ("Restart it 4", "print({{ pid }}, {{ tries }})\n"),
        ]
    );
    let params: Vec<(&str, bool)> = book
        .params
        .iter()
        .map(|param| (param.name.as_str(), param.required))
        .collect();
    assert_eq!(
        params,
        [
            ("service", false),
            ("level", false),
            ("tries", false),
            ("password", true)
        ]
    );
    let [check, restart, list, _, python] = book.steps.as_slice() else {
        unreachable!("five steps were compared above");
    };
    assert_eq!((check.line, check.timeout_ms), (23, Some(30_000)));
    assert_eq!(check.prose, "# Restart\n\nLook before you leap.");
    assert!(restart.prose.starts_with("Some words.") && restart.prose.contains("not: a step"));
    assert_eq!(
        list.action,
        Action::Checklist {
            items: vec![
                "The page is green".to_owned(),
                "Nobody complains about x".to_owned()
            ]
        }
    );
    assert_eq!(python.condition.as_deref(), Some("test -d /x"));
    assert_eq!(book.epilogue, "The end, {{ not_a_parameter }}.");
    assert_eq!(book.hash.len(), 64);
}

#[test]
fn everything_that_is_wrong_is_said_with_its_place() {
    let text = "---\nparams:\n  - name: a\n    type: colour\n  - name: b\n    type: number\n    default: many\n---\n\n```sh { nam=x timeout=soon }\necho\n```\n\n```sh { name=y }\necho {{ a }\n```\n\n```sh { name=y }\necho `{{ b }}`\n";
    assert_eq!(
        wrong(text),
        [
            "4:5 params: a: type: \"colour\" is no parameter type; use one of: string number bool enum host secret",
            "7:5 params: b: the default \"many\" is no number; write it like 10 or -2.5",
            "10:9 nam: is no attribute; attributes are: name on timeout retries confirm verify capture run become background if ignore_errors",
            "10:15 timeout: \"soon\" is no time; write it like 30s, 5min or 1h30min",
            "15:6 {{ opens a parameter that }} does not close; write {{ name }}",
            "18:1 the fence is not closed; end it with a line of ```",
            "18:9 \"y\" is the name of two steps; change one",
            "19:7 {{ b }} cannot stand inside backquotes; write $(…) instead",
        ]
    );
}

#[test]
fn single_mistakes() {
    for (text, message) in [
        ("", "1:1 there is no step in it"),
        (
            "# Words\n\n```text\nno\n```\n",
            "1:1 there is no step in it",
        ),
        ("```sh\n```\n", "1:1 there is no step in it"),
        (
            "```sh { background=yes }\na\n```",
            "1:9 background: is not supported yet",
        ),
        (
            "~~~sh { verify='echo `{{ x }}`' }\na\n~~~",
            "1:23 {{ x }} cannot stand inside backquotes",
        ),
        ("```sh\nä {{ x\n```", "2:3 {{ opens a parameter"),
        (
            "> ```sh\n> echo ${{ x }}\n> ```\n",
            "2:9 {{ x }} cannot stand directly after a $",
        ),
        (
            "- item\n  ```sh\n  $ ls \\{{ x }}\n  ```\n",
            "3:9 {{ x }} cannot stand directly after a backslash",
        ),
        (
            "```sh\nsh -c 'echo {{ x }}'\n```",
            "2:13 {{ x }} would be read as code by sh -c",
        ),
        (
            "```sh\necho $(( {{ x }} ))\n```",
            "2:10 {{ x }} cannot stand in an expression that the shell computes",
        ),
        (
            "```perl\nprint {{ x }}\n```",
            "2:7 {{ x }} cannot stand in a language",
        ),
        (
            "```sh\necho {{ x }}\n```\n```sh {capture=x}\na\n```",
            "2:6 {{ x }} is used before a step captures it",
        ),
        (
            "---\nparams: [{name: x}]\n---\n```sh {capture=x}\na\n```",
            "4:16 capture: x is a parameter already",
        ),
        ("---\ntitle: a\n", "1:1 the front matter is not closed"),
        (
            "---\ntitle: [a\n---\n",
            "3:1 the front matter is not valid YAML",
        ),
        (
            "---\n- a\n---\n```sh\na\n```",
            "2:1 the front matter is no mapping",
        ),
        (
            "---\ntitle: [a, b]\n---\n```sh\na\n```",
            "2:1 title: is no text",
        ),
        (
            "---\nparams: x\n---\n```sh\na\n```",
            "2:1 params: is no list",
        ),
        (
            "---\nparams:\n- type: number\n---\n```sh\na\n```",
            "2:1 params: an entry has no name",
        ),
        (
            "---\nparams:\n- {name: a-b}\n---\n```sh\na\n```",
            "3:4 params: \"a-b\" is no name",
        ),
        (
            "---\nparams:\n- {name: end}\n---\n```sh\na\n```",
            "3:4 params: \"end\" is no name",
        ),
        (
            "---\nparams:\n- {name: a}\n- {name: a}\n---\n```sh\na\n```",
            "4:4 params: a is declared twice",
        ),
        (
            "---\nparams:\n- {name: a, color: b}\n---\n```sh\na\n```",
            "3:13 params: a: color: is not known",
        ),
        (
            "---\nparams:\n- {name: a, regex: '('}\n---\n```sh\na\n```",
            "3:13 params: a: regex: the regular expression ( is not valid",
        ),
        (
            "---\nparams:\n- {name: a, regex: 'b+', default: abc}\n---\n```sh\na\n```",
            "3:26 params: a: the default \"abc\" does not match b+",
        ),
        (
            "---\nparams:\n- {name: a, type: enum}\n---\n```sh\na\n```",
            "3:13 params: a: an enum needs its values",
        ),
        (
            "---\nparams:\n- {name: a, enum: [x], default: y}\n---\n```sh\na\n```",
            "3:24 params: a: the default \"y\" is not allowed",
        ),
        (
            "---\nparams:\n- {name: a, type: secret, default: x}\n---\n```sh\na\n```",
            "3:27 params: a: a secret has no default",
        ),
        (
            "---\nparams:\n- {name: a, required: maybe}\n---\n```sh\na\n```",
            "3:13 params: a: required: is neither",
        ),
    ] {
        let wrong = wrong(text);
        let first = wrong.first().map_or("nothing", String::as_str);
        assert!(first.starts_with(message), "{text}\nsaid {wrong:#?}");
    }
}

#[test]
fn single_subtleties() {
    for (text, expected) in [
        // A rule at the top is no front matter.
        ("---\n\nwords\n\n```sh\na\n```", vec![("Step", "a\n")]),
        (
            "---\n# only a comment\n---\n```sh\na\n```",
            vec![("Step", "a\n")],
        ),
        (
            "\u{feff}---\r\ntitle: x\r\n---\r\n```sh\r\n$ a\r\nb\r\n```\r\n",
            vec![("Step", "a\nb\n")],
        ),
        // Dollars that are no prompt stay.
        (
            "```sh\n$HOME/x\n$(y)\n```",
            vec![("Step", "$HOME/x\n$(y)\n")],
        ),
        ("```sh\necho '\n$ x'\n```", vec![("Step", "echo '\n$ x'\n")]),
        ("````sh\n```\n````", vec![("Step", "```\n")]),
        (
            "# A\n```sh\n1\n```\n# A\n```sh\n2\n```\n```sh {name='A 2'}\n3\n```",
            vec![("A", "1\n"), ("A 3", "2\n"), ("A 2", "3\n")],
        ),
        (
            "# A `b` *c*\n- [ ] one\n  - [ ] two\n- three\n",
            vec![("A b c", "(checklist)")],
        ),
        (
            "```sh\nawk '{{print $1}}' {{end}}\n```",
            vec![("Step", "awk '{{print $1}}' {{end}}\n")],
        ),
        ("```sh\n# {{ x\necho\n```", vec![]),
    ] {
        let Ok(book) = read(text) else {
            assert!(expected.is_empty(), "{text}: {:?}", wrong(text));
            continue;
        };
        assert_eq!(scripts(&book), expected, "{text}");
    }
    let book = read("- [ ] one\n  - [ ] two\n- three\n").expect("a checklist");
    let items = vec!["one".to_owned(), "two".to_owned()];
    assert_eq!(book.steps[0].action, Action::Checklist { items });
}

#[test]
fn what_is_raw_is_confirmed_by_typing() {
    let book =
        read("---\nparams: [{name: f, raw: true}]\n---\n```sh\nls {{ f }}\n```\n```sh\nls\n```")
            .expect("nothing is wrong");
    let confirms: Vec<Confirm> = book.steps.iter().map(|step| step.confirm).collect();
    assert_eq!(confirms, [Confirm::Typed, Confirm::No]);
}

proptest! {
    /// Any text is read or refused, never a panic, and every place that is named exists.
    #[test]
    fn any_text_is_read(pieces in proptest::collection::vec(
        "(```sh|```|~~~|---\n|params:|- name: a|- \\[ \\] |\\{|\\}|\\{\\{ a \\}\\}|name=|'|\"|# |> |\n|\r\n|\\PC{0,6})",
        0..40,
    )) {
        let text = pieces.concat();
        if let Err(wrong) = read(&text) {
            prop_assert!(!wrong.is_empty());
            for wrong in wrong {
                let line = text.split('\n').nth(wrong.line as usize - 1);
                prop_assert!(line.is_some(), "{wrong}");
            }
        }
    }
}
