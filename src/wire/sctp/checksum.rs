//! CRC32C (RFC 9260 appendix A): the Castagnoli polynomial, reflected.

/// CRC32C of some pieces, one behind the other.
#[must_use]
pub fn crc32c<const N: usize>(pieces: [&[u8]; N]) -> u32 {
    let mut crc = u32::MAX;
    for piece in pieces {
        let (words, rest) = piece.as_chunks::<8>();
        for word in words {
            let [a, b, c, d] = (crc ^ low(*word)).to_le_bytes();
            let [.., e, f, g, h] = *word;
            crc = row(7, a) ^ row(6, b) ^ row(5, c) ^ row(4, d) ^ row(3, e) ^ row(2, f) ^ row(1, g) ^ row(0, h);
        }
        for &byte in rest {
            crc = crc >> 8 ^ row(0, crc as u8 ^ byte);
        }
    }
    !crc
}

const fn low([a, b, c, d, ..]: [u8; 8]) -> u32 {
    u32::from_le_bytes([a, b, c, d])
}

/// The CRC of `byte` and `zeros` bytes of zero behind it.
fn row(zeros: usize, byte: u8) -> u32 {
    TABLE.get(zeros).map_or(0, |table| table[usize::from(byte)])
}

/// Eight bytes at a time: `TABLE[n]` is the CRC of a byte with n zeros behind it.
static TABLE: [[u32; 256]; 8] = {
    let mut table = [[0_u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ CASTAGNOLI } else { crc >> 1 };
            bit += 1;
        }
        table[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let shorter = table[zeros - 1][byte];
            table[zeros][byte] = shorter >> 8 ^ table[0][(shorter & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    table
};

/// The polynomial 0x1edc6f41, lowest power first.
const CASTAGNOLI: u32 = 0x82f6_3b78;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_rfc_3720_appendix_b_4() {
        assert_eq!(crc32c([&[0; 32]]), 0x8a91_36aa);
        assert_eq!(crc32c([&[0xff; 32]]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c([&ascending]), 0x46dd_794e);
        assert_eq!(crc32c([&ascending[..5], &ascending[5..19], &ascending[19..]]), 0x46dd_794e);
        assert_eq!(crc32c([b"123456789"]), 0xe306_9283);
    }
}
