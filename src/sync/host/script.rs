//! The commands that work on a bag by a POSIX shell, each in one round trip, and how their answers are read.
//!
//! A command is `sh -c '…' ROOT`. The login shell that reads it may be any: the text has no single quote, backslash,
//! exclamation mark or line break. Only the root is a word of a person, and is quoted; everything else in the text is
//! digits, hexadecimal or a name that `names.rs` allows, and nothing that the host ever said. Each byte is sent over lines
//! of 64 kbit/s, so the words are short.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::carrier::Ran;
use crate::sync::directory::PRESENCE;
use crate::sync::names::{ObjectKind, parse_device};
use crate::sync::remote::Presences;

/// There is no bag, or the account may not enter it.
pub(super) const NO_BAG: u32 = 91;
/// There is nothing of that name.
pub(super) const NOT_THERE: u32 = 94;
/// The account may not write there.
pub(super) const DENIED: u32 = 95;
/// Not all of the input came.
pub(super) const SHORT: u32 = 96;
/// The file system knows no hard links.
pub(super) const NO_LINKS: u32 = 97;

/// What stands before an answer. Start files of a shell may print anything before it.
const MARK: &[u8] = b"qd1";

/// So many bytes of noise are passed over before the mark, and allowed for in limits.
pub(super) const NOISE: usize = 64 << 10;

/// How this host writes a file and flushes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// Copies its input to its output, and flushes that if it can.
    copy: &'static str,
    /// Flushes the file or folder that is named after it.
    flush: &'static str,
    /// It knows `base64 -d`, so that few bytes can come within the command.
    inline: bool,
}

/// What is looked for, and the words it stands for: best first.
const WORDS: [(char, Words); 4] = [
    // Coreutils from 8.24, and busybox.
    (
        's',
        Words {
            copy: "cat",
            flush: "sync",
            inline: false,
        },
    ),
    // FreeBSD.
    (
        'f',
        Words {
            copy: "cat",
            flush: "fsync",
            inline: false,
        },
    ),
    // The file by itself, the names with everything else.
    (
        'd',
        Words {
            copy: "dd bs=65536 conv=fsync 2>/dev/null",
            flush: "sh -c sync",
            inline: false,
        },
    ),
    (
        'w',
        Words {
            copy: "cat",
            flush: "sh -c sync",
            inline: false,
        },
    ),
];

/// A word for any shell: in single quotes, but for what some shell reads within them.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' | '!' => out.extend(["'\\", c.encode_utf8(&mut [0; 4]), "'"]),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

fn command(script: &str, root: &str) -> String {
    format!("sh -c '{script}' {}", quoted(root))
}

/// Whether there is a shell, and what it can do: it answers with the letter of its [`Words`]. Works on a host without a
/// bag. A `sync` that knows files complains about one that is not there; others flush everything and say nothing.
pub(super) fn probe() -> String {
    let flush = "if sync . 2>&- && sync ./.qd-no 2>&-;then w=w;elif sync . 2>&-;then w=s;\
                 elif fsync . 2>&-;then w=f;else w=w;fi";
    let copy = "[ $w = w ]&&echo x|dd bs=9 conv=fsync 2>&- >/dev/null&&w=d";
    let inline = "b=;[ \"$(echo eHg=|base64 -d 2>&-)\" = xx ]&&b=b";
    command(&format!("{flush};{copy};{inline};echo;echo qd1$w$b"), ".")
}

/// Reads the answer to [`probe`].
pub(super) fn probed(ran: &Ran) -> Option<Words> {
    let answer = answer(ran)?;
    let letter = char::from(*answer.first()?);
    let (_, words) = WORDS.iter().find(|(known, _)| *known == letter)?;
    Some(Words {
        inline: answer.get(1) == Some(&b'b'),
        ..*words
    })
}

/// What follows the mark; `None` if there is none.
pub(super) fn answer(ran: &Ran) -> Option<&[u8]> {
    let begins = |at: usize| at == 0 || ran.out.get(at - 1) == Some(&b'\n');
    let mut windows = ran.out.windows(MARK.len()).take(NOISE).enumerate();
    let (at, _) = windows.find(|(at, window)| *window == MARK && begins(*at))?;
    ran.out.get(at + MARK.len()..)
}

