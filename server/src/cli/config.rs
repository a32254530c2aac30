//! Where things are: flags, each with its environment variable.

use super::CliError;
use crate::auth::{KeyRecord, Scope};
use crate::clock;
use crate::outgoing::Reach;
use crate::secrets::Secrets;
use crate::store::{Store, keys};
use crate::telemetry;
use clap::{Args, ValueEnum};
use podium_plugin_host::{Isolation, Launcher, Registry};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where the server keeps what it keeps.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// The database: `sqlite:PATH` or `postgres://USER@HOST/NAME`; by default a file in the data folder.
    #[arg(long, env = "PODIUM_DATABASE", value_name = "URL")]
    pub(crate) database: Option<String>,
    /// The folder for the database, keys and secrets.
    #[arg(long, env = "PODIUM_DATA_DIR", value_name = "DIR", default_value = ".podium")]
    pub(crate) data_dir: PathBuf,
    /// A folder with plugins, besides those beside the binary and in `DATA_DIR/plugins`; may be repeated.
    #[arg(long, env = "PODIUM_PLUGIN_DIR", value_name = "DIR", value_delimiter = ':')]
    pub(crate) plugin_dir: Vec<PathBuf>,
    /// Where plugins run: each in a process of its own, or all in the server's, which then crashes with them.
    #[arg(long, env = "PODIUM_PLUGIN_ISOLATION", value_enum, default_value_t = IsolationArg::Child)]
    pub(crate) plugin_isolation: IsolationArg,
}

/// Where plugins run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationArg {
    Child,
    InProcess,
}

/// Which other systems conditions may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExternalArg {
    Off,
    Public,
    Anywhere,
}

impl ExternalArg {
    /// How far calls may reach; `None` if there are none.
    pub(crate) fn reach(self) -> Option<Reach> {
        match self {
            Self::Off => None,
            Self::Public => Some(Reach::Public),
            Self::Anywhere => Some(Reach::Anywhere),
        }
    }
}

impl Place {
    /// Makes the data folder, for us alone.
    pub(crate) fn prepare(&self) -> Result<(), CliError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data_dir)
            .map_err(|error| CliError(format!("cannot make {}: {error}", self.data_dir.display())))
    }

    /// Opens the database.
    pub(crate) async fn open(&self) -> Result<Store, CliError> {
        let default = || format!("sqlite:{}", self.data_dir.join("podium.sqlite").display());
        let url = self.database.clone().unwrap_or_else(default);
        if !(url.starts_with("sqlite:") || url.starts_with("postgres:") || url.starts_with("postgresql:")) {
            return Err(CliError(format!(
                "`{url}` is no database URL: use sqlite:PATH or postgres://USER@HOST/NAME"
            )));
        }
        Store::open(&url).await.map_err(CliError::from_display)
    }

    /// Loads the bundled plugins and those of the operator, and says which were refused.
    pub(crate) fn plugins(&self) -> Result<Registry, CliError> {
        let mut folders = Vec::new();
        if let Some(beside) = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf))
        {
            let bundled = beside.join("plugins");
            folders.push(if bundled.is_dir() { bundled } else { beside });
        }
        let own = self.data_dir.join("plugins");
        if own.is_dir() {
            folders.push(own);
        }
        folders.extend(self.plugin_dir.iter().cloned());
        self.plugins_of(&folders)
    }

    /// Loads the plugins of these folders and no others, and says which were refused.
    pub(crate) fn plugins_of(&self, folders: &[PathBuf]) -> Result<Registry, CliError> {
        let program = std::env::current_exe().map_err(CliError::from_display)?;
        let isolation = match self.plugin_isolation {
            IsolationArg::Child => {
                let staging = self.data_dir.join("staged-plugins");
                Isolation::Child(Launcher { program, arguments: vec!["plugin-host".into()], staging })
            }
            IsolationArg::InProcess => Isolation::InProcess,
        };
        let registry = Registry::load_with(folders, &isolation, &telemetry::plugin_log());
        for refusal in registry.refusals() {
            tracing::error!(slug = refusal.slug.as_str(), "plugin refused: {refusal}");
        }
        for plugin in registry.plugins() {
            tracing::info!(plugin = %plugin.id, version = %plugin.version, file = %plugin.file.display(), "plugin loaded");
        }
        Ok(registry)
    }

    /// Where the secrets of channels are.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::new(self.data_dir.join("secrets"))
    }

    /// The secret that links are signed with, made at the first start.
    pub(crate) fn link_secret(&self) -> Result<[u8; 32], CliError> {
        let file = self.data_dir.join("link.secret");
        if let Ok(bytes) = fs::read(&file)
            && let Ok(secret) = bytes.try_into()
        {
            return Ok(secret);
        }
        let secret: [u8; 32] = rand::random();
        write_private(&file, &secret)?;
        Ok(secret)
    }

    /// Makes one key of each scope if there is none, and writes them to `keys.json` in the data folder.
    pub(crate) async fn first_keys(&self, store: &Store) -> Result<(), CliError> {
        if !keys::all(store.reader()).await.map_err(CliError::from_display)?.is_empty() {
            return Ok(());
        }
        let mut made = BTreeMap::new();
        for scope in [Scope::Admin, Scope::Server, Scope::Publishable] {
            let (record, key) = KeyRecord::generate(scope, "first", clock::now());
            keys::insert(store.writer(), &record).await.map_err(CliError::from_display)?;
            made.insert(scope.as_str(), key);
        }
        let text = serde_json::to_vec_pretty(&made).map_err(CliError::from_display)?;
        let file = self.keys_file();
        write_private(&file, &text)?;
        tracing::info!(file = %file.display(), "first keys written; move them to where you keep secrets");
        Ok(())
    }

    /// Where the first keys are written.
    pub(crate) fn keys_file(&self) -> PathBuf {
        self.data_dir.join("keys.json")
    }
}

fn write_private(file: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError(format!("cannot write {}: {error}", file.display()));
    let mut options = fs::OpenOptions::new();
    let mut open = options.write(true).create(true).truncate(true).mode(0o600).open(file).map_err(failed)?;
    open.write_all(bytes).and_then(|()| open.sync_all()).map_err(failed)
}
