//! Shoppers whose truth is known.
