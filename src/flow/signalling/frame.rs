//! Frames of WebSocket.

/// What frames are (RFC 6455 section 11.8).
pub mod opcode {
    /// A message goes on.
    pub const CONTINUATION: u8 = 0;
    /// A message of text starts.
    pub const TEXT: u8 = 1;
    /// A message of bytes starts.
    pub const BINARY: u8 = 2;
    /// The connection ends.
    pub const CLOSE: u8 = 8;
    /// The answer to a ping.
    pub const PONG: u8 = 10;
}

/// The head of a frame (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether a message ends with it.
    pub is_final: bool,
    /// Whether it starts a compressed message (RFC 7692 section 6).
    pub is_compressed: bool,
    /// What it is.
    pub opcode: u8,
    /// The key that its payload is masked with.
    pub mask: Option<[u8; 4]>,
    /// Bytes of its payload.
    pub length: u64,
    /// Bytes before its payload.
    pub head: usize,
}

impl Frame {
    /// The frame that `bytes` start; `Ok(None)` where more are needed, an error where they start none.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, ()> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (opcode, is_final) = (first & 0x0f, first & 0x80 != 0);
        let is_control = opcode >= opcode::CLOSE;
        let short = second & 0x7f;
        let is_valid = first & 0x30 == 0
            && matches!(opcode, opcode::CONTINUATION..=opcode::BINARY | opcode::CLOSE..=opcode::PONG)
            && (!is_control || is_final && short < 126 && first & 0x40 == 0);
        if !is_valid {
            return Err(());
        }
        let (length, rest, extra) = match short {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 2),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest, 8),
                None => return Ok(None),
            },
            short => (u64::from(short), rest, 0),
        };
        // The shortest form must be used.
        if short == 126 && length < 126 || short == 127 && (length <= 0xffff || length >> 63 != 0) {
            return Err(());
        }
        let mask = match second & 0x80 {
            0 => None,
            _ => match rest.first_chunk::<4>() {
                Some(mask) => Some(*mask),
                None => return Ok(None),
            },
        };
        let head = 2 + extra + if mask.is_some() { 4 } else { 0 };
        Ok(Some(Self { is_final, is_compressed: first & 0x40 != 0, opcode, mask, length, head }))
    }

    /// Whether it is a frame of the connection, and no part of a message.
    pub const fn is_control(&self) -> bool {
        self.opcode >= opcode::CLOSE
    }

    /// What is here of its payload, without its mask.
    pub fn payload(&self, bytes: &[u8]) -> Vec<u8> {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let masked = bytes.iter().skip(self.head).take(length);
        masked.zip(self.mask.unwrap_or_default().into_iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }
}
