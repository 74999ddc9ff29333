//! Link-layer types: the register of <https://www.tcpdump.org/linktypes.html>.

use std::fmt;

/// A link-layer type as captures number it (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

/// One constant for each entry, and `name` over all of them: a number is written once.
macro_rules! register {
    ($($name:ident = $value:literal,)*) => {
        impl LinkType {
            $(#[doc = concat!("`LINKTYPE_", stringify!($name), "`, ", stringify!($value), ".")]
            pub const $name: Self = Self($value);)*

            /// The register's word for it without the `LINKTYPE_` in front: `ETHERNET`, `LINUX_SLL2`. `None` for
            /// numbers that the register gave no name to when this was written.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    Self::RAW_BSD | Self::RAW_OPENBSD => Some("RAW"),
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

register! {
    NULL = 0,
    ETHERNET = 1,
    EXP_ETHERNET = 2,
    AX25 = 3,
    IEEE802_5 = 6,
    ARCNET_BSD = 7,
    SLIP = 8,
    PPP = 9,
    FDDI = 10,
    PPP_HDLC = 50,
    PPP_ETHER = 51,
    SYMANTEC_FIREWALL = 99,
    ATM_RFC1483 = 100,
    RAW = 101,
    C_HDLC = 104,
    IEEE802_11 = 105,
    FRELAY = 107,
    LOOP = 108,
    LINUX_SLL = 113,
    LTALK = 114,
    PFLOG = 117,
    IEEE802_11_PRISM = 119,
    IP_OVER_FC = 122,
    SUNATM = 123,
    IEEE802_11_RADIOTAP = 127,
    ARCNET_LINUX = 129,
    APPLE_IP_OVER_IEEE1394 = 138,
    MTP2_WITH_PHDR = 139,
    MTP2 = 140,
    MTP3 = 141,
    SCCP = 142,
    DOCSIS = 143,
    LINUX_IRDA = 144,
    IEEE802_11_AVS = 163,
    BACNET_MS_TP = 165,
    PPP_PPPD = 166,
    GPRS_LLC = 169,
    LINUX_LAPD = 177,
    MFR = 182,
    BLUETOOTH_HCI_H4 = 187,
    USB_LINUX = 189,
    PPI = 192,
    IEEE802_15_4_WITHFCS = 195,
    SITA = 196,
    ERF = 197,
    BLUETOOTH_HCI_H4_WITH_PHDR = 201,
    AX25_KISS = 202,
    LAPD = 203,
    PPP_WITH_DIR = 204,
    C_HDLC_WITH_DIR = 205,
    FRELAY_WITH_DIR = 206,
    LAPB_WITH_DIR = 207,
    IPMB_LINUX = 209,
    IEEE802_15_4_NONASK_PHY = 215,
    USB_LINUX_MMAPPED = 220,
    FC_2 = 224,
    FC_2_WITH_FRAME_DELIMS = 225,
    IPNET = 226,
    CAN_SOCKETCAN = 227,
    IPV4 = 228,
    IPV6 = 229,
    IEEE802_15_4_NOFCS = 230,
    DBUS = 231,
    DVB_CI = 235,
    MUX27010 = 236,
    STANAG_5066_D_PDU = 237,
    NFLOG = 239,
    NETANALYZER = 240,
    NETANALYZER_TRANSPARENT = 241,
    IPOIB = 242,
    MPEG_2_TS = 243,
    NG40 = 244,
    NFC_LLCP = 245,
    INFINIBAND = 247,
    SCTP = 248,
    USBPCAP = 249,
    RTAC_SERIAL = 250,
    BLUETOOTH_LE_LL = 251,
    NETLINK = 253,
    BLUETOOTH_LINUX_MONITOR = 254,
    BLUETOOTH_BREDR_BB = 255,
    BLUETOOTH_LE_LL_WITH_PHDR = 256,
    PROFIBUS_DL = 257,
    PKTAP = 258,
    EPON = 259,
    IPMI_HPM_2 = 260,
    ZWAVE_R1_R2 = 261,
    ZWAVE_R3 = 262,
    WATTSTOPPER_DLM = 263,
    ISO_14443 = 264,
    RDS = 265,
    USB_DARWIN = 266,
    SDLC = 268,
    LORATAP = 270,
    VSOCK = 271,
    NORDIC_BLE = 272,
    DOCSIS31_XRA31 = 273,
    ETHERNET_MPACKET = 274,
    DISPLAYPORT_AUX = 275,
    LINUX_SLL2 = 276,
    SERCOS_MONITOR = 277,
    OPENVIZSLA = 278,
    EBHSCR = 279,
    VPP_DISPATCH = 280,
    DSA_TAG_BRCM = 281,
    DSA_TAG_BRCM_PREPEND = 282,
    IEEE802_15_4_TAP = 283,
    DSA_TAG_DSA = 284,
    DSA_TAG_EDSA = 285,
    ELEE = 286,
    Z_WAVE_SERIAL = 287,
    USB_2_0 = 288,
    ATSC_ALP = 289,
    ETW = 290,
}

impl LinkType {
    /// 12: what most systems call `DLT_RAW` in memory; some writers put it into files instead of 101.
    pub const RAW_BSD: Self = Self(12);
    /// 14: OpenBSD's `DLT_RAW`, likewise.
    pub const RAW_OPENBSD: Self = Self(14);
}

impl fmt::Display for LinkType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "LINKTYPE {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_registers() {
        // https://www.tcpdump.org/linktypes.html
        assert_eq!(LinkType(1).name(), Some("ETHERNET"));
        assert_eq!(LinkType(127).name(), Some("IEEE802_11_RADIOTAP"));
        assert_eq!(LinkType(276).to_string(), "LINUX_SLL2");
        assert_eq!(LinkType(12).name(), Some("RAW"));
        assert_eq!(LinkType(4711).name(), None);
        assert_eq!(LinkType(4711).to_string(), "LINKTYPE 4711");
    }
}
