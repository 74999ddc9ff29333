use std::sync::Arc;

use proptest::prelude::*;

use super::{
    super::{Exchange, gather::gathered},
    *,
};
use crate::{
    flow::{
        key::{FlowKey, Transport},
        signalling::{Content, Context, Description, Dialog, Signal, SipRequest, SipResponse, Via},
    },
    time::{PacketId, Timestamp},
    wire::Endpoint,
};

/// A description of one audio section, or more with further mids.
fn sdp(session: &str, ufrag: &str, mids: &[&str]) -> String {
    let mut text = format!("v=0\r\no=- {session} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
    for mid in mids {
        text.push_str(&format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=rtpmap:111 opus/48000/2\r\n\
             a=ice-ufrag:{ufrag}\r\na=ice-pwd:{ufrag}0123456789012345678901\r\n"
        ));
    }
    text
}

/// One message: number, connection, direction, kind, identifying members, text.
fn said(
    number: u64,
    connection: u32,
    direction: usize,
    kind: Option<DescriptionKind>,
    keys: &[(&str, &str)],
    sdp: String,
) -> Signal {
    let (client, server) = (Endpoint::v4([10, 0, 0, 1], 5000 + connection as u16), Endpoint::v4([10, 0, 0, 9], 443));
    let (key, _) = FlowKey::new(client, server, Transport::Tcp);
    let keys = keys.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Signal {
        mark: (Timestamp(number as i64 * 1_000_000), PacketId::new(0, number)),
        key,
        direction,
        via: Via::WebSocket,
        connection,
        content: Content::Description(Description { kind, sdp, context: Context { keys, ..Context::default() } }),
    }
}

const OFFER: Option<DescriptionKind> = Some(DescriptionKind::Offer);
const ANSWER: Option<DescriptionKind> = Some(DescriptionKind::Answer);

/// Of each exchange the sessions of its rounds: offer and answer.
fn rounds(exchanges: &[Exchange]) -> Vec<Vec<(String, Option<String>)>> {
    let session = |exchange: &Exchange, index: usize| {
        exchange.statements[index].outline.origin.as_ref().unwrap().session_id.clone()
    };
    let of = |exchange: &Exchange| {
        let round =
            |round: &Round| (session(exchange, round.offer), round.answer.map(|index| session(exchange, index)));
        exchange.rounds.iter().map(round).collect()
    };
    exchanges.iter().map(of).collect()
}

fn pair(offer: &str, answer: &str) -> (String, Option<String>) {
    (offer.to_owned(), Some(answer.to_owned()))
}

#[test]
fn connections_over_one_websocket_stay_apart() {
    // A server offers twice before the first answer; each names its peer connection.
    let signals = [
        said(1, 1, 1, OFFER, &[("id", "pub")], sdp("1111111111", "aaaa", &["0"])),
        said(2, 1, 1, OFFER, &[("id", "sub")], sdp("2222222222", "bbbb", &["0"])),
        said(3, 1, 0, ANSWER, &[("id", "pub")], sdp("3333333333", "cccc", &["0"])),
        said(4, 1, 0, ANSWER, &[("id", "sub")], sdp("4444444444", "dddd", &["0"])),
    ];
    let found = rounds(&gathered(&signals));
    assert_eq!(found, [[pair("1111111111", "3333333333")], [pair("2222222222", "4444444444")]]);
    // Without names, the media tell.
    let signals = [
        said(1, 1, 1, OFFER, &[], sdp("1111111111", "aaaa", &["0"])),
        said(2, 1, 1, OFFER, &[], sdp("2222222222", "bbbb", &["0", "1"])),
        said(3, 1, 0, ANSWER, &[], sdp("4444444444", "dddd", &["0", "1"])),
        said(4, 1, 0, ANSWER, &[], sdp("3333333333", "cccc", &["0"])),
    ];
    let found = rounds(&gathered(&signals));
    assert_eq!(found, [[pair("1111111111", "3333333333")], [pair("2222222222", "4444444444")]]);
}

#[test]
fn new_offers_of_either_side_are_of_one_exchange() {
    let signals = [
        said(1, 1, 0, OFFER, &[], sdp("1111111111", "aaaa", &["0"])),
        said(2, 1, 1, ANSWER, &[], sdp("2222222222", "bbbb", &["0"])),
        said(3, 1, 1, OFFER, &[], sdp("2222222222", "bbbb", &["0", "1"])),
        said(4, 1, 0, ANSWER, &[], sdp("1111111111", "aaaa", &["0", "1"])),
    ];
    let exchanges = gathered(&signals);
    assert_eq!(rounds(&exchanges), [[pair("1111111111", "2222222222"), pair("2222222222", "1111111111")]]);
    let parties: Vec<usize> = exchanges[0].statements.iter().map(|said| said.party).collect();
    assert_eq!(parties, [0, 1, 1, 0]);
}

