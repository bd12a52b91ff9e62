//! The first day as an admin lives it, against Debian's OpenSSH: the real binary, a bastion, targets behind it.

mod audit;
mod care;
mod copy;
mod demo;
mod faults;
mod first_day;
mod forward;
mod hands;
mod kill;
mod plain;
mod screen;
mod server;
