//! Memory: what is known of each flow, in integers, of bounded size. `now` is always the time of a packet.

pub mod allocation;
pub mod budget;
pub mod candidate;
mod carried;
pub mod copies;
pub mod datagram;
pub mod decrypt;
pub mod dtls;
pub mod fragment;
pub mod ice;
pub mod icmp;
pub mod identify;
pub mod key;
pub mod keyring;
pub mod mdns;
pub mod media;
pub mod rtcp;
pub mod sctp;
pub mod sequence;
pub mod signalling;
pub mod srtp;
mod state;
pub mod stream;
pub mod tcp;
pub mod timing;
pub mod transaction;
pub mod transport_wide;
pub mod turn;

pub use state::{Flow, FlowRecord, Outcome, PROTOCOLS, Protocol};
