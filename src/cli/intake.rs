//! Reads a ticket from standard input: a JSON object, an e-mail, or plain text whose first line is the title. Pure.

use crate::command::TicketChange;

/// A title and what else was said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Intake {
    /// The title.
    pub title: String,
    /// What the text said of other fields.
    pub change: TicketChange,
}

/// Reads `text`.
///
/// # Errors
/// JSON that is no ticket, or a text without a title; says what would be right.
pub(super) fn read(text: &str) -> Result<Intake, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let intake = if text.starts_with('{') {
        json(text)?
    } else {
        mail(text).unwrap_or_else(|| plain(text))
    };
    if intake.title.is_empty() {
        return Err("standard input holds no title; the first line, \"title\" in JSON, or Subject: in a mail becomes it".to_owned());
    }
    Ok(intake)
}

fn plain(text: &str) -> Intake {
    let (title, body) = text.split_once('\n').unwrap_or((text, ""));
    Intake {
        title: title.trim().to_owned(),
        change: TicketChange {
            body: body_of(body),
            ..TicketChange::default()
        },
    }
}

fn body_of(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn json(text: &str) -> Result<Intake, String> {
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| format!("standard input is no JSON ticket: {error}"))?;
    let field = |name: &str| {
        value
            .get(name)
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned)
    };
    let list = |name: &str| -> Vec<String> {
        let items = value
            .get(name)
            .and_then(serde_json::Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        items
            .iter()
            .filter_map(serde_json::Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let word = |name: &str| {
        field(name)
            .map(|word| word.parse().map_err(|why: String| format!("{name}: {why}")))
            .transpose()
    };
    let priority = match value.get("priority") {
        None | Some(serde_json::Value::Null) => None,
        Some(number) => Some(
            number
                .to_string()
                .trim_matches('"')
                .parse()
                .map_err(|why: String| format!("priority: {why}"))?,
        ),
    };
    let change = TicketChange {
        body: field("body"),
        state: field("state")
            .map(|word| word.parse().map_err(|why: String| format!("state: {why}")))
            .transpose()?,
        kind: word("kind")?,
        priority,
        queue: field("queue"),
        owner: field("owner"),
        requester: field("requester"),
        due: field("due"),
        tag: list("tags"),
        host: list("hosts"),
        ..TicketChange::default()
    };
    Ok(Intake {
        title: field("title").unwrap_or_default(),
        change,
    })
}

/// A mail has header lines, one of them a subject, then an empty line (RFC 5322, section 2.1).
fn mail(text: &str) -> Option<Intake> {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        if line.starts_with([' ', '\t']) {
            let (_, value) = headers.last_mut()?;
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        let (name, value) = line.split_once(':')?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return None;
        }
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |wanted: &str| {
        headers
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.clone())
    };
    let title = header("subject")?;
    let change = TicketChange {
        body: body_of(body),
        requester: header("from"),
        ..TicketChange::default()
    };
    Some(Intake { title, change })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ticket::{Priority, TicketKind};

    #[test]
    fn text_mail_and_json_become_tickets() {
        let read = |text: &str| read(text).unwrap_or_else(|why| unreachable!("{text}: {why}"));
        let plain = read("disk full\n\non web2\nsince noon\n");
        assert_eq!(
            (plain.title.as_str(), plain.change.body.as_deref()),
            ("disk full", Some("on web2\nsince noon"))
        );
        let mail =
            read("From: Ann <ann@example.org>\r\nSubject: printer\r\n on fire\r\n\r\nHelp!\r\n");
        assert_eq!(
            (mail.title.as_str(), mail.change.requester.as_deref()),
            ("printer on fire", Some("Ann <ann@example.org>"))
        );
        let json =
            read(r#"{"title":"x","priority":1,"kind":"request","tags":["a"],"hosts":["web1"]}"#);
        assert_eq!(json.change.priority, Priority::new(1));
        assert_eq!(
            (json.change.kind, json.change.host),
            (Some(TicketKind::Request), vec!["web1".to_owned()])
        );
        // A first line with a colon is not yet a mail.
        assert_eq!(read("note: all is lost\nreally").title, "note: all is lost");
    }

    #[test]
    fn what_is_no_ticket_is_refused() {
        for text in [
            "",
            "{\"title\":",
            "{\"body\":\"x\"}",
            "{\"title\":\"x\",\"priority\":9}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
