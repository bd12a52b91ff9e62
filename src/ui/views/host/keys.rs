//! Writes which of our keys a host will be offered, and warns before they are too many.

use crate::model::{Model, OFFERS};
use crate::ui::doc::Writer;
use crate::ui::theme::Role;
use crate::ui::views::words::plural;

/// The keys that will be offered, in that order; nothing while that is not known.
pub(super) fn offers(model: &Model, name: &str, writer: &mut Writer) {
    let detail = model.host.as_ref().filter(|detail| detail.name == name);
    let Some(keys) = detail.and_then(|detail| detail.keys.as_ref()) else {
        return;
    };
    writer.heading("keys that will be offered, in this order", "keys");
    if keys.is_empty() {
        writer.text(
            "None: the agent has no key and none of the files is there. Passwords are asked for, if the host takes them.",
            0,
            Role::Warn,
        );
    }
    if keys.len() > OFFERS {
        let words = format!(
            "{}: most servers end the connection after {OFFERS} tries (MaxAuthTries). Name the right key with IdentityFile and set IdentitiesOnly yes for this host.",
            plural(keys.len(), "key")
        );
        writer.text(&words, 0, Role::Warn);
    }
    for (index, key) in keys.iter().enumerate() {
        let late = index >= OFFERS;
        let mut words = vec![
            (format!("{:>2}  ", index + 1), Role::Dim),
            (
                format!("{:<12} ", key.algorithm),
                if late { Role::Stale } else { Role::Fg },
            ),
            (format!("{}  ", key.source), Role::Fg),
        ];
        for (on, word) in [
            (key.certificate, "certificate  "),
            (key.locked, "passphrase will be asked for  "),
            (late, "likely too late  "),
        ] {
            if on {
                words.push((word.to_owned(), Role::Accent));
            }
        }
        words.push((format!("{}  ", key.comment), Role::Dim));
        words.push((key.fingerprint.clone(), Role::Dim));
        writer.spans(words);
    }
}
