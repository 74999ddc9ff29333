//! A SIP call, and the ends that it was forked to.

use std::collections::BTreeMap;

use super::Context;
use crate::{
    report::document::{SipCall, SipFork},
    session::{Call, Dialog, Fork, Sides},
    time::seconds,
};

/// What SIP says of a call.
pub fn sip(context: &Context<'_>, call: &Call<'_>, dialog: &Dialog) -> SipCall {
    let refused = dialog.refused.as_ref().filter(|_| dialog.accepted.is_none());
    SipCall {
        call_id: dialog.call_id.clone(),
        from: dialog.from.clone(),
        to: dialog.to.clone(),
        requests: dialog.requests.clone(),
        responses: dialog.responses.iter().map(|(status, count)| (status.to_string(), *count)).collect(),
        refused: refused.map(|(status, phrase, ..)| format!("{status} {phrase}").trim_end().to_owned()),
        reason: dialog
            .ended
            .as_ref()
            .and_then(|ending| ending.reason.clone())
            .or_else(|| refused.and_then(|(_, _, reason, _)| reason.clone())),
        unanswered: dialog.is_unanswered(),
        accepted: dialog.accepted.is_some(),
        ring_duration: dialog.ringing.zip(dialog.invited).map(|(ringing, invited)| seconds(ringing.0.since(invited.0))),
        challenges: dialog.challenged.len() as u64,
        branches: dialog.forks.iter().filter(|fork| fork.accepted.is_some()).count() as u64,
        forks: forks(context, call, dialog),
        ended: dialog.ended.as_ref().map(|ending| {
            let who = if ending.by_caller { "the caller" } else { "the called" };
            format!("{} by {who}", ending.method)
        }),
    }
}

/// The ends of a forked INVITE, and the streams of each: those at the addresses in its answer.
fn forks(context: &Context<'_>, call: &Call<'_>, dialog: &Dialog) -> Vec<SipFork> {
    if dialog.forks.len() < 2 {
        return Vec::new();
    }
    let mut streams: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for found in &call.streams {
        if let Some(branch) = Sides::of(found.flow, &call.conversations).and_then(|sides| sides.branch) {
            streams.entry(branch).or_default().push(found.stream.ssrc);
        }
    }
    let describe = |fork: &Fork| {
        let first = [fork.ringing, fork.accepted].into_iter().flatten().min();
        SipFork {
            tag: fork.tag.clone(),
            contact: fork.contact.clone(),
            outcome: match (fork.accepted, fork.refused) {
                (Some(_), _) => "accepted",
                (None, Some(_)) => "refused",
                (None, None) => "early",
            },
            refused: fork.refused.map(|(status, _)| status),
            time: first.map(|(time, _)| context.seconds(time)),
            accept_time: fork.accepted.map(|(time, _)| context.seconds(time)),
            streams: streams.get(fork.tag.as_str()).cloned().unwrap_or_default(),
        }
    };
    dialog.forks.iter().map(describe).collect()
}
