//! TURN from the first Allocate to the end of the allocation, in captures put together by hand, over UDP and TCP; and the
//! life cycles of public captures against what tshark shows of them.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;
mod craft;
mod dialogue;

use common::{Run, analyze, frames, list, unsigned};
use craft::{Address, rtp};
use dialogue::{
    ALLOCATE, Attribute, BINDING, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, Connection, DATA, DATA_INDICATION,
    Dialogue, ERROR, INDICATION, LIFETIME, MESSAGE_INTEGRITY, NONCE, REALM, REFRESH, REQUESTED_TRANSPORT, SEND,
    SOFTWARE, SUCCESS, TRIP, USERNAME, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS, error, host_name, mapped, message, name,
    xored,
};
use serde_json::Value;

const CLIENT: Address = ([10, 0, 0, 1], 5000);
const SERVER: Address = ([198, 51, 100, 1], 3478);
const RELAYED: Address = ([198, 51, 100, 1], 49_152);
const OUTSIDE: Address = ([203, 0, 113, 7], 40_000);
const PEER: Address = ([192, 0, 2, 9], 6000);

/// A client of a TURN server: its path, and the nonce that it uses.
struct Client {
    path: Path,
    nonce: u8,
}

enum Path {
    Udp,
    Tcp(Connection),
}

impl Client {
    fn udp() -> Self {
        Self { path: Path::Udp, nonce: 0 }
    }

    fn tcp(dialogue: &mut Dialogue) -> Self {
        Self { path: Path::Tcp(Connection::open(dialogue, 0.0, CLIENT, SERVER)), nonce: 0 }
    }

    fn sends(&mut self, dialogue: &mut Dialogue, seconds: f64, bytes: &[u8]) {
        match &mut self.path {
            Path::Udp => dialogue.datagram(seconds, CLIENT, SERVER, bytes),
            Path::Tcp(connection) => connection.client_sends(dialogue, seconds, bytes),
        }
    }

    fn receives(&mut self, dialogue: &mut Dialogue, seconds: f64, bytes: &[u8]) {
        match &mut self.path {
            Path::Udp => dialogue.datagram(seconds, SERVER, CLIENT, bytes),
            Path::Tcp(connection) => connection.server_sends(dialogue, seconds, bytes),
        }
    }

    /// A request with credentials that succeeds.
    fn asks(
        &mut self,
        dialogue: &mut Dialogue,
        seconds: f64,
        method: u16,
        request: &[Attribute],
        answer: &[Attribute],
    ) {
        let id = dialogue.transaction();
        let request = message(method, id, &[request, &self.credentials()].concat());
        self.sends(dialogue, seconds, &request);
        self.receives(dialogue, seconds + TRIP, &message(method | SUCCESS, id, answer));
    }

    /// A request that is refused.
    fn is_refused(&mut self, dialogue: &mut Dialogue, seconds: f64, method: u16, code: u16) {
        let id = dialogue.transaction();
        let attributes = if self.nonce == 0 { Vec::new() } else { self.credentials() };
        self.sends(dialogue, seconds, &message(method, id, &attributes));
        let mut answer = vec![error(code)];
        // Both bring a new nonce (RFC 8489 section 9.2.4).
        if matches!(code, 401 | 438) {
            self.nonce += 1;
            answer.extend([(REALM, b"example.org".to_vec()), (NONCE, vec![b'a' + self.nonce; 16])]);
        }
        self.receives(dialogue, seconds + TRIP, &message(method | ERROR, id, &answer));
    }

    /// The challenge, then an allocation of `lifetime` seconds at 0.1 s.
    fn allocates(&mut self, dialogue: &mut Dialogue, lifetime: u32) {
        self.is_refused(dialogue, 0.01, ALLOCATE, 401);
        self.asks(dialogue, 0.1, ALLOCATE, &[transport()], &allocation(lifetime));
    }

    fn credentials(&self) -> Vec<Attribute> {
        vec![
            (USERNAME, b"user".to_vec()),
            (REALM, b"example.org".to_vec()),
            (NONCE, vec![b'a' + self.nonce; 16]),
            (MESSAGE_INTEGRITY, vec![0x17; 20]),
        ]
    }
}

fn transport() -> Attribute {
    (REQUESTED_TRANSPORT, vec![17, 0, 0, 0])
}

fn lifetime(seconds: u32) -> Attribute {
    (LIFETIME, seconds.to_be_bytes().to_vec())
}

