//! Sample work for the fleet: tickets and runbooks, as plain data. It opens no store and parses nothing.

use crate::domain::ticket::{Priority, TicketKind};

/// A ticket that somebody could have written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleTicket {
    /// One line.
    pub title: &'static str,
    /// The description.
    pub body: &'static str,
    /// How urgent it is.
    pub priority: Priority,
    /// What sort of work it is.
    pub kind: TicketKind,
    /// Which queue it is in.
    pub queue: &'static str,
    /// Who has it; `None` for nobody yet.
    pub owner: Option<&'static str>,
    /// Who wants it.
    pub requester: Option<&'static str>,
    /// Sorted.
    pub tags: &'static [&'static str],
    /// Hosts of the fleet, sorted.
    pub hosts: &'static [&'static str],
}

/// A runbook of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleBook {
    /// Its name in the library.
    pub name: &'static str,
    /// The Markdown.
    pub text: &'static str,
}

/// The runbooks of the demo; they are written for real hosts as well.
pub const BOOKS: &[SampleBook] = &[
    SampleBook {
        name: "disk-space",
        text: include_str!("books/disk-space.md"),
    },
    SampleBook {
        name: "high-load",
        text: include_str!("books/high-load.md"),
    },
    SampleBook {
        name: "security-audit",
        text: include_str!("books/security-audit.md"),
    },
    SampleBook {
        name: "service-restart",
        text: include_str!("books/service-restart.md"),
    },
];

/// The tickets of the demo, the most urgent first.
pub const TICKETS: &[SampleTicket] = &[
    SampleTicket {
        title: "Shop: every second page is an error",
        body: "Customers see error 500 on about half of all pages since 09:30. The balancer says that web2 answers and \
               web1 is well.\n\nweb2 writes \"No space left on device\" to its log, and the shop does not run there any more. \
               The deploy of Saturday may have left the log level at debug.\n\nRunbook: disk-space, then service-restart \
               with service=shop.",
        priority: priority(1),
        kind: TicketKind::Incident,
        queue: "shop",
        owner: None,
        requester: Some("lena@shop.example"),
        tags: &["disk", "outage"],
        hosts: &["web2"],
    },
    SampleTicket {
        title: "Orders take 20 seconds to save",
        body: "The call centre reports that saving an order takes 20 seconds and more since about eight. The pages \
               themselves are quick, so it is probably the database.\n\ndb1 has a load of 14 on four processors and hardly \
               any memory left. Somebody started the monthly reports by hand.\n\nRunbook: high-load.",
        priority: priority(2),
        kind: TicketKind::Incident,
        queue: "shop",
        owner: Some("mira"),
        requester: Some("callcentre@shop.example"),
        tags: &["database", "load"],
        hosts: &["db1"],
    },
    SampleTicket {
        title: "Certificate of shop.example ends in twelve days",
        body: "The automatic renewal failed three times with \"challenge did not pass\". Since the balancer was replaced, \
               /.well-known goes to web1 only, but the renewal runs on web2.\n\nEither move the renewal to the balancer or \
               let web2 answer. Check the date afterwards from outside, not on the host.",
        priority: priority(2),
        kind: TicketKind::Task,
        queue: "operations",
        owner: Some("jo"),
        requester: None,
        tags: &["certificate"],
        hosts: &["web1", "web2"],
    },
    SampleTicket {
        title: "Kernel updates on all shop hosts",
        body: "Window: Thursday 22:00 to 24:00. Order: web2, web1, app1, db1, with the shop watched after each. \
               The balancer drains a web server before its restart.\n\nWay back: the former kernel stays installed and is \
               chosen in the boot menu. db1 is last because it takes twenty minutes to be warm again.",
        priority: priority(3),
        kind: TicketKind::Change,
        queue: "operations",
        owner: Some("mira"),
        requester: None,
        tags: &["patching"],
        hosts: &["app1", "db1", "web1", "web2"],
    },
    SampleTicket {
        title: "Nobody can log in to legacy1 any more",
        body: "The old gateway refuses every key since its vendor replaced the firmware; it asks for a password that \
               nobody has. It still passes traffic, so nothing is down.\n\nThe vendor was asked on Monday (case 88213). \
               If there is no answer this week, plan its replacement.",
        priority: priority(3),
        kind: TicketKind::Problem,
        queue: "network",
        owner: Some("jo"),
        requester: None,
        tags: &["access", "legacy"],
        hosts: &["legacy1"],
    },
    SampleTicket {
        title: "Invoices are not sent to addresses with an umlaut",
        body: "Hello, customers whose address has an umlaut before the @ get no invoice, and we see no error. Example: \
               order 40771. Could you please look? It worked in October.\n\nKind regards, Lena",
        priority: priority(3),
        kind: TicketKind::Request,
        queue: "shop",
        owner: None,
        requester: Some("lena@shop.example"),
        tags: &["mail"],
        hosts: &["app1"],
    },
    SampleTicket {
        title: "Quarterly audit of app1",
        body: "app1 was set up by a vendor in 2019 and never looked at since. Before it may talk to the payment network it \
               needs the usual audit: open ports, accounts, the SSH server, failed logins.\n\nRunbook: security-audit. \
               Whatever it finds becomes a ticket of its own.",
        priority: priority(3),
        kind: TicketKind::Task,
        queue: "security",
        owner: None,
        requester: Some("audit@shop.example"),
        tags: &["audit"],
        hosts: &["app1"],
    },
    SampleTicket {
        title: "Access for Tomas, who starts on Monday",
        body: "Tomas joins operations on Monday. He needs an account on the bastion, his key on all shop hosts but the \
               database, and a place in the rota from December on.\n\nHis key comes by mail, signed; compare the \
               fingerprint by telephone.",
        priority: priority(3),
        kind: TicketKind::Request,
        queue: "operations",
        owner: Some("mira"),
        requester: Some("people@shop.example"),
        tags: &["access"],
        hosts: &["bastion"],
    },
    SampleTicket {
        title: "The nightly copy to the archive takes until noon",
        body: "The archive is in another country and answers late, so copying many small files one after the other takes \
               hours. The line itself is not full.\n\nTry one packed stream instead of single files, and measure before \
               and after.",
        priority: priority(4),
        kind: TicketKind::Problem,
        queue: "operations",
        owner: None,
        requester: None,
        tags: &["backup", "slow"],
        hosts: &["slow1"],
    },
];

