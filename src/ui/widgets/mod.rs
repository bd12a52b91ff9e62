//! The parts that views are put together from.

pub(crate) mod bar;
pub(crate) mod copy;
pub(crate) mod field;
pub(crate) mod screen;
pub(crate) mod table;