fn allocation(seconds: u32) -> [Attribute; 4] {
    [(XOR_RELAYED_ADDRESS, xored(RELAYED)), mapped(OUTSIDE), lifetime(seconds), (SOFTWARE, b"relay 1.0".to_vec())]
}

fn peer(address: Address) -> Attribute {
    (XOR_PEER_ADDRESS, xored(address))
}

fn channel(number: u16) -> Attribute {
    (CHANNEL_NUMBER, [number.to_be_bytes(), [0, 0]].concat())
}

/// ChannelData (RFC 8656 section 12.4), filled up as TCP needs it.
fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let mut frame = [number.to_be_bytes(), (data.len() as u16).to_be_bytes()].concat();
    frame.extend(data);
    frame.resize(frame.len().next_multiple_of(4), 0);
    frame
}

fn indication(dialogue: &mut Dialogue, method: u16, data: &[u8]) -> Vec<u8> {
    let id = dialogue.transaction();
    message(method | INDICATION, id, &[peer(PEER), (DATA, data.to_vec())])
}

/// The only TURN server of the only call.
fn turn(run: &Run) -> &Value {
    let sessions: Vec<&Value> = run.sessions().collect();
    assert_eq!(sessions.len(), 1, "{} calls", sessions.len());
    let servers = list(&sessions[0]["connecting"]["turn"]);
    assert_eq!(servers.len(), 1);
    &servers[0]
}

fn expect(turn: &Value, fields: &[(&str, Value)]) {
    for (field, value) in fields {
        assert_eq!(&turn[field], value, "{field}");
    }
}

fn near(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap_or(f64::NAN);
    assert!((value - expected).abs() < 1e-6, "{value}, not {expected}");
}

/// 20 minutes, all that a client does in them, the same over both transports.
#[test]
fn a_life_cycle() {
    for transport in ["udp", "tcp"] {
        let mut dialogue = Dialogue::default();
        let mut client = if transport == "udp" { Client::udp() } else { Client::tcp(&mut dialogue) };
        client.allocates(&mut dialogue, 600);
        client.asks(&mut dialogue, 0.2, CREATE_PERMISSION, &[peer(PEER)], &[]);
        for number in 0..10 {
            let seconds = 0.3 + 0.02 * f64::from(number);
            let out = indication(&mut dialogue, SEND, &rtp(0xa1, number, 160 * u32::from(number), 80));
            client.sends(&mut dialogue, seconds, &out);
            let back = indication(&mut dialogue, DATA_INDICATION, &rtp(0xa2, number, 160 * u32::from(number), 60));
            client.receives(&mut dialogue, seconds + 0.01, &back);
        }
        client.asks(&mut dialogue, 0.55, CHANNEL_BIND, &[channel(0x4001), peer(PEER)], &[]);
        for number in 10..50 {
            let seconds = 0.4 + 0.02 * f64::from(number);
            let out = channel_data(0x4001, &rtp(0xa1, number, 160 * u32::from(number), 80));
            client.sends(&mut dialogue, seconds, &out);
            let back = channel_data(0x4001, &rtp(0xa2, number, 160 * u32::from(number), 60));
            client.receives(&mut dialogue, seconds + 0.01, &back);
        }
        client.asks(&mut dialogue, 240.0, CREATE_PERMISSION, &[peer(PEER)], &[]);
        client.asks(&mut dialogue, 480.0, CHANNEL_BIND, &[channel(0x4001), peer(PEER)], &[]);
        client.is_refused(&mut dialogue, 540.0, REFRESH, 438);
        client.asks(&mut dialogue, 540.1, REFRESH, &[lifetime(600)], &[lifetime(600)]);
        client.asks(&mut dialogue, 1080.0, REFRESH, &[lifetime(600)], &[lifetime(300)]);
        client.asks(&mut dialogue, 1200.0, REFRESH, &[lifetime(0)], &[lifetime(0)]);
        let run = dialogue.run();
        let turn = turn(&run);
        expect(
            turn,
            &[
                ("server", name(SERVER).into()),
                ("client", name(CLIENT).into()),
                ("transport", transport.into()),
                ("username", "user".into()),
                ("realm", "example.org".into()),
                ("software", "relay 1.0".into()),
                ("relayedAddress", host_name(RELAYED.0).into()),
                ("relayedPort", RELAYED.1.into()),
                ("mappedAddress", host_name(OUTSIDE.0).into()),
                ("mappedPort", OUTSIDE.1.into()),
                ("lifetime", 300.into()),
                ("refreshes", 2.into()),
                ("expired", false.into()),
                ("challenges", 1.into()),
                ("refusals", 0.into()),
                ("staleNonces", 1.into()),
                ("longestStaleRun", 1.into()),
                ("nonces", 2.into()),
                // Two Allocate, two CreatePermission, two ChannelBind, four Refresh.
                ("requests", 10.into()),
                ("retransmissions", 0.into()),
                ("unanswered", 0.into()),
                ("packetsRelayed", 100.into()),
                ("bytesRelayed", (50 * (92 + 72)).into()),
            ],
        );
        near(&turn["roundTripTime"], TRIP);
        let allocations = list(&turn["allocations"]);
        assert_eq!(allocations.len(), 1);
        expect(&allocations[0], &[("refreshes", 2.into()), ("lifetime", 300.into()), ("expired", false.into())]);
        // Seconds count from the first packet.
        let start = if transport == "udp" { 0.01 } else { 0.0 };
        near(&allocations[0]["grantedTime"], 0.1 + TRIP - start);
        near(&allocations[0]["deletedTime"], 1200.0 + TRIP - start);
        // Two for CreatePermission, and two as a channel gives leave too (RFC 8656 section 12).
        let permissions = list(&turn["permissions"]);
        assert_eq!(permissions.len(), 1);
        expect(&permissions[0], &[("peer", host_name(PEER.0).into()), ("grants", 4.into())]);
        let channels = list(&turn["channels"]);
        assert_eq!(channels.len(), 1);
        expect(&channels[0], &[("number", 0x4001.into()), ("peer", name(PEER).into()), ("refreshes", 1.into())]);
        let peers = list(&turn["peers"]);
        assert_eq!(peers.len(), 1);
        expect(
            &peers[0],
            &[
                ("peer", name(PEER).into()),
                ("packetsSent", 50.into()),
                ("bytesSent", (50 * 92).into()),
                ("packetsReceived", 50.into()),
                ("bytesReceived", (50 * 72).into()),
            ],
        );
        let streams = run.streams();
        assert_eq!(streams.len(), 2);
        for stream in streams {
            expect(
                stream,
                &[
                    ("packetsReceived", 50.into()),
                    ("packetsLost", 0.into()),
                    ("packetsDuplicated", 0.into()),
                    ("relay", name(SERVER).into()),
                ],
            );
        }
    }
}

