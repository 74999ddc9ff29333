//! What the hellos of an association say, owned.

use super::record::{Choice, Offer};
use crate::wire::dtls::{
    handshake::{ClientHello, ServerHello},
    version,
};

/// Entries kept of a list in a hello.
const LIST: usize = 128;

/// Application protocols kept.
const PROTOCOLS: usize = 8;

/// What a ClientHello offers.
pub fn offer(hello: &ClientHello<'_>) -> Offer {
    Offer {
        random: *hello.random,
        session_id: hello.session_id.to_vec(),
        version: hello.version,
        complete: true,
        versions: hello.supported_versions().take(LIST).collect(),
        cipher_suites: hello.cipher_suites().take(LIST).collect(),
        groups: hello.groups().take(LIST).collect(),
        key_shares: hello.key_shares().map(|(group, _)| group).take(LIST).collect(),
        signature_algorithms: hello.signature_algorithms().take(LIST).collect(),
        srtp_profiles: hello.srtp_profiles().take(LIST).collect(),
        application_protocols: hello.application_protocols().take(PROTOCOLS).map(text).collect(),
        server_name: hello.server_name().map(str::to_owned),
        extended_master_secret: hello.extended_master_secret(),
        connection_id: hello.connection_id().map(length),
        cookie: hello.cookie().is_some(),
    }
}

/// What a ServerHello chose.
pub fn choice(hello: &ServerHello<'_>) -> Choice {
    // A ServerHello whose extensions were not captured still tells by its cipher suite (RFC 8446 appendix B.4).
    let is_1_3 = hello.cipher_suite >> 8 == 0x13;
    Choice {
        random: *hello.random,
        session_id: hello.session_id.to_vec(),
        version: if is_1_3 { version::DTLS_1_3 } else { hello.selected_version() },
        cipher_suite: hello.cipher_suite,
        group: hello.key_share_group(),
        signature_algorithm: None,
        srtp_profile: hello.srtp_profile(),
        application_protocol: hello.application_protocol().map(text),
        extended_master_secret: hello.extended_master_secret(),
        encrypt_then_mac: hello.encrypt_then_mac(),
        connection_id: hello.connection_id().map(length),
    }
}

/// Bytes of a list whose length is one byte.
fn length(id: &[u8]) -> u8 {
    u8::try_from(id.len()).unwrap_or(u8::MAX)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
