//! Worlds for the black-box tests: databases of their own, the real binary, a client, and builders of what a
//! shop sends.

mod book;
mod children;
mod clients;
mod cluster;
mod engine;
mod erp;
pub(crate) mod events;
mod faults;
mod folder;
mod http;
mod mail;
mod messages;
mod plugins;
mod podium;
mod problem;
mod random;
mod receiver;
mod refuser;
mod report;
mod shop;
mod store_lock;
mod stream;
mod wait;

pub(crate) use book::{Book, Named, Profile, named, profile};
pub(crate) use clients::Clients;
pub(crate) use engine::Engine;
pub(crate) use erp::{Erp, Gate, Question, Said};
pub(crate) use faults::{Expected, Faults, any, at, of_kind};
pub(crate) use folder::Folder;
pub(crate) use http::{Answer, Client};
pub(crate) use mail::{Mail, MailServer};
pub(crate) use messages::email;
pub(crate) use plugins::Built;
pub(crate) use podium::signal;
pub(crate) use random::Random;
pub(crate) use receiver::{Posted, Receiver, Reply};
pub(crate) use refuser::{Refuser, Sent};
pub(crate) use report::Report;
pub(crate) use shop::{Decision, Receipt, Shop, experiment};
pub(crate) use store_lock::{StoreLock, tamper};
pub(crate) use stream::Stream;
pub(crate) use wait::{eventually, soon};
