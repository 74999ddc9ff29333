//! What changed in a call after its first agreement: hold and resume, media that came and went, ICE restarts.

use std::collections::BTreeSet;

use super::{Conversation, Party, Round, Statement};
use crate::{
    flow::tcp::Mark,
    sdp::{
        Direction, Kind,
        negotiation::{Agreed, Negotiation, Side},
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

/// A round that was answered.
struct Agreement<'a> {
    round: &'a Round,
    negotiation: &'a Negotiation,
    offerer: Party,
}

impl Agreement<'_> {
    fn party(&self, side: Side) -> Party {
        match side {
            Side::Offerer => self.offerer,
            Side::Answerer => self.offerer ^ 1,
        }
    }

    /// Which way a media flows, as the first party sees it.
    fn direction(&self, media: &Agreed) -> Direction {
        if self.offerer == 0 { media.direction } else { media.direction.reversed() }
    }

    fn holder(&self, media: &Agreed) -> Option<Party> {
        media.hold.map(|side| self.party(side))
    }
}

impl Conversation<'_> {
    /// What changed, in order.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        let mut last: Option<Agreement<'_>> = None;
        for next in self.agreements() {
            for media in &next.negotiation.media {
                self.compare(last.as_ref(), (&next, media), &mut changes);
            }
            if last.as_ref().is_some_and(|last| self.restarts_ice(last.round, next.round)) {
                let by = next.offerer;
                changes.push(Change {
                    what: What::IceRestarted,
                    by,
                    media: None,
                    mid: None,
                    at: next.round.answered_at,
                    until: None,
                });
            }
            changes.truncate(CHANGES);
            last = Some(next);
        }
        changes
    }

    /// The rounds that were answered, of a fork by the end that counts.
    fn agreements(&self) -> impl Iterator<Item = Agreement<'_>> {
        let rounds = &self.exchange.rounds;
        let branch = self.exchange.settled_round().and_then(|round| rounds.get(round)?.branch.as_ref());
        let all = rounds.iter().zip(&self.negotiations);
        all.filter_map(move |(round, negotiation)| {
            let is_own = branch.is_none() || round.branch.is_none() || round.branch.as_ref() == branch;
            let offerer = self.exchange.statements.get(round.offer)?.party;
            let negotiation = negotiation.as_ref().filter(|_| is_own)?;
            Some(Agreement { round, negotiation, offerer })
        })
    }

    fn compare(
        &self,
        last: Option<&Agreement<'_>>,
        (next, media): (&Agreement<'_>, &Agreed),
        changes: &mut Vec<Change>,
    ) {
        let change = |what: What, by: Party| Change {
            what,
            by,
            media: Some((media.index, media.kind.clone())),
            mid: media.mid.clone(),
            at: next.round.answered_at,
            until: None,
        };
        let before = last.and_then(|last| Some((last, last.negotiation.media.get(media.index)?)));
        let was_agreed = before.is_some_and(|(_, before)| before.rejected_by.is_none());
        match (was_agreed, media.rejected_by.is_none()) {
            (false, true) if last.is_some() => changes.push(change(What::Added, next.offerer)),
            (true, false) => changes.push(change(What::Removed, next.offerer)),
            _ => {}
        }
        let (was_held, holder) = (before.and_then(|(last, before)| last.holder(before)), next.holder(media));
        if was_held != holder {
            let is_open = |change: &&mut Change| {
                matches!(change.what, What::Held(_))
                    && change.until.is_none()
                    && change.media.as_ref().is_some_and(|(index, _)| *index == media.index)
            };
            if let Some(open) = changes.iter_mut().rev().find(is_open) {
                open.until = next.round.answered_at;
            }
            let said = holder.map(|holder| change(What::Held(self.said_direction(next, media, holder)), holder));
            changes.extend(said);
            return;
        }
        let Some((last, before)) = before.filter(|_| was_agreed && media.rejected_by.is_none()) else { return };
        if last.direction(before) != next.direction(media) {
            changes.push(change(What::Directed(next.direction(media)), next.offerer));
        }
        let first = |media: &Agreed| media.codecs.first().map(|codec| codec.encoding.clone());
        if let (Some(old), Some(new)) = (first(before), first(media))
            && !old.eq_ignore_ascii_case(&new)
        {
            changes.push(change(What::Codec(new), next.offerer));
        }
    }

    /// The direction that a party wrote for a media in a round.
    fn said_direction(&self, next: &Agreement<'_>, media: &Agreed, party: Party) -> Direction {
        let index = if party == next.offerer { Some(next.round.offer) } else { next.round.answer };
        let said = index.and_then(|index| self.said().nth(index));
        let section = said.and_then(|(_, description)| description.media.get(media.index));
        section.map_or(Direction::Sendrecv, |section| section.direction)
    }

    /// Whether a side that had user fragments has none of them any more.
    fn restarts_ice(&self, last: &Round, next: &Round) -> bool {
        let statements = &self.exchange.statements;
        let of = |round: &Round, party: Party| {
            let both = [Some(round.offer), round.answer].into_iter().flatten();
            both.filter_map(|index| statements.get(index)).find(move |said| said.party == party)
        };
        let fragments = |said: &Statement| -> BTreeSet<String> {
            said.credentials().map(|(fragment, _)| fragment.to_owned()).collect()
        };
        (0..2).any(|party| {
            let both = of(last, party).map(fragments).zip(of(next, party).map(fragments));
            both.is_some_and(|(before, after)| !before.is_empty() && !after.is_empty() && before.is_disjoint(&after))
        })
    }
}
