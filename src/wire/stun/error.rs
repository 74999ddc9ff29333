//! Error codes: what they are called and what they say to the one who asked.

/// The name of an error code in the IANA registry "STUN Error Codes"; `None` where it has none.
#[must_use]
pub const fn error_name(code: u16) -> Option<&'static str> {
    Some(match code {
        300 => "Try Alternate",
        400 => "Bad Request",
        401 => "Unauthenticated",
        403 => "Forbidden",
        405 => "Mobility Forbidden",
        420 => "Unknown Attribute",
        430 => "Stale Credentials",
        431 => "Integrity Check Failure",
        432 => "Missing Username",
        433 => "Use TLS",
        437 => "Allocation Mismatch",
        438 => "Stale Nonce",
        440 => "Address Family not Supported",
        441 => "Wrong Credentials",
        442 => "Unsupported Transport Protocol",
        443 => "Peer Address Family Mismatch",
        446 => "Connection Already Exists",
        447 => "Connection Timeout or Failure",
        486 => "Allocation Quota Reached",
        487 => "Role Conflict",
        500 => "Server Error",
        508 => "Insufficient Capacity",
        600 => "Global Failure",
        _ => return None,
    })
}

/// What an error code tells the one who asked (RFC 8489 section 14.8, RFC 8656 section 19, RFC 8445 section 7.3.1.1,
/// RFC 6062 section 6.3, RFC 8016 section 3.5). `credentials` is whether the request had any: without, 401 is the
/// challenge that every conversation with a server starts with.
#[must_use]
pub const fn error_meaning(code: u16, credentials: bool) -> Option<&'static str> {
    Some(match (code, credentials) {
        (300, _) => "the server names another one to ask",
        (400, _) => "the request is malformed, or misses an attribute that it needs",
        (401, false) => "the server asks for credentials: the usual first answer",
        (401, true) => "the credentials are wrong or have expired, or the two ends do not have the same password",
        (403, _) => "the server's policy forbids it, often for the peer's address",
        (405, _) => "the server does not allow an allocation to move",
        (420, _) => "the request holds an attribute that the server must understand and does not",
        (430..=433, _) => "a refusal of RFC 3489: credentials are missing, stale or wrong",
        (437, _) => {
            "the server has no such allocation for this address, or has one already: it expired, was given back, \
            or belongs to other credentials"
        }
        (438, _) => "the nonce is too old: the client is to ask again with the new one",
        (440, _) => "the server has no addresses of the family asked for",
        (441, _) => "the credentials are not those that made the allocation",
        (442, _) => "the server does not relay the transport asked for",
        (443, _) => "the peer's address is of another family than the relayed address",
        (446, _) => "a connection to this peer exists already",
        (447, _) => "the server could not connect to the peer",
        (486, _) => "this user has no more allocations left at the server",
        (487, _) => "both agents claim the same role: one must change",
        (500, _) => "the server has a fault for the moment",
        (508, _) => "the server has no more ports or bandwidth",
        (300..=399, _) => "the server wants the request to go elsewhere",
        (400..=499, _) => "the server refuses the request as it is: the same one will be refused again",
        (500..=599, _) => "the server has a fault for the moment: the request may be sent again",
        (600..=699, _) => "no server will do this: the request is not to be sent again, here or elsewhere",
        _ => return None,
    })
}
