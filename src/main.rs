//! The `rtcscope` command.

fn main() {}
