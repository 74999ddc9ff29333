//! Messages as `stun_codec` reads and writes them: owned, whole, with every attribute in its place.
//!
//! The one place of this layer that allocates. [`super::Message`] stays what analysis reads packets with: it borrows,
//! it takes snapped messages and those with unpadded or broken attributes, and it never clones a message for each
//! MESSAGE-INTEGRITY in it. This form is for what needs the bytes put together again: checking a message's integrity
//! with a password that signalling gave, and making messages.
//!
//! What `stun_codec` lacks are `extension`s: the attributes of RFC 8489 and of libwebrtc, through its own traits.

mod extension;

use bytecodec::{DecodeExt, EncodeExt};
use stun_codec::{
    MessageDecoder, MessageEncoder, define_attribute_enums,
    rfc5245::attributes::{IceControlled, IceControlling, Priority, UseCandidate},
    rfc5389::attributes::{
        AlternateServer, ErrorCode, Fingerprint, MappedAddress, MessageIntegrity, Nonce, Realm, Software,
        UnknownAttributes, Username, XorMappedAddress,
    },
    rfc5766::attributes::{
        ChannelNumber, Data, DontFragment, EvenPort, Lifetime, RequestedTransport, ReservationToken, XorPeerAddress,
        XorRelayAddress,
    },
    rfc5780::attributes::{OtherAddress, ResponseOrigin},
    rfc8656::attributes::{AdditionalAddressFamily, RequestedAddressFamily},
};

pub use self::extension::{
    ChangeRequest, ChangedAddress, DtlsInStun, DtlsInStunAcknowledgement, GoogDelta, GoogDeltaAck,
    GoogLastIceCheckReceived, GoogMessageIntegrity32, GoogMiscInfo, GoogNetworkInfo, MessageIntegritySha256,
    Nomination, Padding, PasswordAlgorithm, PasswordAlgorithms, ResponsePort, RetransmitCount, SourceAddress, Userhash,
};
use crate::wire::{Kind, Layer, Malformed};

define_attribute_enums!(
    Attribute,
    AttributeDecoder,
    AttributeEncoder,
    [
        MappedAddress,
        ChangeRequest,
        SourceAddress,
        ChangedAddress,
        Username,
        MessageIntegrity,
        ErrorCode,
        UnknownAttributes,
        ChannelNumber,
        Lifetime,
        XorPeerAddress,
        Data,
        Realm,
        Nonce,
        XorRelayAddress,
        RequestedAddressFamily,
        EvenPort,
        RequestedTransport,
        DontFragment,
        MessageIntegritySha256,
        PasswordAlgorithm,
        Userhash,
        XorMappedAddress,
        ReservationToken,
        Priority,
        UseCandidate,
        Padding,
        ResponsePort,
        AdditionalAddressFamily,
        PasswordAlgorithms,
        Software,
        AlternateServer,
        Fingerprint,
        IceControlled,
        IceControlling,
        ResponseOrigin,
        OtherAddress,
        Nomination,
        GoogNetworkInfo,
        GoogLastIceCheckReceived,
        GoogMiscInfo,
        GoogDelta,
        GoogDeltaAck,
        GoogMessageIntegrity32,
        DtlsInStun,
        DtlsInStunAcknowledgement,
        RetransmitCount
    ]
);

/// A message and its attributes.
pub type Message = stun_codec::Message<Attribute>;

/// Reads a whole message.
///
/// # Errors
/// When it is not whole, or `stun_codec` refuses an attribute: text that is not UTF-8, a number outside its range.
pub fn decode(bytes: &[u8]) -> Result<Message, Malformed> {
    let refused = || Malformed::new(Layer::Stun, Kind::BadValue, 0);
    MessageDecoder::<Attribute>::new().decode_from_bytes(bytes).map_err(|_| refused())?.map_err(|_| refused())
}

/// Writes a message; `None` where an attribute is too long for its length field.
#[must_use]
pub fn encode(message: Message) -> Option<Vec<u8>> {
    MessageEncoder::new().encode_into_bytes(message).ok()
}

/// Whether the MESSAGE-INTEGRITY was made with the ICE password of the one who received the request (RFC 8445 section
/// 7.2.2: short-term credentials). `None` where there is none, or the message cannot be read.
#[must_use]
pub fn is_signed_with(bytes: &[u8], password: &str) -> Option<bool> {
    let message = decode(bytes).ok()?;
    Some(message.get_attribute::<MessageIntegrity>()?.check_short_term_credential(password).is_ok())
}

/// The same with the long-term credentials of TURN (RFC 8489 section 9.2.2): a user's password at a realm. `None` where
/// user, realm or MESSAGE-INTEGRITY is missing, or the message cannot be read.
#[must_use]
pub fn is_signed_by_user_with(bytes: &[u8], password: &str) -> Option<bool> {
    let message = decode(bytes).ok()?;
    let (user, realm) = (message.get_attribute::<Username>()?, message.get_attribute::<Realm>()?);
    let integrity = message.get_attribute::<MessageIntegrity>()?;
    Some(integrity.check_long_term_credential(user, realm, password).is_ok())
}

#[cfg(test)]
mod tests;
