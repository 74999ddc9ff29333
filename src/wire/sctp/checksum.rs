//! CRC32C (RFC 9260 appendix A): the Castagnoli polynomial, reflected.

/// CRC32C of some pieces, one behind the other.
#[must_use]
pub fn crc32c<const N: usize>(pieces: [&[u8]; N]) -> u32 {
    pieces.into_iter().fold(0, crc32c::crc32c_append)
}

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
