//! What is believed about the variants.