/// Makes the folders of a bag; a root that is not there is made private.
pub(super) fn create(root: &str, folders: &[&str], words: Words) -> String {
    let flush = words.flush;
    let script = format!(
        "umask 077;[ -d \"$0\" ]||mkdir -p \"$0\"||exit 95;cd \"$0\"||exit 91;\
         case $(ls -ld .) in ?????w*)g=3770;;*)g=700;esac;\
         for d in {};do [ -d $d ]||mkdir -m $g $d||[ -d $d ]||exit 95;done;{flush} .;echo;echo qd1C",
        folders.join(" ")
    );
    command(&script, root)
}

/// The names of the heads.
pub(super) fn heads(root: &str) -> String {
    command("cd \"$0\"/heads||exit 91;echo;echo qd1;ls", root)
}

/// The names in a folder of the bag; none if the folder is not there and `must` be not.
pub(super) fn list(root: &str, folder: &str, must: bool) -> String {
    let missing = if must { 95 } else { 0 };
    let script = format!(
        "cd \"$0\"/heads||exit 91;cd ../{parent}||exit 95;echo;echo qd1;[ -d {name} ]||exit {missing};cd {name}||exit 95;ls",
        parent = parent(folder),
        name = last(folder),
    );
    command(&script, root)
}

/// The content of a file of the bag.
pub(super) fn get(root: &str, folder: &str, file: &str) -> String {
    let script = format!(
        "cd \"$0\"/heads||exit 91;cd ../{parent}||exit 95;[ -d {name} ]||exit 94;cd {name}||exit 95;\
         [ -f {file} ]||exit 94;echo;echo qd1;exec cat {file}",
        parent = parent(folder),
        name = last(folder),
    );
    command(&script, root)
}

/// The contents of several files of a folder, each behind a line with its length, or `l` for one that is longer than `most`,
/// or `n` for one that is not there. It ends before the one with which all would have more than `most`.
pub(super) fn get_many<'a>(
    root: &str,
    folder: &str,
    files: impl Iterator<Item = &'a str>,
    most: usize,
) -> String {
    let files: String = files.map(|file| format!(" {file}")).collect();
    let script = format!(
        "cd \"$0\"/heads||exit 91;cd ..;[ -d {folder} ]||exit 94;cd {folder}||exit 95;echo;echo qd1;t=0;\
         for f in{files};do if [ -f $f ];then n=$(wc -c<$f)||exit 95;if [ $n -gt {most} ];then echo l;else \
         t=$(($t+$n));[ $t -gt {most} ]&&break;echo $n;cat $f||exit 95;fi;else echo n;fi;done;exit 0"
    );
    command(&script, root)
}

/// Reads the answer to [`get_many`]: of each file its content, `None` within for one that is not there, and an error for one
/// that is too long. `None` if that is no such answer.
pub(super) fn got_many(answer: &[u8], most: usize) -> Option<Vec<Result<Option<Vec<u8>>, ()>>> {
    let mut rest = answer.strip_prefix(b"\n")?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (line, after) = headline(rest)?;
        rest = after;
        found.push(match line {
            "n" => Ok(None),
            "l" => Err(()),
            len => {
                let len = len.parse().ok().filter(|len| *len <= most)?;
                let (content, after) = rest.split_at_checked(len)?;
                rest = after;
                Ok(Some(content.to_vec()))
            }
        });
    }
    Some(found)
}

/// A line without the spaces that some count with, and what follows it.
fn headline(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = bytes.split_at_checked(end)?;
    let line = std::str::from_utf8(line).ok()?.trim();
    Some((line, after.get(1..)?))
}

