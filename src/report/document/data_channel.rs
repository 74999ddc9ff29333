//! Data channels (RFC 8831).

use serde::Serialize;

use super::PacketRef;

/// A data channel, as seen at the tap.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataChannel {
    /// Its SCTP stream, one number both ways.
    pub data_channel_identifier: u16,
    /// Its name; `null` where no opening was seen.
    pub label: Option<String>,
    /// Subprotocol; `null` where no opening was seen.
    pub protocol: Option<String>,
    /// Whether the ends agreed on it without DCEP (RFC 8832), which is inferred where an association was seen from its
    /// start and the channel carries messages without an opening; `null` where the capture may have missed one.
    pub negotiated: Option<bool>,
    /// Whether messages are delivered in order.
    pub ordered: Option<bool>,
    /// Retransmissions of a message after which it is given up; `null` without such a limit.
    pub max_retransmits: Option<u32>,
    /// Milliseconds after which a message is given up; `null` without such a limit.
    pub max_packet_life_time: Option<u32>,
    /// Priority: 128 below normal, 256 normal, 512 high, 1024 extra high (RFC 8831 section 6.4).
    pub priority: Option<u16>,
    /// How far it came.
    pub state: DataChannelState,
    /// Who opened it (`address:port`).
    pub opened_by: Option<String>,
    /// When.
    pub open_time: Option<f64>,
    /// The packet that made its `DATA_CHANNEL_OPEN` whole.
    pub open_packet: Option<PacketRef>,
    /// Seconds from that to `DATA_CHANNEL_ACK` at the tap; `null` without one.
    pub acknowledgement_delay: Option<f64>,
    /// Who asked first that its streams be reset (`address:port`), which closes it.
    pub closed_by: Option<String>,
    /// When.
    pub close_time: Option<f64>,
    /// That packet.
    pub close_packet: Option<PacketRef>,
    /// Messages both ways.
    pub messages: u64,
    /// Bytes of user data in them.
    pub bytes: u64,
    /// What each end sent, who opened the channel first.
    pub directions: Vec<DataChannelDirection>,
}

/// How far a data channel came, in the words of `RTCDataChannelState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataChannelState {
    /// Opened, without an answer.
    Connecting,
    /// In use.
    Open,
    /// One of its streams was reset, or was to be.
    Closing,
    /// Both were, or its association ended.
    Closed,
}

/// What one end sent on a data channel, without retransmissions and messages of DCEP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataChannelDirection {
    /// Who sent it: `address:port`.
    pub source: String,
    /// Who it was sent to.
    pub destination: String,
    /// Messages that were whole at the tap.
    pub messages: u64,
    /// Bytes of user data in them.
    pub bytes: u64,
    /// Strings among the messages; the others are binary.
    pub string_messages: u64,
    /// Messages that were to be delivered in any order.
    pub unordered_messages: u64,
    /// Messages that the sender gave up before they were acknowledged (RFC 3758), as far as they passed the tap.
    pub messages_abandoned: u64,
    /// Chunks that were sent again.
    pub retransmitted_chunks: u64,
    /// The packet that made the first message whole.
    pub first_packet: Option<PacketRef>,
    /// The packet that made the last message whole.
    pub last_packet: Option<PacketRef>,
}
