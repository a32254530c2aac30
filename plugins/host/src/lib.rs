//! Finds, verifies and loads plugins.
