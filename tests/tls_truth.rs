//! TLS of the lab's calls, opened with their key logs: what tshark reads in it with the same keys, and what is found without.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod analysis;
mod craft;

use std::{fs, path::Path};

use analysis::captures;
use rtcscope::{
    capture::{Capture, Options},
    engine::{self, Analysis, Config, keys::Given},
    flow::{
        key::Transport,
        signalling::{Content, Via},
        tcp::Reason,
    },
};

/// What the analysis of a capture finds with a key log, if one is given.
fn analyzed(path: &Path, log: Option<&Path>) -> Analysis {
    let mut keys = Given::default();
    if let Some(log) = log {
        keys.has_log = true;
        keys.log.take(&fs::read(log).unwrap());
    }
    let mut capture = Capture::open(&[path.to_owned()], &Options::default()).unwrap();
    engine::analyze(&mut capture, Config { threads: 1, keys }, |_| {}).unwrap()
}

/// The number of the packet, and the request's method or the response's status.
fn sip(analysis: &Analysis) -> Vec<(u64, String)> {
    let signals = analysis.signalling.signals.iter();
    signals
        .filter_map(|signal| {
            let message = match &signal.content {
                Content::SipRequest(request) => request.method.clone(),
                Content::SipResponse(response) => response.status.to_string(),
                _ => return None,
            };
            assert_eq!(signal.via, Via::SipTls);
            Some((signal.mark.1.number(), message))
        })
        .collect()
}

/// `tshark -o tls.keylog_file:keys.log -Y sip -T fields -e frame.number -e sip.Method -e sip.Status-Code`.
const MESSAGES: [(u64, &str); 6] =
    [(12, "INVITE"), (16, "180"), (18, "200"), (22, "ACK"), (1617, "BYE"), (1619, "200")];

#[test]
fn sip_over_tls() {
    let Some(folder) = captures().map(|captures| captures.join("labb/sip-tls")) else { return };
    let capture = folder.join("capture.pcapng");
    let opened = analyzed(&capture, Some(&folder.join("keys.log")));
    assert_eq!(sip(&opened), MESSAGES.map(|(number, message)| (number, message.to_owned())));
    let descriptions = opened.signalling.signals.iter().filter_map(|signal| match &signal.content {
        Content::Description(description) => Some((signal.mark.1.number(), description.sdp.as_str())),
        _ => None,
    });
    // `-e sdp.media`, by tshark.
    let media = [(12, "m=audio 10020 RTP/SAVP 0 101\r\n"), (18, "m=audio 20006 RTP/SAVP 0 101\r\n")];
    let found: Vec<_> = descriptions.collect();
    assert_eq!(found.len(), media.len());
    assert!(found.iter().zip(media).all(|((at, sdp), (number, media))| *at == number && sdp.contains(media)));
    assert_eq!((opened.tls.opened, opened.tls.unopened.len()), (1, 0));
}

/// Without keys, and with those of another capture, the same is found.
#[test]
fn keys_of_another_call() {
    let Some(lab) = captures().map(|captures| captures.join("labb")) else { return };
    for (name, other) in [("sip-tls", "turn-tls12"), ("turn-tls12", "sip-tls")] {
        let capture = lab.join(name).join("capture.pcapng");
        let (closed, foreign) = (analyzed(&capture, None), analyzed(&capture, Some(&lab.join(other).join("keys.log"))));
        assert_eq!(foreign.signalling, closed.signalling);
        let flows = |analysis: &Analysis| {
            let flows = analysis.flows.iter().filter(|flow| flow.key.transport == Transport::Tcp);
            flows.map(|flow| (flow.key, flow.label, flow.streams.len())).collect::<Vec<_>>()
        };
        assert_eq!(flows(&foreign), flows(&closed));
        assert!(closed.tls.unopened.is_empty());
        let reasons: Vec<_> = foreign.tls.unopened.iter().map(|(reason, of)| (*reason, of.connections)).collect();
        assert_eq!((foreign.tls.opened, reasons), (0, vec![(Reason::NoLine, 1)]), "{name}");
    }
}
