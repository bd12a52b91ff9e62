//! Forwards as `ssh` spells them on its command line: `-L 8080:db1:5432`.

use crate::domain::forward::{Endpoint, ForwardRule};

/// A rule as it would be given to `ssh` (ssh(1), -L, -R and -D).
pub fn spelled(rule: &ForwardRule) -> String {
    match rule {
        ForwardRule::Local { listen, to } => format!("-L {}:{}", bound(listen), end(to)),
        ForwardRule::Remote { listen, to } => match to {
            Some(to) => format!("-R {}:{}", bound(listen), end(to)),
            None => format!("-R {}", bound(listen)),
        },
        ForwardRule::Dynamic { listen } => format!("-D {}", bound(listen)),
    }
}

/// Where is listened; the host is left out when it is the usual one.
fn bound(listen: &Endpoint) -> String {
    match listen {
        Endpoint::Tcp { host, port } if host.is_empty() => port.to_string(),
        other => end(other),
    }
}

fn end(endpoint: &Endpoint) -> String {
    match endpoint {
        // An IPv6 address stands in brackets, or its colons would be read as separators.
        Endpoint::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Endpoint::Tcp { host, port } => format!("{host}:{port}"),
        Endpoint::Unix { path } => path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn rules_are_spelled_as_ssh_reads_them() {
        let unix = Endpoint::Unix {
            path: "/run/db.sock".to_owned(),
        };
        for (rule, expected) in [
            (
                ForwardRule::Local {
                    listen: tcp("", 8080),
                    to: tcp("db1", 5432),
                },
                "-L 8080:db1:5432",
            ),
            (
                ForwardRule::Local {
                    listen: tcp("*", 8080),
                    to: unix.clone(),
                },
                "-L *:8080:/run/db.sock",
            ),
            (
                ForwardRule::Local {
                    listen: unix,
                    to: tcp("::1", 80),
                },
                "-L /run/db.sock:[::1]:80",
            ),
            (
                ForwardRule::Remote {
                    listen: tcp("", 9000),
                    to: None,
                },
                "-R 9000",
            ),
            (
                ForwardRule::Dynamic {
                    listen: tcp("127.0.0.1", 1080),
                },
                "-D 127.0.0.1:1080",
            ),
        ] {
            assert_eq!(spelled(&rule), expected);
        }
    }
}
