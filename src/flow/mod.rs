//! What is remembered between packets: bounded state machines that know packet time and no other.

mod fragment;

pub use fragment::{Counters, Outcome, Reassembler};
