//! The two ends of `stroem db copy`: which stores they are, and the files beside them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use stroem_core::Secret;
use stroem_server::{Database, ServerConfig};
use stroem_store::{
    StoreError,
    transfer::{Export, Import},
};
use stroem_store_postgres::{Options, transfer as postgres};
use stroem_store_sqlite::transfer as sqlite;

use crate::{compose::config, failure::Failure};

/// What a server keeps beside its database: the key of secret inputs, sealed logs, and the revisions that jobs run on.
const FILES: &[&str] = &["secret.key", "blobs", "tarballs"];

/// A store as the command line names it.
#[derive(Debug)]
pub(crate) struct End {
    database: Database,
    /// Where its server keeps its files, as far as it is known.
    pub(crate) data_dir: Option<PathBuf>,
}

impl End {
    /// Of a URL or of a server's configuration.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if let Some(dir) = text.strip_prefix("sqlite:") {
            let dir = PathBuf::from(dir);
            return Ok(Self { data_dir: Some(dir.clone()), database: Database::Sqlite { dir } });
        }
        if ["postgres://", "postgresql://"].iter().any(|start| text.starts_with(start)) {
            let database = Database::Postgres { url: Secret::new(text.to_owned()), max_connections: 1 };
            return Ok(Self { database, data_dir: None });
        }
        let file = Path::new(text);
        if file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            let config = config::read(file, ServerConfig::load)?;
            return Ok(Self { database: config.database, data_dir: Some(config.data_dir) });
        }
        Err(Failure::usage(format!(
            "`{}` names no database: write sqlite:DIRECTORY, postgres://USER@HOST/DATABASE, or a server's configuration \
             such as server-config.yaml",
            without_password(text)
        )))
    }

    /// For people: never with a password.
    pub(crate) fn name(&self) -> String {
        match &self.database {
            Database::Sqlite { dir } => format!("sqlite:{}", dir.display()),
            Database::Postgres { url, .. } => without_password(url.expose()),
        }
    }

    /// Opens it to be read.
    pub(crate) async fn export(&self) -> Result<Box<dyn Export>, StoreError> {
        Ok(match &self.database {
            Database::Sqlite { dir } => Box::new(sqlite::SqliteExport::open(dir)?),
            Database::Postgres { url, .. } => {
                Box::new(postgres::PostgresExport::open(url.expose(), options()).await?)
            }
        })
    }

    /// Opens it to be written.
    pub(crate) async fn import(&self) -> Result<Box<dyn Import>, StoreError> {
        Ok(match &self.database {
            Database::Sqlite { dir } => Box::new(sqlite::SqliteImport::open(dir)?),
            Database::Postgres { url, .. } => {
                Box::new(postgres::PostgresImport::open(url.expose(), options()).await?)
            }
        })
    }
}

fn options() -> Options {
    Options { connections: 1, ..Options::default() }
}

/// A URL, shortened by its password and by its query, which may hold another one.
fn without_password(url: &str) -> String {
    let url = url.split('?').next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else { return url.to_owned() };
    format!("{scheme}://{}@{host}", user.split(':').next().unwrap_or(user))
}

/// Copies the files that a server keeps beside its database. What is there already stays, so it can be done again.
/// Answers how many were copied.
pub(crate) fn files(from: &Path, to: &Path) -> Result<u64, Failure> {
    let failed = |error: io::Error| {
        Failure::environment(format!("cannot copy {} to {}: {error}", from.display(), to.display()))
    };
    let key = Path::new("secret.key");
    let (old, new) = (read(&from.join(key)).map_err(failed)?, read(&to.join(key)).map_err(failed)?);
    if old.is_some() && new.is_some() && old != new {
        return Err(Failure::usage(format!(
            "{} has another secret key: what was encrypted with the one of {} could not be read there; remove it if no \
             server has used it",
            to.join(key).display(),
            from.display()
        )));
    }
    let mut copied = 0;
    for name in FILES {
        copied += tree(&from.join(name), &to.join(name)).map_err(failed)?;
    }
    Ok(copied)
}

fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file or a directory with all that is in it; nothing if there is none.
fn tree(from: &Path, to: &Path) -> io::Result<u64> {
    let kind = match fs::symlink_metadata(from) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    if kind.is_dir() {
        let mut copied = 0;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copied += tree(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(copied);
    }
    if !kind.is_file() || to.exists() {
        return Ok(0);
    }
    let dir = to.parent().unwrap_or(to);
    fs::create_dir_all(dir)?;
    // Under its name only when it is whole.
    let whole = tempfile::Builder::new().prefix(".copy-").tempfile_in(dir)?;
    fs::copy(from, whole.path())?;
    whole.as_file().sync_all()?;
    whole.persist(to)?;
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_url_or_a_configuration() {
        for (text, name) in [
            ("sqlite:/var/lib/stroem", "sqlite:/var/lib/stroem"),
            ("postgres://me:secret@db.example/jobs?password=secret", "postgres://me@db.example/jobs"),
            ("postgresql://db.example/jobs", "postgresql://db.example/jobs"),
        ] {
            assert_eq!(End::parse(text).expect(text).name(), name);
        }
        for text in ["/var/lib/stroem", "mysql://me:secret@db/jobs", "no-such-file.yaml"] {
            let refused = End::parse(text).expect_err(text).to_string();
            assert!(
                !refused.contains("secret") && refused.contains(text.split(':').next().expect("some")),
                "{refused}"
            );
        }
    }

    #[test]
    fn files_are_copied_once_and_a_foreign_key_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("blobs/logs")).expect("made");
        fs::write(from.join("secret.key"), "key").expect("written");
        fs::write(from.join("blobs/logs/1"), "lines").expect("written");
        fs::write(from.join("lock"), "").expect("written");
        assert_eq!(files(&from, &to).expect("copies"), 2);
        assert_eq!(fs::read_to_string(to.join("blobs/logs/1")).expect("there"), "lines");
        assert!(!to.join("lock").exists());
        assert_eq!(files(&from, &to).expect("again"), 0);
        fs::write(to.join("secret.key"), "other").expect("written");
        assert!(files(&from, &to).expect_err("refused").to_string().contains("another secret key"));
    }
}
