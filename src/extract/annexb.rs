//! H.264 and H.265 as a stream of NAL units behind start codes (ITU-T H.264 and H.265, annex B).

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Error, Sink};

/// What stands before each NAL unit.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// A stream of NAL units. It has no times: a player shows its frames at the rate that it likes.
#[derive(Debug)]
pub struct AnnexB<W> {
    sink: Sink<W>,
}

impl<W: Write> AnnexB<W> {
    /// Starts a file with the parameter sets that were told out of band.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(mut sink: Sink<W>, parameter_sets: &[Vec<u8>]) -> Result<Self, Error> {
        for set in parameter_sets {
            sink.write(&START_CODE)?;
            sink.write(set)?;
        }
        Ok(Self { sink })
    }

    /// Adds a frame whose NAL units have their start codes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, frame: &[u8]) -> Result<(), Error> {
        self.sink.write(frame)
    }

    /// The output.
    ///
    /// # Errors
    /// When what is left cannot be written.
    pub fn finish(self) -> Result<W, Error> {
        self.sink.finish()
    }
}

/// The NAL units of `sprop-parameter-sets` (RFC 6184 section 8.1), or `sprop-vps`, `sprop-sps`, `sprop-pps` (RFC 7798
/// section 7.1). What is no base64 is left out.
#[must_use]
pub fn parameter_sets(property: &str) -> Vec<Vec<u8>> {
    let sets = property.split(',').filter_map(|set| STANDARD.decode(set.trim()).ok());
    sets.filter(|set| !set.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file() {
        // The sets of RFC 6184 section 8.2.1's example.
        let sets = parameter_sets("Z0IACpZTBYmI,aMljiA==,?");
        assert_eq!(sets, [vec![0x67, 0x42, 0, 0x0a, 0x96, 0x53, 5, 0x89, 0x88], vec![0x68, 0xc9, 0x63, 0x88]]);
        let mut file = AnnexB::create(Sink::new("a.h264", Vec::new()), &sets[1..]).unwrap();
        file.write(&[0, 0, 0, 1, 0x65, 9]).unwrap();
        assert_eq!(file.finish().unwrap(), [0, 0, 0, 1, 0x68, 0xc9, 0x63, 0x88, 0, 0, 0, 1, 0x65, 9]);
    }
}
