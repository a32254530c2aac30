//! How beliefs become weights.
