//! The connecting step in words.

use super::{
    super::document::Connecting,
    number::{by_count, counted},
};

/// What happened while the ends looked for a path.
pub(super) fn words(connecting: &Connecting) -> Vec<String> {
    let errors = connecting.icmp_errors;
    let unreachable = (errors > 0).then(|| counted(errors, "ICMP error"));
    let Some(stun) = connecting.stun.as_ref() else { return unreachable.into_iter().collect() };
    let mut words = vec![format!("STUN: {}", counted(stun.messages, "message"))];
    if let Some(last) = words.last_mut().filter(|_| !stun.by_type.is_empty()) {
        last.push_str(&format!(" ({})", by_count(&stun.by_type)));
    }
    if stun.channel_data > 0 {
        words.push(format!("TURN: {}", counted(stun.channel_data, "ChannelData message")));
    }
    words.extend(unreachable);
    words
}
