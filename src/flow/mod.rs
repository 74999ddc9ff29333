//! Memory: what is known of each flow, in integers, of bounded size.

pub mod sequence;
pub mod timing;
