//! SRTCP of a flow: what is counted by its clear header, what waits for evidence, and what keys open.

use super::{Media, Path, Verdict};
use crate::{
    flow::datagram::Datagram,
    wire::rtcp::{Compound, Srtcp},
};

/// SRTCP datagrams that wait until the flow shows that it is a call's.
const WAITING_SRTCP: usize = 64;

/// An SRTCP index goes on by one a datagram; lost ones leave small steps.
const INDEX_STEP: u32 = 16;

impl Media {
    pub(super) fn push_srtcp(&mut self, srtcp: Srtcp, datagram: &Datagram<'_>, path: Path) -> Verdict {
        if !self.keyring.is_empty() && self.open_srtcp(srtcp, datagram) {
            self.confirm_srtcp();
            return Verdict::Rtcp;
        }
        let direction = datagram.direction & 1;
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

    /// Whether a key opens it; then what is inside is taken as RTCP in clear is.
    #[cold]
    fn open_srtcp(&mut self, srtcp: Srtcp, datagram: &Datagram<'_>) -> bool {
        let mut srtp = self.srtp.take().unwrap_or_default();
        let plaintext = srtp.open_rtcp(datagram.direction, srtcp.ssrc, datagram.bytes, &self.keyring);
        let is_opened = plaintext.is_some();
        if let Some(plaintext) = plaintext {
            let (compound, budget) = (Compound::opened(plaintext), self.budget.clone());
            self.rtcp_mut().push_opened(srtcp, datagram.time, datagram.id, &compound, &budget);
        }
        self.srtp = Some(srtp);
        is_opened
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
