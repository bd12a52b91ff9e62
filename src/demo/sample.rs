//! x
/// x
#[derive(Debug)]
pub struct SampleTicket {}
/// x
#[derive(Debug)]
pub struct SampleBook {
    pub name: &'static str,
    pub text: &'static str,
}
/// x
pub const TICKETS: &[SampleTicket] = &[];
/// x
pub const BOOKS: &[SampleBook] = &[];
