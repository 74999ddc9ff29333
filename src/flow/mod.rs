//! State of one flow: fixed size, bounded, without a clock of its own.

pub mod sctp;