/// Overwrites what a device says it has open. It need not outlive a crash, so nothing is flushed.
pub(super) fn present(
    root: &str,
    device: &str,
    nonce: &str,
    len: usize,
    inline: Option<&str>,
) -> String {
    let copy = match inline {
        Some(text) => format!("echo {text}|base64 -d"),
        None => "cat".to_owned(),
    };
    let script = format!(
        "cd \"$0\"/heads&&cd ..||exit 91;\
         case $(ls -ld .) in ?????w*)umask 027;g=3770;;*)umask 077;g=700;esac;\
         [ -d {PRESENCE} ]||mkdir -m $g {PRESENCE}||[ -d {PRESENCE} ]||exit 95;cd {PRESENCE}&&[ -w . ]||exit 95;\
         t=.part-{nonce};{copy}>$t;[ $(wc -c<$t) = {len} ]||{{ rm -f $t;exit 96;}};\
         mv -f $t {device}||{{ rm -f $t;exit 95;}};echo;echo qd1C"
    );
    command(&script, root)
}

/// What devices said last, each behind a line with its device and its length.
pub(super) fn presences(root: &str, count: usize, most: usize) -> String {
    let script = format!(
        "cd \"$0\"/heads||exit 91;cd ..;echo;echo qd1;[ -d {PRESENCE} ]||exit 0;cd {PRESENCE}||exit 95;\
         for f in $(ls|grep -E \"^[0-9a-f]{{32}}$\"|head -n {count});do [ -f $f ]&&n=$(wc -c<$f)||continue;\
         [ $n -gt {most} ]&&continue;echo $f $n;cat $f;done;exit 0"
    );
    command(&script, root)
}

/// Reads the answer to [`presences`], up to whatever is not as it should be: one that was overwritten while it was read is
/// read again soon.
pub(super) fn presented(answer: &[u8], count: usize, most: usize) -> Presences {
    let mut found = Presences::new();
    let mut rest = answer.strip_prefix(b"\n").unwrap_or_default();
    while let Some((line, after)) = headline(rest).filter(|_| found.len() < count) {
        let read = line.split_once(' ').and_then(|(device, len)| {
            let len = len.trim().parse().ok().filter(|len| *len <= most)?;
            let (content, after) = after.split_at_checked(len)?;
            Some(((parse_device(device)?, content.to_vec()), after))
        });
        let Some((one, after)) = read else { break };
        found.push(one);
        rest = after;
    }
    found
}

fn parent(folder: &str) -> &str {
    folder.rsplit_once('/').map_or(".", |(parent, _)| parent)
}

fn last(folder: &str) -> &str {
    folder.rsplit_once('/').map_or(folder, |(_, name)| name)
}

/// A file to create.
pub(super) struct Creation<'a> {
    /// Its folder within the bag.
    pub(super) folder: &'a str,
    /// Make the folder if it is not there.
    pub(super) make: bool,
    /// Its name.
    pub(super) file: &'a str,
    /// Tells the hidden file apart from all others.
    pub(super) nonce: &'a str,
    /// How many bytes it has.
    pub(super) len: usize,
    /// They are here; otherwise they come on standard input.
    pub(super) inline: Option<&'a str>,
}

/// The most bytes that come within a command. OpenSSH takes standard input only after it has answered that the command runs,
/// which is a round trip; a third more bytes are cheaper up to a few thousand.
const INLINE_MAX: usize = 4096;

impl Words {
    /// The content as part of a command, if it is better there.
    pub(super) fn inline(&self, content: &[u8]) -> Option<String> {
        let fits = self.inline && content.len() <= INLINE_MAX;
        fits.then(|| STANDARD.encode(content))
    }
}

impl Creation<'_> {
    /// The words that write the content.
    fn source(&self, copy: &str) -> String {
        match self.inline {
            Some(text) => format!("echo {text}|base64 -d|{copy}"),
            None => copy.to_owned(),
        }
    }
}

