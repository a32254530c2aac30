//! `podium key`: works on the database itself, so that nobody is ever locked out.

use super::config::Place;
use super::{CliError, say};
use crate::auth::{KeyRecord, Scope};
use crate::clock;
use crate::origin::Origins;
use crate::store::keys;
use clap::{Args, Subcommand, ValueEnum};
use std::process::ExitCode;

/// Make or list API keys, in the database itself; a running server notices within seconds.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyCommand {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// List keys, without secrets.
    List,
    /// Make a key and print it once.
    Create {
        /// What it may do.
        #[arg(long, value_enum)]
        scope: ScopeArg,
        /// What people call it.
        #[arg(long, default_value = "")]
        name: String,
        /// An origin whose pages it is for, such as `https://shop.example`; may be repeated. Any without.
        #[arg(long = "origin", value_name = "ORIGIN")]
        origins: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScopeArg {
    Admin,
    Server,
    Publishable,
}

impl KeyCommand {
    /// Runs it.
    pub(crate) async fn run(self) -> Result<ExitCode, CliError> {
        self.place.prepare()?;
        let store = self.place.open().await?;
        match self.verb {
            Verb::List => {
                for key in keys::all(store.reader()).await.map_err(CliError::from_display)? {
                    let state = if key.revoked_at.is_some() { "revoked" } else { "valid" };
                    let origins: Vec<&str> = key.origins.iter().collect();
                    let line = format!(
                        "{:14} {:12} {state:8} {} {} {}",
                        key.id,
                        key.scope.as_str(),
                        key.created_at,
                        key.name,
                        origins.join(" ")
                    );
                    say(line.trim_end());
                }
            }
            Verb::Create { scope, name, origins } => {
                let scope = match scope {
                    ScopeArg::Admin => Scope::Admin,
                    ScopeArg::Server => Scope::Server,
                    ScopeArg::Publishable => Scope::Publishable,
                };
                let origins = Origins::new(scope, &origins).map_err(CliError::from_display)?;
                let (record, key) = KeyRecord::generate(scope, &name, clock::now());
                let record = KeyRecord { origins, ..record };
                keys::insert(store.writer(), &record).await.map_err(CliError::from_display)?;
                say(&key);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
