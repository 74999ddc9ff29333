//! One call: a client and a forwarding unit send each other audio and video on one path, with all that goes with it.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::{
    control::{self, BINDING_REQUEST, BINDING_RESPONSE},
    network::{Fate, Path},
    random::Random,
    rtp::{Media, Rtp, Sender, Truth},
};

const MILLI: u64 = 1_000_000;

/// Frames between two key frames: ten seconds.
const KEY_FRAME_INTERVAL: u32 = 300;

/// Something that happens in a call.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A check of the connection and of the consent to send (RFC 7675), by `direction`'s sender.
    Check {
        direction: usize,
        repeats: bool,
    },
    /// A flight of the DTLS handshake, counted from 0.
    Handshake {
        flight: usize,
    },
    Audio {
        direction: usize,
    },
    Frame {
        direction: usize,
    },
    /// Transport-wide feedback in SRTCP.
    Feedback {
        direction: usize,
    },
    /// A sender or receiver report in SRTCP.
    Report {
        direction: usize,
    },
    Retransmit {
        direction: usize,
        original: Rtp,
    },
    /// A message on a data channel.
    Message {
        direction: usize,
    },
}

/// Something that arrives at the tap.
#[derive(Clone, Debug)]
pub enum Packet {
    Rtp(Rtp),
    Other(Vec<u8>),
}

/// What an event leads to.
#[derive(Clone, Debug)]
pub enum Effect {
    Event(Event),
    Packet { direction: usize, identification: u16, packet: Packet },
}

/// One end's half of a call.
#[derive(Clone, Debug)]
pub struct Side {
    pub path: Path,
    audio: Sender,
    video: Sender,
    retransmission: Sender,
    truths: [Truth; 3],
    transport_sequence: u16,
    srtcp_index: u32,
    frames: u32,
    messages: u8,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The client's half and the forwarding unit's.
    pub sides: [Side; 2],
    random: Random,
    handshake: [Vec<u8>; 4],
    video_payload: u16,
}