/// RFC 8656 section 7: an allocation ends by its lifetime unless a refresh comes before.
#[test]
fn an_allocation_expires() {
    for (refreshed, expired) in [(false, true), (true, false)] {
        let mut dialogue = Dialogue::default();
        let mut client = Client::udp();
        client.allocates(&mut dialogue, 60);
        client.asks(&mut dialogue, 0.2, CREATE_PERMISSION, &[peer(PEER)], &[]);
        if refreshed {
            client.asks(&mut dialogue, 50.0, REFRESH, &[lifetime(60)], &[lifetime(60)]);
        }
        for second in 1..100 {
            let data = rtp(0xa1, second, 8000 * u32::from(second), 80);
            let out = indication(&mut dialogue, SEND, &data);
            client.sends(&mut dialogue, f64::from(second), &out);
        }
        let run = dialogue.run();
        let turn = turn(&run);
        expect(turn, &[("expired", expired.into()), ("refreshes", u64::from(refreshed).into())]);
        let allocation = &list(&turn["allocations"])[0];
        expect(allocation, &[("expired", expired.into()), ("deletedTime", Value::Null), ("lifetime", 60.into())]);
    }
}

#[test]
fn permissions_and_channels_of_several_peers() {
    let others: [Address; 2] = [([192, 0, 2, 10], 7000), ([192, 0, 2, 11], 7000)];
    let mut dialogue = Dialogue::default();
    let mut client = Client::udp();
    client.allocates(&mut dialogue, 600);
    // Two peers in one request (RFC 8656 section 10.1), one of them again.
    client.asks(&mut dialogue, 1.0, CREATE_PERMISSION, &[peer(PEER), peer(others[0])], &[]);
    client.asks(&mut dialogue, 2.0, CREATE_PERMISSION, &[peer(others[0])], &[]);
    // Another port of the peer is covered: permissions are of addresses.
    client.asks(&mut dialogue, 3.0, CREATE_PERMISSION, &[peer((PEER.0, 6001))], &[]);
    client.asks(&mut dialogue, 4.0, CHANNEL_BIND, &[channel(0x4000), peer(others[1])], &[]);
    client.asks(&mut dialogue, 5.0, CHANNEL_BIND, &[channel(0x4fff), peer(PEER)], &[]);
    client.is_refused(&mut dialogue, 6.0, CREATE_PERMISSION, 403);
    let run = dialogue.run();
    let turn = turn(&run);
    let permissions: Vec<(&str, u64)> = list(&turn["permissions"])
        .iter()
        .map(|permission| (permission["peer"].as_str().unwrap(), permission["grants"].as_u64().unwrap()))
        .collect();
    assert_eq!(permissions, [("192.0.2.9", 3), ("192.0.2.10", 2), ("192.0.2.11", 1)]);
    // The answers: the sixth packet is the first of them.
    let packets: Vec<&Value> = list(&turn["permissions"]).iter().map(|permission| &permission["packet"]).collect();
    assert_eq!(packets, [6, 6, 12]);
    let channels: Vec<(u64, &str, &Value)> = list(&turn["channels"])
        .iter()
        .map(|channel| (channel["number"].as_u64().unwrap(), channel["peer"].as_str().unwrap(), &channel["packet"]))
        .collect();
    assert_eq!(channels, [(0x4000, "192.0.2.11:7000", &12.into()), (0x4fff, "192.0.2.9:6000", &14.into())]);
    let forbidden = list(&turn["errors"]).last().unwrap();
    expect(
        forbidden,
        &[("method", "CreatePermission".into()), ("code", 403.into()), ("count", 1.into()), ("firstPacket", 16.into())],
    );
}

