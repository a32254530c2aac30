//! From the wire to the disk: one bounded queue, one writer, one transaction for each flush.

pub(crate) mod allocate;
pub(crate) mod body;
pub(crate) mod event;
pub(crate) mod exposure;
mod flush;
mod joining;
pub(crate) mod people;
pub(crate) mod queue;
pub(crate) mod rebuild;
pub(crate) mod touched;
mod whose;
pub(crate) mod writer;
