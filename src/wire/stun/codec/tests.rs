use proptest::prelude::*;
use stun_codec::{MessageClass, TransactionId, rfc5389::methods::BINDING};

use super::*;
use crate::wire::stun::vectors::REQUEST;

// That of the request of RFC 5769 section 2.1.
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

// RFC 5769 section 2.4, with long-term credentials.
const LONG_TERM: &[u8] = b"\x00\x01\x00\x60\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
    \x00\x06\x00\x12\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9\x00\x00\
    \x00\x15\x00\x1cf//499k954d6OL34oL9FSTvy64sA\
    \x00\x14\x00\x0bexample.org\x00\
    \x00\x08\x00\x14\xf6\x70\x24\x65\x6d\xd6\x4a\x3e\x02\xb8\xe0\x71\x2e\x85\xc9\xa2\x8c\xa8\x96\x66";

#[test]
fn integrity_of_rfc_5769() {
    assert_eq!(is_signed_with(REQUEST, PASSWORD), Some(true));
    assert_eq!(is_signed_with(REQUEST, "another"), Some(false));
    assert_eq!(is_signed_by_user_with(LONG_TERM, "TheMatrIX"), Some(true));
    assert_eq!(is_signed_by_user_with(LONG_TERM, PASSWORD), Some(false));
    assert_eq!(is_signed_by_user_with(REQUEST, PASSWORD), None, "no realm");
}

#[test]
fn extensions_come_back_as_they_were() {
    let mut message = Message::new(MessageClass::Request, BINDING, TransactionId::new([7; 12]));
    message.add_attribute(GoogNetworkInfo::new(vec![0, 3, 0, 50]));
    message.add_attribute(Nomination::new(vec![0, 0, 1, 2]));
    message.add_attribute(DtlsInStun::new(vec![22, 254, 253]));
    let bytes = encode(message).unwrap();
    // The layout of RFC 8489 section 14, by hand: three bytes are padded by one.
    assert_eq!(bytes[20..], *b"\xc0\x57\0\x04\0\x03\0\x32\xc0\x01\0\x04\0\0\x01\x02\xc0\x70\0\x03\x16\xfe\xfd\0");
    let message = decode(&bytes).unwrap();
    assert_eq!(message.get_attribute::<GoogNetworkInfo>().unwrap().network(), Some((3, 50)));
    assert_eq!(message.get_attribute::<Nomination>().unwrap().counter(), Some(258));
    assert_eq!(message.get_attribute::<DtlsInStun>().unwrap().value(), [22, 254, 253]);
    assert_eq!(message.unknown_attributes().count(), 0);
    // IANA's attribute of the same number.
    assert_eq!(Nomination::new(vec![1, 2]).counter(), None);
}

/// The bits of RFC 5780 section 7.2 and the two bytes of section 7.5, there and back.
#[test]
fn extensions_of_rfc_5780() {
    let mut message = Message::new(MessageClass::Request, BINDING, TransactionId::new([7; 12]));
    message.add_attribute(ChangeRequest::of(true, false));
    message.add_attribute(ResponsePort::of(0x1234));
    message.add_attribute(ChangedAddress::new(vec![0, 1, 0x0d, 0x97, 192, 0, 2, 1]));
    let bytes = encode(message).unwrap();
    assert_eq!(bytes[20..36], *b"\0\x03\0\x04\0\0\0\x04\0\x27\0\x02\x12\x34\0\0");
    let message = decode(&bytes).unwrap();
    assert_eq!(message.get_attribute::<ChangeRequest>().unwrap().flags(), Some((true, false)));
    assert_eq!(ChangeRequest::of(false, true).flags(), Some((false, true)));
    assert_eq!(message.get_attribute::<ResponsePort>().unwrap().port(), Some(0x1234));
    assert_eq!(message.get_attribute::<ChangedAddress>().unwrap().address(), "192.0.2.1:3479".parse().ok());
    assert_eq!(SourceAddress::new(vec![0, 2, 0, 1, 0]).address(), None);
}

proptest! {
    #[test]
    fn any_attributes(attributes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..108, with in any::<u8>()) {
        let mut bytes = vec![0, 1];
        bytes.extend((attributes.len() as u16).to_be_bytes());
        bytes.extend(0x2112_a442_u32.to_be_bytes());
        bytes.extend([9; 12]);
        bytes.extend(&attributes);
        let _ = decode(&bytes);
        let mut bytes = REQUEST.to_vec();
        bytes[at] = with;
        let _ = is_signed_with(&bytes, PASSWORD);
    }
}
