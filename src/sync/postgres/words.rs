//! What an error of a server means: whether to try again at once, on a new connection, or to tell it; and in which words.

use std::error::Error as _;
use std::io;

use rustls::{CertificateError, Error as TlsError};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::address::{Address, Host};
use crate::sync::remote::RemoteError;

/// The longest text of a server that is shown, in characters.
const SHOWN: usize = 300;

/// What to do about an error.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The transaction was rolled back for no fault of ours, or may have been committed; every call can be repeated.
    Again(RemoteError),
    /// The connection is of no more use; a new one may be.
    Lost(RemoteError),
    /// The tables are not there.
    NoTables,
    /// The pooler in front of the server does not take settings.
    NoSettings,
    /// Nothing but to tell.
    Final(RemoteError),
}

/// Speaks of one database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teller<'a> {
    pub(crate) address: &'a Address,
    pub(crate) attempt: &'a str,
}

impl Teller<'_> {
    fn place(&self) -> String {
        self.address.place()
    }

    pub(crate) fn unreachable(&self, why: String) -> RemoteError {
        RemoteError::Unreachable {
            place: self.place(),
            why,
        }
    }

    pub(crate) fn failed(&self, why: String) -> RemoteError {
        RemoteError::Failed {
            attempt: self.attempt.to_owned(),
            place: self.place(),
            why,
        }
    }

    pub(crate) fn refused(&self, why: String, next: String) -> RemoteError {
        RemoteError::Refused {
            attempt: self.attempt.to_owned(),
            place: self.place(),
            why,
            next,
        }
    }

    pub(crate) fn late(&self, seconds: u64) -> RemoteError {
        RemoteError::TimedOut {
            attempt: self.attempt.to_owned(),
            place: self.place(),
            seconds,
        }
    }

    fn denied(&self, why: String) -> RemoteError {
        RemoteError::Denied {
            attempt: self.attempt.to_owned(),
            place: self.place(),
            why,
        }
    }

    pub(crate) fn no_tables(&self) -> RemoteError {
        self.refused(
            "the tables of quarterdeck are not in this database".to_owned(),
            "look whether it is the right one; `qd sync init` makes them for a new space, or who runs the database makes \
             them with the text in docs/user-guide/sync-postgres.md"
                .to_owned(),
        )
    }

    /// Judges an error of a statement.
    pub(crate) fn statement(&self, error: &Error) -> Verdict {
        let Some(code) = error.code() else {
            let why = said(error);
            return if is_line(error) {
                Verdict::Lost(self.unreachable(why))
            } else {
                Verdict::Final(self.failed(why))
            };
        };
        let why = said(error);
        match code.code() {
            "42P01" | "3F000" => Verdict::NoTables,
            "42501" => Verdict::Final(self.denied(why)),
            "57014" => Verdict::Final(
                self.failed(format!("it took longer than the server allows ({why})")),
            ),
            // A server that was a standby takes writes after a while, or another one does under the same name.
            "25006" => Verdict::Lost(self.failed(format!(
                "this server takes no writes ({why}); name the one that does"
            ))),
            "53100" => {
                Verdict::Final(self.failed(format!("the disk of the server is full ({why})")))
            }
            code if code.starts_with("40") || code.starts_with("53") || code == "55P03" => {
                Verdict::Again(self.failed(why))
            }
            code if code.starts_with("08") || code.starts_with("57P") => {
                Verdict::Lost(self.unreachable(why))
            }
            _ => Verdict::Final(self.failed(why)),
        }
    }

    /// Judges an error of connecting and logging in.
    pub(crate) fn login(&self, error: &Error) -> Verdict {
        if let Some(why) = certificate(error) {
            return Verdict::Final(self.distrusted(&why));
        }
        let why = said(error);
        let Some(code) = error.code() else {
            return if is_line(error) {
                Verdict::Lost(self.unreachable(why))
            } else if why.contains("does not support TLS") {
                Verdict::Final(self.refused(
                    "the server offers no TLS".to_owned(),
                    "turn on `ssl` in its postgresql.conf; where the line is safe by itself, such as in a tunnel, add \
                     sslmode=disable to the address"
                        .to_owned(),
                ))
            } else {
                Verdict::Final(self.unwelcome(&why))
            };
        };
        if *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        {
            return Verdict::Final(self.unwelcome(&why));
        }
        match code.code() {
            "3D000" => Verdict::Final(self.refused(
                why,
                format!(
                    "have the database {} made, or correct its name in the address",
                    self.address.database
                ),
            )),
            // Sent by PgBouncer, in these words since its first release.
            "08P01" if why.contains("startup parameter") => Verdict::NoSettings,
            "42501" => Verdict::Final(self.denied(why)),
            _ => Verdict::Lost(self.unreachable(why)),
        }
    }

    fn unwelcome(&self, why: &str) -> RemoteError {
        let Address {
            user,
            port,
            database,
            ..
        } = self.address;
        let host = match &self.address.host {
            Host::Name(name) => name.replace(':', "\\:"),
            Host::Folder(_) => "localhost".to_owned(),
        };
        self.refused(
            format!("the server does not let in {user} ({why})"),
            format!(
                "put the line {host}:{port}:{database}:{user}:PASSWORD with the right password into ~/.pgpass (chmod 600), \
                 or ask who runs the database to let {user} in"
            ),
        )
    }

    /// The server's certificate is not believed.
    fn distrusted(&self, fault: &TlsError) -> RemoteError {
        let host = match &self.address.host {
            Host::Name(name) => name.clone(),
            Host::Folder(path) => path.display().to_string(),
        };
        let text = clean(&fault.to_string());
        let (why, next) = match fault {
            TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => (
                "no authority that is trusted here vouches for the server's certificate".to_owned(),
                "name the file with the certificate of its authority in the address: sslrootcert=/path/ca.crt".to_owned(),
            ),
            TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => (
                format!("the server's certificate is not one for {host}"),
                "use the name that stands in the certificate, or have one made for this name (as subjectAltName)".to_owned(),
            ),
            TlsError::InvalidCertificate(_) if text.contains("CaUsedAsEndEntity") => (
                "the server shows the certificate of an authority as its own".to_owned(),
                "have one made for the server, signed by that authority; docs/user-guide/sync-postgres.md shows how"
                    .to_owned(),
            ),
            _ => (
                format!("the server cannot prove who it is ({text})"),
                "look at the certificate of the server, and at the clock of this machine".to_owned(),
            ),
        };
        self.refused(why, next)
    }
}

/// Whether the line broke, rather than that somebody said something.
fn is_line(error: &Error) -> bool {
    let io = error.source().is_some_and(|why| why.is::<io::Error>());
    // What cannot be parsed is wrapped in the same type, and comes again the same.
    error.is_closed() || (io && !error.to_string().contains("parsing"))
}

/// The fault of the server's certificate, or of the handshake, when that is the cause.
fn certificate(error: &Error) -> Option<TlsError> {
    let io = error.source()?.downcast_ref::<io::Error>()?;
    io.get_ref()?.downcast_ref::<TlsError>().cloned()
}

/// What was said, by the server where it said something.
fn said(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        let mut text = clean(said.message());
        if let Some(hint) = said.hint() {
            text.push_str("; ");
            text.push_str(&clean(hint));
        }
        return text;
    }
    match error.source() {
        Some(why) => clean(&why.to_string()),
        None => clean(&error.to_string()),
    }
}

/// Foreign text in a form that can be shown: one line of moderate length, no control characters.
fn clean(text: &str) -> String {
    text.chars()
        .map(|sign| if sign.is_control() { ' ' } else { sign })
        .take(SHOWN)
        .collect()
}
