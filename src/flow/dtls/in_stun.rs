//! DTLS datagrams that STUN carries and acknowledges (SPED, draft-hancke-webrtc-sped). An acknowledgement names each
//! datagram by the CRC-32 of its bytes.

/// Datagrams of each end that are remembered. A handshake has a dozen.
const DATAGRAMS: usize = 64;

/// Bytes of the CRC-32 of one datagram in an acknowledgement.
const CRC_BYTES: usize = 4;

/// What both ends sent and acknowledged on a flow where STUN carries DTLS.
#[derive(Clone, Debug, Default)]
pub struct InStun {
    sent: [Vec<Sent>; 2],
    acknowledgements: [Acknowledgements; 2],
}

/// A datagram by its CRC-32.
#[derive(Clone, Copy, Debug)]
struct Sent {
    crc: u32,
    is_acknowledged: bool,
}

/// What one end acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgements {
    /// DTLS-IN-STUN-ACKNOWLEDGEMENT attributes, empty ones too.
    pub attributes: u64,
    /// Datagrams of the other end that they name, each counted once.
    pub datagrams: u64,
    /// Names of datagrams that did not pass the tap, or not before.
    pub unknown: u64,
}

impl InStun {
    /// Notes a datagram of `direction`: whether it had been sent before, byte for byte.
    pub fn sent(&mut self, direction: u8, bytes: &[u8]) -> bool {
        let crc = super::crc32(bytes);
        let [low, high] = &mut self.sent;
        let sent = if direction == 0 { low } else { high };
        if sent.iter().any(|sent| sent.crc == crc) {
            return true;
        }
        if sent.len() < DATAGRAMS {
            sent.push(Sent { crc, is_acknowledged: false });
        }
        false
    }

    /// Takes the value of an attribute that `direction` sent.
    pub fn acknowledged(&mut self, direction: u8, value: &[u8]) {
        let [low, high] = &mut self.sent;
        let [from_low, from_high] = &mut self.acknowledgements;
        let (sent, acknowledgements) = if direction == 0 { (high, from_low) } else { (low, from_high) };
        acknowledgements.attributes += 1;
        for crc in value.as_chunks::<CRC_BYTES>().0 {
            match sent.iter_mut().find(|sent| sent.crc == u32::from_be_bytes(*crc)) {
                Some(sent) => {
                    acknowledgements.datagrams += u64::from(!sent.is_acknowledged);
                    sent.is_acknowledged = true;
                }
                None => acknowledgements.unknown += 1,
            }
        }
    }

    /// What each direction acknowledged.
    pub const fn acknowledgements(&self) -> [Acknowledgements; 2] {
        self.acknowledgements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32/ISO-HDLC, that of zlib.
    #[test]
    fn a_datagram_is_named_by_its_crc() {
        let mut flow = InStun::default();
        assert!(!flow.sent(0, b"123456789"));
        assert!(flow.sent(0, b"123456789"));
        flow.acknowledged(1, &[]);
        flow.acknowledged(1, &[0xcb, 0xf4, 0x39, 0x26, 0, 0, 0, 1]);
        flow.acknowledged(1, &[0xcb, 0xf4, 0x39, 0x26, 9]);
        flow.acknowledged(0, &[0xcb, 0xf4, 0x39, 0x26]);
        let [low, high] = flow.acknowledgements();
        assert_eq!(high, Acknowledgements { attributes: 3, datagrams: 1, unknown: 1 });
        assert_eq!(low, Acknowledgements { attributes: 1, datagrams: 0, unknown: 1 });
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut flow = InStun::default();
        for number in 0..1000_u32 {
            flow.sent(0, &number.to_be_bytes());
        }
        assert_eq!(flow.sent[0].len(), DATAGRAMS);
    }
}
