//! The packets of SFTP version 3, as draft-ietf-secsh-filexfer-02 has them. Pure: bytes in, bytes out.
//!
//! Names, paths and handles are bytes, because the protocol says nothing about their encoding: a name that is no UTF-8
//! must come back to the host exactly as the host spelt it.

/// The version we speak; every server of note does.
pub(crate) const VERSION: u32 = 3;

/// The largest packet we take: what OpenSSH allows (`SFTP_MAX_MSG_LENGTH` in its sftp-common.h).
pub(crate) const LARGEST: usize = 256 * 1024;

pub(crate) const INIT: u8 = 1;
pub(crate) const VERSION_REPLY: u8 = 2;
pub(crate) const OPEN: u8 = 3;
pub(crate) const CLOSE: u8 = 4;
pub(crate) const READ: u8 = 5;
pub(crate) const WRITE: u8 = 6;
pub(crate) const LSTAT: u8 = 7;
pub(crate) const FSTAT: u8 = 8;
pub(crate) const SETSTAT: u8 = 9;
pub(crate) const FSETSTAT: u8 = 10;
pub(crate) const OPENDIR: u8 = 11;
pub(crate) const READDIR: u8 = 12;
pub(crate) const REMOVE: u8 = 13;
pub(crate) const MKDIR: u8 = 14;
pub(crate) const RMDIR: u8 = 15;
pub(crate) const REALPATH: u8 = 16;
pub(crate) const STAT: u8 = 17;
pub(crate) const RENAME: u8 = 18;
pub(crate) const READLINK: u8 = 19;
pub(crate) const STATUS: u8 = 101;
pub(crate) const HANDLE: u8 = 102;
pub(crate) const DATA: u8 = 103;
pub(crate) const NAME: u8 = 104;
pub(crate) const ATTRS: u8 = 105;
pub(crate) const EXTENDED: u8 = 200;
pub(crate) const EXTENDED_REPLY: u8 = 201;

pub(crate) const FOR_READING: u32 = 1;
pub(crate) const FOR_WRITING: u32 = 2;
pub(crate) const CREATE: u32 = 8;
pub(crate) const TRUNCATE: u32 = 16;
pub(crate) const EXCLUSIVE: u32 = 32;

const SIZE: u32 = 1;
const OWNER: u32 = 2;
const MODE: u32 = 4;
const TIMES: u32 = 8;
const MORE: u32 = 0x8000_0000;

/// What is known of a file, or is to be set; times are seconds since 1970, access first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attrs {
    pub(crate) size: Option<u64>,
    pub(crate) owner: Option<(u32, u32)>,
    pub(crate) mode: Option<u32>,
    pub(crate) times: Option<(u32, u32)>,
}

/// A packet that is being written.
pub(crate) struct Request(Vec<u8>);

impl Request {
    /// One with a request id.
    pub(crate) fn new(kind: u8, id: u32) -> Self {
        Self::with_room(kind, id, 64)
    }

    /// One that will hold about `room` bytes.
    pub(crate) fn with_room(kind: u8, id: u32, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room + 32);
        bytes.extend_from_slice(&[0, 0, 0, 0, kind]);
        Self(bytes).u32(id)
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A length and as many bytes. What is longer than the length can say cannot be in memory.
    pub(crate) fn bytes(self, value: &[u8]) -> Self {
        let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
        let mut longer = self.u32(len);
        longer.0.extend_from_slice(value);
        longer
    }

    pub(crate) fn attrs(self, attrs: &Attrs) -> Self {
        let mut flags = 0;
        let present = [
            (SIZE, attrs.size.is_some()),
            (OWNER, attrs.owner.is_some()),
            (MODE, attrs.mode.is_some()),
            (TIMES, attrs.times.is_some()),
        ];
        for (flag, there) in present {
            flags |= if there { flag } else { 0 };
        }
        let mut longer = self.u32(flags);
        if let Some(size) = attrs.size {
            longer = longer.u64(size);
        }
        if let Some((user, group)) = attrs.owner {
            longer = longer.u32(user).u32(group);
        }
        if let Some(mode) = attrs.mode {
            longer = longer.u32(mode);
        }
        if let Some((accessed, modified)) = attrs.times {
            longer = longer.u32(accessed).u32(modified);
        }
        longer
    }

