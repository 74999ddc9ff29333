//! Which answer answers which offer (RFC 3264, RFC 8829).

use super::{Round, Section, Statement};
use crate::sdp::DescriptionKind;

/// Open offers that are looked at for one answer: several peer connections may begin at the same time.
const OPEN: usize = 64;

/// What a description without a kind is: an answer where it fits an offer of the other side that has none, else an offer.
pub(super) fn kind_of(statement: &Statement, statements: &[Statement], rounds: &[Round]) -> DescriptionKind {
    match find_offer(statement, statements, rounds, true) {
        Some(_) => DescriptionKind::Answer,
        None => DescriptionKind::Offer,
    }
}

/// The round that a description answers: of those whose offer is from the other side of the same conversation and has the
/// same media, the one with most in common, then the latest.
pub(super) fn find_offer(
    answer: &Statement,
    statements: &[Statement],
    rounds: &[Round],
    only_open: bool,
) -> Option<usize> {
    let is_provisional =
        |answer: usize| statements.get(answer).is_some_and(|settled| settled.kind == DescriptionKind::Pranswer);
    let fits = |(index, round): (usize, &Round)| {
        let offer = statements.get(round.offer)?;
        let open = round.is_open(is_provisional);
        let fits = (open || !only_open) && relates(round, offer, answer) && matches_media(offer, answer);
        fits.then(|| (open, common_keys(offer, answer), index))
    };
    rounds.iter().enumerate().rev().take(OPEN).filter_map(fits).max().map(|(.., index)| index)
}

/// Whether two descriptions can be an offer and its answer by the way they came.
fn relates(round: &Round, offer: &Statement, answer: &Statement) -> bool {
    match (&round.transaction, &answer.context.dialog) {
        (None, None) => {}
        // SIP names its transactions.
        _ => return false,
    }
    let back = |place| answer.places.iter().any(|other: &super::Place| other.is_beside(place, false));
    let polled = |place| answer.places.iter().any(|other: &super::Place| other.is_polled_beside(place));
    let both_given = offer.places.is_empty() && answer.places.is_empty();
    both_given && offer.context == answer.context
        || offer.places.iter().any(back)
        || common_keys(offer, answer) > 0 && offer.places.iter().any(polled)
}

/// An answer has as many media sections as its offer, of the same kinds (RFC 3264 section 6), and in WebRTC with the same
/// identification tags.
fn matches_media(offer: &Statement, answer: &Statement) -> bool {
    let (offer, answer) = (&offer.outline.media, &answer.outline.media);
    let same = |one: &Section, other: &Section| {
        let same_mid = one.mid.is_none() || other.mid.is_none() || one.mid == other.mid;
        one.kind == other.kind && same_mid
    };
    offer.len() == answer.len() && offer.iter().zip(&**answer).all(|(one, other)| same(one, other))
}

fn common_keys(one: &Statement, other: &Statement) -> usize {
    one.context.keys.iter().filter(|(_, value)| other.context.keys.iter().any(|(_, own)| own == value)).count()
}

#[cfg(test)]
mod tests;
