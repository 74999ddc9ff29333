//! G.722 at 64 kbit/s to samples of 16 kHz (ITU-T G.722 section 4; the names of variables are those of its blocks).

/// A decoder. Any bytes are sound.
#[derive(Debug)]
pub(super) struct Decoder {
    low: Band,
    high: Band,
    /// The last sums and differences of both bands, for the receive QMF.
    history: [i32; 24],
}

impl Default for Decoder {
    fn default() -> Self {
        Self { low: Band { det: 32, ..Band::default() }, high: Band { det: 8, ..Band::default() }, history: [0; 24] }
    }
}

impl Decoder {
    /// Two samples of each byte.
    pub(super) fn decode(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        for byte in bytes {
            let (low, high) = (self.decode_low(byte & 0x3f), self.decode_high(byte >> 6));
            samples.extend(self.synthesize(low, high));
        }
    }

    /// Blocks 2L to 6L: six bits for the lower band, of which its adaptation takes the upper four.
    fn decode_low(&mut self, code: u8) -> i32 {
        let output = (self.low.s + scaled(self.low.det, entry(&QM6, code))).clamp(-16_384, 16_383);
        let coarse = code >> 2;
        let dlt = scaled(self.low.det, entry(&QM4, coarse));
        let step = entry(&WL, entry(&RL42, coarse) as u8);
        self.low.adapt_scale(step, 18_432, 8);
        self.low.predict(dlt);
        output
    }

    /// Blocks 2H to 6H: two bits for the upper band.
    fn decode_high(&mut self, code: u8) -> i32 {
        let dh = scaled(self.high.det, entry(&QM2, code));
        let output = (self.high.s + dh).clamp(-16_384, 16_383);
        let step = entry(&WH, entry(&RH2, code) as u8);
        self.high.adapt_scale(step, 22_528, 10);
        self.high.predict(dh);
        output
    }

    /// The receive QMF (section 4.4).
    fn synthesize(&mut self, low: i32, high: i32) -> [i16; 2] {
        self.history.copy_within(2.., 0);
        let [.., sum, difference] = &mut self.history;
        (*sum, *difference) = (low + high, low - high);
        let (pairs, _) = self.history.as_chunks::<2>();
        let filter = QMF.iter().zip(QMF.iter().rev()).zip(pairs);
        let (first, second) = filter.fold((0, 0), |(first, second), ((even, odd), [sum, difference])| {
            (first + difference * odd, second + sum * even)
        });
        [saturate(first >> 11) as i16, saturate(second >> 11) as i16]
    }
}

/// One of the two ADPCM decoders.
#[derive(Clone, Copy, Debug, Default)]
struct Band {
    /// The quantizer's scale, and its logarithm.
    det: i32,
    nb: i32,
    /// The predictor's output: of poles and zeros together, and of the zeros.
    s: i32,
    sz: i32,
    /// The poles, and the last two reconstructed signals and partial ones.
    a: [i32; 2],
    r: [i32; 2],
    p: [i32; 2],
    /// The zeros, and the last six differences.
    b: [i32; 6],
    d: [i32; 6],
}

impl Band {
    /// LOGSCL and SCALEL, or LOGSCH and SCALEH.
    fn adapt_scale(&mut self, step: i32, limit: i32, exponent: i32) {
        self.nb = (((self.nb * 127) >> 7) + step).clamp(0, limit);
        let shift = exponent - (self.nb >> 11);
        let mantissa = entry(&ILB, (self.nb >> 6 & 31) as u8);
        self.det = if shift < 0 { mantissa << -shift } else { mantissa >> shift } << 2;
    }