#[test]
fn runs_of_stale_nonces() {
    let mut dialogue = Dialogue::default();
    let mut client = Client::udp();
    client.allocates(&mut dialogue, 600);
    for second in 1..6 {
        client.is_refused(&mut dialogue, f64::from(second), REFRESH, 438);
    }
    client.asks(&mut dialogue, 6.0, REFRESH, &[lifetime(600)], &[lifetime(600)]);
    for second in 7..9 {
        client.is_refused(&mut dialogue, f64::from(second), REFRESH, 438);
    }
    client.asks(&mut dialogue, 9.0, REFRESH, &[lifetime(600)], &[lifetime(600)]);
    let run = dialogue.run();
    expect(
        turn(&run),
        &[
            ("staleNonces", 7.into()),
            ("longestStaleRun", 5.into()),
            ("nonces", 8.into()),
            ("refreshes", 2.into()),
            ("challenges", 1.into()),
        ],
    );
}

#[test]
fn one_allocation_after_the_other() {
    let mut dialogue = Dialogue::default();
    let mut client = Client::udp();
    client.allocates(&mut dialogue, 600);
    client.asks(&mut dialogue, 10.0, REFRESH, &[lifetime(0)], &[lifetime(0)]);
    let mut second = allocation(600);
    second[0].1 = xored((RELAYED.0, 50_001));
    client.asks(&mut dialogue, 20.0, ALLOCATE, &[transport()], &second);
    client.asks(&mut dialogue, 21.0, REFRESH, &[lifetime(900)], &[lifetime(900)]);
    let run = dialogue.run();
    let turn = turn(&run);
    let allocations = list(&turn["allocations"]);
    let ports: Vec<&Value> = allocations.iter().map(|allocation| &allocation["relayedPort"]).collect();
    assert_eq!(ports, [49_152, 50_001]);
    near(&allocations[0]["deletedTime"], 10.0 + TRIP - 0.01);
    expect(&allocations[1], &[("deletedTime", Value::Null), ("lifetime", 900.into()), ("refreshes", 1.into())]);
    expect(&allocations[0], &[("lifetime", 600.into()), ("refreshes", 0.into()), ("expired", false.into())]);
    expect(turn, &[("relayedPort", 50_001.into()), ("lifetime", 900.into())]);
}

#[test]
fn wrong_credentials() {
    for transport in ["udp", "tcp"] {
        let mut dialogue = Dialogue::default();
        let mut client = if transport == "udp" { Client::udp() } else { Client::tcp(&mut dialogue) };
        client.is_refused(&mut dialogue, 0.01, ALLOCATE, 401);
        client.is_refused(&mut dialogue, 0.1, ALLOCATE, 401);
        let run = dialogue.run();
        let turn = turn(&run);
        expect(
            turn,
            &[
                ("challenges", 1.into()),
                ("refusals", 1.into()),
                ("relayedAddress", Value::Null),
                ("lifetime", Value::Null),
                ("transport", transport.into()),
            ],
        );
        let errors = list(&turn["errors"]);
        assert_eq!(errors.len(), 2);
        for (error, challenge) in errors.iter().zip([true, false]) {
            expect(error, &[("code", 401.into()), ("challenge", challenge.into()), ("count", 1.into())]);
        }
        assert!(errors[1]["meaning"].as_str().unwrap().contains("credentials are wrong"));
        assert_eq!(run.sessions().next().unwrap()["connecting"]["status"], "failed");
    }
}

