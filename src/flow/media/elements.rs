//! Header extensions of the packets of a flow: which packets' elements are followed, and where their numbers go.

use super::Media;
use crate::{
    flow::{
        budget::Budget,
        stream::{Arrival, Stream},
        transport_wide::Carrier,
    },
    wire::rtp::Extension,
};

impl Media {
    /// Takes the extension of a packet of the stream at `index`. Numbers over all streams are taken from each; the elements
    /// are followed as [`crate::flow::stream::elements`] says.
    #[inline]
    pub(super) fn note(&mut self, index: usize, extension: &Extension<'_>, is_shaped: bool, arrival: &Arrival) {
        let Some(stream) = self.streams.get_mut(index) else { return };
        let (direction, carrier) = (stream.direction, carrier(arrival));
        let Some(way) = self.transport_wide.get_mut(direction & 1) else { return };
        if stream.elements.wants(arrival.timestamp, arrival.extensions) {
            if is_shaped {
                stream.elements.push_shaped(extension.data, (arrival.time, arrival.id), &self.budget);
            } else {
                follow(stream, extension, arrival, &self.budget);
            }
        }
        if !way.goes_on(extension, &carrier) {
            way.push_all(extension, &carrier, direction, &self.budget);
        }
    }
}

/// Follows the elements of a packet, if it is one of those that are looked into.
pub(super) fn note_elements(stream: &mut Stream, extension: &Extension<'_>, arrival: &Arrival, budget: &Budget) {
    if stream.elements.wants(arrival.timestamp, arrival.extensions) {
        follow(stream, extension, arrival, budget);
    }
}

#[inline(never)]
fn follow(stream: &mut Stream, extension: &Extension<'_>, arrival: &Arrival, budget: &Budget) {
    if stream.has_new_extensions(arrival) {
        stream.note_extensions(extension);
    }
    if extension.form().is_in_clear() {
        stream.elements.begin_packet();
        extension.visit(|element| stream.elements.push(element, (arrival.time, arrival.id), budget));
        stream.elements.end_packet(extension);
    }
}

/// The packet that has them.
pub(super) const fn carrier(arrival: &Arrival) -> Carrier {
    Carrier { time: arrival.time, id: arrival.id, holes: arrival.holes }
}
