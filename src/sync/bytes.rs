//! Fixed-form bytes: written in order, read within bounds. Numbers are big-endian, so that bytes sort as numbers do.

use crate::domain::ids::{DeviceId, EntityId};

/// Reads a form piece by piece; `None` when it ends too early, and nothing panics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (piece, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(piece)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number that also fits the columns of the store.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        let number = self.array().map(u64::from_be_bytes)?;
        i64::try_from(number).is_ok().then_some(number)
    }

    pub(crate) fn id(&mut self) -> Option<EntityId> {
        self.array().map(EntityId::from_bytes)
    }

    pub(crate) fn device(&mut self) -> Option<DeviceId> {
        self.id().map(DeviceId)
    }

    /// How many bytes were not read.
    pub(crate) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether all of it was read; anything after the form is not ours.
    pub(crate) const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}
