//! What of a header is encrypted: single elements of the extension (RFC 6904), or all of it and the CSRCs (RFC 9335).

use std::ops::Range;

use crate::{
    crypto::srtp::{
        cipher::{Aes, Block},
        derive::SessionKeys,
    },
    wire::rtp::{FIXED_LENGTH, Form, Header},
};

/// Opens a packet, or the start of one, whose CSRCs and extension are encrypted with the payload. `words` is where the
/// extension's profile and length are, which are not.
pub(super) fn open_cryptex(aes: &Aes, counter: Block, words: Range<usize>, packet: &mut [u8]) {
    let Some((front, data_and_payload)) = packet.split_at_mut_checked(words.end) else { return };
    let Some((before, words)) = front.split_at_mut_checked(words.start) else { return };
    let csrcs = before.get_mut(FIXED_LENGTH..).unwrap_or_default();
    aes.apply(counter, [csrcs, data_and_payload]);
    if let Some(profile) = words.first_chunk_mut::<2>() {
        *profile = if *profile == [0xc0, 0xde] { [0xbe, 0xde] } else { [0x10, 0x00] };
    }
}

/// Opens the elements with the given ids in the packet whose header `header` is. `counter` is where the keystream of
/// this packet's extension starts.
pub(super) fn open_elements(header: &Header<'_>, keys: &SessionKeys, counter: Block, ids: &[u8], packet: &mut [u8]) {
    let Some((extension, aes)) = header.extension().zip(keys.aes.as_ref()) else { return };
    // The keystream runs along the whole data, headers of elements and padding included (RFC 6904 section 3).
    let mut keystream = vec![0; extension.data.len()];
    aes.apply(counter, [&mut keystream]);
    let data_offset = header.length() - extension.data.len();
    let header_length = if extension.form() == Form::TwoByte { 2 } else { 1 };
    for element in extension.elements().filter(|element| ids.contains(&element.id)) {
        let start = element.offset + header_length;
        let places = packet.get_mut(start..start + element.data.len()).into_iter().flatten();
        for (place, byte) in places.zip(keystream.iter().skip(start - data_offset)) {
            *place ^= *byte;
        }
    }
}
