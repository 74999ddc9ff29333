//! The report as JSON: one document, or one object a line.

use std::io::{self, Write};

use serde::Serialize;

use super::document::{
    Capture, Communicating, Connecting, DataChannel, Finding, Omitted, OtherFlow, Report, Rtcp, RtpStream, Sctp,
    Securing, Session, SessionEndpoint, Signalling, StepStatus, Tool, TransportWide, Verdict,
};

/// Writes the report as one indented JSON document and a line feed.
///
/// # Errors
/// What `out` says, and nothing else.
pub fn write_json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    write_document(report, out)
}

/// Writes any document as indented JSON and a line feed.
///
/// # Errors
/// What `out` says, and nothing else.
pub fn write_document(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    // A document is small beside its capture, and thousands of small writes are not cheap.
    let mut document = serde_json::to_vec_pretty(document)?;
    document.push(b'\n');
    out.write_all(&document)
}

/// Writes the report as JSON objects, one a line, each with its `type`: first `report` (its head), then each `capture`,
/// each `session` followed by its `rtpStream`s (which name their `session`), each `otherFlow`, `otherFlowsOmitted`
/// where flows were left out, and each `finding`.
///
/// # Errors
/// What `out` says, and nothing else.
pub fn write_ndjson(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let Report { schema_version, tool, verdict, captures, sessions, other_flows, other_flows_omitted, findings } =
        report;
    write_line(&Line::Report { schema_version: *schema_version, tool, verdict: *verdict }, out)?;
    for capture in captures {
        write_line(&Line::Capture(capture), out)?;
    }
    for session in sessions {
        write_line(&Line::session(session), out)?;
        for stream in &session.communicating.rtp_streams {
            write_line(&Line::RtpStream { session: session.id, stream }, out)?;
        }
    }
    for flow in other_flows {
        write_line(&Line::OtherFlow(flow), out)?;
    }
    if let Some(omitted) = other_flows_omitted {
        write_line(&Line::OtherFlowsOmitted(omitted), out)?;
    }
    for finding in findings {
        write_line(&Line::Finding(finding), out)?;
    }
    Ok(())
}

