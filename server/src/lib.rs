//! The podium server.
