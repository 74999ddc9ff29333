//! Bytes to borrowed views: no allocation ([`stun::codec`] alone owns what it reads), no state, no clock, no I/O.
//!
//! The promise of this layer: a view checks its bytes once, when it is made, and no accessor can fail or panic after
//! that. Every bounds check is [`Reader`]'s; every list is an iterator that always advances. Bytes that a type cannot
//! be made of are a [`Malformed`], which says where and why without building a string.

mod address;
mod bits;
mod entries;
mod icmp;
mod inet;
mod link;
mod malformed;
mod packet;
mod plain;
mod ppp;
mod reader;
mod tunnel;
mod walk;
mod wlan;

pub mod channel;
pub mod dtls;
pub mod feedback;
pub mod mdns;
pub mod payload;
pub mod quic;
pub mod rtcp;
pub mod rtp;
pub mod sctp;
pub mod stun;
pub mod xr;
pub mod zrtp;

pub use address::{Endpoint, scope};
pub use entries::{Entries, Entry};
pub use icmp::icmp_meaning;
pub use inet::{parse, resume};
pub use link::LinkType;
pub use malformed::{Kind, Layer, Malformed};
pub use packet::{Content, Fragment, IcmpError, Packet, TcpHeader, Tunnel, Tunnels};
pub use plain::parse_plain;
pub use reader::Reader;