    /// Block 4: the predictor takes in a quantized difference.
    fn predict(&mut self, difference: i32) {
        let reconstructed = saturate(self.s + difference);
        let partial = saturate(self.sz + difference);
        let same_sign = |other: i32| (partial < 0) == (other < 0);
        // UPPOL2.
        let slope = saturate(self.a[0] << 2);
        let slope = if same_sign(self.p[0]) { (-slope).min(32_767) } else { slope };
        let lean = if same_sign(self.p[1]) { 128 } else { -128 };
        let second = ((slope >> 7) + lean + scaled(self.a[1], 32_512)).clamp(-12_288, 12_288);
        // UPPOL1.
        let lean = if same_sign(self.p[0]) { 192 } else { -192 };
        let bound = saturate(15_360 - second);
        let first = saturate(lean + scaled(self.a[0], 32_640)).clamp(-bound, bound);
        // UPZERO.
        let lean = if difference == 0 { 0 } else { 128 };
        for (zero, earlier) in self.b.iter_mut().zip(self.d) {
            let lean = if (difference < 0) == (earlier < 0) { lean } else { -lean };
            *zero = saturate(lean + scaled(*zero, 32_640));
        }
        // DELAYA.
        self.d.copy_within(..5, 1);
        self.d[0] = difference;
        (self.r, self.p, self.a) = ([reconstructed, self.r[0]], [partial, self.p[0]], [first, second]);
        // FILTEP, FILTEZ, PREDIC.
        let weigh = |coefficient: i32, value: i32| scaled(coefficient, saturate(2 * value));
        let poles = saturate(weigh(self.a[0], self.r[0]) + weigh(self.a[1], self.r[1]));
        self.sz = saturate(self.b.iter().zip(self.d).map(|(zero, earlier)| weigh(*zero, earlier)).sum());
        self.s = saturate(poles + self.sz);
    }
}

const fn scaled(one: i32, other: i32) -> i32 {
    (one * other) >> 15
}

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// An entry of a table whose index has no more bits than the table needs.
fn entry(table: &[i32], index: u8) -> i32 {
    table.get(usize::from(index)).copied().unwrap_or_default()
}

const WL: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
const RL42: [i32; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
const WH: [i32; 3] = [0, -214, 798];
const RH2: [i32; 4] = [2, 1, 2, 1];
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
const QM4: [i32; 16] =
    [0, -20_456, -12_896, -8968, -6288, -4240, -2584, -1200, 20_456, 12_896, 8968, 6288, 4240, 2584, 1200, 0];
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360,
    -1040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9360, 8576, 7856, 7192, 6576,
    6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tone() {
        // 700 Hz as FFmpeg 5.1 codes it, and decodes it again.
        let bytes = [
            0xb7, 0x88, 0x21, 0x87, 0x27, 0x8f, 0xa0, 0xa0, 0x20, 0xa0, 0x63, 0xdb, 0xc6, 0xc4, 0xc4, 0xc5, 0xce, 0xea,
            0xe1, 0xe0, 0x60, 0xe3, 0xf8, 0xc9, 0x45, 0xc4, 0xc6, 0xcd, 0xf5, 0xa5, 0xa2, 0xe2,
        ];
        let expected = [
            0, -1, -1, 0, 0, -1, -1, 2, 0, -8, 0, 23, -10, -65, -7, 112, 21, -217, -66, 275, 171, -245, -185, 488,
            1460, 2398, 2976, 4757, 9985, 16_897, 20_794, 19_203, 12_959, 4019, -5252, -13_104, -19_296, -23_812,
            -26_089, -26_683, -26_992, -26_506, -22_871, -15_853, -7594, 928, 10_447, 19_600, 25_440, 28_020, 29_889,
            31_342, 30_323, 26_038, 19_430, 11_401, 2634, -6311, -15_172, -23_197, -29_091, -32_215, -32_703, -30_979,
        ];
        let mut samples = Vec::new();
        Decoder::default().decode(&bytes, &mut samples);
        assert_eq!(samples, expected);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let mut samples = Vec::new();
            Decoder::default().decode(&bytes, &mut samples);
            prop_assert_eq!(samples.len(), 2 * bytes.len());
        }
    }
}
