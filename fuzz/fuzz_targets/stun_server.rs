//! Any bytes to the STUN server, over UDP and TCP, at a server with one address and with two: what it answers is whole,
//! comes from a place that there is, and is not longer than it may be.
#![no_main]

use std::{net::SocketAddr, time::Duration};

use libfuzzer_sys::fuzz_target;
use rtcscope::{
    probe::{
        Transport,
        server::{Addresses, Config, Place, Received, Server},
    },
    wire::stun::Message,
};

/// Bytes of a response to a request without PADDING.
const LONGEST: usize = 20 + 4 * 24 + 64 + 80;

fuzz_target!(|data: &[u8]| {
    let primary = SocketAddr::from(([192, 0, 2, 1], 3478));
    let other = SocketAddr::from(([192, 0, 2, 2], 3479));
    let mut server = Server::new(Config::default());
    for transport in [Transport::Udp, Transport::Tcp] {
        for alternate in [None, Some(other)] {
            let addresses = Addresses { primary, alternate };
            let source = SocketAddr::from(([203, 0, 113, 7], 40_000));
            let received = Received { bytes: data, source, transport, addresses, place: Place::PRIMARY };
            let Some(answer) = server.answer(Duration::ZERO, &received) else { continue };
            assert!(addresses.at(answer.place).is_some());
            assert_eq!(answer.destination.ip(), source.ip());
            assert!(answer.bytes.len() <= data.len().max(LONGEST));
            let message = Message::parse(&answer.bytes).or_else(|_| Message::parse_classic(&answer.bytes));
            let message = message.unwrap_or_else(|fault| panic!("{fault:?}"));
            assert!(message.fault().is_none() && message.trailing() == 0);
        }
    }
});