/// An Allocate that nobody answers, and one more that is.
#[test]
fn an_allocate_without_an_answer() {
    let mut dialogue = Dialogue::default();
    let mut client = Client::udp();
    let silent = dialogue.transaction();
    for wait in [0.0, 0.5, 1.5] {
        client.sends(&mut dialogue, wait, &message(ALLOCATE, silent, &[transport()]));
    }
    client.is_refused(&mut dialogue, 10.0, ALLOCATE, 401);
    let run = dialogue.run();
    expect(turn(&run), &[("requests", 2.into()), ("retransmissions", 2.into()), ("unanswered", 1.into())]);
}

/// The codes that IANA's registry "STUN Error Codes" gives, and a word of what each says by its RFC.
const CODES: [(u16, &str, &str); 19] = [
    (300, "Try Alternate", "another"),
    (400, "Bad Request", "malformed"),
    (401, "Unauthenticated", "credentials"),
    (403, "Forbidden", "forbids"),
    (405, "Mobility Forbidden", "move"),
    (420, "Unknown Attribute", "attribute"),
    (437, "Allocation Mismatch", "allocation"),
    (438, "Stale Nonce", "nonce"),
    (440, "Address Family not Supported", "family"),
    (441, "Wrong Credentials", "credentials"),
    (442, "Unsupported Transport Protocol", "transport"),
    (443, "Peer Address Family Mismatch", "family"),
    (446, "Connection Already Exists", "exists"),
    (447, "Connection Timeout or Failure", "connect"),
    (486, "Allocation Quota Reached", "allocations"),
    (487, "Role Conflict", "role"),
    (500, "Server Error", "fault"),
    (508, "Insufficient Capacity", "no more"),
    (600, "Global Failure", "not to be sent again"),
];

#[test]
fn every_error_code_has_its_name_and_its_meaning() {
    let mut dialogue = Dialogue::default();
    let mut client = Client { nonce: 1, ..Client::udp() };
    for (second, (code, ..)) in CODES.iter().enumerate() {
        client.is_refused(&mut dialogue, second as f64, ALLOCATE, *code);
    }
    // No code of any registry: its class still tells (RFC 8489 section 14.8).
    client.is_refused(&mut dialogue, 30.0, ALLOCATE, 699);
    let run = dialogue.run();
    let errors = list(&turn(&run)["errors"]);
    assert_eq!(errors.len(), CODES.len() + 1);
    for (order, (error, (code, name, word))) in errors.iter().zip(CODES).enumerate() {
        expect(
            error,
            &[
                ("method", "Allocate".into()),
                ("code", code.into()),
                ("name", name.into()),
                ("count", 1.into()),
                ("firstPacket", (2 * order + 2).into()),
            ],
        );
        let meaning = error["meaning"].as_str().unwrap_or_default();
        assert!(meaning.contains(word), "{code}: {meaning:?} does not say {word:?}");
    }
    let unknown = errors.last().unwrap();
    expect(unknown, &[("code", 699.into()), ("name", Value::Null)]);
    assert!(unknown["meaning"].as_str().unwrap_or_default().contains("not to be sent again"), "{unknown}");
}

/// RFC 8656 section 9: a permission lives 300 s, whatever the allocation does; section 12: a channel 600 s.
#[test]
fn a_permission_that_ends() {
    for refreshed in [false, true] {
        let mut dialogue = Dialogue::default();
        let mut client = Client::udp();
        client.allocates(&mut dialogue, 3600);
        client.asks(&mut dialogue, 1.0, CREATE_PERMISSION, &[peer(PEER)], &[]);
        let until = if refreshed {
            client.asks(&mut dialogue, 250.0, CREATE_PERMISSION, &[peer(PEER)], &[]);
            400.0
        } else {
            301.0
        };
        for number in 0..400_u16 {
            let packet = rtp(0xa1, number, 8000 * u32::from(number), 80);
            let seconds = 2.0 + f64::from(number);
            let data = indication(&mut dialogue, SEND, &packet);
            client.sends(&mut dialogue, seconds, &data);
            if seconds < until {
                let data = indication(&mut dialogue, DATA_INDICATION, &rtp(0xa2, number, 8000 * u32::from(number), 80));
                client.receives(&mut dialogue, seconds + 0.01, &data);
            }
        }
        let run = dialogue.run();
        let permission = &list(&turn(&run)["permissions"])[0];
        let told: Vec<&Value> =
            list(&run.report["findings"]).iter().filter(|finding| finding["rule"] == "CON002").collect();
        if refreshed {
            assert_eq!((&permission["lapsedTime"], told.len()), (&Value::Null, 0));
        } else {
            // From the answer that granted it; the first packet comes at 0.01 s.
            near(&permission["lapsedTime"], 1.0 + TRIP + 300.0 - 0.01);
            let message = told[0]["message"].as_str().unwrap();
            assert!(told.len() == 1 && message.contains(&host_name(PEER.0)), "{told:?}");
        }
    }
}