#[test]
fn a_message_on_its_way_to_the_server_and_from_there_is_one() {
    let signals = [
        said(1, 1, 0, OFFER, &[], sdp("1111111111", "aaaa", &["0"])),
        said(2, 2, 1, OFFER, &[], sdp("1111111111", "aaaa", &["0"])),
        said(3, 2, 0, ANSWER, &[], sdp("2222222222", "bbbb", &["0"])),
        said(4, 1, 1, ANSWER, &[], sdp("2222222222", "bbbb", &["0"])),
    ];
    let exchanges = gathered(&signals);
    assert_eq!(rounds(&exchanges), [[pair("1111111111", "2222222222")]]);
    assert_eq!(exchanges[0].statements.iter().map(|said| said.places.len()).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn what_has_no_kind_is_told_by_its_turn() {
    let signals = [
        said(1, 1, 0, None, &[], sdp("1111111111", "aaaa", &["0"])),
        said(2, 1, 1, None, &[], sdp("2222222222", "bbbb", &["0"])),
        said(3, 1, 1, None, &[], sdp("2222222222", "cccc", &["0"])),
    ];
    let exchanges = gathered(&signals);
    let kinds: Vec<DescriptionKind> = exchanges[0].statements.iter().map(|said| said.kind).collect();
    assert_eq!(kinds, [DescriptionKind::Offer, DescriptionKind::Answer, DescriptionKind::Offer]);
}

#[test]
fn a_final_answer_settles_what_a_provisional_one_left_open() {
    let signals = [
        said(1, 1, 0, OFFER, &[], sdp("1111111111", "aaaa", &["0"])),
        said(2, 1, 1, Some(DescriptionKind::Pranswer), &[], sdp("2222222222", "bbbb", &["0"])),
        said(3, 1, 1, ANSWER, &[], sdp("2222222222", "bbbb", &["0"]) + "a=x-later\r\n"),
    ];
    let exchanges = gathered(&signals);
    assert_eq!(rounds(&exchanges), [[pair("1111111111", "2222222222")]]);
    assert_eq!(exchanges[0].rounds[0].answer, Some(2));
}

#[test]
fn an_answer_that_is_asked_for_elsewhere_is_known_by_its_names() {
    // Long polling: the answer comes in another connection of the same client to the same server.
    let poll = |keys: &[(&str, &str)]| {
        let signals = [
            said(1, 1, 0, OFFER, &[("session", "77")], sdp("1111111111", "aaaa", &["0"])),
            said(2, 2, 1, ANSWER, keys, sdp("2222222222", "bbbb", &["0"])),
        ];
        rounds(&gathered(&signals))
    };
    assert_eq!(poll(&[("session", "77")]), [[pair("1111111111", "2222222222")]]);
    assert_eq!(poll(&[("session", "78")]).first().map(|rounds| rounds[0].1.clone()), Some(None));
}

/// A SIP message in a dialog of few: one that a request begins, with a description or none.
fn sip(
    number: u64,
    is_response: bool,
    status: u16,
    method: &str,
    cseq: u32,
    tags: (u8, u8),
    sdp: Option<String>,
) -> Vec<Signal> {
    let tag = |number: u8| (number > 0).then(|| number.to_string());
    let dialog = Arc::new(Dialog {
        call_id: "call".to_owned(),
        from_tag: tag(tags.0),
        to_tag: tag(tags.1),
        cseq: Some(cseq),
        cseq_method: method.to_owned(),
        ..Dialog::default()
    });
    let kind = if is_response { ANSWER } else { OFFER };
    let context = Context { dialog: Some(Arc::clone(&dialog)), ..Context::default() };
    let head = if is_response {
        Content::SipResponse(Box::new(SipResponse {
            status,
            phrase: String::new(),
            dialog,
            contact: None,
            user_agent: None,
            reason: None,
            warning: None,
            content_type: None,
        }))
    } else {
        Content::SipRequest(Box::new(SipRequest {
            method: method.to_owned(),
            uri: String::new(),
            dialog,
            contact: None,
            user_agent: None,
            reason: None,
            content_type: None,
        }))
    };
    let body = sdp.map(|sdp| Content::Description(Description { kind, sdp, context }));
    let signal = said(number, 1, usize::from(is_response), None, &[], String::new());
    let with = |content| Signal { content, via: Via::SipUdp, ..signal.clone() };
    std::iter::once(head).chain(body).map(with).collect()
}

proptest! {
    /// Whatever is said in whatever order: each round is of statements that are there, and what was answered stands.
    #[test]
    fn any_order(messages in prop::collection::vec((0_u8..8, 0_u8..3, 0_usize..2, 0_u8..4, 0_u8..4, 0_u8..3), 0..40)) {
        let kinds = [None, OFFER, ANSWER, Some(DescriptionKind::Pranswer), Some(DescriptionKind::Rollback)];
        let mut signals = Vec::new();
        for (number, (what, connection, direction, version, mids, tag)) in (1..).zip(messages) {
            let text = sdp(&format!("123456789{version}"), ["aaaa", "bbbb"][direction], &["0", "1", "2"][..usize::from(mids)]);
            match kinds.get(usize::from(what)) {
                Some(kind) => signals.push(said(number, u32::from(connection), direction, *kind, &[], text)),
                None => {
                    let status = [100, 183, 200, 401, 487, 491][usize::from(what + version) % 6];
                    let method = ["INVITE", "UPDATE", "ACK", "BYE"][usize::from(version)];
                    let body = (mids > 0).then_some(text);
                    signals.extend(sip(number, direction == 1, status, method, u32::from(connection), (1 + tag % 2, tag), body));
                }
            }
        }
        for exchange in gathered(&signals) {
            let count = exchange.statements.len();
            for round in &exchange.rounds {
                prop_assert!(round.offer < count && round.answer.is_none_or(|answer| answer < count));
                prop_assert!(round.answer.is_none() || !exchange.statements[round.offer].is_withdrawn);
            }
            prop_assert!(exchange.statements.iter().all(|said| said.party < 2));
            prop_assert_eq!(exchange.settled_round().is_some(), !exchange.rounds.is_empty());
        }
    }
}
