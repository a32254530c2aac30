//! The C contract between Podium and its plugins.