#[test]
fn a_channel_that_ends() {
    let mut dialogue = Dialogue::default();
    let mut client = Client::udp();
    client.allocates(&mut dialogue, 3600);
    client.asks(&mut dialogue, 1.0, CHANNEL_BIND, &[channel(0x4000), peer(PEER)], &[]);
    for refresh in 1..4 {
        client.asks(&mut dialogue, 250.0 * f64::from(refresh), CREATE_PERMISSION, &[peer(PEER)], &[]);
    }
    for number in 0..700_u16 {
        let seconds = 2.0 + f64::from(number);
        client.sends(&mut dialogue, seconds, &channel_data(0x4000, &rtp(0xa1, number, 8000 * u32::from(number), 80)));
        if seconds < 601.0 {
            let packet = rtp(0xa2, number, 8000 * u32::from(number), 80);
            client.receives(&mut dialogue, seconds + 0.01, &channel_data(0x4000, &packet));
        }
    }
    let run = dialogue.run();
    let turn = turn(&run);
    assert_eq!(list(&turn["permissions"])[0]["lapsedTime"], Value::Null);
    near(&list(&turn["channels"])[0]["lapsedTime"], 1.0 + TRIP + 600.0 - 0.01);
    let told = list(&run.report["findings"]).iter().find(|finding| finding["rule"] == "CON002").expect("a finding");
    assert!(told["message"].as_str().unwrap().contains("0x4000"), "{told}");
}

/// RFC 8489 sections 10 and 14.10.
#[test]
fn what_a_server_names() {
    let other: Address = ([198, 51, 100, 2], 3479);
    let mut dialogue = Dialogue::default();
    let client = Client { nonce: 1, ..Client::udp() };
    for (seconds, code, attribute) in [
        (0.0, 300, (0x8023, [vec![0, 1], other.1.to_be_bytes().to_vec(), other.0.to_vec()].concat())),
        (1.0, 420, (0x000a, vec![0x00, 0x1a, 0x7f, 0x01])),
    ] {
        let id = dialogue.transaction();
        let request = message(ALLOCATE, id, &[&[transport()], client.credentials().as_slice()].concat());
        dialogue.datagram(seconds, CLIENT, SERVER, &request);
        dialogue.datagram(seconds + TRIP, SERVER, CLIENT, &message(ALLOCATE | ERROR, id, &[error(code), attribute]));
    }
    let run = dialogue.run();
    let sessions: Vec<&Value> = run.sessions().collect();
    let connecting = &sessions[0]["connecting"];
    assert_eq!(connecting["alternateServers"], serde_json::json!([name(other)]));
    // IANA: 0x001A is DONT-FRAGMENT; 0x7F01 is nobody's.
    assert_eq!(connecting["unknownAttributes"], serde_json::json!(["DONT-FRAGMENT", "0x7f01"]));
}

/// More permissions than are listed: counted, and told.
#[test]
fn a_list_that_is_full() {
    for (peers, omitted) in [(256_u16, None), (260, Some("4 entries"))] {
        let mut dialogue = Dialogue::default();
        let mut client = Client::udp();
        client.allocates(&mut dialogue, 600);
        for number in 0..peers {
            let [high, low] = number.to_be_bytes();
            let address = peer(([192, 0, high, low], 6000));
            client.asks(&mut dialogue, 1.0 + 0.1 * f64::from(number), CREATE_PERMISSION, &[address], &[]);
        }
        let run = dialogue.run();
        assert_eq!(list(&turn(&run)["permissions"]).len(), 256);
        let told: Vec<&str> = list(&run.report["findings"])
            .iter()
            .filter(|finding| finding["rule"] == "CAP014")
            .map(|finding| finding["message"].as_str().unwrap())
            .collect();
        assert_eq!(told.len(), usize::from(omitted.is_some()), "{told:?}");
        assert!(omitted.is_none_or(|omitted| told[0].contains(omitted)), "{told:?}");
    }
}