impl Call {
    /// The call `index` of a capture.
    pub fn new(index: u32, video_payload: u16, seed: u64) -> Self {
        let mut random = Random::new(seed ^ u64::from(index).wrapping_mul(0xd129_0d3f_21a5_7c4b));
        let client_address = Ipv4Addr::from_bits(0x6440_0000 | random.below(1 << 22) as u32);
        let client = SocketAddrV4::new(client_address, 32_768 + random.below(28_000) as u16);
        let server =
            SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10 + (index % 4) as u8), 10_000 + (index % 20_000) as u16 * 2);
        let up = Side::new(Path::new(client, server, true, &mut random), &mut random);
        let down = Side::new(Path::new(server, client, false, &mut random), &mut random);
        let handshake = control::handshake(&mut random);
        Self { sides: [up, down], random, handshake, video_payload }
    }

    /// What happens without a cause, each with its delay from the start of the call.
    pub fn beginnings(&mut self) -> Vec<(u64, Event)> {
        let mut events = vec![(110 * MILLI, Event::Handshake { flight: 0 })];
        for direction in 0..2 {
            events.extend((0..3).map(|check| (check * 45 * MILLI, Event::Check { direction, repeats: check == 2 })));
            let media = 300 * MILLI + self.random.below(40 * MILLI);
            events.push((media, Event::Audio { direction }));
            events.push((media + self.random.below(33 * MILLI), Event::Frame { direction }));
            events.push((media + 200 * MILLI, Event::Feedback { direction }));
            events.push((media + 500 * MILLI, Event::Report { direction }));
            events.push((1000 * MILLI, Event::Message { direction }));
        }
        events
    }

    /// Has `event` happen at the nanosecond `now`; `emit` takes what comes of it and when.
    pub fn happen(&mut self, now: u64, event: Event, emit: &mut impl FnMut(u64, Effect)) {
        match event {
            Event::Check { direction, repeats } => {
                let mut transaction = [0; 12];
                transaction.copy_from_slice(&self.random.bytes(12));
                let request = control::binding(BINDING_REQUEST, transaction, &mut self.random);
                let response = control::binding(BINDING_RESPONSE, transaction, &mut self.random);
                self.send_other(now, direction, request, emit);
                self.send_other(now + 35 * MILLI, direction ^ 1, response, emit);
                if repeats {
                    emit(now + 2500 * MILLI + self.random.below(500 * MILLI), Effect::Event(event));
                }
            }
            Event::Handshake { flight } => {
                let datagram = std::mem::take(&mut self.handshake[flight]);
                self.send_other(now, flight & 1, datagram, emit);
                if flight + 1 < self.handshake.len() {
                    emit(now + 25 * MILLI, Effect::Event(Event::Handshake { flight: flight + 1 }));
                }
            }
            Event::Audio { direction } => {
                let length = 60 + self.random.below(60) as u16;
                let side = &mut self.sides[direction];
                side.audio.timestamp = side.audio.timestamp.wrapping_add(960);
                let packet = side.packet(Media::Audio, now, length, false);
                self.send_rtp(now, direction, packet, emit);
                emit(now + 20 * MILLI, Effect::Event(event));
            }
            Event::Frame { direction } => {
                self.frame(now, direction, emit);
                emit(now + 33_333_333, Effect::Event(event));
            }
            Event::Feedback { direction } => {
                self.send_srtcp(now, direction, (0x8f, 205, 8), emit);
                emit(now + 100 * MILLI, Effect::Event(event));
            }
            Event::Report { direction } => {
                self.send_srtcp(now, direction, (0x81, 200, 12), emit);
                emit(now + 900 * MILLI + self.random.below(200 * MILLI), Effect::Event(event));
            }
            Event::Retransmit { direction, original } => {
                const ORIGINAL_SEQUENCE_NUMBER: u16 = 2;
                let side = &mut self.sides[direction];
                side.retransmission.timestamp = original.timestamp;
                let length = original.length + ORIGINAL_SEQUENCE_NUMBER;
                let packet = side.packet(Media::Retransmission, now, length, original.marker);
                self.send_rtp(now, direction, packet, emit);
            }
            Event::Message { direction } => {
                let side = &mut self.sides[direction];
                side.messages = side.messages.wrapping_add(1);
                let record = control::application_data(side.messages, &mut self.random);
                self.send_other(now, direction, record, emit);
                emit(now + 4000 * MILLI, Effect::Event(event));
            }
        }
    }

    /// A video frame: packets in one burst, paced. Those lost before the tap or behind it are asked for again.
    fn frame(&mut self, now: u64, direction: usize, emit: &mut impl FnMut(u64, Effect)) {
        let side = &mut self.sides[direction];
        let key = side.frames.is_multiple_of(KEY_FRAME_INTERVAL);
        side.frames += 1;
        side.video.timestamp = side.video.timestamp.wrapping_add(3000);
        let packets = if key { 14 + self.random.below(10) } else { 1 + self.random.below(6) };
        for number in 0..packets {
            let last = number + 1 == packets;
            let length = if last { 80 + self.random.below(900) as u16 } else { self.video_payload };
            let time = now + number * 250_000;
            let packet = self.sides[direction].packet(Media::Video, time, length, last);
            let arrived = self.send_rtp(time, direction, packet, emit);
            if !arrived || self.random.chance(40) {
                self.send_srtcp(now + 40 * MILLI, direction ^ 1, (0x81, 205, 3), emit);
                emit(now + 75 * MILLI, Effect::Event(Event::Retransmit { direction, original: packet }));
            }
        }
    }

    /// Whether it arrived at the tap.
    fn send_rtp(&mut self, now: u64, direction: usize, packet: Rtp, emit: &mut impl FnMut(u64, Effect)) -> bool {
        let path = &mut self.sides[direction].path;
        let identification = path.next_identification();
        let Fate::Arrives { time, again } = path.send(now, &mut self.random) else { return false };
        emit(time, Effect::Packet { direction, identification, packet: Packet::Rtp(packet) });
        if let Some(time) = again {
            let packet = Packet::Rtp(Rtp { again: true, ..packet });
            emit(time, Effect::Packet { direction, identification, packet });
        }
        true
    }

    fn send_srtcp(
        &mut self,
        now: u64,
        direction: usize,
        (first, packet_type, words): (u8, u8, u16),
        emit: &mut impl FnMut(u64, Effect),
    ) {
        let side = &mut self.sides[direction];
        side.srtcp_index += 1;
        let packet = control::srtcp(first, packet_type, words, side.audio.ssrc, side.srtcp_index, &mut self.random);
        self.send_other(now, direction, packet, emit);
    }

    fn send_other(&mut self, now: u64, direction: usize, bytes: Vec<u8>, emit: &mut impl FnMut(u64, Effect)) {
        let path = &mut self.sides[direction].path;
        let identification = path.next_identification();
        if let Fate::Arrives { time, .. } = path.send(now, &mut self.random) {
            emit(time, Effect::Packet { direction, identification, packet: Packet::Other(bytes) });
        }
    }
}

impl Side {
    fn new(path: Path, random: &mut Random) -> Self {
        let senders = [Sender::new(random), Sender::new(random), Sender::new(random)];
        let truths = senders.each_ref().map(|sender| Truth::new(sender.ssrc, path.source, path.destination));
        let [audio, video, retransmission] = senders;
        let transport_sequence = random.next() as u16;
        Self { path, audio, video, retransmission, truths, transport_sequence, srtcp_index: 0, frames: 0, messages: 0 }
    }

    pub const fn truths(&self) -> &[Truth; 3] {
        &self.truths
    }

    /// Counts a packet that is captured; returns its SSRC.
    pub fn capture(&mut self, packet: &Rtp) -> u32 {
        let truth = &mut self.truths[packet.media as usize];
        truth.record(packet.sequence, packet.again);
        truth.ssrc
    }

    fn packet(&mut self, media: Media, now: u64, length: u16, marker: bool) -> Rtp {
        let sender = match media {
            Media::Audio => &mut self.audio,
            Media::Video => &mut self.video,
            Media::Retransmission => &mut self.retransmission,
        };
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        Rtp {
            media,
            sequence: sender.next_sequence(),
            timestamp: sender.timestamp,
            marker,
            length,
            send_time: ((u128::from(now) << 18) / 1_000_000_000) as u32 & 0x00ff_ffff,
            transport_sequence: self.transport_sequence,
            again: false,
        }
    }
}