/// Creates a file exclusively and durably, whatever the bag is like; answers `C` or `E`, and `s` or `p` for a bag that is
/// shared with a group or private.
///
/// Input that ends early, because the connection does, looks like any end to the shell; so its length is compared.
pub(super) fn put(root: &str, new: &Creation<'_>, words: Words) -> String {
    let Creation {
        folder,
        file,
        nonce,
        len,
        ..
    } = new;
    let (copy, flush) = (new.source(words.copy), words.flush);
    let parent = parent(folder);
    let make = if new.make {
        format!("[ -d {folder} ]||mkdir -m $g {folder}&&{flush} {parent};")
    } else {
        String::new()
    };
    // The link may be there although it is told to have failed: a server that answers a repeated request says so of our own.
    let script = format!(
        "cd \"$0\"/heads&&cd ..||exit 91;\
         case $(ls -ld .) in ?????w*)umask 027;g=2750;s=s;;*)umask 077;g=700;s=p;;esac;{make}\
         cd {folder}&&[ -w . ]||exit 95;t=.part-{nonce};r=E;x=0;\
         if [ -e {file} ];then :;else {copy}>$t;[ $(wc -c<$t) = {len} ]&&{flush} $t||x=96;\
         if [ $x = 0 ];then if ln $t {file}||[ \"$(find $t -links 2)\" ];then r=C;else [ -e {file} ]||x=97;fi;fi;\
         rm -f $t;fi;{flush} .;echo;echo qd1$r$s;exit $x"
    );
    command(&script, root)
}

/// The head that goes with a published segment.
pub(super) struct HeadChange<'a> {
    /// The device, as in names.
    pub(super) device: &'a str,
    /// The new number.
    pub(super) seq: u64,
    /// The numbers that go.
    pub(super) old: &'a [u64],
}

impl HeadChange<'_> {
    /// The words, in the folder of the heads, with the device in `$d`.
    fn words(&self, flush: &str) -> String {
        let gone: String = self.old.iter().map(|old| format!(" $d-{old}")).collect();
        let gone = if gone.is_empty() {
            gone
        } else {
            format!("rm -f{gone};")
        };
        format!(">$d-{}&&{flush} .||exit 95;{gone}", self.seq)
    }
}

/// Sets a head.
pub(super) fn head(root: &str, head: &HeadChange<'_>, words: Words) -> String {
    let script = format!(
        "cd \"$0\"/heads||exit 91;d={};case $(ls -ld ..) in ?????w*)umask 027;;*)umask 077;esac;{}echo;echo qd1C",
        head.device,
        head.words(words.flush)
    );
    command(&script, root)
}

/// Creates a segment in a folder that is there and sets the head, and lists the heads with the first `digits` of each
/// device: the usual case, in few bytes. It ends with 0 and answers `C` only if all of that was done; whatever else it says
/// means that [`put`] must have a closer look.
pub(super) fn publish(
    root: &str,
    new: &Creation<'_>,
    head: &HeadChange<'_>,
    shared: bool,
    digits: usize,
    words: Words,
) -> String {
    let (copy, flush) = (new.source(words.copy), words.flush);
    let (file, nonce, len) = (new.file, new.nonce, new.len);
    let script = format!(
        "umask 0{mask};d={device};cd \"$0\"/logs/$d||exit;t=.part-{nonce};[ -e {file} ]&&exit 3;\
         {copy}>$t;[ $(wc -c<$t) = {len} ]&&{flush} $t&&ln $t {file}||{{ rm $t;exit 4;}};rm $t;{flush} .;\
         cd ../../heads;{head}echo;echo qd1C;ls|cut -b-{digits},33-",
        mask = if shared { "27" } else { "77" },
        device = head.device,
        head = head.words(flush),
    );
    command(&script, root)
}

/// Removes a file of the bag; one that is not there is no error.
pub(super) fn remove(root: &str, folder: &str, file: &str) -> String {
    let script = format!(
        "cd \"$0\"/heads||exit 91;if [ -d ../{folder} ];then cd ../{folder}&&rm -f {file}||exit 95;fi;echo;echo qd1C"
    );
    command(&script, root)
}

/// The folders of a bag.
pub(super) fn folders() -> Vec<&'static str> {
    [crate::sync::HEADS, crate::sync::LOGS]
        .into_iter()
        .chain(ObjectKind::ALL.map(ObjectKind::word))
        .collect()
}
