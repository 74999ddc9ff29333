//! What is shown to people and programs. Each renderer is a pure function of what it is given.

pub mod packet;
