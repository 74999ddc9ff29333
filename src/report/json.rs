//! The report as JSON: one document, or one object a line.

use std::io::{self, Write};

use serde::Serialize;

use super::document::{
    Capture, Communicating, Connecting, Finding, Omitted, OtherFlow, Report, Rtcp, RtpStream, Sctp, Securing, Session,
    SessionEndpoint, Signalling, StepStatus, Tool, Verdict,
};

/// Writes the report as one indented JSON document and a line feed.
///
/// # Errors
/// What `out` says, and nothing else.
pub fn write_json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
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
    rtcp: Option<&'a Rtcp>,
    sctp: Option<&'a Sctp>,
    data_channels: &'a [serde_json::Value],
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
            communicating: Communicating { status, rtp_streams: _, rtcp, sctp, data_channels },
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
            communicating: Communication { status: *status, rtcp: rtcp.as_ref(), sctp: sctp.as_ref(), data_channels },
        }
    }
}

fn write_line(line: &Line<'_>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    writeln!(out)
}
