//! The securing step in words.

use super::{
    super::document::Securing,
    number::{by_count, counted, short_time},
};

/// How the call was secured.
pub(super) fn words(securing: &Securing) -> Vec<String> {
    let mut words = Vec::new();
    let version = securing.dtls_version.as_ref().map(|version| format!("DTLS {version}"));
    let named = version.is_some();
    words.extend(version);
    words.extend(securing.dtls_cipher.clone());
    words.extend(securing.srtp_profile.clone());
    if let Some(dtls) = &securing.dtls {
        let name = if named { "" } else { "DTLS: " };
        let records = if dtls.records.is_empty() { String::new() } else { format!(" ({})", by_count(&dtls.records)) };
        words.push(format!("{name}{}{records}", counted(dtls.packets, "datagram")));
    }
    if securing.zrtp_packets > 0 {
        words.push(format!("ZRTP: {}", counted(securing.zrtp_packets, "message")));
    }
    words.extend(securing.handshake_duration.map(|seconds| format!("handshake {}", short_time(seconds))));
    if let Some(count) = securing.retransmissions.filter(|count| *count > 0) {
        words.push(format!("{} sent again", counted(count, "handshake message")));
    }
    if !securing.alerts.is_empty() {
        words.push(counted(securing.alerts.len() as u64, "alert"));
    }
    words
}
