//! The two databases, as a parameter.

use super::cluster;
use super::folder::Folder;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A database that nobody else uses, gone on drop.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite { url: String, _folder: Folder },
    Postgres { url: String, name: String },
}

impl Engine {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// Why it cannot be used on this machine, if it cannot.
    pub(crate) fn lacks(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => cluster::programs().is_none().then_some("needs PostgreSQL 14 or newer"),
        }
    }

    pub(crate) fn database(self) -> Database {
        match self {
            Self::Sqlite => {
                let folder = Folder::new("sqlite");
                let url = format!("sqlite:{}", folder.path().join("podium.sqlite").display());
                Database::Sqlite { url, _folder: folder }
            }
            Self::Postgres => {
                let (name, url) = cluster::new_database();
                Database::Postgres { url, name }
            }
        }
    }
}

impl Database {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Sqlite { url, .. } | Self::Postgres { url, .. } => url,
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { name, .. } = self {
            cluster::drop_database(name);
        }
    }
}
