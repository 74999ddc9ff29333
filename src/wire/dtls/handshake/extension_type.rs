//! Extension types (IANA "TLS ExtensionType Values") that are read here.

/// `server_name` (RFC 6066).
pub const SERVER_NAME: u16 = 0;
/// `supported_groups` (RFC 8446).
pub const SUPPORTED_GROUPS: u16 = 10;
/// `signature_algorithms` (RFC 8446).
pub const SIGNATURE_ALGORITHMS: u16 = 13;
/// `use_srtp` (RFC 5764).
pub const USE_SRTP: u16 = 14;
/// `application_layer_protocol_negotiation` (RFC 7301).
pub const ALPN: u16 = 16;
/// `encrypt_then_mac` (RFC 7366).
pub const ENCRYPT_THEN_MAC: u16 = 22;
/// `extended_master_secret` (RFC 7627).
pub const EXTENDED_MASTER_SECRET: u16 = 23;
/// `supported_versions` (RFC 8446).
pub const SUPPORTED_VERSIONS: u16 = 43;
/// `cookie` (RFC 8446).
pub const COOKIE: u16 = 44;
/// `key_share` (RFC 8446).
pub const KEY_SHARE: u16 = 51;
/// `connection_id` (RFC 9146, RFC 9147).
pub const CONNECTION_ID: u16 = 54;
