//! The domain of Podium: what an experiment is, which variant a unit gets, what is believed about the
//! variants, how weights follow from beliefs, and what a report says.
//!
//! It promises that the same input gives the same output on every machine. It never reads a clock, a
//! file, a socket, an environment variable or a global random generator: time and randomness are
//! arguments.
//!
//! In reading order: [`id`], [`time`] and [`money`] (words), [`experiment`] (what is asked), [`experience`] (what is
//! always on), [`bucketing`] (unit → variant), [`snapshot`] (deciding), [`metric`] (events become one number per unit),
//! [`identity`] (which ids are one person), [`projection`] (the fold over the log), [`profile`] (what is known of one
//! person), [`audience`] (conditions on shoppers), [`posterior`] (what is
//! believed), [`allocation`] (beliefs become weights), [`inference`] (what the data says, with its error), [`report`]
//! (what people read), [`simulate`] (shoppers whose truth is known), [`replay`] (a policy judged on the log of
//! another).

pub mod allocation;
pub mod audience;
pub mod bucketing;
pub mod experience;
pub mod experiment;
mod fault;
pub mod id;
pub mod identity;
pub mod inference;
pub mod metric;
pub mod money;
pub mod posterior;
pub mod probability;
pub mod profile;
pub mod projection;
mod quotient;
pub mod replay;
pub mod report;
pub mod simulate;
pub mod snapshot;
pub mod time;
pub mod value_type;