/// One line of the line format.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Line<'a> {
    Report {
        schema_version: u32,
        tool: &'a Tool,
        verdict: Verdict,
    },
    Capture(&'a Capture),
    Session {
        id: u32,
        verdict: Verdict,
        endpoints: &'a [SessionEndpoint],
        start_time: f64,
        duration: f64,
        signalling: &'a Signalling,
        connecting: &'a Connecting,
        securing: &'a Securing,
        communicating: Communication<'a>,
    },
    RtpStream {
        session: u32,
        #[serde(flatten)]
        stream: &'a RtpStream,
    },
    OtherFlow(&'a OtherFlow),
    OtherFlowsOmitted(&'a Omitted),
    Finding(&'a Finding),
}

/// The communicating step without its streams, which have lines of their own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Communication<'a> {
    status: StepStatus,
    transport_wide: &'a [TransportWide],
    rtcp: Option<&'a Rtcp>,
    sctp: Option<&'a Sctp>,
    data_channels: &'a [DataChannel],
}

impl<'a> Line<'a> {
    /// Takes every field by name, so that a field added to the document is missed by no line.
    fn session(session: &'a Session) -> Self {
        let Session {
            id,
            verdict,
            endpoints,
            start_time,
            duration,
            signalling,
            connecting,
            securing,
            communicating: Communicating { status, rtp_streams: _, transport_wide, rtcp, sctp, data_channels },
        } = session;
        Self::Session {
            id: *id,
            verdict: *verdict,
            endpoints,
            start_time: *start_time,
            duration: *duration,
            signalling,
            connecting,
            securing,
            communicating: Communication {
                status: *status,
                transport_wide,
                rtcp: rtcp.as_ref(),
                sctp: sctp.as_ref(),
                data_channels,
            },
        }
    }
}

fn write_line(line: &Line<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::samples;

    fn json(report: &Report) -> Value {
        let mut out = Vec::new();
        write_json(report, &mut out).unwrap();
        assert!(out.ends_with(b"}\n"));
        serde_json::from_slice(&out).unwrap()
    }

    fn lines(report: &Report) -> Vec<Value> {
        let mut out = Vec::new();
        write_ndjson(report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    fn assert_has(value: &Value, names: &str) {
        for name in names.split_whitespace() {
            assert!(value.get(name).is_some(), "{name} is not in {value:#}");
        }
    }

    /// The names of the contract, by hand from the design: what programs outside read.
    #[test]
    fn names_are_those_of_the_contract() {
        let report = json(&samples::lossy_webrtc_call());
        assert_has(&report, "schemaVersion tool verdict captures sessions otherFlows findings");
        assert_has(&report["tool"], "name version");
        let captures = "path format packets bytes duration firstPacketAt linkTypes truncated malformed";
        assert_has(&report["captures"][0], captures);
        let session = &report["sessions"][0];
        let steps = "id verdict endpoints startTime duration signalling connecting securing communicating";
        assert_has(session, steps);
        assert_has(&session["endpoints"][0], "address port role");
        assert_has(&session["signalling"], "status transport offers answers media");
        assert_has(&session["connecting"], "status candidatePairs selectedPair mappedAddresses turn");
        assert_has(
            &session["securing"],
            "status dtlsVersion dtlsCipher srtpProfile clientRole handshakeDuration retransmissions alerts certificates",
        );
        let communicating = &session["communicating"];
        assert_has(communicating, "status rtpStreams transportWide rtcp sctp dataChannels");
        assert_has(
            &communicating["rtpStreams"][1],
            "ssrc source destination payloadTypes kind codec clockRate clockRateInferred packetsReceived bytesReceived \
             packetsExpected packetsLost packetsDuplicated packetsReordered fractionLost jitter jitterMax bitrate \
             burstLossCount longestLossBurst restarts encrypted rtxSsrc firstPacket lastPacket reported inferred",
        );
        assert_has(
            &communicating["rtpStreams"][1]["headerExtensions"][0],
            "id packets uri uriInferred dependencyDescriptor",
        );
        assert_has(
            &communicating["transportWide"][0],
            "source destination packetsExpected packetsLost sequencePacketsLost",
        );
        assert_has(
            &communicating["rtpStreams"][1]["reported"],
            "fractionLost packetsLost jitter roundTripTime reports nackCount pliCount firCount",
        );
        assert_has(&communicating["rtcp"], "packets byType encrypted decrypted");
        assert_has(
            &communicating["dataChannels"][0],
            "dataChannelIdentifier label protocol ordered maxRetransmits maxPacketLifeTime messages bytes directions",
        );
        assert_has(&communicating["dataChannels"][0]["directions"][0], "source destination messages bytes");
        assert_has(&report["otherFlows"][0], "source destination transport protocol packets bytes");
        assert_has(&report["findings"][0], "rule severity session message advice packets");
        assert_has(&json(&samples::ipv6_call())["captures"][0]["malformed"][0], "layer kind count firstPacket");
    }

    #[test]
    fn values_have_the_types_of_the_contract() {
        let report = json(&samples::lossy_webrtc_call());
        assert_eq!(report["schemaVersion"], 1);
        assert_eq!(report["verdict"], "fail");
        let session = &report["sessions"][0];
        assert_eq!(session["signalling"]["status"], "not-seen");
        assert_eq!(session["signalling"]["transport"], Value::Null);
        let audio = &session["communicating"]["rtpStreams"][0];
        assert_eq!(audio["ssrc"], 0x1a2b_3c4d);
        assert_eq!(audio["reported"], Value::Null);
        assert_eq!(audio["lossBursts"]["3-5"], 0);
        assert_eq!(report["findings"][0]["severity"], "error");
        assert_eq!(report["findings"][0]["packets"][0], 1041);
        assert_eq!(report["findings"][1]["advice"], Value::Null);
    }

    /// The lines hold what the document holds: put together again they are equal.
    #[test]
    fn lines_hold_the_whole_document() {
        for sample in samples::all() {
            let mut document = serde_json::Map::new();
            document.insert("captures".to_owned(), Value::Array(Vec::new()));
            for list in ["sessions", "otherFlows", "findings"] {
                document.insert(list.to_owned(), Value::Array(Vec::new()));
            }
            document.insert("otherFlowsOmitted".to_owned(), Value::Null);
            for mut line in lines(&sample) {
                let fields = line.as_object_mut().unwrap();
                let kind = fields.remove("type").unwrap();
                let list = match kind.as_str().unwrap() {
                    "report" => {
                        document.append(fields);
                        continue;
                    }
                    "otherFlowsOmitted" => {
                        document.insert("otherFlowsOmitted".to_owned(), line);
                        continue;
                    }
                    "rtpStream" => {
                        let session = fields.remove("session").unwrap();
                        let last = document["sessions"].as_array_mut().unwrap().last_mut().unwrap();
                        assert_eq!(last["id"], session);
                        last["communicating"]["rtpStreams"].as_array_mut().unwrap().push(line);
                        continue;
                    }
                    "session" => {
                        fields["communicating"]["rtpStreams"] = Value::Array(Vec::new());
                        "sessions"
                    }
                    "capture" => "captures",
                    "otherFlow" => "otherFlows",
                    "finding" => "findings",
                    other => panic!("a line of the unknown type {other}"),
                };
                document[list].as_array_mut().unwrap().push(line);
            }
            assert_eq!(Value::Object(document), json(&sample));
        }
    }

    #[test]
    fn of_several_files_a_packet_is_cited_with_its_file() {
        let mut report = samples::sip_call();
        report.captures.push(report.captures[0].clone());
        for session in &mut report.sessions {
            for stream in &mut session.communicating.rtp_streams {
                stream.first_packet.file = 2;
            }
        }
        assert_eq!(json(&report)["sessions"][0]["communicating"]["rtpStreams"][0]["firstPacket"], "2:60");
    }
}