/// An error inside a Data indication is the peer's answer, and none of the server's.
#[test]
fn a_check_refused_through_a_relay() {
    let mut dialogue = Dialogue::default();
    let mut client = Client::udp();
    client.allocates(&mut dialogue, 600);
    client.asks(&mut dialogue, 0.2, CREATE_PERMISSION, &[peer(PEER)], &[]);
    let (id, out) = (dialogue.transaction(), dialogue.transaction());
    let check =
        message(BINDING, id, &[(USERNAME, b"BBBB:AAAA".to_vec()), (0x0024, vec![1, 2, 3, 4]), (0x802a, vec![1; 8])]);
    let refused = message(BINDING | ERROR, id, &[error(487)]);
    client.sends(&mut dialogue, 1.0, &message(SEND | INDICATION, out, &[peer(PEER), (DATA, check)]));
    let answer = message(DATA_INDICATION | INDICATION, out, &[peer(PEER), (DATA, refused)]);
    client.receives(&mut dialogue, 1.1, &answer);
    let run = dialogue.run();
    let session = run.sessions().next().unwrap();
    let pair = &session["connecting"]["candidatePairs"][0];
    expect(pair, &[("relayed", true.into()), ("relay", name(SERVER).into()), ("requestsSent", 1.into())]);
    assert_eq!(pair["local"]["port"], RELAYED.1);
    assert_eq!((&pair["errors"][0]["code"], &pair["errors"][0]["name"]), (&487.into(), &"Role Conflict".into()));
    assert_eq!(session["connecting"]["roleConflicts"], 1);
    assert_eq!(list(&turn(&run)["errors"]).len(), 1, "the challenge alone is the server's");
}

/// What tshark 4.4 shows of one client of a TURN server in a public capture.
struct Known {
    capture: &'static str,
    client: &'static str,
    server: &'static str,
    realm: &'static str,
    /// Transactions: ids of requests, each once.
    requests: u64,
    retransmissions: u64,
    relayed: (&'static str, u16),
    lifetime: u64,
    /// The frame of the Allocate success.
    granted: u64,
    /// When a Refresh to 0 first succeeded.
    deleted: Option<f64>,
    /// Peers of the CreatePermission requests that succeeded, and how often.
    permissions: &'static [(&'static str, u64)],
    /// Method, code, how often, first frame.
    errors: &'static [(&'static str, u64, u64, u64)],
}

/// Of a call of Telegram, in which a phone asks three servers from two ports each, and gives all back in the end.
const TELEGRAM: Known = Known {
    capture: "nDPI__telegram_videocall.pcapng",
    client: "",
    server: "",
    realm: "telegram.org",
    requests: 0,
    retransmissions: 0,
    relayed: ("", 0),
    lifetime: 60,
    granted: 0,
    deleted: None,
    permissions: &[],
    errors: &[],
};