const fn priority(level: u8) -> Priority {
    match Priority::new(level) {
        Some(priority) => priority,
        None => Priority::NORMAL,
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::FLEET;
    use super::*;

    fn sorted(words: &[&str]) -> bool {
        words.is_sorted()
    }

    #[test]
    fn tickets_are_whole() {
        let hosts: Vec<&str> = FLEET.iter().map(|plan| plan.name).collect();
        for ticket in TICKETS {
            assert!(
                !ticket.title.is_empty() && ticket.title.len() <= 80,
                "{}",
                ticket.title
            );
            assert!(
                !ticket.title.contains('\n') && !ticket.body.contains("  "),
                "{}",
                ticket.title
            );
            assert!(
                sorted(ticket.tags) && sorted(ticket.hosts),
                "{}",
                ticket.title
            );
            assert!(
                ticket.hosts.iter().all(|host| hosts.contains(host)),
                "{}",
                ticket.title
            );
        }
        assert!(TICKETS.is_sorted_by_key(|ticket| ticket.priority));
        assert!((6..=10).contains(&TICKETS.len()));
    }

    #[test]
    fn tickets_name_books_that_exist() {
        let names: Vec<&str> = BOOKS.iter().map(|book| book.name).collect();
        let mut told = 0;
        for ticket in TICKETS {
            if let Some((_, after)) = ticket.body.split_once("Runbook: ") {
                let name = after.split([',', '.', ' ']).next().unwrap_or_default();
                assert!(names.contains(&name), "{name}");
                told += 1;
            }
        }
        assert!(told >= 3);
    }
}
