//! A capture as a selective forwarding unit would take it of many calls at once, of any length, with its truth.

mod call;
mod control;
pub mod generate;
pub mod measure;
mod network;
mod random;
mod rtp;
