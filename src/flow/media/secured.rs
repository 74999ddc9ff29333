//! SRTCP of a flow: what is counted by its clear header, what waits for evidence, and what keys open.

use super::{Media, Path, Verdict};
use crate::{
    flow::{
        datagram::Datagram,
        srtp::{Rtp, Srtp, Waiting},
    },
    time::{PacketId, Timestamp},
    wire::rtcp::{Compound, Srtcp},
};

/// SRTCP datagrams that wait until the flow shows that it is a call's.
const WAITING_SRTCP: usize = 64;

/// An SRTCP index goes on by one a datagram; lost ones leave small steps.
const INDEX_STEP: u32 = 16;

impl Media {
    pub(super) fn push_srtcp(&mut self, srtcp: Srtcp, datagram: &Datagram<'_>, path: Path) -> Verdict {
        let direction = datagram.direction & 1;
        if !self.keyring.is_empty() {
            let (at, bytes) = ((datagram.time, datagram.id), datagram.bytes);
            if self.open_srtcp(srtcp, direction, at, bytes) {
                self.confirm_srtcp();
                return Verdict::Rtcp;
            }
            let waiting = Waiting { srtcp, direction, at, bytes: bytes.into() };
            if self.believes(path) && self.srtp.get_or_insert_default().wait(waiting) {
                return Verdict::Rtcp;
            }
        }
        if self.srtcp_confirmed || self.believes(path) || self.continues_srtcp(&srtcp, direction) {
            self.confirm_srtcp();
            self.rtcp_mut().push_encrypted(srtcp);
            return Verdict::Rtcp;
        }
        if self.waiting_srtcp.len() < WAITING_SRTCP {
            self.waiting_srtcp.push((direction, srtcp));
        }
        Verdict::Waiting
    }

    pub(super) fn confirm_srtcp(&mut self) {
        self.srtcp_confirmed = true;
        for (_, srtcp) in std::mem::take(&mut self.waiting_srtcp) {
            self.rtcp_mut().push_encrypted(srtcp);
        }
    }

    /// Whether a key opens it; then what is inside is taken as RTCP in clear is. What waited for a key that came is, too.
    #[cold]
    fn open_srtcp(&mut self, srtcp: Srtcp, direction: usize, at: (Timestamp, PacketId), bytes: &[u8]) -> bool {
        let mut srtp = self.srtp.take().unwrap_or_default();
        for waiting in srtp.take_waiting(&self.keyring) {
            let Waiting { srtcp, direction, at, ref bytes } = waiting;
            if !self.take_opened(&mut srtp, srtcp, direction, at, bytes) && !srtp.wait(waiting) {
                self.rtcp_mut().push_encrypted(srtcp);
            }
        }
        let is_opened = self.take_opened(&mut srtp, srtcp, direction, at, bytes);
        self.srtp = Some(srtp);
        is_opened
    }

    fn take_opened(
        &mut self,
        srtp: &mut Srtp,
        srtcp: Srtcp,
        direction: usize,
        (time, id): (Timestamp, PacketId),
        bytes: &[u8],
    ) -> bool {
        let Some(plaintext) = srtp.open_rtcp(direction, srtcp.ssrc, bytes, &self.keyring) else { return false };
        let budget = self.budget.clone();
        self.rtcp_mut().push_opened(srtcp, time, id, &Compound::opened(plaintext), &budget);
        true
    }

    /// Tries what waits for keys once more, and counts the rest.
    pub(super) fn end_srtcp(&mut self) {
        let Some(mut srtp) = self.srtp.take() else { return };
        for Waiting { srtcp, direction, at, bytes } in srtp.take_waiting(&self.keyring) {
            if !self.take_opened(&mut srtp, srtcp, direction, at, &bytes) {
                srtp.wait(Waiting { srtcp, direction, at, bytes });
            }
        }
        for Waiting { srtcp, .. } in srtp.end_waiting() {
            self.rtcp_mut().push_encrypted(srtcp);
        }
        self.srtp = Some(srtp);
    }

    /// Tells the random of the ClientHello on the same path.
    pub fn prefer_key_of(&mut self, client_random: [u8; 32]) {
        self.srtp.get_or_insert_default().prefer(client_random);
    }

    /// Checks the tag of a packet of the stream at `index`.
    #[cold]
    pub(super) fn check_tag(&mut self, index: usize, ssrc: u32, datagram: &Datagram<'_>) {
        if datagram.is_snapped() {
            return;
        }
        let packet = Rtp { ssrc, id: datagram.id, bytes: datagram.bytes };
        self.srtp.get_or_insert_default().check_rtp(datagram.direction, index, packet, &self.keyring);
    }

    /// Whether this is the next SRTCP of a sender that waits: the same SSRC, and the index went on.
    fn continues_srtcp(&self, srtcp: &Srtcp, direction: usize) -> bool {
        self.waiting_srtcp.iter().any(|(from, earlier)| {
            let step = srtcp.index.zip(earlier.index).map(|(now, before)| now.wrapping_sub(before));
            *from == direction
                && earlier.ssrc == srtcp.ssrc
                && step.is_some_and(|step| (1..=INDEX_STEP).contains(&step))
        })
    }
}
