//! From key material to plaintext: key logs, DTLS and TLS records, SRTP and SRTCP. No clock, no I/O, no state of flows.

pub mod keylog;
pub mod secret;
pub mod srtp;
pub mod tls;
