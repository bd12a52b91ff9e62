//! What a bag on a host needs of whoever holds the connection: commands, and files over SFTP. The program fills it.
//!
//! Whatever comes back was said by the host and is judged by the caller. Every call has a deadline of its own, may be made
//! again after any error, and ends by itself when its future is dropped.

use std::future::Future;
use std::pin::Pin;

use crate::sync::remote::Put;

/// An answer of the carrier, when it comes.
pub type Carried<'a, T> = Pin<Box<dyn Future<Output = Result<T, Mishap>> + Send + 'a>>;

/// What a command on the host came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its exit status; `None` when the host told none.
    pub status: Option<u32>,
    /// Its standard output.
    pub out: Vec<u8>,
    /// The beginning of its standard error.
    pub err: Vec<u8>,
    /// It said more than the limit, and was stopped.
    pub endless: bool,
}

/// A file that is to be there whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// A hidden name beside it that nobody else uses.
    pub part: String,
    /// Its own name.
    pub path: String,
    /// The folder of both.
    pub folder: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// Commands and files on one host. Paths are absolute, or begin with `./` and are relative to where the account begins.
pub trait Carrier: Send + Sync {
    /// The host, for people.
    fn host(&self) -> String;

    /// Runs a command by the account's login shell, with these bytes as its input, and takes at most `limit` bytes of
    /// output.
    fn exec(&self, command: String, input: Vec<u8>, limit: usize) -> Carried<'_, Ran>;

    /// The permission bits of a path; [`Mishap::NotThere`] if there is nothing.
    fn mode<'a>(&'a self, path: &'a str) -> Carried<'a, u32>;

    /// The names in a folder, as the host has them; more than `most` are an error.
    fn names<'a>(&'a self, folder: &'a str, most: usize) -> Carried<'a, Vec<Vec<u8>>>;

    /// The content of a file; more than `most` bytes are an error.
    fn read<'a>(&'a self, path: &'a str, most: usize) -> Carried<'a, Vec<u8>>;

    /// Creates a file unless its name is taken: written under the other name, flushed where the host can, then renamed by
    /// the rename that does not replace.
    fn create(&self, file: NewFile) -> Carried<'_, Put>;

    /// Writes a file and puts it in the place of whatever has its name, in one step where the host can; it need not be
    /// flushed.
    fn replace(&self, file: NewFile) -> Carried<'_, ()>;

    /// Creates an empty file; one that is there stays.
    fn touch<'a>(&'a self, path: &'a str, mode: u32) -> Carried<'a, ()>;

    /// Removes files; one that is not there is no error.
    fn remove(&self, paths: Vec<String>) -> Carried<'_, ()>;

    /// Makes a folder with exactly these permission bits; one that is there stays as it is.
    fn make_folder<'a>(&'a self, path: &'a str, mode: u32) -> Carried<'a, ()>;

    /// Whether the host's plain rename replaces what is there, tried with two files of these names, which it removes.
    fn replaces(&self, one: String, other: String) -> Carried<'_, bool>;
}

/// Why a carrier did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The host cannot be reached now, in words.
    Unreachable(String),
    /// No answer within so many seconds.
    TimedOut(u64),
    /// The host lets the account in and does not do this for it at all, in words.
    Refused(String),
    /// Nothing has that name.
    NotThere,
    /// The account may not do it; what the host said.
    Denied(String),
    /// More than the limit.
    TooLong,
    /// Anything else, in words.
    Failed(String),
}