    /// The whole packet, its length in front.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let len = u32::try_from(self.0.len().saturating_sub(4)).unwrap_or(u32::MAX);
        for (slot, byte) in self.0.iter_mut().zip(len.to_be_bytes()) {
            *slot = byte;
        }
        self.0
    }
}

/// Reads a packet from its front; `None` where it is shorter than it claims.
#[derive(Clone, Copy)]
pub(crate) struct Parser<'a>(pub(crate) &'a [u8]);

impl<'a> Parser<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(usize::try_from(len).ok()?)
    }

    pub(crate) fn attrs(&mut self) -> Option<Attrs> {
        let flags = self.u32()?;
        let mut attrs = Attrs::default();
        if flags & SIZE != 0 {
            attrs.size = Some(self.u64()?);
        }
        if flags & OWNER != 0 {
            attrs.owner = Some((self.u32()?, self.u32()?));
        }
        if flags & MODE != 0 {
            attrs.mode = Some(self.u32()?);
        }
        if flags & TIMES != 0 {
            attrs.times = Some((self.u32()?, self.u32()?));
        }
        if flags & MORE != 0 {
            for _ in 0..self.u32()? {
                self.bytes()?;
                self.bytes()?;
            }
        }
        Some(attrs)
    }
}

/// One packet that came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) kind: u8,
    /// All of it, the length in front: what it carries is used where it lies.
    bytes: Vec<u8>,
}

impl Reply {
    /// Takes a whole packet with its length apart; `None` if it is too short to be one.
    pub(crate) fn read(bytes: Vec<u8>) -> Option<(u32, Self)> {
        let kind = *bytes.get(4)?;
        let id = Parser(bytes.get(5..)?).u32()?;
        Some((id, Self { kind, bytes }))
    }

    /// What follows the request id.
    pub(crate) fn body(&self) -> Parser<'_> {
        Parser(self.bytes.get(9..).unwrap_or_default())
    }

    /// The payload of a `DATA` packet, without copying it; `None` if its length is a lie.
    pub(crate) fn into_data(self) -> Option<Chunk> {
        let len = self.body().bytes()?.len();
        Some(Chunk {
            bytes: self.bytes,
            from: 13,
            to: 13 + len,
        })
    }
}

/// A piece of a file on its way.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Chunk {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let to = bytes.len();
        Self { bytes, from: 0, to }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.to.saturating_sub(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let attrs = Attrs {
            size: Some(1 << 40),
            owner: None,
            mode: Some(0o100_644),
            times: Some((7, 8)),
        };
        let packet = Request::new(OPEN, 5)
            .bytes(b"a\xff b")
            .u32(3)
            .attrs(&attrs)
            .finish();
        assert_eq!(Parser(&packet).u32(), u32::try_from(packet.len() - 4).ok());
        let (id, reply) = Reply::read(packet).expect("it is whole");
        assert_eq!((id, reply.kind), (5, OPEN));
        let mut body = reply.body();
        assert_eq!(body.bytes(), Some(&b"a\xff b"[..]));
        assert_eq!((body.u32(), body.attrs()), (Some(3), Some(attrs)));
        assert!(body.0.is_empty());
    }

    #[test]
    fn lies_about_lengths_are_found() {
        let packet = |body: &[u8]| [&[0, 0, 0, 9, DATA, 0, 0, 0, 1][..], body].concat();
        assert!(Reply::read(vec![0, 0, 0, 3, DATA, 0, 0]).is_none());
        let (_, short) = Reply::read(packet(&[0, 0, 0, 9, 1])).expect("a head");
        assert!(short.into_data().is_none());
        let (_, whole) = Reply::read(packet(&[0, 0, 0, 1, 7, 8])).expect("a head");
        assert_eq!(
            whole.into_data().map(|chunk| chunk.as_slice().to_vec()),
            Some(vec![7])
        );
        // A count of extended attributes that no packet can hold ends at the end of the packet.
        assert!(
            Parser(&[0x80, 0, 0, 0, 255, 255, 255, 255])
                .attrs()
                .is_none()
        );
    }
}
