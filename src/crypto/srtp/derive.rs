//! Session keys from a master key (RFC 3711 section 4.3, RFC 6188 section 3, RFC 7714 section 11).

use zeroize::Zeroizing;

use crate::crypto::srtp::{
    cipher::{Aes, Authenticator, Block},
    master::MasterKey,
    profile::Profile,
};

/// What the key is for: the label that goes into the derivation (RFC 3711 section 4.3, RFC 6904 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Rtp,
    Rtcp,
    HeaderExtension,
}

impl Purpose {
    const fn encryption(self) -> u8 {
        match self {
            Self::Rtp => 0,
            Self::Rtcp => 3,
            Self::HeaderExtension => 6,
        }
    }

    /// `None` for header extensions: their bytes are authenticated with the packet.
    const fn authentication(self) -> Option<u8> {
        match self {
            Self::Rtp => Some(1),
            Self::Rtcp => Some(4),
            Self::HeaderExtension => None,
        }
    }

    const fn salt(self) -> u8 {
        match self {
            Self::Rtp => 2,
            Self::Rtcp => 5,
            Self::HeaderExtension => 7,
        }
    }
}

/// Session keys for one purpose.
#[derive(Clone)]
pub(super) struct SessionKeys {
    /// `None` under a profile that does not encrypt.
    pub(super) aes: Option<Aes>,
    /// The salt, with zeros behind it.
    pub(super) salt: Zeroizing<Block>,
    /// `None` for header extensions.
    pub(super) authenticator: Option<Authenticator>,
}

impl SessionKeys {
    /// Derives them. `period` is the packet's index divided by the key derivation rate, 0 when there is none.
    pub(super) fn derive(profile: Profile, master: &MasterKey, purpose: Purpose, period: u64) -> Self {
        let function = Function::new(master, period);
        let encryption = function.bytes(purpose.encryption(), profile.key_length());
        let aes = Aes::new(&encryption).filter(|_| !matches!(profile, Profile::Null(_)));
        let authenticator = purpose.authentication().and_then(|label| match (profile, &aes) {
            (Profile::Gcm(_), Some(aes)) => Some(Authenticator::ghash(aes)),
            _ => Authenticator::hmac(&function.bytes(label, HMAC_KEY_LENGTH)),
        });
        let mut salt = Zeroizing::new(Block::default());
        for (place, byte) in salt.iter_mut().zip(function.bytes(purpose.salt(), profile.salt_length()).iter()) {
            *place = *byte;
        }
        Self { aes, salt, authenticator }
    }
}

/// The pseudo-random function: AES-CM under the master key (RFC 3711 section 4.3.3).
struct Function {
    aes: Option<Aes>,
    /// The master salt with the period in it, where the label is still to come.
    input: Zeroizing<Block>,
}

impl Function {
    fn new(master: &MasterKey, period: u64) -> Self {
        let mut input = Zeroizing::new(Block::default());
        for (place, byte) in input.iter_mut().zip(master.salt()) {
            *place = *byte;
        }
        // The label is the byte before the 48 bits of the period, and the whole ends with the salt at bit 112.
        for (place, byte) in input.iter_mut().skip(LABEL_AT + 1).zip(period.to_be_bytes().iter().skip(2)) {
            *place ^= *byte;
        }
        Self { aes: Aes::new(master.key()), input }
    }

    fn bytes(&self, label: u8, length: usize) -> Zeroizing<Vec<u8>> {
        let mut counter = self.input.clone();
        if let Some(byte) = counter.get_mut(LABEL_AT) {
            *byte ^= label;
        }
        let mut bytes = Zeroizing::new(vec![0; length]);
        if let Some(aes) = &self.aes {
            aes.apply(*counter, [&mut bytes]);
        }
        bytes
    }
}

/// Where the label goes: 56 bits before the end of the 112 of a salt.
const LABEL_AT: usize = 7;

/// Bytes of the key of HMAC-SHA1 (RFC 3711 section 8.2).
const HMAC_KEY_LENGTH: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::srtp::tests::hex;

    fn master(key: &str, salt: &str) -> MasterKey {
        let name = match key.len() {
            32 => "AES_CM_128_HMAC_SHA1_80",
            48 => "AES_192_CM_HMAC_SHA1_80",
            _ => "AES_256_CM_HMAC_SHA1_80",
        };
        MasterKey::new(Profile::from_name(name).unwrap(), &hex(&format!("{key}{salt}"))).unwrap()
    }

    fn derived(master: &MasterKey, period: u64, label: u8, expected: &str) {
        let expected = hex(expected);
        assert_eq!(*Function::new(master, period).bytes(label, expected.len()), expected, "label {label}");
    }

    #[test]
    fn rfc_3711_appendix_b_3() {
        let master = master("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6");
        derived(&master, 0, 0, "C61E7A93744F39EE10734AFE3FF7A087");
        derived(&master, 0, 2, "30CBBC08863D8C85D49DB34A9AE1");
        let authentication = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE\
                              E049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC25\
                              6D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2";
        derived(&master, 0, 1, authentication);
    }

    /// The values for SRTCP of the same master key, as libre's tests have them.
    #[test]
    fn labels_of_srtcp() {
        let master = master("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6");
        derived(&master, 0, 3, "4c1aa45a81f73d61c800bbb00fbb1eaa");
        derived(&master, 0, 4, "8d54534feb49ae8e7993a6bd0b844fc323a93dfd");
        derived(&master, 0, 5, "9581c7ad87b3e530bf3e4454a8b3");
    }

    #[test]
    fn rfc_6904_appendix_a() {
        let master = master("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6");
        derived(&master, 0, 6, "549752054D6FB708622C4A2E596A1B93");
        derived(&master, 0, 7, "AB01818174C40D39A3781F7C2D27");
    }

    #[test]
    fn rfc_6188_sections_7_2_and_7_4() {
        let salt = "3b04803de51ee7c96423ab5b78d2";
        let wide = master("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6", salt);
        derived(&wide, 0, 0, "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4");
        derived(&wide, 0, 1, "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05");
        derived(&wide, 0, 2, "fa31791685ca444a9e07c6c64e93");
        let middle = master("73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1", "c8522f3acd4ce86d5add78edbb11");
        derived(&middle, 0, 0, "31874736a8f1143870c26e4857d8a5b2c4a354407faadabb");
        derived(&middle, 0, 1, "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb");
        derived(&middle, 0, 2, "2372b82d639b6d8503a47adc0a6c");
    }

    /// A vector of NIST for SP 800-135 section 5.3, as OpenSSL has it (evpkdf_srtp.txt), rate 2^0. Those for SRTCP have
    /// the label two bytes further on, since they take the index as 32 bits; no implementation of SRTP does.
    #[test]
    fn key_derivation_rate() {
        let master = master("8C307F105F79D5D2C26B1A933AE22CD5", "563B4C15458D977B68080242CEE1");
        derived(&master, 0x0828_4B49_F520, 0, "A920DF50EAA111D03FBE9B203121C07D");
        derived(&master, 0x0828_4B49_F520, 1, "A337DC070C0DAFA942F1E3A27ACD3C9917CE4B4D");
        derived(&master, 0x0828_4B49_F520, 2, "9E2BC99C86037F2AD98D72927428");
    }
}
