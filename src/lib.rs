//! rtcscope turns packets into a verdict on a WebRTC or VoIP call.
//!
//! The layers, each importing only what stands to its left:
//! `time < wire < sdp < crypto < capture, flow, probe < engine < session, extract < finding < report < cli`.

pub mod capture;
pub mod cli;
pub mod crypto;
pub mod engine;
pub mod extract;
pub mod finding;
pub mod flow;
pub mod probe;
pub mod report;
pub mod sdp;
pub mod session;
pub mod time;
pub mod wire;
