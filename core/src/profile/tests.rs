//! Laws of the fold.
