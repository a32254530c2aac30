//! The podium server.
fn main() {}
