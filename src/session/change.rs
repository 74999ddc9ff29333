//! What changed in a call after its first agreement: hold and resume, media that came and went, ICE restarts.

use std::{borrow::Cow, collections::BTreeSet};

use super::{Exchange, Party, Round, Statement};
use crate::{
    flow::tcp::Mark,
    sdp::{
        Description, Direction, Kind,
        negotiation::{Agreed, Negotiation, Side, negotiate},
    },
};

/// Changes of one exchange that are told.
const CHANGES: usize = 256;

/// One change that both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What changed.
    pub what: What,
    /// Who offered it; of a hold, who holds.
    pub by: Party,
    /// The media section, and what it is; none of an ICE restart.
    pub media: Option<(usize, Kind)>,
    /// Its identification tag.
    pub mid: Option<String>,
    /// The answer that agreed on it; `None` where it was given beside the capture.
    pub at: Option<Mark>,
    /// The answer that ended a hold.
    pub until: Option<Mark>,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One side does not want to hear the other for now (RFC 3264 section 8.4): the direction in its description.
    Held(Direction),
    /// A media was added, or taken up again.
    Added,
    /// A media was given up.
    Removed,
    /// It flows otherwise, as the one who called or offered first sees it.
    Directed(Direction),
    /// Another codec is the first.
    Codec(String),
    /// A side has a new ICE user fragment for the media that it had (RFC 8445 section 9).
    IceRestarted,
}

/// What changed in an exchange, in order. `settled` came of the round that counts; descriptions that are not held are read
/// again.
pub(super) fn changes(
    exchange: &Exchange,
    descriptions: &[Option<Box<Description>>],
    settled: Option<&Negotiation>,
) -> Vec<Change> {
    let counts = exchange.settled_round();
    let branch = counts.and_then(|round| exchange.rounds.get(round)?.branch.as_ref());
    let mut changes: Vec<Change> = Vec::new();
    let mut last: Option<Agreement<'_>> = None;
    // Of a fork the end that counts.
    let is_own =
        |(_, round): &(usize, &Round)| branch.is_none() || round.branch.is_none() || round.branch.as_ref() == branch;
    for (index, round) in exchange.rounds.iter().enumerate().filter(is_own) {
        let settled = settled.filter(|_| Some(index) == counts);
        let Some(next) = Agreement::new(exchange, round, descriptions, settled) else { continue };
        for media in &next.negotiation.media {
            next.compare(last.as_ref(), media, &mut changes);
        }
        if last.as_ref().is_some_and(|last| next.restarts_ice(last)) {
            let (what, by, at) = (What::IceRestarted, next.offer.party, round.answered_at);
            changes.push(Change { what, by, media: None, mid: None, at, until: None });
        }
        changes.truncate(CHANGES);
        last = Some(next);
    }
    changes
}

/// A round that was answered.
struct Agreement<'a> {
    round: &'a Round,
    offer: &'a Statement,
    answer: &'a Statement,
    negotiation: Cow<'a, Negotiation>,
    /// What each wrote of each media, the offerer first.
    directions: [Vec<Direction>; 2],
}

impl<'a> Agreement<'a> {
    fn new(
        exchange: &'a Exchange,
        round: &'a Round,
        descriptions: &[Option<Box<Description>>],
        settled: Option<&'a Negotiation>,
    ) -> Option<Self> {
        let read = |index: usize| -> Option<(&'a Statement, Cow<'_, Description>)> {
            let statement = exchange.statements.get(index)?;
            let description = match descriptions.get(index)? {
                Some(held) => Cow::Borrowed(&**held),
                None => Cow::Owned(Description::parse(&statement.text).ok()?),
            };
            Some((statement, description))
        };
        let ((offer, offered), (answer, answered)) = (read(round.offer)?, read(round.answer?)?);
        let directions = |description: &Description| description.media.iter().map(|media| media.direction).collect();
        let directions = [directions(&offered), directions(&answered)];
        let negotiation = settled.map_or_else(|| Cow::Owned(negotiate(&offered, &answered)), Cow::Borrowed);
        Some(Self { round, offer, answer, negotiation, directions })
    }

    fn party(&self, side: Side) -> Party {
        match side {
            Side::Offerer => self.offer.party,
            Side::Answerer => self.offer.party ^ 1,
        }
    }

    /// Which way a media flows, as the first party sees it.
    fn direction(&self, media: &Agreed) -> Direction {
        if self.offer.party == 0 { media.direction } else { media.direction.reversed() }
    }

    fn holder(&self, media: &Agreed) -> Option<Party> {
        media.hold.map(|side| self.party(side))
    }

    /// What of a media is not as it was.
    fn compare(&self, last: Option<&Self>, media: &Agreed, changes: &mut Vec<Change>) {
        let change = |what: What, by: Party| Change {
            what,
            by,
            media: Some((media.index, media.kind.clone())),
            mid: media.mid.clone(),
            at: self.round.answered_at,
            until: None,
        };
        let before = last.and_then(|last| Some((last, last.negotiation.media.get(media.index)?)));
        let was_agreed = before.is_some_and(|(_, before)| before.rejected_by.is_none());
        match (was_agreed, media.rejected_by.is_none()) {
            (false, true) if last.is_some() => changes.push(change(What::Added, self.offer.party)),
            (true, false) => changes.push(change(What::Removed, self.offer.party)),
            _ => {}
        }
        let (was_held, holder) = (before.and_then(|(last, before)| last.holder(before)), self.holder(media));
        if was_held != holder {
            let is_open = |change: &&mut Change| {
                matches!(change.what, What::Held(_))
                    && change.until.is_none()
                    && change.media.as_ref().is_some_and(|(index, _)| *index == media.index)
            };
            if let Some(open) = changes.iter_mut().rev().find(is_open) {
                open.until = self.round.answered_at;
            }
            let said = media.hold.map(|side| change(What::Held(self.written(media, side)), self.party(side)));
            changes.extend(said);
            return;
        }
        let Some((last, before)) = before.filter(|_| was_agreed && media.rejected_by.is_none()) else { return };
        if last.direction(before) != self.direction(media) {
            changes.push(change(What::Directed(self.direction(media)), self.offer.party));
        }
        let first = |media: &Agreed| media.codecs.first().map(|codec| codec.encoding.clone());
        if let (Some(old), Some(new)) = (first(before), first(media))
            && !old.eq_ignore_ascii_case(&new)
        {
            changes.push(change(What::Codec(new), self.offer.party));
        }
    }

    /// The direction that a side wrote for a media.
    fn written(&self, media: &Agreed, side: Side) -> Direction {
        let [offered, answered] = &self.directions;
        let own = if side == Side::Offerer { offered } else { answered };
        own.get(media.index).copied().unwrap_or_default()
    }

    /// Whether a side that had user fragments has none of them any more.
    fn restarts_ice(&self, last: &Self) -> bool {
        let of = |agreement: &Self, party: Party| -> BTreeSet<String> {
            let own = if agreement.offer.party == party { agreement.offer } else { agreement.answer };
            own.credentials().map(|(fragment, _)| fragment.to_owned()).collect()
        };
        (0..2).any(|party| {
            let (before, after) = (of(last, party), of(self, party));
            !before.is_empty() && !after.is_empty() && before.is_disjoint(&after)
        })
    }
}