/// `tshark -n -r FILE -d tcp.port==80,stun -Y 'stun.type.method in {0x003,0x004,0x008,0x009}' -T fields -e frame.number
/// -e frame.time_relative -e udp.srcport -e tcp.srcport -e stun.type -e stun.id -e stun.att.error.class -e stun.att.error
/// -e stun.att.lifetime -e stun.att.ipv4 -e stun.att.port -e stun.att.realm`
const KNOWN: [Known; 8] = [
    Known {
        capture: "arkime__turn.pcap",
        client: "192.168.1.75:61109",
        server: "141.101.90.1:80",
        realm: "turn.cloudflare.com",
        requests: 9,
        retransmissions: 0,
        relayed: ("104.30.147.243", 51_142),
        lifetime: 600,
        granted: 9,
        deleted: None,
        permissions: &[("108.56.17.155", 2), ("104.30.147.248", 1)],
        // The second error has no ERROR-CODE.
        errors: &[("Allocate", 401, 1, 6), ("CreatePermission", 0, 1, 14)],
    },
    Known {
        capture: "nDPI__stun_dtls_rtp.pcapng",
        client: "192.168.12.182:50221",
        server: "142.250.82.249:3478",
        realm: "turn.l.google.com",
        requests: 4,
        retransmissions: 1,
        relayed: ("10.13.0.62", 15_530),
        lifetime: 120,
        granted: 48,
        deleted: None,
        permissions: &[("10.13.0.50", 1)],
        errors: &[("Allocate", 401, 1, 46)],
    },
    Known {
        client: "192.168.12.169:40643",
        server: "91.108.9.35:1400",
        requests: 7,
        relayed: ("91.108.9.35", 56_058),
        granted: 569,
        deleted: Some(33.547_902_110),
        permissions: &[("93.36.13.115", 2), ("91.108.9.35", 1)],
        errors: &[("Allocate", 401, 1, 563), ("CreatePermission", 403, 1, 623)],
        ..TELEGRAM
    },
    Known {
        client: "192.168.12.169:49667",
        server: "91.108.13.23:1400",
        requests: 6,
        relayed: ("91.108.13.23", 62_318),
        granted: 590,
        deleted: Some(33.644_643_084),
        permissions: &[("93.36.13.115", 1), ("91.108.9.35", 1)],
        errors: &[("Allocate", 401, 1, 579), ("CreatePermission", 403, 1, 639)],
        ..TELEGRAM
    },
    Known {
        client: "192.168.12.169:49780",
        server: "91.108.17.2:1400",
        requests: 6,
        relayed: ("91.108.17.2", 45_408),
        granted: 595,
        deleted: Some(33.662_480_047),
        permissions: &[("93.36.13.115", 1), ("91.108.9.35", 1)],
        errors: &[("Allocate", 401, 1, 583), ("CreatePermission", 403, 1, 643)],
        ..TELEGRAM
    },
    Known {
        client: "192.168.12.169:37849",
        server: "91.108.9.35:1400",
        requests: 3,
        relayed: ("91.108.9.35", 63_273),
        granted: 568,
        deleted: Some(33.547_951_436),
        permissions: &[],
        errors: &[("Allocate", 401, 1, 562)],
        ..TELEGRAM
    },
    Known {
        client: "192.168.12.169:37530",
        server: "91.108.13.23:1400",
        requests: 3,
        relayed: ("91.108.13.23", 34_290),
        granted: 591,
        deleted: Some(33.648_817_350),
        permissions: &[],
        errors: &[("Allocate", 401, 1, 581)],
        ..TELEGRAM
    },
    Known {
        client: "192.168.12.169:37444",
        server: "91.108.17.2:1400",
        requests: 3,
        relayed: ("91.108.17.2", 35_898),
        granted: 594,
        deleted: Some(33.666_579_255),
        permissions: &[],
        errors: &[("Allocate", 401, 1, 584)],
        ..TELEGRAM
    },
];

#[test]
fn life_cycles_of_public_captures() {
    let Some(captures) = frames::captures() else { return };
    let folder = captures.join("public/captures");
    for known in KNOWN {
        let run = analyze(&folder.join(known.capture));
        let servers: Vec<&Value> = run
            .sessions()
            .flat_map(|session| list(&session["connecting"]["turn"]))
            .filter(|turn| turn["client"] == known.client && turn["server"] == known.server)
            .collect();
        let [turn] = servers.as_slice() else { panic!("{}: {} of them", known.client, servers.len()) };
        expect(
            turn,
            &[
                ("realm", known.realm.into()),
                ("requests", known.requests.into()),
                ("retransmissions", known.retransmissions.into()),
                ("relayedAddress", known.relayed.0.into()),
                ("relayedPort", known.relayed.1.into()),
                ("lifetime", known.lifetime.into()),
                ("refreshes", 0.into()),
                ("expired", false.into()),
                ("nonces", 1.into()),
                ("challenges", 1.into()),
                ("refusals", 0.into()),
                ("unanswered", 0.into()),
            ],
        );
        let allocations = list(&turn["allocations"]);
        assert_eq!(allocations.len(), 1, "{}", known.client);
        assert_eq!(allocations[0]["packet"], known.granted, "{}", known.client);
        match known.deleted {
            Some(deleted) => near(&allocations[0]["deletedTime"], deleted),
            None => assert_eq!(allocations[0]["deletedTime"], Value::Null),
        }
        let permissions: Vec<(&str, u64)> = list(&turn["permissions"])
            .iter()
            .map(|permission| (permission["peer"].as_str().unwrap(), unsigned(&permission["grants"])))
            .collect();
        assert_eq!(permissions, known.permissions, "{}", known.client);
        let errors: Vec<(&str, u64, u64, u64)> = list(&turn["errors"])
            .iter()
            .map(|error| {
                let [code, count, first] = ["code", "count", "firstPacket"].map(|key| unsigned(&error[key]));
                (error["method"].as_str().unwrap(), code, count, first)
            })
            .collect();
        assert_eq!(errors, known.errors, "{}", known.client);
    }
}
